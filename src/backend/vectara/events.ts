import { invalidArgument, SessionError } from '../../errors.ts';
import type { Event } from '../../model/event.ts';
import type { JsonObject } from '../../model/json.ts';
import type { Page } from '../../model/page.ts';
import { parseTime } from '../../model/time.ts';
import { lostAnswer } from '../../net/retry.ts';
import { refuseGuard } from '../shared/rules.ts';
import type { EventQuery, Guard, SessionRef } from '../types.ts';
import { objectOf, type Vectara, writtenObject } from './client.ts';
import { lookWith, notFound } from './errors.ts';
import { eventsInOrder, type WireEventQuery, type WireEvents } from './event-order.ts';
import type { OpenOptions } from './event-pages.ts';
import { readPage, servicePageSize } from './list-pages.ts';
import { type EventContext, toEvent } from './map-event.ts';
import { besideOwner, ownSession } from './own-session.ts';
import { checkEventId, eventPath, sessionPath, treeOf } from './paths.ts';
import { microsField, textField } from './wire.ts';

/** What mapping a session's events needs. Vectara has no invocations, so the session's id takes their place. */
export function contextOf(vectara: Vectara, session: JsonObject, ref: SessionRef): EventContext {
  return {
    agent: textField(session, 'agent_key') ?? treeOf(ref.app).key,
    invocationId: ref.sessionId,
    unmask: vectara.settings.unmaskToolCalls,
    now: vectara.now,
  };
}

function isOf(wire: JsonObject, ref: SessionRef): boolean {
  const session = textField(wire, 'session_key');
  return textField(wire, 'id') !== undefined && (session === undefined || session === ref.sessionId);
}

export async function listEvents(vectara: Vectara, ref: SessionRef, query: EventQuery): Promise<Page<Event>> {
  const afterTime = query.afterTime === undefined ? undefined : parseTime('afterTime', query.afterTime);
  const { afterEventId, includeHidden = false } = query;
  if (afterEventId !== undefined) checkEventId('afterEventId', afterEventId);
  const { continues, look } = lookOf(vectara, ref, query);
  const fresh = !continues && afterEventId === undefined;
  const read = async (at: SessionRef, from: string) =>
    wireEvents(vectara, at, from, includeHidden, {
      order: query.order ?? 'asc',
      pageSize: query.pageSize,
      cursor: query.cursor,
      after: afterEventId === undefined ? undefined : await anchorOf(vectara, at, afterEventId),
      // Vectara's times are finer than the milliseconds that callers see. An event is not later than its own time.
      laterThan: afterTime === undefined ? undefined : afterTime * 1000 + 999,
      fresh,
      look,
    });
  const own = () => vectara.checkedOwner(ref, continues, () => ownSession(vectara, ref));
  const listed = includeHidden
    ? await own().then(async (found) => ({
        ...found,
        read: await read(found.at, directPath(found.wire, found.at)),
      }))
    : await besideOwner(vectara, ref, (at) => read(at, sessionPath(at)), own);
  const { wire: session, at, read: page } = listed;
  const context = contextOf(vectara, session, ref);
  const items = page.items.map((wire) => toEvent(wire, context));
  const shown = includeHidden ? await markHidden(vectara, at, items, { fresh, look }) : items;
  return { items: shown, cursor: page.cursor };
}

/** Milliseconds within which the same query with a smaller page belongs to the call before it. */
const shorterMs = 500;

/**
 * Whether a query continues a list, and which look it belongs to. A tool whose answer has no room for all events
 * asks again at once for fewer: that is the same look.
 */
function lookOf(vectara: Vectara, ref: SessionRef, query: EventQuery): { continues: boolean; look: number } {
  const { pageSize, ...rest } = query;
  const asked = JSON.stringify([ref.app, ref.userId, ref.sessionId, rest]);
  const last = vectara.looks.get(asked);
  const shorter =
    last !== undefined && pageSize < last.pageSize && vectara.now() - last.at <= shorterMs ? last : undefined;
  const look = shorter?.look ?? vectara.eventPages.nextLook();
  vectara.looks.set(asked, { pageSize, look, at: vectara.now() });
  return { continues: query.cursor !== undefined || shorter !== undefined, look };
}

/**
 * Reads a page of a session's events as Vectara sends them, in order.
 * @param from the path of the session, below its alias or below its agent
 */
async function wireEvents(
  vectara: Vectara,
  at: SessionRef,
  from: string,
  includeHidden: boolean,
  query: Omit<WireEventQuery, 'isWanted'> & Pick<OpenOptions, 'fresh' | 'look'>,
): Promise<WireEvents> {
  const path = `${from}/events`;
  const { look } = query;
  const open = (key: string | undefined, fresh: boolean) =>
    vectara.eventPages.open(
      path + (includeHidden ? '?include_hidden=true' : ''),
      (page_key) =>
        readPage(vectara, {
          name: 'listEvents',
          path,
          field: 'events',
          params: { limit: servicePageSize, page_key, include_hidden: includeHidden ? true : undefined },
        }),
      { from: key, fresh, look },
    );
  return eventsInOrder(open(undefined, query.fresh), (key) => open(key, false), {
    ...query,
    isWanted: (wire) => isOf(wire, at),
  });
}

