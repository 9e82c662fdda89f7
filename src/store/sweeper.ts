import type { Store } from './types.ts';

/**
 * Sweeps a store now and every so many milliseconds, for programs that open one without the server, whose
 * maintenance does it otherwise. A round that fails is left to the next. The returned function ends it and
 * resolves when the round under way is over.
 */
export function startSweeper(store: Store, interval: number): () => Promise<void> {
  let stopped = false;
  let round: Promise<void> | undefined;

  async function sweepAll(): Promise<void> {
    try {
      while (!stopped && (await store.sweep()));
    } catch {
      // The next call that reads or writes reports the error; nobody would see it here.
    }
    round = undefined;
  }

  const sweep = () => {
    round ??= sweepAll();
  };
  const timer = setInterval(sweep, interval);
  // Nobody's program stays alive for this.
  timer.unref();
  sweep();
  return async () => {
    stopped = true;
    clearInterval(timer);
    await round;
  };
}
