/** Milliseconds that a round of the event loop may take. Node accepts one new connection per round. */
const roundMs = 10;
/** The least and the most requests that begin in a round. */
const least = 4;
const most = 64;

/**
 * Lets requests begin in the order in which they came, in each round of the event loop as many as fit into `roundMs`.
 * Node accepts one new connection per round. Without the queue, many requests of connected clients make rounds so long
 * that a new client waits for a minute; `npm run bench -- http` shows both.
 */
export function createAdmissionQueue(now: () => number = () => performance.now()): () => Promise<void> {
  let waiting: (() => void)[] = [];
  let scheduled = false;
  /** Milliseconds that one request takes, averaged over the last rounds. */
  let cost = roundMs / most;
  let last: { at: number; begun: number } | undefined;

  function round(): void {
    const at = now();
    // The time between two successive rounds is the work of the first.
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
