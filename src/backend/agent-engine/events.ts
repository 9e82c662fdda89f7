import { invalidArgument, SessionError } from '../../errors.ts';
import type { Event, NewEvent } from '../../model/event.ts';
import { checkId, newId } from '../../model/ids.ts';
import { isObject, type JsonObject } from '../../model/json.ts';
import type { Page } from '../../model/page.ts';
import { parseTime, toTime } from '../../model/time.ts';
import { eventNotFound, sessionNotFound } from '../shared/errors.ts';
import { checkNewEvent, refuseGuard, sameEvent } from '../shared/rules.ts';
import type { Appended, EventQuery, Guard, SessionRef } from '../types.ts';
import { type AgentEngineClient, isCode, ownedSession } from './client.ts';
import { refusalOf } from './errors.ts';
import { instant } from './event-timestamps.ts';
import { findEvent, findLatest, pagesOf, rememberEvents, timeIdPrefix } from './find-event.ts';
import { type EventDraft, idsOf, toEvent, toWireEvent } from './map-event.ts';
import { toSession } from './map-session.ts';
import { sessionPath } from './paths.ts';

export async function getEvent(client: AgentEngineClient, ref: SessionRef, eventId: string): Promise<Event> {
  checkId('eventId', eventId);
  await ownedSession(client, ref);
  return toEvent(await findEvent(client, ref, eventId));
}

/** Where a list goes on: the service's token, and the bounds that must stay the same from page to page. */
interface Cursor {
  token: string;
  /** Filter bound, RFC 3339. */
  from?: string | undefined;
  /** Still on the way to this event (asc), or the one to stop at (desc). */
  anchor?: string | undefined;
}

/**
 * Events by their timestamps, which is the only order that the service has; ties by its own. It knows no
 * "after this event", so a list starts at that event's time and leaves out what comes up to it.
 */
export async function listEvents(
  client: AgentEngineClient,
  ref: SessionRef,
  query: EventQuery,
): Promise<Page<Event>> {
  const afterMs = query.afterTime === undefined ? undefined : parseTime('afterTime', query.afterTime);
  const given = query.cursor === undefined ? undefined : readCursor(query.cursor);
  if (query.afterEventId !== undefined) checkId('afterEventId', query.afterEventId);
  await ownedSession(client, ref);
  const { from, anchor } = given ?? (await bounds(client, ref, query.afterEventId, afterMs));
  const reverse = query.order === 'desc';
  let passing = anchor !== undefined && !reverse;
  // The event that is passed over takes a place on the page.
  const pageSize = passing ? Math.min(100, query.pageSize + 1) : query.pageSize;
  const pages = pagesOf(client, ref, { pageSize, from, reverse, token: given?.token });
  for await (const { events, token } of pages) {
    let wanted = events;
    let ended = token === undefined;
    const at = anchor === undefined ? -1 : events.findIndex((wire) => idsOf(wire).includes(anchor));
    if (passing) {
      wanted = at < 0 ? [] : events.slice(at + 1);
      passing = at < 0;
      // It is not where it was: somebody deleted the session and made it anew.
      if (passing && (ended || events.some((wire) => instant(String(wire.timestamp)) > instant(from ?? ''))))
        throw eventNotFound();
    } else if (reverse && at >= 0) {
      wanted = events.slice(0, at);
      ended = true;
    }
    const shown = wanted.map(toEvent);
    rememberEvents(client, ref, shown, wanted);
    const items =
      afterMs === undefined ? shown : shown.filter((event) => Date.parse(event.timestamp) > afterMs);
    if (token === undefined || ended) return { items };
    if (items.length > 0) {
      const next: Cursor = { token, from, anchor: passing || reverse ? anchor : undefined };
      return { items, cursor: JSON.stringify(next) };
    }
  }
  return { items: [] };
}

async function bounds(
  client: AgentEngineClient,
  ref: SessionRef,
  afterEventId: string | undefined,
  afterMs: number | undefined,
): Promise<{ from: string | undefined; anchor: string | undefined }> {
  // Times are shown in milliseconds: later than one means from the next on.
  const later = afterMs === undefined ? undefined : toTime(afterMs + 1);
  if (afterEventId === undefined) return { from: later, anchor: undefined };
  const known = client.eventTimes.get(sessionPath(client.endpoint, ref), afterEventId);
  const wire = known === undefined ? await findEvent(client, ref, afterEventId) : undefined;
  const time = known ?? String(wire?.timestamp);
  if (later !== undefined && instant(later) > instant(time)) return { from: later, anchor: undefined };
  return { from: time, anchor: wire === undefined ? afterEventId : idsOf(wire)[0] };
}

function readCursor(cursor: string): Cursor {
  let value: unknown;
  try {
    value = JSON.parse(cursor);
  } catch {
    value = undefined;
  }
  if (!isObject(value) || typeof value.token !== 'string')
    throw invalidArgument('pageToken does not belong to this list.', 'Start again without pageToken.');
  const text = (name: string) => (typeof value[name] === 'string' ? value[name] : undefined);
  return { token: value.token, from: text('from'), anchor: text('anchor') };
}

/**
 * Stores one event. The service returns no id and takes none: the id it gave is read back by the event's
 * time, and a caller's own is kept with the event. Before an event with an own id is stored, the latest
 * thousand are searched for it, so that a repeated call stores nothing twice; two processes that make the
 * same call at the same moment can still both store it, and describe() says so.
 */
