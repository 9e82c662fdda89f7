import type { JsonObject } from '../../../src/model/json.ts';
import { parseTerms, timeTest } from './filter.ts';
import { badField, GoogleError } from './google-error.ts';
import type { Operations } from './operations.ts';
import type { Call } from './routes.ts';
import {
  checkSessionId,
  engineName,
  insertEvent,
  instantOf,
  location,
  mergedState,
  newId,
  nowTime,
  pageOf,
  projectNumber,
  type StoredEngine,
  type StoredEvent,
  type StoredSession,
  sessionOf,
  setState,
} from './store.ts';

const yearMs = 365 * 86_400_000;

const sessionName = (engine: StoredEngine, session: { id: string }): string =>
  `${engineName(engine)}/sessions/${session.id}`;

/** A session as GET and LIST show it. */
function showSession(engine: StoredEngine, session: StoredSession): JsonObject {
  const state = mergedState(engine, session);
  return {
    name: sessionName(engine, session),
    createTime: session.createTime,
    updateTime: session.updateTime,
    ...(session.displayName === undefined ? {} : { displayName: session.displayName }),
    ...(session.labels === undefined ? {} : { labels: session.labels }),
    ...(Object.keys(state).length === 0 ? {} : { sessionState: state }),
    userId: session.userId,
    expireTime: session.expireTime,
  };
}

export interface SessionOptions {
  /** How many reads of a new session answer 404, as recorded in March 2026. */
  hiddenReads: number;
  /** How many lists of events do not show a new event yet. */
  hiddenEventReads: number;
}

export function createSession(
  engine: StoredEngine,
  call: Call,
  operations: Operations,
  options: SessionOptions,
): JsonObject {
  const { body, params } = call;
  const id = params.sessionId ?? newId();
  checkSessionId(id);
  checkLabels(body.labels);
  if (String(body.userId).length > 128)
    throw badField(
      'session.user_id',
      'List of found errors:\t1.Field: session.user_id; Message: Too long.\t',
    );
  if (engine.sessions.has(id))
    throw new GoogleError(
      'INVALID_ARGUMENT',
      `Session with user-provided ID '${sessionName(engine, { id })}' already exists.`,
    );
  const time = nowTime();
  const session: StoredSession = {
    id,
    userId: String(body.userId),
    displayName: body.displayName as string | undefined,
    labels: body.labels as Record<string, string> | undefined,
    state: {},
    createTime: time,
    updateTime: time,
    expireTime: expiryOf(body) ?? nowTime(yearMs),
    events: [],
    hiddenReads: options.hiddenReads,
  };
  engine.sessions.set(id, session);
  setState(engine, session, (body.sessionState ?? {}) as JsonObject);
  // The session in the operation lacks the merged state and the expiry, and has another time.
  const response = {
    name: sessionName(engine, session),
    createTime: nowTime(10),
    updateTime: nowTime(10),
    userId: session.userId,
  };
  return operations.begin(
    `${sessionName(engine, session)}/operations/${newId()}`,
    'CreateSession',
    'Session',
    response,
  );
}

function expiryOf(body: JsonObject): string | undefined {
  if (typeof body.expireTime === 'string') return body.expireTime;
  if (typeof body.ttl === 'string') return nowTime(Number(body.ttl.slice(0, -1)) * 1000);
  return undefined;
}

function checkLabels(labels: unknown): void {
  const allowed = /^[\p{Ll}\p{Lo}\p{N}_-]{0,64}$/u;
  for (const [key, value] of Object.entries((labels ?? {}) as Record<string, string>))
    if (key === '' || !allowed.test(key) || !allowed.test(value))
      throw badField(
        'session.labels',
        'List of found errors:\t1.Field: session.labels; Message: Invalid label.\t',
      );
}

function readSession(engine: StoredEngine, call: Call): StoredSession {
  return sessionOf(engine, call.name, call.name.split('/').at(-1) ?? '');
}

export function getSession(engine: StoredEngine, call: Call): JsonObject {
  const session = readSession(engine, call);
  if (session.hiddenReads > 0) {
    session.hiddenReads -= 1;
    throw new GoogleError('NOT_FOUND', `Session ${call.name} not found.`);
  }
  return showSession(engine, session);
}

