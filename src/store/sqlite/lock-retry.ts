import { isBusy, sqliteError } from './errors.ts';

/**
 * Runs `attempt`, again and again while another process holds the lock, until `deadline` (of
 * `performance.now()`). It waits on timers, since SQLite's
 * own waiting would stop the event loop. The pauses do not grow, or whoever has waited longest would have
 * the least chance to meet the moment in which the lock is free.
 * @throws SessionError for everything that SQLite reports; UNAVAILABLE when the deadline has passed
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

/** Milliseconds that one process may write on end, and how long it then stays away. */
const turn = 30;
const gap = 1;

/**
 * Lets other processes in: between two commits of a busy process the lock is free for some microseconds only,
 * which those who look every millisecond or two would hardly ever meet. Await `begin` before a transaction,
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
