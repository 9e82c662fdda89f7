import type { Event } from '../../model/event.ts';
import { type FilterTerm, matchesFilter } from '../../model/filter.ts';
import { parseTime } from '../../model/time.ts';
import type { EventHit, EventSearch, EventsFound, Owner } from '../types.ts';
import { authorTag, eventScope, monthTags, sessionTag } from './event-text.ts';
import { eventRows, seqOfKey, tryRecord } from './events.ts';
import { type FoundEvent, headsOf, ownersOf } from './found-events.ts';
import { isIndexing } from './index-old-events.ts';
import * as keys from './keys.ts';
import { lendScores, type Scored } from './lend-scores.ts';
import { fuseEvents, nearEvents } from './near-events.ts';
import { type Head, type Local, readHead, toSession, tryHead } from './session-record.ts';

/** How many events the index is asked for: more only while too few of them pass what the index cannot decide. */
const candidates = [200, 1000, 4000];
/** Visible neighbours are looked for among so many more events, since some may be hidden. */
const hiddenBetween = 8;
/** A filter that fewer sessions match, among so many, is decided by the index. */
const mostMatching = 200;
const mostScanned = 2000;

/** Of each search, by words and by meaning, so many are fused at least. */
const leastFused = 50;

/** The events of a user's sessions that fit a query, best first, each with its visible neighbours. */
export async function searchEvents(local: Local, query: EventSearch): Promise<EventsFound> {
  const [{ found, fits }, near] = await Promise.all([
    findEvents(local, query, query.limit),
    nearEvents(local, query, query.limit),
  ]);
  const alike = near.filter(({ head, event }) => fits(head, event));
  const deep = alike.length === 0 ? query.limit : Math.max(query.limit, leastFused);
  const best = fuseEvents(await bestOf(local, found, deep, fits), alike).slice(0, query.limit);
  return {
    hits: await Promise.all(best.map((hit) => withNeighbours(local, hit, query.around))),
    indexing: await isIndexing(local),
  };
}

interface Findings {
  /** What the index found, without what neighbours and sessions lend. */
  found: FoundEvent[];
  fits: (head: Head, event: Event) => boolean;
}

/** At least `wanted` events that hold words of the query, if there are so many. */
export async function findEvents(
  local: Local,
  query: Omit<EventSearch, 'limit' | 'around'>,
  wanted: number,
): Promise<Findings> {
  const { app, userId, sessionId, author, filter = [] } = query;
  const after = query.afterTime === undefined ? undefined : parseTime('afterTime', query.afterTime);
  const before = query.beforeTime === undefined ? undefined : parseTime('beforeTime', query.beforeTime);
  const only =
    sessionId === undefined ? undefined : await readHead(local, { app: app ?? '', userId, sessionId });
  const fits = (head: Head, event: Event) => {
    const ms = Date.parse(event.timestamp);
    return (
      event.hidden !== true &&
      event.partial !== true &&
      (author === undefined || event.author === author) &&
      (after === undefined || ms > after) &&
      (before === undefined || ms < before) &&
      (only === undefined || head.uid === only.uid) &&
      matchesFilter(toSession(head), filter)
    );
  };
  const tags = [
    ...(only === undefined ? [] : [[sessionTag(only.uid)]]),
    ...(author === undefined ? [] : [[authorTag(author)]]),
    ...(before === undefined ? [] : [monthTags(after, before)]),
  ];
  const owners = await ownersOf(local, userId, app);
  const narrowed = await Promise.all(
    owners.map(async (owner) => ({ owner, tags: [...tags, ...(await filterTags(local, owner, filter))] })),
  );
  for (const limit of candidates) {
    const searches = await Promise.all(narrowed.map((one) => searchOwner(local, one, query.text, limit)));
    const found = searches.flatMap((one) => one.found.filter(({ head, event }) => fits(head, event)));
    const all = searches.every((one) => one.all);
    if (found.length >= wanted || all || limit === candidates.at(-1)) return { found, fits };
  }
  return { found: [], fits };
}

