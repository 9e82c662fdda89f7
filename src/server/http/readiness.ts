import type { Backend } from '../../backend/types.ts';

/**
 * Milliseconds for which a result of the check is used again. For a backend without a check of its own, a list is
 * requested, which counts against the service's quota, so that is done less often.
 */
const freshMs = { ownCheck: 1000, listing: 5000 };
const timeoutMs = 2000;

/** Returns a check that rejects while the backend cannot write or, if it has no such check, does not answer. */
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
    // Without a handler a failure that nobody waits for would end the process.
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