export async function appendEvent(
  client: AgentEngineClient,
  ref: SessionRef,
  input: NewEvent,
  guard: Guard | undefined,
): Promise<Appended> {
  refuseGuard('agent-engine', guard);
  checkNewEvent(input);
  const session = await ownedSession(client, ref);
  if (input.id === undefined) return await store(client, ref, session, input);
  const key = JSON.stringify([ref.app, ref.sessionId, input.id]);
  const before = client.appendsUnderWay.get(key) ?? Promise.resolve();
  const mine = before
    .catch(() => {})
    .then(async () => {
      const known = await findLatest(client, ref, input.id ?? '');
      if (known === undefined) return await store(client, ref, session, input);
      const event = toEvent(known);
      return { event: sameEvent(event, asStored(event, input)), session: await markOf(client, ref) };
    });
  client.appendsUnderWay.set(key, mine);
  try {
    return await mine;
  } finally {
    if (client.appendsUnderWay.get(key) === mine) client.appendsUnderWay.delete(key);
  }
}

async function store(
  client: AgentEngineClient,
  ref: SessionRef,
  session: JsonObject,
  input: NewEvent,
): Promise<Appended> {
  const path = sessionPath(client.endpoint, ref);
  const draft: EventDraft = {
    ...input,
    invocationId: input.invocationId ?? (await turnOf(client, ref, input)),
    timestamp:
      input.timestamp === undefined
        ? client.timestamps.next(path, Date.parse(toSession(session, ref.app).updateTime))
        : client.timestamps.at(path, parseTime('timestamp', input.timestamp)),
  };
  const send = (body: JsonObject) =>
    client.http.json({ method: 'POST', path: `${path}:appendEvent`, body, retry: 'quota' });
  try {
    await send(toWireEvent(draft)).catch((error: unknown) => {
      // Refused, so not stored: what it does not know can still travel in rawEvent.
      if (!isUnknownMetadata(error)) throw error;
      return send(toWireEvent(draft, { bare: true }));
    });
  } catch (error) {
    throw appendError(error);
  }
  const [wire, mark] = await Promise.all([
    readBack(client, ref, draft),
    markOf(client, ref).catch(() => undefined),
  ]);
  // From here on the event is stored: what cannot be read of it must not look like a failed append.
  const event =
    wire === undefined
      ? toEvent({ ...toWireEvent(draft), name: `events/${timeIdPrefix}${draft.timestamp}` })
      : toEvent(wire);
  return { event, session: mark ?? { id: ref.sessionId, updateTime: toTime(client.now()) } };
}

/** A user's message opens a turn; what others say belongs to the one that runs. */
async function turnOf(client: AgentEngineClient, ref: SessionRef, input: NewEvent): Promise<string> {
  const answers = input.content?.parts.some((part) => part.functionResponse !== undefined) ?? false;
  if (input.author !== 'user' || answers)
    for await (const { events } of pagesOf(client, ref, { pageSize: 1, reverse: true })) {
      const [last] = events;
      if (last !== undefined) return toEvent(last).invocationId;
    }
  return newId('i', client.now());
}

const isUnknownMetadata = (error: unknown): boolean =>
  isCode(error, 'INVALID_ARGUMENT') &&
  /Unknown name .*(grounding_metadata|input_transcription|output_transcription)/.test(
    refusalOf(error)?.message ?? '',
  );

function appendError(error: unknown): unknown {
  if (isCode(error, 'NOT_FOUND')) return sessionNotFound();
  const unsure = ['UNAVAILABLE', 'DEADLINE_EXCEEDED', 'CANCELLED'] as const;
  if (error instanceof SessionError && unsure.some((code) => code === error.code))
    return new SessionError(error.code, error.message, {
      hint: 'The event may be stored: look with list_events before repeating. With an eventId of your own a repetition is safe.',
      retryAfter: error.retryAfter,
      cause: error.cause,
    });
  return error;
}

/** The event as the service stored it, found by its time; undefined if it does not show up soon. */
async function readBack(
  client: AgentEngineClient,
  ref: SessionRef,
  draft: EventDraft,
): Promise<JsonObject | undefined> {
  const isIt = (wire: JsonObject) =>
    instant(String(wire.timestamp)) === instant(draft.timestamp) &&
    wire.author === draft.author &&
    wire.invocationId === draft.invocationId;
  for (const pause of [0, 150, 400]) {
    if (pause > 0) await client.wait(pause);
    try {
      for await (const { events } of pagesOf(client, ref, { pageSize: 10, from: draft.timestamp })) {
        // Of several that look the same, the last is the one that was stored last.
        const found = events.findLast(isIt);
        if (found !== undefined) {
          rememberEvents(client, ref, [toEvent(found)], [found]);
          return found;
        }
        break;
      }
    } catch {
      // Tried again, or given up without a word: the event is stored.
    }
  }
  return undefined;
}

async function markOf(client: AgentEngineClient, ref: SessionRef): Promise<Appended['session']> {
  const { id, updateTime } = toSession(await ownedSession(client, ref), ref.app);
  return { id, updateTime };
}

/** A new event as the service would show it: it fills in types that a caller may leave out. */
const asStored = (event: Event, wanted: NewEvent): Event =>
  toEvent(toWireEvent({ ...wanted, invocationId: event.invocationId, timestamp: event.timestamp }));