/** The group of tags that only the sessions have which a filter lets pass; none where that cannot be said. */
async function filterTags(local: Local, owner: Owner, filter: readonly FilterTerm[]): Promise<string[][]> {
  if (filter.length === 0) return [];
  const prefix = keys.userList(owner, 'updateTime');
  const rows = await local.store.range({ prefix, limit: mostScanned + 1, reverse: true });
  if (rows.length > mostScanned) return [];
  const ids = rows.map((row) => keys.partsOf(row.key).at(-1) ?? '');
  const values = await local.store.get(ids.map((sessionId) => keys.headKey({ ...owner, sessionId })));
  const matching = values.flatMap((value) => {
    const head = value === undefined ? undefined : tryHead(value);
    return head !== undefined && matchesFilter(toSession(head), filter) ? [sessionTag(head.uid)] : [];
  });
  return matching.length > mostMatching ? [] : [matching];
}

/** What the index knows, without what belongs to sessions that are gone, expired or still being made. */
async function searchOwner(
  local: Local,
  { owner, tags }: { owner: Owner; tags: readonly (readonly string[])[] },
  text: string,
  limit: number,
): Promise<{ found: FoundEvent[]; all: boolean }> {
  if (tags.some((group) => group.length === 0)) return { found: [], all: true };
  const hits = await local.store.search({ scope: eventScope(owner), text, limit, tags });
  const placed = hits.flatMap(({ key, value, score }) => {
    const event = tryRecord(value)?.event;
    return event === undefined ? [] : [{ uid: keys.partsOf(key)[1] ?? '', seq: seqOfKey(key), score, event }];
  });
  const heads = await headsOf(local, owner, [...new Set(placed.map(({ uid }) => uid))]);
  return {
    found: placed.flatMap((one) => {
      const head = heads.get(one.uid);
      return head === undefined ? [] : [{ ...one, head }];
    }),
    all: hits.length < limit,
  };
}

/** The best once neighbours and sessions have lent of their scores; a neighbour counts if it exists and fits. */
async function bestOf(
  local: Local,
  found: readonly FoundEvent[],
  limit: number,
  fits: Findings['fits'],
): Promise<FoundEvent[]> {
  const placeOf = ({ uid, seq }: Scored) => `${seq} ${uid}`;
  const known = new Map(found.map((hit) => [placeOf(hit), hit.event]));
  const heads = new Map(found.map((hit) => [hit.uid, hit.head]));
  const best: FoundEvent[] = [];
  const lent = lendScores(found);
  for (let from = 0; best.length < limit && from < lent.length; from += 2 * limit) {
    const some = lent.slice(from, from + 2 * limit);
    const missing = some.filter((one) => !known.has(placeOf(one)));
    const values = await local.store.get(missing.map(({ uid, seq }) => keys.eventKey(uid, seq)));
    for (const [i, one] of missing.entries()) {
      const event = values[i] === undefined ? undefined : tryRecord(values[i])?.event;
      if (event !== undefined) known.set(placeOf(one), event);
    }
    for (const one of some) {
      const event = known.get(placeOf(one));
      const head = heads.get(one.uid);
      if (event !== undefined && head !== undefined && fits(head, event)) best.push({ ...one, head, event });
    }
  }
  return best.slice(0, limit);
}

/** A hit with the visible events around it, in their order. */
async function withNeighbours(local: Local, hit: FoundEvent, around: number): Promise<EventHit> {
  const { uid, seq, head, event, score } = hit;
  const visible = async (reverse: boolean): Promise<Event[]> => {
    if (around === 0) return [];
    const from = { first: reverse ? 0 : seq + 1, cursor: reverse ? seq : undefined, reverse };
    const rows = await eventRows(local, uid, { ...from, limit: around + hiddenBetween });
    return rows
      .flatMap((row) => tryRecord(row.value)?.event ?? [])
      .filter((one) => one.hidden !== true && one.partial !== true)
      .slice(0, around);
  };
  const [earlier, later] = await Promise.all([visible(true), visible(false)]);
  return { session: toSession(head), event, score, before: earlier.reverse(), after: later };
}
