/** Resolves when the promise does, the time is up, or the signal is aborted. */
export async function waitAtMost(what: Promise<unknown>, ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  let finish: () => void = () => {};
  const given = new Promise<void>((resolve) => {
    finish = resolve;
  });
  const timer = setTimeout(finish, ms);
  signal.addEventListener('abort', finish);
  try {
    await Promise.race([what, given]);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', finish);
  }
}
