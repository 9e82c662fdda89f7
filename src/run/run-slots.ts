import { SessionError } from '../errors.ts';

/** Most concurrent runs in this process: of all users together, and of one user. */
const maxRuns = 200;
const maxRunsOfUser = 20;

/** The places for concurrent runs in this process, for all backends together. */
export interface RunSlots {
  /**
   * Takes a place and returns the function that gives it back. The count changes before anything is awaited,
   * so that simultaneous calls cannot pass the limit together.
   * @throws SessionError RESOURCE_EXHAUSTED
   */
  take(userId: string): () => void;
}

export function openRunSlots(): RunSlots {
  const byUser = new Map<string, number>();
  let total = 0;
  return {
    take(userId) {
      const own = byUser.get(userId) ?? 0;
      if (total >= maxRuns || own >= maxRunsOfUser)
        throw new SessionError('RESOURCE_EXHAUSTED', 'Too many agents are running at once.', {
          hint: 'Wait until a run has ended, or cancel one.',
          retryAfter: 5,
        });
      total += 1;
      byUser.set(userId, own + 1);
      let taken = true;
      return () => {
        if (!taken) return;
        taken = false;
        total -= 1;
        const left = (byUser.get(userId) ?? 1) - 1;
        if (left === 0) byUser.delete(userId);
        else byUser.set(userId, left);
      };
    },
  };
}
