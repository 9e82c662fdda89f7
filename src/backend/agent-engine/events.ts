import { invalidArgument } from '../../errors.ts';
import type { Event } from '../../model/event.ts';
import { checkId } from '../../model/ids.ts';
import { isObject } from '../../model/json.ts';
import type { Page } from '../../model/page.ts';
import { parseTime, toTime } from '../../model/time.ts';
import type { EventQuery, SessionRef } from '../types.ts';
import { type AgentEngineClient, ownedWith } from './client.ts';
import { instant } from './event-timestamps.ts';
import { eventPages, findEvent, instantOf, type ListedEvent, listed, shownEvents } from './find-event.ts';
import { type AfterCursor, listAfter } from './list-after.ts';
import { idsOf, toEvent } from './map-event.ts';
import { sessionPath } from './paths.ts';

export async function getEvent(client: AgentEngineClient, ref: SessionRef, eventId: string): Promise<Event> {
  checkId('eventId', eventId);
  return toEvent(await ownedWith(client, ref, (signal) => findEvent(client, ref, eventId, signal)));
}

/**
 * Where the next page of a list begins: after an event (`after`), or at the service's token, with the bounds that all
 * pages of a list share.
 */
interface Cursor {
  token?: string | undefined;
  /** Filter bound, RFC 3339. */
  from?: string | undefined;
  /** The event at which a descending list stops. */
  anchor?: string | undefined;
  /** Time of the last event shown, as `instant` writes it. */
  last?: string | undefined;
  after?: AfterCursor | undefined;
}

/** Lists events by their timestamps, the only order that the service has. */
export async function listEvents(
  client: AgentEngineClient,
  ref: SessionRef,
  query: EventQuery,
): Promise<Page<Event>> {
  const afterMs = query.afterTime === undefined ? undefined : parseTime('afterTime', query.afterTime);
  const cursor = query.cursor === undefined ? undefined : readCursor(query.cursor);
  if (query.afterEventId !== undefined) checkId('eventId', query.afterEventId);
  return ownedWith(client, ref, async (signal) => {
    const at = cursor ?? (await startOf(client, ref, query, afterMs, signal));
    if (at.after === undefined) return listFrom(client, ref, query, at, signal);
    const { items, next } = await listAfter(client, ref, {
      start: at.after,
      pageSize: query.pageSize,
      afterMs,
      signal,
    });
    return next === undefined
      ? { items }
      : { items, cursor: JSON.stringify({ after: next } satisfies Cursor) };
  });
}

async function startOf(
  client: AgentEngineClient,
  ref: SessionRef,
  { afterEventId, order }: EventQuery,
  afterMs: number | undefined,
  signal: AbortSignal,
): Promise<Cursor> {
  // Callers see times in milliseconds, so "later than a time" begins at the next millisecond.
  const later = afterMs === undefined ? undefined : toTime(afterMs + 1);
  if (afterEventId === undefined) return { from: later };
  const remembered = client.eventTimes.get(sessionPath(client.endpoint, ref), afterEventId);
  const time = remembered ?? instantOf(await findEvent(client, ref, afterEventId, signal));
  if (later !== undefined && instant(later) > instant(time)) return { from: later };
  return order === 'desc'
    ? { from: time, anchor: afterEventId }
    : { after: { time: instant(time), anchor: afterEventId } };
}

/** Lists by the service's own pages, up to the anchor if there is one. */
async function listFrom(
  client: AgentEngineClient,
  ref: SessionRef,
  { pageSize, order }: EventQuery,
  { token, from, anchor, last }: Cursor,
  signal: AbortSignal,
): Promise<Page<Event>> {
  const reverse = order === 'desc';
  const pages = eventPages(client, ref, { pageSize, from, reverse, token, signal });
  for await (const page of pages) {
    const events = page.events.map(listed);
    const next = page.token;
    note(client, ref, events, reverse, next === undefined, last ?? (from === undefined ? '' : instant(from)));
    const at = anchor === undefined ? -1 : events.findIndex(({ wire }) => idsOf(wire).includes(anchor));
    const items = shownEvents(client, ref, at < 0 ? events : events.slice(0, at));
    if (next === undefined || at >= 0) return { items };
    const end = events.at(-1);
    if (items.length > 0 && end !== undefined)
      return {
        items,
        cursor: JSON.stringify({ token: next, from, anchor, last: end.instant } satisfies Cursor),
      };
  }
  return { items: [] };
}

/** Notes the events of a page, so that late ones can be told from known ones later. */
function note(
  client: AgentEngineClient,
  ref: SessionRef,
  events: readonly ListedEvent[],
  reverse: boolean,
  isLast: boolean,
  from: string,
): void {
  const ascending = reverse ? events.toReversed() : events;
  const [oldest] = ascending;
  if (oldest === undefined) return;
  const start = !reverse || isLast ? from : oldest.instant;
  client.lateEvents.note(sessionPath(client.endpoint, ref), start, ascending);
}

function readCursor(cursor: string): Cursor {
  let value: unknown;
  try {
    value = JSON.parse(cursor);
  } catch {
    value = undefined;
  }
  const after = isObject(value) ? value.after : undefined;
  if (!isObject(value) || (typeof value.token !== 'string' && !isObject(after)))
    throw invalidArgument('pageToken does not belong to this list.', 'Start again without pageToken.');
  const text = (name: string) => (typeof value[name] === 'string' ? value[name] : undefined);
  if (!isObject(after))
    return { token: text('token'), from: text('from'), anchor: text('anchor'), last: text('last') };
  return {
    after: {
      time: String(after.time),
      anchor: String(after.anchor),
      late: typeof after.late === 'number' ? after.late : undefined,
      moreLate: after.moreLate === true,
    },
  };
}
