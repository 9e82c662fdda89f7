import { SessionError } from '../../errors.ts';
import { matchesFilter } from '../../model/filter.ts';
import { checkId } from '../../model/ids.ts';
import type { JsonObject } from '../../model/json.ts';
import type { Page } from '../../model/page.ts';
import type { Session } from '../../model/session.ts';
import type { SessionQuery } from '../types.ts';
import type { Vectara } from './client.ts';
import { nameFilter, ownerFilter } from './filter.ts';
import { checkLabelFilter } from './labels.ts';
import { type List, readAll, readPage, servicePageSize } from './list-pages.ts';
import { toSession } from './map-session.ts';
import { orderedPage } from './ordered-page.ts';
import { isBelow } from './own-session.ts';
import { treeOf } from './paths.ts';
import { microsField, textField } from './wire.ts';

/** Most requests that one call of `list` makes. */
const scanRequests = 20;

/** Most pages of 100 sessions that are read to sort a list. */
const orderPages = 10;

/**
 * Lists the sessions of a user or of all users; sessions without an owner are left out. Vectara's filters make the
 * list shorter, and each session is checked again when it arrives.
 */
export async function listSessions(vectara: Vectara, query: SessionQuery): Promise<Page<Session>> {
  const tree = treeOf(query.app);
  const terms = query.filter ?? [];
  for (const term of terms) if (term.field === 'label') checkLabelFilter(term.key);
  const userId = query.userId ?? terms.find((t) => t.field === 'userId')?.value;
  if (query.userId !== undefined) checkId('userId', query.userId);
  const name = terms.find((t) => t.field === 'displayName')?.value;
  const params = {
    filter: name === undefined ? undefined : nameFilter(name),
    // Lists below an alias have no metadata_filter.
    metadata_filter: userId === undefined || tree.kind === 'alias' ? undefined : ownerFilter(userId),
  };
  const accept = (wire: JsonObject): Session | undefined => {
    const session = isBelow(wire, query.app) ? toSession(wire, query.app) : undefined;
    if (session === undefined || (query.userId !== undefined && session.userId !== query.userId))
      return undefined;
    return matchesFilter(session, terms) ? session : undefined;
  };
  const list: SessionList = {
    name: 'listSessions',
    path: `${tree.base}/sessions`,
    field: 'sessions',
    params,
    accept,
  };
  if (query.orderBy === undefined || query.cursor?.startsWith(unordered))
    return unorderedSessions(vectara, query, list);
  const ordered = await orderedSessions(vectara, query, list);
  // Vectara keeps no time of change, so a too long list in that order, the default of the tool, stays unordered.
  return ordered ?? unorderedSessions(vectara, { ...query, cursor: undefined }, list);
}

/** A list at Vectara, and which of its sessions are wanted. */
interface SessionList extends List {
  accept(wire: JsonObject): Session | undefined;
}

/** A page of sessions in the order in which Vectara lists them. */
async function unorderedSessions(
  vectara: Vectara,
  query: SessionQuery,
  { accept, ...list }: SessionList,
): Promise<Page<Session>> {
  const items: Session[] = [];
  let { key, skip } = openCursor(query.cursor);
  // Vectara's filter leaves nearly only wanted sessions; without one, a small page would hold few of them.
  const limit = list.params.metadata_filter === undefined ? servicePageSize : query.pageSize;
  for (let request = 0; request < scanRequests; request += 1) {
    const page = await readPage(vectara, { ...list, params: { ...list.params, limit, page_key: key } });
    for (const [index, wire] of page.items.entries()) {
      if (index < skip) continue;
      const session = accept(wire);
      if (session === undefined) continue;
      if (items.length === query.pageSize) return { items, cursor: sealCursor(key, index) };
      items.push(session);
    }
    if (page.next === undefined) return { items };
    key = page.next;
    skip = 0;
    if (items.length === query.pageSize) break;
  }
  return { items, cursor: sealCursor(key, 0) };
}

const unordered = 'u';

/** Vectara's page key, and how many sessions of that page the previous answers used. */
const sealCursor = (key: string | undefined, skip: number): string => `${unordered}${skip}:${key ?? ''}`;

function openCursor(cursor: string | undefined): { key: string | undefined; skip: number } {
  const [, skip = '0', key = ''] = /^u(\d+):(.*)$/s.exec(cursor ?? '') ?? [];
  return { key: key === '' ? undefined : key, skip: Number(skip) };
}

/**
 * A page of sessions in order. The order of Vectara's list is documented nowhere, so all of it is read. Undefined
 * when the list is too long and the order is by time of change.
 */
async function orderedSessions(
  vectara: Vectara,
  query: SessionQuery,
  { accept, ...list }: SessionList,
): Promise<Page<Session> | undefined> {
  const tooMany = new SessionError('FAILED_PRECONDITION', 'There are too many sessions to sort.', {
    hint: 'Narrow the list with a filter, or order by updateTime: a long list then keeps the order of Vectara.',
  });
  const source = readAll(vectara, list, {
    maxPages: orderPages,
    tooMany: () => tooMany,
  });
  try {
    const page = await orderedPage(source, {
      idOf: (wire) => textField(wire, 'key') ?? '',
      timeOf: (wire) => microsField(wire, 'created_at'),
      order: query.orderBy?.endsWith(' desc') ? 'desc' : 'asc',
      pageSize: query.pageSize,
      cursor: query.cursor,
      wanted: (wire) => accept(wire) !== undefined,
    });
    return { items: page.items.map(accept).filter((s) => s !== undefined), cursor: page.cursor };
  } catch (error) {
    if (error === tooMany && query.cursor === undefined && query.orderBy?.startsWith('updateTime'))
      return undefined;
    throw error;
  }
}
