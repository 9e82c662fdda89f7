import type { Backend } from '../../backend/types.ts';

/**
 * Milliseconds for which a result of the check is used again. A service counts requests against quotas, so a
 * backend without a cheap check is asked less often.
 */
const freshMs = { ownCheck: 1000, listing: 5000 };
const timeoutMs = 2000;

/** A check that rejects when the backend could not do its work now: write, or where it cannot tell, answer. */
export function createReadiness(
  backend: Backend | undefined,
  app: string,
  userId: string,
): () => Promise<void> {
  const fresh = backend?.ready === undefined ? freshMs.listing : freshMs.ownCheck;
  let asked = Number.NEGATIVE_INFINITY;
  let answer = Promise.resolve();
  return () => {
    if (performance.now() - asked < fresh) return answer;
    asked = performance.now();
    const work =
      backend?.ready?.() ??
      backend?.sessions?.list?.({ app: backend.defaultApp ?? app, userId, pageSize: 1 });
    answer = within(timeoutMs, work ?? Promise.resolve());
    // Nobody may be waiting when it fails.
    answer.catch(() => {});
    return answer;
  };
}

async function within(ms: number, work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('The backend did not answer in time.')), ms);
  });
  try {
    await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
