import type { Event } from '../../model/event.ts';
import { timeOfId } from '../../model/ids.ts';
import { toTime } from '../../model/time.ts';
import { eventNotFound, sessionNotFound } from '../shared/errors.ts';
import type { SessionRef } from '../types.ts';
import { type AgentEngineClient, isCode } from './client.ts';
import { instant } from './event-timestamps.ts';
import { listPages } from './list-pages.ts';
import { idOf, idsOf, toEvent } from './map-event.ts';
import { literal } from './map-session.ts';
import { sessionPath } from './paths.ts';
import type { SessionEvent } from './wire-types.ts';

/** The largest page of events that the service gives, which is also its default. */
export const fullPage = 100;

export interface EventPages {
  pageSize: number;
  /** Only events of this time and later, RFC 3339. */
  from?: string | undefined;
  reverse?: boolean | undefined;
  token?: string | undefined;
  signal?: AbortSignal | undefined;
}

/** An event of a list, with what lists compare. */
export interface ListedEvent {
  wire: SessionEvent;
  /** The id by which this server shows the event. */
  id: string;
  /** Its time, as `instant` writes it. */
  instant: string;
}

/** Reads a session's events page by page, as the service sends them (docs/protocols/agent-engine.md, "Events"). */
export async function* eventPages(
  client: AgentEngineClient,
  ref: SessionRef,
  query: EventPages,
): AsyncGenerator<{ events: SessionEvent[]; token: string | undefined }, void> {
  const pages = listPages<SessionEvent>(client, {
    path: `${sessionPath(client.endpoint, ref)}/events`,
    field: 'sessionEvents',
    params: {
      pageSize: query.pageSize,
      filter: query.from === undefined ? undefined : `timestamp>=${literal(query.from)}`,
      orderBy: query.reverse === true ? 'timestamp desc' : undefined,
    },
    token: query.token,
    signal: query.signal,
  });
  try {
    for await (const { items, token } of pages) yield { events: items, token };
  } catch (error) {
    throw isCode(error, 'NOT_FOUND') ? sessionNotFound() : error;
  }
}

export const listed = (wire: SessionEvent): ListedEvent => ({
  wire,
  id: idOf(wire),
  instant: instantOf(wire),
});

const epoch = instant(toTime(0));

/** An event's time as `instant` writes it; the epoch for an event without a time, as `toEvent` shows it. */
export const instantOf = (wire: SessionEvent): string => instant(String(wire.timestamp)) || epoch;

/** The events as callers see them. Caches their times under the ids that callers see. */
export function shownEvents(
  client: AgentEngineClient,
  ref: SessionRef,
  events: readonly ListedEvent[],
): Event[] {
  const session = sessionPath(client.endpoint, ref);
  return events.map(({ wire, id }) => {
    if (id !== '' && typeof wire.timestamp === 'string') client.eventTimes.set(session, id, wire.timestamp);
    return toEvent(wire, id);
  });
}

/**
 * Finds an event by any of its ids. The service finds events only by time. When the time is cached or encoded in the
 * id, that time is searched; otherwise all events are, the latest first.
 * @throws SessionError NOT_FOUND
 */
export async function findEvent(
  client: AgentEngineClient,
  ref: SessionRef,
  eventId: string,
  signal?: AbortSignal,
): Promise<SessionEvent> {
  const remembered = client.eventTimes.get(sessionPath(client.endpoint, ref), eventId);
  const minted = timeOfId(eventId);
  const time = remembered ?? (minted === undefined ? undefined : toTime(minted));
  const found =
    (time === undefined ? undefined : await findAt(client, ref, eventId, time, signal)) ??
    (await search(client, ref, eventId, signal));
  if (found === undefined) throw eventNotFound();
  return found;
}

/** Searches the events of one millisecond. */
async function findAt(
  client: AgentEngineClient,
  ref: SessionRef,
  eventId: string,
  time: string,
  signal: AbortSignal | undefined,
): Promise<SessionEvent | undefined> {
  const ms = Date.parse(time);
  for await (const { events } of eventPages(client, ref, { pageSize: 10, from: time, signal })) {
    for (const wire of events) {
      if (Date.parse(String(wire.timestamp)) > ms) return undefined;
      if (idsOf(wire).includes(eventId)) return wire;
    }
  }
  return undefined;
}

async function search(
  client: AgentEngineClient,
  ref: SessionRef,
  eventId: string,
  signal: AbortSignal | undefined,
): Promise<SessionEvent | undefined> {
  for await (const { events } of eventPages(client, ref, { pageSize: fullPage, reverse: true, signal })) {
    const found = events.find((wire) => idsOf(wire).includes(eventId));
    if (found !== undefined) return found;
  }
  return undefined;
}
