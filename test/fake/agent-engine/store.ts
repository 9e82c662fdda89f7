import { randomInt } from 'node:crypto';
import type { JsonObject } from '../../../src/model/json.ts';
import { GoogleError } from './google-error.ts';

export interface StoredEvent {
  id: string;
  /** With nine digits, so that it sorts as text. */
  instant: string;
  wire: JsonObject;
  /** The number of further lists that do not show it yet. */
  hiddenReads?: number;
}

export interface StoredSession {
  id: string;
  userId: string;
  displayName: string | undefined;
  labels: Record<string, string> | undefined;
  state: JsonObject;
  createTime: string;
  updateTime: string;
  expireTime: string;
  /** By timestamp, then by arrival. */
  events: StoredEvent[];
  /** The number of further reads that answer 404. */
  hiddenReads: number;
}

export interface StoredMemory {
  id: string;
  fact: string;
  scope: Record<string, string>;
  createTime: string;
  updateTime: string;
}

export interface StoredEngine {
  id: string;
  displayName: string;
  description: string | undefined;
  createTime: string;
  classMethods: JsonObject[] | undefined;
  sessions: Map<string, StoredSession>;
  appState: JsonObject;
  userStates: Map<string, JsonObject>;
  memories: Map<string, StoredMemory>;
  /** Ids of the events that memories:ingestEvents has received. */
  ingested: Set<string>;
}

export const projectNumber = '69593958020';
export const projectId = 'my-proj';
export const location = 'us-central1';

/** An id as the service makes it: decimal, and too long for a JavaScript number. */
export const newId = (): string =>
  `${randomInt(1, 9)}${Array.from({ length: 18 }, () => randomInt(0, 10)).join('')}`;

let lastMicros = 0;

/** The present time with microseconds, never the same twice. */
export function nowTime(offsetMs = 0): string {
  lastMicros = Math.max(Date.now() * 1000 + randomInt(0, 500), lastMicros + 1);
  return timeOf(lastMicros + offsetMs * 1000);
}

const timeOf = (micros: number): string => {
  const iso = new Date(Math.floor(micros / 1000)).toISOString();
  return `${iso.slice(0, -1)}${String(micros % 1000).padStart(3, '0')}Z`;
};

/** A time with nine digits in UTC: texts of equal times are equal, and texts sort by time. */
export function instantOf(time: string): string {
  const ms = Date.parse(time);
  const digits = /\.(\d{1,9})/.exec(time)?.[1] ?? '';
  return `${new Date(ms).toISOString().slice(0, 19)}.${digits.padEnd(9, '0')}`;
}

/** Names in answers contain the project's number, also when the request had its id. */
export const engineName = (engine: { id: string }): string =>
  `projects/${projectNumber}/locations/${location}/reasoningEngines/${engine.id}`;

export function newEngine(id: string, more: Partial<StoredEngine> = {}): StoredEngine {
  return {
    id,
    displayName: 'engine',
    description: undefined,
    createTime: nowTime(),
    classMethods: undefined,
    sessions: new Map(),
    appState: {},
    userStates: new Map(),
    memories: new Map(),
    ingested: new Set(),
    ...more,
  };
}

const resourceId = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;

/** The session of a resource name. @throws GoogleError with the recorded texts */
export function sessionOf(engine: StoredEngine, name: string, sessionId: string): StoredSession {
  checkSessionId(sessionId);
  const session = engine.sessions.get(sessionId);
  if (session === undefined || Date.parse(session.expireTime) <= Date.now())
    throw new GoogleError('NOT_FOUND', `Session ${name} not found.`);
  return session;
}

export function checkSessionId(sessionId: string): void {
  if (!resourceId.test(sessionId))
    throw new GoogleError('INVALID_ARGUMENT', 'Request contains an invalid argument.', {
      debug:
        'Invalid session resource name. The user provided session ID can only contain lowercase letters, digits and hyphens. The first and last characters must be a letter or number.',
    });
}

/** Splits a state by scope as the service does; `temp:` keys are dropped. */
export function setState(engine: StoredEngine, session: StoredSession, delta: JsonObject): void {
  for (const [key, value] of Object.entries(delta)) {
    if (key.startsWith('temp:')) continue;
    if (key.startsWith('app:')) engine.appState[key] = value;
    else if (key.startsWith('user:'))
      engine.userStates.set(session.userId, { ...engine.userStates.get(session.userId), [key]: value });
    else session.state[key] = value;
  }
}

export const mergedState = (engine: StoredEngine, session: StoredSession): JsonObject => ({
  ...engine.appState,
  ...engine.userStates.get(session.userId),
  ...session.state,
});

/** Inserts an event by timestamp; of equal ones the later comes after. */
export function insertEvent(session: StoredSession, event: StoredEvent): void {
  let at = session.events.length;
  while (at > 0 && (session.events[at - 1]?.instant ?? '') > event.instant) at -= 1;
  session.events.splice(at, 0, event);
}

/** A page of a sorted list, and the token of the next, which holds the position and the query. */
export function pageOf<T>(
  items: readonly T[],
  keyOf: (item: T) => string,
  params: Record<string, string>,
): { page: T[]; nextPageToken?: string } {
  const { pageSize, pageToken, ...rest } = params;
  const query = JSON.stringify(rest);
  const size = Math.min(100, Number(pageSize ?? 0) || 100);
  if (Number(pageSize ?? 0) < 0)
    throw new GoogleError('INVALID_ARGUMENT', 'Request contains an invalid argument.');
  let start = 0;
  if (pageToken !== undefined && pageToken !== '') {
    const [last, of] = readToken(pageToken);
    if (of !== query) throw new GoogleError('INVALID_ARGUMENT', 'Request contains an invalid argument.');
    start = items.findIndex((item) => keyOf(item) === last) + 1;
    if (start === 0) throw new GoogleError('INVALID_ARGUMENT', 'Request contains an invalid argument.');
  }
  const page = items.slice(start, start + size);
  const end = page.at(-1);
  if (end === undefined || start + size >= items.length) return { page };
  return { page, nextPageToken: Buffer.from(JSON.stringify([keyOf(end), query])).toString('base64') };
}

function readToken(token: string): [string, string] {
  try {
    return JSON.parse(Buffer.from(token, 'base64').toString()) as [string, string];
  } catch {
    throw new GoogleError('INVALID_ARGUMENT', 'Request contains an invalid argument.');
  }
}
