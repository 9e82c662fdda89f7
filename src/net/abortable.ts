/**
 * The promise, or the signal's reason as soon as that is aborted. Listens only as long as the promise is open:
 * a race with one promise for a whole stream would keep every piece of it that was ever raced.
 */
export function abortable<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason);
    if (signal.aborted) onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}
