import { waitForOthers } from './deadline.ts';

/** Runs work when fewer than `limit` others run; the rest waits in line, each for as long as its call may take. */
export type Semaphore = <T>(work: () => Promise<T>) => Promise<T>;

export function semaphore(limit: number): Semaphore {
  let running = 0;
  const waiting = new Set<() => void>();

  /** Whether a place was given to this work. Without one its time is up, and it ends by itself. */
  async function enter(): Promise<boolean> {
    if (running < limit) {
      running += 1;
      return true;
    }
    let take = () => {};
    const place = new Promise<void>((resolve) => {
      take = resolve;
    });
    waiting.add(take);
    await waitForOthers(place);
    return !waiting.delete(take);
  }

  function leave(): void {
    // The place goes to the next in line; only without one is it free again.
    const [next] = waiting;
    if (next === undefined) running -= 1;
    else {
      waiting.delete(next);
      next();
    }
  }

  return async (work) => {
    const hasPlace = await enter();
    try {
      return await work();
    } finally {
      if (hasPlace) leave();
    }
  };
}
