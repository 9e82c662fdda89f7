import { setTimeout as sleep } from 'node:timers/promises';
import { SessionError } from '../../errors.ts';
import { isObject, type JsonObject } from '../../model/json.ts';
import { waitForOthers } from '../../net/deadline.ts';
import { type HttpClient, type HttpRequest, httpClient } from '../../net/http.ts';
import { readWritten } from '../../net/retry.ts';
import { sessionNotFound } from '../shared/errors.ts';
import type { SessionRef } from '../types.ts';
import { apiKeyCredentials, defaultCredentials, noneNeeded } from './auth.ts';
import type { AgentEngineConfig, MemorySettings } from './config.ts';
import { toError } from './errors.ts';
import { type EventTimeCache, eventTimeCache } from './event-time-cache.ts';
import { type EventTimestamps, eventTimestamps } from './event-timestamps.ts';
import { type LateEvents, lateEvents } from './late-events.ts';
import type { ClassMethod } from './map-session.ts';
import { type Endpoint, sessionPath } from './paths.ts';
import { type QuotaLimiter, quotaLimiter, quotasOf } from './quota-limiter.ts';
import type * as wire from './wire-types.ts';

/** The state that the verbs of this backend share. */
export interface AgentEngineClient {
  endpoint: Endpoint;
  http: HttpClient;
  /** As `http`, with a limit for long streams. */
  streams: HttpClient;
  /** As `http`, for requests that have waited for quota already. Repeats none. */
  admittedHttp: HttpClient;
  /** The credentials in use, as one line without a secret. */
  describeCredentials(): Promise<string>;
  quota: QuotaLimiter;
  memory: MemorySettings;
  eventTimes: EventTimeCache;
  lateEvents: LateEvents;
  timestamps: EventTimestamps;
  /** The last piece of work on each object: see `inTurn`. */
  turns: Map<string, Promise<unknown>>;
  /** Cached class methods of engines, by app. */
  classMethods: Map<string, { at: number; methods: readonly ClassMethod[] }>;
  now(): number;
  wait(ms: number): Promise<void>;
}

/** Opens a client. The first request loads the credentials. */
export function openClient(endpoint: Endpoint, config: AgentEngineConfig): AgentEngineClient {
  const maxBytes = config.maxBytes ?? 32 * 1024 * 1024;
  const auth = config.auth ?? (endpoint.loopback ? 'none' : 'adc');
  const credentials = endpoint.express
    ? apiKeyCredentials(config.apiKey ?? '')
    : auth === 'none'
      ? noneNeeded
      : defaultCredentials(
          endpoint.origin,
          { own: endpoint.project, quota: config.quotaProject },
          config.loadAuth,
        );
  const limited = config.rateLimit ?? !endpoint.loopback;
  const quota = quotaLimiter(limited ? quotasOf(endpoint) : {});
  const options = {
    service: 'Agent Engine service',
    baseUrl: endpoint.origin,
    headers: credentials.headers,
    toError: (status: number, body: unknown, headers: Headers) => toError(status, body, headers, endpoint),
    timeoutMs: config.timeoutMs ?? 60_000,
  };
  return {
    endpoint,
    http: httpClient({ ...options, maxBytes, admit: quota.admit }),
    streams: httpClient({ ...options, maxBytes: 4 * maxBytes, admit: quota.admit }),
    admittedHttp: httpClient({ ...options, maxBytes, attempts: 1 }),
    describeCredentials: credentials.describe,
    quota,
    memory: {
      via: config.memory?.via ?? 'memory-bank',
      write: config.memory?.write ?? 'generate',
      scope: config.memory?.scope ?? 'app-and-user',
      appName: config.memory?.appName,
    },
    eventTimes: eventTimeCache(),
    lateEvents: lateEvents(),
    timestamps: eventTimestamps(Date.now),
    turns: new Map(),
    classMethods: new Map(),
    now: Date.now,
    wait: config.wait ?? ((ms) => sleep(ms)),
  };
}

