/** Milliseconds for which reads may follow each other without a pause. */
const longest = 10;

/**
 * Await it before each read of an engine that answers without ever waiting. Otherwise a caller that reads a long
 * session in a loop keeps timers, signals and all other callers waiting until its end.
 */
export function breaths(): () => Promise<void> | undefined {
  let last = performance.now();
  return () => {
    if (performance.now() - last < longest) return undefined;
    return new Promise((resolve) => {
      setImmediate(() => {
        last = performance.now();
        resolve();
      });
    });
  };
}
