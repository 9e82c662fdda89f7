import type { JsonObject } from '../../model/json.ts';
import { queryString } from '../../net/url.ts';
import { eventNotFound, sessionNotFound } from '../shared/errors.ts';
import type { SessionRef } from '../types.ts';
import { type AgentEngineClient, isCode, pageOf } from './client.ts';
import { instant } from './event-timestamps.ts';
import { idsOf } from './map-event.ts';
import { literal } from './map-session.ts';
import { sessionPath } from './paths.ts';

/** Id of an event whose own could not be read back: it finds the event by its time. */
export const timeIdPrefix = 'at:';

/** The service's own default and cap. */
const fullPage = 100;
/** Events, from the latest on, that are searched for an id before an event is stored under it. */
const searchedForRepeats = 1000;

export interface EventPages {
  pageSize: number;
  /** Only events of this time and later, RFC 3339. */
  from?: string | undefined;
  reverse?: boolean | undefined;
  token?: string | undefined;
}

/**
 * Pages of a session's events as the service has them (docs/protocols/agent-engine.md, Events), to the end.
 */
export async function* pagesOf(
  client: AgentEngineClient,
  ref: SessionRef,
  query: EventPages,
): AsyncGenerator<{ events: JsonObject[]; token: string | undefined }, void> {
  let token = query.token;
  do {
    const params = queryString({
      pageSize: query.pageSize,
      pageToken: token,
      filter: query.from === undefined ? undefined : `timestamp>=${literal(query.from)}`,
      orderBy: query.reverse === true ? 'timestamp desc' : undefined,
    });
    const page = pageOf(
      await client.http
        .json({ method: 'GET', path: `${sessionPath(client.endpoint, ref)}/events${params}`, retry: 'read' })
        .catch((error: unknown) => {
          throw isCode(error, 'NOT_FOUND') ? sessionNotFound() : error;
        }),
      'sessionEvents',
    );
    token = page.token;
    yield { events: page.items, token };
  } while (token !== undefined);
}

/** Keeps the times of events that were shown, by the ids under which they were. */
export function rememberEvents(
  client: AgentEngineClient,
  ref: SessionRef,
  shown: readonly { id: string }[],
  wires: readonly JsonObject[],
): void {
  const session = sessionPath(client.endpoint, ref);
  for (const [i, { id }] of shown.entries()) {
    const timestamp = wires[i]?.timestamp;
    if (typeof timestamp === 'string') client.eventTimes.set(session, id, timestamp);
  }
}

/**
 * An event by any of its ids. The service has no such call: where the time is known, that is looked up, else
 * all events are gone through, the latest first.
 * @throws SessionError NOT_FOUND
 */
export async function findEvent(
  client: AgentEngineClient,
  ref: SessionRef,
  eventId: string,
): Promise<JsonObject> {
  const hinted = eventId.startsWith(timeIdPrefix)
    ? eventId.slice(timeIdPrefix.length)
    : client.eventTimes.get(sessionPath(client.endpoint, ref), eventId);
  if (hinted !== undefined && instant(hinted) !== '') {
    const found = await findAt(client, ref, eventId, hinted);
    if (found !== undefined) return found;
  }
  const found = await search(client, ref, eventId, Number.POSITIVE_INFINITY);
  if (found === undefined) throw eventNotFound();
  return found;
}

/** An event that was stored under a caller's own id lately. */
export async function findLatest(
  client: AgentEngineClient,
  ref: SessionRef,
  eventId: string,
): Promise<JsonObject | undefined> {
  const hinted = client.eventTimes.get(sessionPath(client.endpoint, ref), eventId);
  const found = hinted === undefined ? undefined : await findAt(client, ref, eventId, hinted);
  return found ?? (await search(client, ref, eventId, searchedForRepeats));
}

async function findAt(
  client: AgentEngineClient,
  ref: SessionRef,
  eventId: string,
  time: string,
): Promise<JsonObject | undefined> {
  const byTime = eventId.startsWith(timeIdPrefix);
  for await (const { events } of pagesOf(client, ref, { pageSize: 10, from: time })) {
    for (const wire of events) {
      if (instant(String(wire.timestamp)) !== instant(time)) return undefined;
      if (byTime || idsOf(wire).includes(eventId)) return wire;
    }
  }
  return undefined;
}

async function search(
  client: AgentEngineClient,
  ref: SessionRef,
  eventId: string,
  most: number,
): Promise<JsonObject | undefined> {
  let seen = 0;
  for await (const { events } of pagesOf(client, ref, { pageSize: fullPage, reverse: true })) {
    const found = events.find((wire) => idsOf(wire).includes(eventId));
    if (found !== undefined) return found;
    seen += events.length;
    if (seen >= most) return undefined;
  }
  return undefined;
}
