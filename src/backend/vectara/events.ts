import { invalidArgument, SessionError } from '../../errors.ts';
import type { Event } from '../../model/event.ts';
import type { JsonObject } from '../../model/json.ts';
import type { Page } from '../../model/page.ts';
import { parseTime } from '../../model/time.ts';
import { refuseGuard } from '../shared/rules.ts';
import type { EventQuery, Guard, SessionRef } from '../types.ts';
import { objectOf, readAll, type Vectara } from './client.ts';
import { notFound } from './errors.ts';
import { type EventContext, toEvent } from './map-event.ts';
import { orderedPage } from './ordered-page.ts';
import { checkEventId, eventPath, sessionPath, treeOf } from './paths.ts';
import { ownSession } from './sessions.ts';
import { microsField, textField } from './wire.ts';

/** Pages of 100 events that are read for one answer. */
const eventPages = 100;

function tooManyEvents(): SessionError {
  return new SessionError(
    'FAILED_PRECONDITION',
    `The session has more than ${eventPages * 100} events, and Vectara lists them in no order that it promises.`,
    { hint: 'Compact the session at Vectara, or read single events with get_event.' },
  );
}

/** How the events of a session are shown. Vectara has no invocations: the session's id stands for them. */
export function contextOf(vectara: Vectara, session: JsonObject, ref: SessionRef): EventContext {
  return {
    agent: textField(session, 'agent_key') ?? treeOf(ref.app).key,
    invocationId: ref.sessionId,
    unmask: vectara.settings.unmaskToolCalls,
    now: vectara.now,
  };
}

/** Events as Vectara has them, of this session alone, in whatever order they come. */
export async function* wireEvents(
  vectara: Vectara,
  ref: SessionRef,
  at: string,
  includeHidden: boolean,
): AsyncGenerator<JsonObject, void> {
  const limit = { maxPages: eventPages, tooMany: tooManyEvents };
  const params = { include_hidden: includeHidden ? true : undefined };
  for await (const wire of readAll(vectara, 'listEvents', `${at}/events`, 'events', params, limit))
    if (isOf(wire, ref)) yield wire;
}

function isOf(wire: JsonObject, ref: SessionRef): boolean {
  const session = textField(wire, 'session_key');
  return textField(wire, 'id') !== undefined && (session === undefined || session === ref.sessionId);
}

export async function listEvents(vectara: Vectara, ref: SessionRef, query: EventQuery): Promise<Page<Event>> {
  const afterTime = query.afterTime === undefined ? undefined : parseTime('afterTime', query.afterTime);
  const { afterEventId } = query;
  if (afterEventId !== undefined) checkEventId('afterEventId', afterEventId);
  const session = await ownSession(vectara, ref);
  const anchor = afterEventId === undefined ? undefined : await readEvent(vectara, ref, afterEventId);
  const at = query.includeHidden === true ? directPath(session, ref) : sessionPath(ref);
  const page = await orderedPage(wireEvents(vectara, ref, at, query.includeHidden === true), {
    idOf: (wire) => textField(wire, 'id') ?? '',
    timeOf: (wire) => microsField(wire, 'created_at'),
    order: query.order ?? 'asc',
    pageSize: query.pageSize,
    cursor: query.cursor,
    after:
      anchor && afterEventId !== undefined
        ? { id: afterEventId, time: microsField(anchor, 'created_at') }
        : undefined,
    // Times are shown in milliseconds, and what is shown must not come back as later than itself.
    wanted: (wire) =>
      afterTime === undefined || Math.floor(microsField(wire, 'created_at') / 1000) > afterTime,
  });
  const context = contextOf(vectara, session, ref);
  const items = page.items.map((wire) => toEvent(wire, context));
  if (query.includeHidden !== true || items.every((event) => event.hidden === true))
    return { items, cursor: page.cursor };
  return { items: await markHidden(vectara, ref, items), cursor: page.cursor };
}

/**
 * Lists below an alias cannot show hidden events; the session is also below the agent that the alias chose
 * (vectara-api.md §3).
 */
function directPath(session: JsonObject, ref: SessionRef): string {
  const agent = textField(session, 'agent_key');
  return agent === undefined ? sessionPath(ref) : sessionPath({ ...ref, app: agent });
}

/**
 * Says of each event whether it is hidden. No schema of Vectara's declares a field for that, so beside the
 * field that its texts name, an event counts as hidden when the list without hidden ones lacks it.
 */
async function markHidden(vectara: Vectara, ref: SessionRef, items: readonly Event[]): Promise<Event[]> {
  const open = new Set(items.filter((event) => event.hidden !== true).map((event) => event.id));
  for await (const wire of wireEvents(vectara, ref, sessionPath(ref), false)) {
    open.delete(textField(wire, 'id') ?? '');
    if (open.size === 0) break;
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
  const session = await ownSession(vectara, ref);
  return toEvent(await readEvent(vectara, ref, eventId), contextOf(vectara, session, ref));
}

export async function setVisibility(
  vectara: Vectara,
  ref: SessionRef,
  eventId: string,
  hidden: boolean,
): Promise<Event> {
  checkEventId('eventId', eventId);
  const session = await ownSession(vectara, ref);
  const at = eventPath(ref, eventId) + (hidden ? '/hide' : '/unhide');
  const wire = objectOf(await vectara.json('hideEvent', { method: 'POST', path: at, retry: 'idempotent' }));
  if (textField(wire, 'id') !== eventId || !isOf(wire, ref)) throw notFound('event');
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
  await ownSession(vectara, ref);
  await vectara.json('deleteEvent', { method: 'DELETE', path: eventPath(ref, eventId), retry: 'idempotent' });
}

/** The id of the event that was stored last, by time. @throws SessionError FAILED_PRECONDITION without events */
export async function lastEventId(vectara: Vectara, ref: SessionRef): Promise<string> {
  const page = await orderedPage(wireEvents(vectara, ref, sessionPath(ref), false), {
    idOf: (wire) => textField(wire, 'id') ?? '',
    timeOf: (wire) => microsField(wire, 'created_at'),
    order: 'desc',
    pageSize: 1,
  });
  const id = page.items[0] === undefined ? undefined : textField(page.items[0], 'id');
  if (id === undefined)
    throw invalidArgument(
      'The session has no events yet, so no run can be joined.',
      'Send the message without classMethod.',
    );
  return id;
}
