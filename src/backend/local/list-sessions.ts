import { fuseRanks } from '../../embeddings/fuse.ts';
import { invalidArgument } from '../../errors.ts';
import { matchesFilter } from '../../model/filter.ts';
import type { Page } from '../../model/page.ts';
import { previewOf, type Session } from '../../model/session.ts';
import { parseTime } from '../../model/time.ts';
import { sessionNotFound } from '../shared/errors.ts';
import type { SessionQuery, SessionRef } from '../types.ts';
import { tryRecord } from './events.ts';
import { headsOf } from './found-events.ts';
import * as keys from './keys.ts';
import { sessionScores } from './lend-scores.ts';
import { nearEvents } from './near-events.ts';
import { findEvents } from './search-events.ts';
import { type Head, isExpired, type Local, nameScope, toSession, tryHead } from './session-record.ts';

/** Most sessions that one call of `list` reads. Under a filter that few match, a page ends early with a cursor. */
const scanLimit = 2000;
/** Events, and names, that a search for sessions looks at. */
const searched = 1000;
/** Events that a search for sessions by meaning looks at. */
const searchedNear = 100;
/** Words in the name of a session say more than words in one of its events. */
const nameWeight = 3;
/** The first visible event of a session is looked for among so many. */
const firstEvents = 3;

/**
 * Sessions of a user, or of the whole app, without their state. A list by createTime is steady while others
 * write; in a list by updateTime a session that is written to moves to its new place.
 */
export async function listSessions(local: Local, query: SessionQuery): Promise<Page<Session>> {
  const after = query.updatedAfter === undefined ? undefined : parseTime('updatedAfter', query.updatedAfter);
  const before =
    query.updatedBefore === undefined ? undefined : parseTime('updatedBefore', query.updatedBefore);
  const fits = (head: Head) =>
    !isExpired(head, local.now()) &&
    (after === undefined || head.updated > after) &&
    (before === undefined || head.updated < before) &&
    matchesFilter(toSession(head), query.filter ?? []);
  const { items, cursor } =
    query.text === undefined
      ? await inOrder(local, query, { after, before, fits })
      : await byWords(local, query, query.text, fits);
  return { items: await Promise.all(items.map((head) => withBeginning(local, head))), cursor };
}

interface Bounds {
  after: number | undefined;
  before: number | undefined;
  fits: (head: Head) => boolean;
}

async function inOrder(
  local: Local,
  query: SessionQuery,
  { after, before, fits }: Bounds,
): Promise<Page<Head>> {
  const { store } = local;
  const [field, direction] = (query.orderBy ?? 'updateTime desc').split(' ') as [keys.Clock, 'asc' | 'desc'];
  const { userId, app } = query;
  const prefix = userId === undefined ? keys.appList(app, field) : keys.userList({ app, userId }, field);
  const reverse = direction === 'desc';
  // Where the list is in the order of these times, it is read from one to the other.
  const low = field === 'updateTime' && after !== undefined ? keys.fixed(Math.max(0, after) + 1) : undefined;
  const high = field === 'updateTime' && before !== undefined ? keys.fixed(Math.max(0, before)) : undefined;
  const items: Head[] = [];
  let cursor = query.cursor;
  let scanned = 0;
  while (scanned < scanLimit) {
    // One more than is wanted tells whether there is another page.
    const limit = query.filter === undefined ? query.pageSize - items.length + 1 : 100;
    const from = reverse ? low : (cursor ?? low);
    const to = reverse ? (cursor ?? high) : high;
    const rows = await store.range({
      prefix,
      ...(from === undefined ? {} : { after: prefix + from }),
      ...(to === undefined ? {} : { before: prefix + to }),
      limit,
      reverse,
    });
    const refs = rows.map((row) => refOfListKey(app, userId, row.key.slice(prefix.length)));
    const heads = await store.get(refs.map(keys.headKey));
    for (const [i, row] of rows.entries()) {
      if (items.length === query.pageSize) return { items, cursor };
      cursor = row.key.slice(prefix.length);
      scanned += 1;
      const head = heads[i] === undefined ? undefined : tryHead(heads[i]);
      if (head !== undefined && fits(head)) items.push(head);
    }
    if (rows.length < limit) return { items };
  }
  return { items, cursor };
}

/** The sessions whose names and events fit the words, best first. The cursor counts those that were shown. */
async function byWords(
  local: Local,
  query: SessionQuery,
  text: string,
  fits: (head: Head) => boolean,
): Promise<Page<Head>> {
  const { app, userId, filter } = query;
  if (userId === undefined)
    throw invalidArgument('query searches the sessions of one user.', 'Leave allUsers out, or query.');
  const owner = { app, userId };
  const [{ found }, near] = await Promise.all([
    findEvents(local, { ...owner, text, filter }, searched),
    nearEvents(local, { ...owner, text }, searchedNear),
  ]);
  const named = await local.store.search({ scope: nameScope(owner), text, limit: searched });
  const byName = named.map(({ key, score }) => ({
    uid: keys.partsOf(key)[1] ?? '',
    score: nameWeight * score,
  }));
  const scores = sessionScores([...found, ...byName]);
  const byScore = [...scores].sort(([, a], [, b]) => b - a).map(([uid]) => uid);
  const alike = [...new Set(near.filter(({ event }) => event.hidden !== true).map(({ uid }) => uid))];
  const order = alike.length === 0 ? byScore : [...fuseRanks(byScore, alike).keys()];
  const heads = await headsOf(local, owner, order);
  const best = order.flatMap((uid) => heads.get(uid) ?? []).filter(fits);
  const from = Number(query.cursor ?? 0);
  const to = from + query.pageSize;
  return { items: best.slice(from, to), cursor: to < best.length ? String(to) : undefined };
}

async function withBeginning(local: Local, head: Head): Promise<Session> {
  const rows = await local.store.range({ prefix: keys.events(head.uid), limit: firstEvents });
  const first = rows
    .flatMap((row) => tryRecord(row.value)?.event ?? [])
    .find((event) => event.hidden !== true);
  return { ...toSession(head), ...(first === undefined ? {} : { firstEvent: previewOf(first) }) };
}

function refOfListKey(app: string, userId: string | undefined, rest: string): SessionRef {
  const parts = keys.partsOf(rest);
  const sessionId = parts.at(-1);
  const owner = userId ?? parts[1];
  if (sessionId === undefined || owner === undefined) throw sessionNotFound();
  return { app, userId: owner, sessionId };
}
