import { createHash } from 'node:crypto';
import { limitsPrefix } from './keys.ts';
import type { Store } from './types.ts';

/** Small records that all servers on one store keep together, each under the name of a user. */
export interface SharedRecords {
  /**
   * Changes a record in one transaction. `decide` is pure and may run again on a newer record; without a record in its
   * answer there is none afterwards.
   */
  update<T>(name: string, decide: (record: string | undefined) => Change<T>): Promise<T>;
}

interface Change<T> {
  result: T;
  record: string | undefined;
  /** Milliseconds since the epoch at which it disappears. */
  expires: number;
}

export function sharedRecords(store: Pick<Store, 'update'>): SharedRecords {
  return {
    update(name, decide) {
      const key = limitsPrefix + createHash('sha256').update(name).digest('base64url');
      return store.update([key], ([value]) => {
        const { result, record, expires } = decide(value);
        if (record !== undefined) return { result, writes: [{ key, value: record, expires }] };
        return { result, writes: value === undefined ? [] : [{ drop: key }] };
      });
    },
  };
}
