import type { Store } from './types.ts';

/**
 * Sweeps a store now and every `interval` milliseconds. It is for programs that open a store without the server, whose
 * maintenance does that otherwise. After a failed round the next one tries again. The returned function stops sweeping
 * and resolves when the present round has ended.
 */
export function startSweeper(store: Store, interval: number): () => Promise<void> {
  let stopped = false;
  let round: Promise<void> | undefined;

  async function sweepAll(): Promise<void> {
    try {
      while (!stopped && (await store.sweep()));
    } catch {
      // Nobody would see the error here; the next call that reads or writes reports it.
    }
    round = undefined;
  }

  const sweep = () => {
    round ??= sweepAll();
  };
  const timer = setInterval(sweep, interval);
  // The timer must not keep the program alive.
  timer.unref();
  sweep();
  return async () => {
    stopped = true;
    clearInterval(timer);
    await round;
  };
}
