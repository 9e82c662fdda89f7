import { isBusy, sqliteError } from './errors.ts';

/**
 * Repeats `attempt` while another process holds the lock, until `deadline` (by `performance.now()`). It waits on timers,
 * since SQLite's own waiting would block the event loop. The pauses do not grow: otherwise the caller that has waited
 * longest would try most rarely.
 * @throws SessionError for all errors of SQLite; UNAVAILABLE when the deadline has passed
 */
export async function retryWhileLocked<T>(attempt: () => T, deadline: number): Promise<T> {
  for (;;) {
    try {
      return attempt();
    } catch (error) {
      if (!isBusy(error) || performance.now() > deadline) throw sqliteError(error);
    }
    await new Promise((resolve) => setTimeout(resolve, 1 + Math.random() * 2));
  }
}

/** Milliseconds for which one process may write without a pause, and milliseconds of the pause. */
const turn = 30;
const gap = 1;
/**
 * The part of a turn for which a process may hold the lock without a pause after it. Others try at any moment, so with a
 * tenth of the time they get it within twenty milliseconds.
 */
const fairShare = 0.9;

/**
 * Lets other processes write. Between two commits of a busy process the lock may be free only for some microseconds, and
 * other processes, which try every millisecond or two, would hardly ever get it. Await `begin` before a transaction,
 * call `end` after it.
 */
export function takeTurns(now = () => performance.now()): { begin: () => Promise<void>; end: () => void } {
  let turnStart = 0;
  let held = 0;
  let lastBegin = 0;
  let lastEnd = 0;

  function startTurn(): void {
    turnStart = now();
    held = 0;
  }

  return {
    async begin() {
      const at = now();
      if (at - lastEnd >= gap) startTurn();
      else if (at - turnStart > turn) {
        if (held > fairShare * (at - turnStart)) await new Promise((resolve) => setTimeout(resolve, gap));
        startTurn();
      }
      lastBegin = now();
    },
    end() {
      lastEnd = now();
      held += lastEnd - lastBegin;
    },
  };
}
