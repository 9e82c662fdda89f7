import type { Event } from '../../model/event.ts';
import type { Owner } from '../types.ts';
import * as keys from './keys.ts';
import type { Scored } from './lend-scores.ts';
import { type Head, isExpired, type Local, tryHead } from './session-record.ts';

/** An event that may be shown. */
export interface FoundEvent extends Scored {
  head: Head;
  event: Event;
}

/** The apps of a user, or the one that is named. */
export async function ownersOf(local: Local, userId: string, app: string | undefined): Promise<Owner[]> {
  if (app !== undefined) return [{ app, userId }];
  const rows = await local.store.range({ prefix: keys.userApps(userId), limit: 1000 });
  return rows.map((row) => ({ app: keys.partsOf(row.key).at(-1) ?? '', userId }));
}

/** The heads of an owner's sessions by uid, without those that are gone, expired or still being made. */
export async function headsOf(
  local: Local,
  owner: Owner,
  uids: readonly string[],
): Promise<Map<string, Head>> {
  const ids = await local.store.get(uids.map(keys.sessionIdKey));
  const known = uids.flatMap((uid, i) => (ids[i] === undefined ? [] : [{ uid, sessionId: ids[i] }]));
  const values = await local.store.get(known.map(({ sessionId }) => keys.headKey({ ...owner, sessionId })));
  const now = local.now();
  return new Map(
    known.flatMap(({ uid }, i): [string, Head][] => {
      const head = values[i] === undefined ? undefined : tryHead(values[i]);
      return head === undefined || head.uid !== uid || isExpired(head, now) ? [] : [[uid, head]];
    }),
  );
}
