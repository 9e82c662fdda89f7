/** Milliseconds that a round of the event loop may take before somebody new waits too long. */
const roundMs = 10;
/** Requests that begin in a round at the least, and at the most. */
const least = 4;
const most = 64;

/**
 * Lets requests begin in the order in which they came, as many in each round of the event loop as it has time
 * for. Node takes up one new connection per round, so without this the many requests of those who are
 * connected make rounds so long that somebody new waits for a minute; `npm run bench -- http` shows both.
 */
export function createAdmissionQueue(now: () => number = () => performance.now()): () => Promise<void> {
  let waiting: (() => void)[] = [];
  let scheduled = false;
  /** Milliseconds that one request takes, as the rounds before have shown. */
  let cost = roundMs / most;
  let last: { at: number; begun: number } | undefined;

  function round(): void {
    const at = now();
    // What lies between two rounds that follow each other is the work of the first.
    if (last !== undefined) cost += ((at - last.at) / last.begun - cost) / 8;
    const count = Math.max(least, Math.min(most, Math.floor(roundMs / cost)));
    const begin = waiting.slice(0, count);
    waiting = waiting.slice(count);
    scheduled = waiting.length > 0;
    last = scheduled ? { at, begun: begin.length } : undefined;
    if (scheduled) setImmediate(round);
    for (const next of begin) next();
  }

  return () =>
    new Promise((resolve) => {
      waiting.push(resolve);
      if (scheduled) return;
      scheduled = true;
      setImmediate(round);
    });
}
