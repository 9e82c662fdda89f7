import { invalidArgument } from '../../errors.ts';
import type { Event } from '../../model/event.ts';
import { checkId } from '../../model/ids.ts';
import { jsonBytes } from '../../model/json.ts';
import type { Page } from '../../model/page.ts';
import { parseTime } from '../../model/time.ts';
import { eventNotFound } from '../shared/errors.ts';
import type { EventQuery, SessionRef } from '../types.ts';
import type { Adk } from './client.ts';
import { unsupported } from './errors.ts';
import { toEvent } from './map-event.ts';
import { fallbackOf } from './map-session.ts';
import { msOf } from './map-time.ts';
import { checked } from './paths.ts';
import { readSession } from './read-session.ts';
import { readSessions } from './sessions.ts';
import type { WireSession } from './wire.ts';

/** Bytes of events after which a page ends. A page holds at least one event. */
const pageBytes = 8 * 1024 * 1024;

const eventAt = (wire: WireSession, index: number): Event =>
  toEvent(wire.events[index] ?? {}, fallbackOf(wire, index));

/** The index of an event; of the last one if several have the id. @throws SessionError NOT_FOUND */
function indexOf(wire: WireSession, eventId: string): number {
  const index = wire.events.findLastIndex(
    (event, i) => String(event.id || fallbackOf(wire, i).id) === eventId,
  );
  if (index < 0) throw eventNotFound();
  return index;
}

export async function getEvent(adk: Adk, ref: SessionRef, eventId: string): Promise<Event> {
  checkId('eventId', eventId);
  const wire = await readSession(adk, checked(ref));
  return eventAt(wire, indexOf(wire, eventId));
}

/**
 * Lists a page of a session's events. The server sends all events at once; only those of the page are mapped. The
 * order is the server's own.
 */
export async function listEvents(adk: Adk, ref: SessionRef, query: EventQuery): Promise<Page<Event>> {
  if (query.afterEventId !== undefined) checkId('afterEventId', query.afterEventId);
  const later = query.afterTime === undefined ? undefined : parseTime('afterTime', query.afterTime);
  const recent = query.cursor === undefined ? undefined : adk.sessionCache.find(checked(ref));
  if (recent !== undefined) {
    const page = recentPage(recent, query, later);
    // The last page is read anew, since more events may have come.
    if (page?.cursor !== undefined) return page;
  }
  const looks = query.afterEventId !== undefined && query.cursor === undefined;
  const asked = JSON.stringify([query.afterEventId, query.afterTime]);
  if (looks && (await adk.unchanged.isUnchanged(ref, asked, () => readSessions(adk, ref))))
    return { items: [] };
  const wire = await readSession(adk, checked(ref));
  adk.arrivals.note(ref, wire);
  const late =
    query.afterEventId === undefined ? undefined : adk.arrivals.after(ref, wire, query.afterEventId);
  // Late events are rare, so a list with them is not cached: each page reads the session.
  if (late !== undefined)
    return pageOf({ ...wire, events: late }, { ...query, afterEventId: undefined }, later);
  const page = pageOf(wire, query, later);
  if (looks && page.items.length === 0) adk.unchanged.note(ref, asked, wire);
  if (page.cursor !== undefined) adk.sessionCache.keep(ref, wire);
  return page;
}

/** Undefined when the page cannot be served from the cache: then the session is read. */
function recentPage(
  wire: WireSession,
  query: EventQuery,
  later: number | undefined,
): Page<Event> | undefined {
  try {
    return pageOf(wire, query, later);
  } catch {
    return undefined;
  }
}

function pageOf(wire: WireSession, query: EventQuery, later: number | undefined): Page<Event> {
  if (later !== undefined && wire.events.some((event) => msOf(event.timestamp) === undefined))
    throw unsupported(
      'filter by afterTime, because the events of this server have no time',
      'Leave afterTime out, and pass the id of the last event that you know as afterEventId.',
    );
  const first = query.afterEventId === undefined ? 0 : indexOf(wire, query.afterEventId) + 1;
  const step = query.order === 'desc' ? -1 : 1;
  const start = query.cursor === undefined ? undefined : placeOf(wire, query.cursor);
  let index = start === undefined ? (step > 0 ? first : wire.events.length - 1) : start + step;
  const items: Event[] = [];
  let bytes = 0;
  for (; index >= first && index < wire.events.length; index += step) {
    if (later !== undefined && (msOf(wire.events[index]?.timestamp) ?? 0) <= later) continue;
    if (items.length === query.pageSize || bytes > pageBytes)
      return { items, cursor: cursorOf(wire, index - step) };
    const event = eventAt(wire, index);
    items.push(event);
    bytes += jsonBytes(event);
  }
  return { items };
}

const cursorOf = (wire: WireSession, index: number): string => `${index}:${eventAt(wire, index).id}`;

/** Where the last page ended. Some services sort late events in, so the id counts more than the number. */
function placeOf(wire: WireSession, cursor: string): number {
  const [, number = '', id = ''] = /^(\d+):(.*)$/s.exec(cursor) ?? [];
  const index = Number(number);
  if (number !== '' && index < wire.events.length && eventAt(wire, index).id === id) return index;
  try {
    return indexOf(wire, id);
  } catch {
    throw invalidArgument(
      'The last event of the previous page no longer exists.',
      'Start again without pageToken.',
    );
  }
}
