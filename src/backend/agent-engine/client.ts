import { setTimeout as sleep } from 'node:timers/promises';
import { SessionError } from '../../errors.ts';
import { isObject, type JsonObject } from '../../model/json.ts';
import { type HttpClient, type HttpRequest, httpClient } from '../../net/http.ts';
import { lostAnswer } from '../../net/retry.ts';
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

/** All that the verbs work with. */
export interface AgentEngineClient {
  endpoint: Endpoint;
  http: HttpClient;
  /** The same service with room for a long stream. */
  streams: HttpClient;
  /** For work that has waited for its quota already; nothing is sent twice. */
  admittedHttp: HttpClient;
  quota: QuotaLimiter;
  memory: MemorySettings;
  eventTimes: EventTimeCache;
  lateEvents: LateEvents;
  timestamps: EventTimestamps;
  /** Writes that look before they write, by what they write to: see `inTurn`. */
  turns: Map<string, Promise<unknown>>;
  /** Class methods of engines that were asked for them, by app. */
  classMethods: Map<string, { at: number; methods: readonly ClassMethod[] }>;
  now(): number;
  wait(ms: number): Promise<void>;
}

/** The client of an endpoint; credentials are asked for with the first request. */
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
 * An answer that must be an object, as the message that the service promises: readers check what they rely on.
 * An empty answer counts as an empty object, as proto3 JSON has it.
 */
export function objectOf<Message extends JsonObject = JsonObject>(body: unknown): Message {
  if (body === undefined) return {} as Message;
  if (isObject(body)) return body as Message;
  throw notAnObject();
}

function notAnObject(): SessionError {
  return new SessionError('UNAVAILABLE', 'Agent Engine’s answer does not have the expected form.', {
    hint: 'Check that the configured address is that of the service itself.',
  });
}

/** A write that answers an object. After any other answer the change may have been made. */
export async function write<Message extends JsonObject = JsonObject>(
  client: AgentEngineClient,
  request: HttpRequest & { lookWith: string },
  http: HttpClient = client.http,
): Promise<Message> {
  const body = await http.json(request);
  try {
    return objectOf<Message>(body);
  } catch (error) {
    throw error instanceof SessionError ? lostAnswer(error, request.lookWith) : error;
  }
}

/** The items and the token of one page of a list; an empty list is an empty object. */
export function pageOf<Item extends JsonObject>(
  body: unknown,
  field: string,
): { items: Item[]; token: string | undefined } {
  const page = objectOf(body);
  const items = Array.isArray(page[field]) ? (page[field] as Item[]).filter(isObject) : [];
  const token = page.nextPageToken;
  return { items, token: typeof token === 'string' && token !== '' ? token : undefined };
}

/** Runs pieces of work on one object one after the other, so that each sees what the one before it wrote. */
export async function inTurn<T>(client: AgentEngineClient, key: string, work: () => Promise<T>): Promise<T> {
  const before = client.turns.get(key);
  const mine = before === undefined ? work() : before.then(work, work);
  client.turns.set(key, mine);
  try {
    return await mine;
  } finally {
    if (client.turns.get(key) === mine) client.turns.delete(key);
  }
}

/** Remembers whether a request was sent again after one that may have been carried out. */
export function retryWatch(): { onRetry(status: number): void; repeated(): boolean } {
  let repeated = false;
  return {
    onRetry(status) {
      // 429 is answered before anything is done.
      if (status !== 429) repeated = true;
    },
    repeated: () => repeated,
  };
}

/**
 * The session as the service has it, if it is the caller's. The service checks no owner, so every verb
 * begins here. Nothing is cached: an id can be deleted and made anew by somebody else at any time.
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
 * Reads of a session while its owner is asked for, in one round trip. Nothing of what was read gets out unless
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