export const isCode = (error: unknown, code: SessionError['code']): error is SessionError =>
  error instanceof SessionError && error.code === code;

/**
 * An answer that must be an object, typed as the message that the service documents; readers check the fields that
 * they use. An empty answer is an empty object, as in proto3 JSON.
 */
export function objectOf<Message extends JsonObject = JsonObject>(body: unknown): Message {
  if (body === undefined) return {} as Message;
  if (isObject(body)) return body as Message;
  throw notAnObject();
}

function notAnObject(): SessionError {
  return new SessionError('UNAVAILABLE', 'Agent Engine’s answer does not have the expected form.', {
    hint: 'Ask the operator to check that AGENT_ENGINE_BASE_URL, if it is set, is the address of the service itself.',
  });
}

/** Sends a write that answers an object. @throws SessionError after another answer: the change may have been made */
export async function write<Message extends JsonObject = JsonObject>(
  client: AgentEngineClient,
  request: HttpRequest & { lookWith: string },
  http: HttpClient = client.http,
): Promise<Message> {
  const body = await http.json(request);
  return readWritten(request.lookWith, () => objectOf<Message>(body));
}

/** The items and the token of one page of a list; an empty list is an empty object. */
export function pageOf<Item extends JsonObject>(
  body: unknown,
  field: string,
): { items: Item[]; token: string | undefined } {
  const { [field]: listed = [], nextPageToken: token, error } = objectOf(body);
  if (!Array.isArray(listed) || error !== undefined) throw notAnObject();
  return {
    items: (listed as Item[]).filter(isObject),
    token: typeof token === 'string' && token !== '' ? token : undefined,
  };
}

/** Runs work on one object after all earlier work on it, so that a read before a write sees the earlier writes. */
export async function inTurn<T>(client: AgentEngineClient, key: string, work: () => Promise<T>): Promise<T> {
  const before = client.turns.get(key);
  const mine = before === undefined ? work() : waitForOthers(before).then(work);
  // Work that gave up waiting ends before the earlier work, which the next in line must still wait for.
  const all = Promise.allSettled([before, mine]);
  client.turns.set(key, all);
  try {
    return await mine;
  } finally {
    void all.then(() => {
      if (client.turns.get(key) === all) client.turns.delete(key);
    });
  }
}

/** Notes whether a request was repeated although the service may have carried out the first one. */
export function retryWatch(): { onRetry(status: number): void; repeated(): boolean } {
  let repeated = false;
  return {
    onRetry(status) {
      // A request that was answered with 429 was not carried out.
      if (status !== 429) repeated = true;
    },
    repeated: () => repeated,
  };
}

/**
 * Reads the caller's session. The service checks no owner, so every verb begins here. The answer is not cached:
 * at any time a session can be deleted and somebody else can create one with the same id.
 * @throws SessionError NOT_FOUND
 */
export async function ownedSession(
  client: AgentEngineClient,
  ref: SessionRef,
  signal?: AbortSignal | undefined,
): Promise<wire.Session> {
  const path = sessionPath(client.endpoint, ref);
  let session: wire.Session;
  try {
    session = objectOf(await client.http.json({ method: 'GET', path, retry: 'read', signal }));
  } catch (error) {
    if (isCode(error, 'NOT_FOUND')) throw sessionNotFound();
    throw error;
  }
  if (typeof session.name !== 'string') throw notAnObject();
  if (session.userId !== ref.userId) throw sessionNotFound();
  return session;
}

/**
 * Reads from a session and checks its owner at the same time, in one round trip. What was read is returned only if
 * the session is the caller's.
 */
export async function ownedWith<T>(
  client: AgentEngineClient,
  ref: SessionRef,
  read: (signal: AbortSignal, session: Promise<wire.Session>) => Promise<T>,
): Promise<T> {
  const end = new AbortController();
  const session = ownedSession(client, ref);
  const reading = read(end.signal, session);
  reading.catch(() => {});
  try {
    await session;
  } catch (error) {
    end.abort();
    throw error;
  }
  return reading;
}