/** The position that `afterEventId` stands for. @throws SessionError NOT_FOUND */
async function anchorOf(vectara: Vectara, at: SessionRef, id: string): Promise<{ id: string; time: number }> {
  const known = vectara.eventTimes.get(`${sessionPath(at)} ${id}`);
  const time = known ?? microsField(await readEvent(vectara, at, id), 'created_at');
  vectara.eventTimes.set(`${sessionPath(at)} ${id}`, time);
  return { id, time };
}

/**
 * The path of a session below its agent, also when the caller named an alias: lists below an alias never contain
 * hidden events.
 */
function directPath(session: JsonObject, at: SessionRef): string {
  const agent = textField(session, 'agent_key');
  return agent === undefined ? sessionPath(at) : sessionPath({ ...at, app: agent });
}

/**
 * Marks the hidden events. Vectara's texts name a field for that, but no schema declares it, so an event counts as
 * hidden also when the list without hidden events lacks it.
 */
async function markHidden(
  vectara: Vectara,
  at: SessionRef,
  items: readonly Event[],
  { fresh, look }: Pick<OpenOptions, 'fresh' | 'look'>,
): Promise<Event[]> {
  const open = new Set(items.filter((event) => event.hidden !== true).map((event) => event.id));
  let cursor: string | undefined;
  while (open.size > 0) {
    const page: WireEvents = await wireEvents(vectara, at, sessionPath(at), false, {
      order: 'asc',
      pageSize: servicePageSize,
      cursor,
      fresh: fresh && cursor === undefined,
      look,
    });
    for (const wire of page.items) open.delete(textField(wire, 'id') ?? '');
    cursor = page.cursor;
    if (cursor === undefined) break;
  }
  return items.map((event) => (open.has(event.id) ? { ...event, hidden: true } : event));
}

/** @throws SessionError NOT_FOUND, also for an event of another session */
export async function readEvent(
  vectara: Vectara,
  ref: SessionRef,
  eventId: string,
  signal?: AbortSignal,
): Promise<JsonObject> {
  const at = eventPath(ref, eventId);
  const wire = objectOf(await vectara.json('getEvent', { method: 'GET', path: at, retry: 'read', signal }));
  if (textField(wire, 'id') !== eventId || !isOf(wire, ref)) throw notFound('event');
  return wire;
}

export async function getEvent(vectara: Vectara, ref: SessionRef, eventId: string): Promise<Event> {
  checkEventId('eventId', eventId);
  const { wire, read } = await besideOwner(vectara, ref, (at) => readEvent(vectara, at, eventId));
  return toEvent(read, contextOf(vectara, wire, ref));
}

export async function setVisibility(
  vectara: Vectara,
  ref: SessionRef,
  eventId: string,
  hidden: boolean,
): Promise<Event> {
  checkEventId('eventId', eventId);
  const { wire: session, at } = await ownSession(vectara, ref);
  const path = eventPath(at, eventId) + (hidden ? '/hide' : '/unhide');
  const wire = writtenObject(
    'hideEvent',
    await vectara.json('hideEvent', { method: 'POST', path, retry: 'idempotent' }),
  );
  vectara.eventPages.forget(sessionPath(at));
  if (textField(wire, 'id') !== eventId || !isOf(wire, at))
    throw lostAnswer(
      new SessionError('UNAVAILABLE', 'Vectara answered with another event than the one to change.'),
      lookWith('hideEvent'),
    );
  const { hidden: _hidden, hideReason, ...event } = toEvent(wire, contextOf(vectara, session, ref));
  return hidden ? { ...event, hidden: true, hideReason: hideReason ?? 'manual' } : event;
}

export async function deleteEvent(
  vectara: Vectara,
  ref: SessionRef,
  eventId: string,
  guard: Guard = {},
): Promise<void> {
  refuseGuard('vectara', guard);
  checkEventId('eventId', eventId);
  const { at } = await ownSession(vectara, ref);
  const path = eventPath(at, eventId);
  await vectara.json('deleteEvent', { method: 'DELETE', path, retry: 'idempotent' });
  vectara.eventPages.forget(sessionPath(at));
}

/** The id of the latest event. @throws SessionError INVALID_ARGUMENT when the session has no events */
export async function lastEventId(vectara: Vectara, at: SessionRef): Promise<string> {
  const [last] = await latestEvents(vectara, at, 1);
  const id = last === undefined ? undefined : textField(last, 'id');
  if (id === undefined)
    throw invalidArgument(
      'The session has no events yet, so there is no run to join.',
      'Send the message without classMethod.',
    );
  return id;
}

/** The latest events, the last one first. */
export async function latestEvents(vectara: Vectara, at: SessionRef, most: number): Promise<JsonObject[]> {
  const look = vectara.eventPages.nextLook();
  const query = { order: 'desc', pageSize: most, fresh: true, look } as const;
  return (await wireEvents(vectara, at, sessionPath(at), false, query)).items;
}