export function listSessions(engine: StoredEngine, call: Call): JsonObject {
  const terms = parseTerms(call.params.filter, /^(user_id|userId|display_name|displayName|labels\..+)$/);
  const now = Date.now();
  const found = [...engine.sessions.values()].filter(
    (session) =>
      Date.parse(session.expireTime) > now &&
      terms.every(({ field, operator, value }) => {
        if (operator !== '=')
          throw new GoogleError('INVALID_ARGUMENT', `Invalid filter: ${call.params.filter}`);
        if (field.startsWith('labels.')) return session.labels?.[field.slice(7)] === value;
        return (/^user/.test(field) ? session.userId : session.displayName) === value;
      }),
  );
  const [field = '', direction = 'asc'] = (call.params.orderBy ?? 'create_time desc').split(' ');
  if (!/^(create|update)_?[tT]ime$/.test(field) || !/^(asc|desc)$/.test(direction))
    throw new GoogleError('INVALID_ARGUMENT', `Invalid order_by: ${call.params.orderBy}`);
  const time = (s: StoredSession) => (field.startsWith('create') ? s.createTime : s.updateTime);
  const sign = direction === 'desc' ? -1 : 1;
  found.sort((a, b) => (time(a) < time(b) ? -sign : time(a) > time(b) ? sign : 0));
  const { page, ...next } = pageOf(found, (session) => session.id, call.params);
  return { ...(page.length === 0 ? {} : { sessions: page.map((s) => showSession(engine, s)) }), ...next };
}

export function updateSession(engine: StoredEngine, call: Call): JsonObject {
  const session = readSession(engine, call);
  const mask = (call.params.updateMask ?? 'displayName,labels,sessionState,expireTime').split(',');
  checkLabels(call.body.labels);
  for (const written of mask) {
    const field = written.replace(/_([a-z])/g, (_all, c: string) => c.toUpperCase());
    if (field === 'displayName') session.displayName = call.body.displayName as string | undefined;
    else if (field === 'labels') session.labels = call.body.labels as Record<string, string> | undefined;
    else if (field === 'sessionState') {
      session.state = {};
      setState(engine, session, (call.body.sessionState ?? {}) as JsonObject);
    } else if (field === 'expireTime' || field === 'ttl')
      session.expireTime = expiryOf(call.body) ?? session.expireTime;
    else throw badField('update_mask', `Invalid update_mask path: ${written}`);
  }
  session.updateTime = nowTime();
  return showSession(engine, session);
}

export function deleteSession(engine: StoredEngine, call: Call, operations: Operations): JsonObject {
  const session = readSession(engine, call);
  engine.sessions.delete(session.id);
  const name = `projects/${projectNumber}/locations/${location}/operations/${newId()}`;
  return operations.begin(name, 'Delete', undefined, undefined);
}

export function appendEvent(engine: StoredEngine, call: Call, options: SessionOptions): JsonObject {
  const session = readSession(engine, call);
  const { body } = call;
  const delta = (body.actions as JsonObject | undefined)?.stateDelta;
  setState(engine, session, (delta ?? {}) as JsonObject);
  const id = newId();
  insertEvent(session, {
    id,
    instant: instantOf(String(body.timestamp)),
    wire: { ...body, name: `${sessionName(engine, session)}/events/${id}` },
    hiddenReads: options.hiddenEventReads,
  });
  session.updateTime = nowTime();
  return {};
}

export function listEvents(engine: StoredEngine, call: Call): JsonObject {
  const session = readSession(engine, call);
  const matches = timeTest(call.params.filter);
  const order = call.params.orderBy ?? 'timestamp';
  if (!/^timestamp( (asc|desc))?$/.test(order))
    throw new GoogleError('INVALID_ARGUMENT', `Invalid order_by: ${order}`);
  const found = session.events.filter(
    (event) => !isHidden(event) && (call.params.filter === undefined || matches(event.instant)),
  );
  const sorted = order.endsWith('desc') ? found.toReversed() : found;
  const { page, ...next } = pageOf(sorted, (event) => event.id, call.params);
  return { ...(page.length === 0 ? {} : { sessionEvents: page.map((event) => event.wire) }), ...next };
}

/** Counts the lists that do not show an event yet. */
function isHidden(event: StoredEvent): boolean {
  if ((event.hiddenReads ?? 0) <= 0) return false;
  event.hiddenReads = (event.hiddenReads ?? 0) - 1;
  return true;
}
