import { fuseRanks } from '../../embeddings/fuse.ts';
import type { Near } from '../../embeddings/nearest.ts';
import type { EventSearch, Owner } from '../types.ts';
import { tryRecord } from './events.ts';
import { type FoundEvent, headsOf, ownersOf } from './found-events.ts';
import * as keys from './keys.ts';
import { type Local, readHead } from './session-record.ts';

/** Time, author and labels are looked at only once an event is found, so more of them are looked for. */
const leastNear = 200;
const moreThanWanted = 4;

/** The events that mean most nearly the same as a query, best first; what of them may be shown is for the caller to see. */
export async function nearEvents(
  local: Local,
  query: Pick<EventSearch, 'app' | 'userId' | 'sessionId' | 'text'>,
  wanted: number,
): Promise<FoundEvent[]> {
  const { meaning } = local;
  if (meaning === undefined) return [];
  const { app, userId, sessionId, text } = query;
  const limit = Math.max(leastNear, moreThanWanted * wanted);
  const group =
    sessionId === undefined ? undefined : (await readHead(local, { app: app ?? '', userId, sessionId })).uid;
  const owners = await ownersOf(local, userId, app);
  const found = await Promise.all(
    owners.map(async (owner) => {
      const near = await meaning.nearest(owner, 'events', { text, limit, group });
      return existing(local, owner, near);
    }),
  );
  return found.flat().sort((a, b) => b.score - a.score);
}

/** Those that are there. What is not is no longer looked for. */
async function existing(local: Local, owner: Owner, near: readonly Near[]): Promise<FoundEvent[]> {
  if (near.length === 0) return [];
  const heads = await headsOf(local, owner, [...new Set(near.map(({ group }) => group))]);
  const values = await local.store.get(near.map(({ group, id }) => keys.eventKey(group, keys.unfixed(id))));
  return near.flatMap(({ group, id, cosine }, i) => {
    const head = heads.get(group);
    const value = values[i];
    const event = value === undefined ? undefined : tryRecord(value)?.event;
    if (head === undefined) local.meaning?.forget(owner, 'events', group);
    else if (event === undefined || event.hidden === true) local.meaning?.forget(owner, 'events', group, id);
    else return [{ uid: group, seq: keys.unfixed(id), score: cosine, head, event }];
    return [];
  });
}

/** One order of what words and meaning found, with scores by their ranks; words alone keep their own. */
export function fuseEvents(byWords: readonly FoundEvent[], near: readonly FoundEvent[]): FoundEvent[] {
  if (near.length === 0) return [...byWords];
  const placeOf = ({ uid, seq }: FoundEvent) => `${seq} ${uid}`;
  const events = new Map([...near, ...byWords].map((one) => [placeOf(one), one]));
  const fused = fuseRanks(byWords.map(placeOf), near.map(placeOf));
  return [...fused].flatMap(([place, score]) => {
    const event = events.get(place);
    return event === undefined ? [] : [{ ...event, score }];
  });
}
