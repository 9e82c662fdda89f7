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
 * Lets other processes write. Between two commits of a busy process the lock is free only for some microseconds, and
 * other processes, which try every millisecond or two, would hardly ever get it. Await `begin` before a transaction,
 * call `end` after it.
 */
export function takeTurns(): { begin: () => Promise<void>; end: () => void } {
  let turnStart = 0;
  let lastEnd = 0;
  return {
    async begin() {
      const now = performance.now();
      if (now - lastEnd < gap && now - turnStart > turn)
        await new Promise((resolve) => setTimeout(resolve, gap));
      else if (now - lastEnd < gap) return;
      turnStart = performance.now();
    },
    end() {
      lastEnd = performance.now();
    },
  };
}
