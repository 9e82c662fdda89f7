import { SessionError } from '../../errors.ts';
import { isObject, type JsonObject } from '../../model/json.ts';
import type { HttpClient } from '../../net/http.ts';
import type { SessionRef } from '../types.ts';
import { operationError } from './errors.ts';
import type { EventHints } from './event-time-cache.ts';
import type { Stamper } from './event-timestamps.ts';
import type { ClassMethod } from './map-session.ts';
import { operationPath, type Place, sessionPath } from './paths.ts';

export interface MemorySettings {
  /** Through the engine's own class methods, where it has them, instead of Memory Bank. */
  via: 'memory-bank' | 'class-methods';
  /** How sessions are added: `generate` waits for the facts, `ingest` leaves them to the service. */
  write: 'generate' | 'ingest';
  /** The scope of calls that name none: ADK's Python and JavaScript use both keys, its Go only the user. */
  scope: 'app-and-user' | 'user';
  /** `app_name` of that scope. Default: the engine's id. */
  appName: string | undefined;
}

/** All that the verbs work with. */
export interface Service {
  place: Place;
  http: HttpClient;
  /** The same service with room for a long stream. */
  streams: HttpClient;
  memory: MemorySettings;
  hints: EventHints;
  stamp: Stamper;
  /** Appends with an eventId that are under way, so that two of them are not both first. */
  underWay: Map<string, Promise<unknown>>;
  /** Class methods of engines that were asked for them, by app. */
  classMethods: Map<string, { at: number; methods: readonly ClassMethod[] }>;
  now(): number;
  wait(ms: number): Promise<void>;
}

/** Byte for byte the same for a session that is not there and for one of somebody else. */
export function sessionNotFound(): SessionError {
  return new SessionError('NOT_FOUND', 'There is no such session.', {
    hint: 'Call list_sessions for the sessions that there are.',
  });
}

export const isCode = (error: unknown, code: SessionError['code']): error is SessionError =>
  error instanceof SessionError && error.code === code;

/** An answer that must be an object. An empty answer counts as an empty object, as proto3 JSON has it. */
export function objectOf(body: unknown): JsonObject {
  if (body === undefined) return {};
  if (isObject(body)) return body;
  throw new SessionError('UNAVAILABLE', 'Agent Engine answered something that is not an object.', {
    hint: 'Check that the configured address is that of the service itself.',
  });
}

/** The items and the token of one page of a list; an empty list is an empty object. */
export function pageOf(body: unknown, field: string): { items: JsonObject[]; token: string | undefined } {
  const page = objectOf(body);
  const items = Array.isArray(page[field]) ? (page[field] as unknown[]).filter(isObject) : [];
  const token = page.nextPageToken;
  return { items, token: typeof token === 'string' && token !== '' ? token : undefined };
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
  service: Service,
  ref: SessionRef,
  signal?: AbortSignal | undefined,
): Promise<JsonObject> {
  const path = sessionPath(service.place, ref);
  let session: JsonObject;
  try {
    session = objectOf(await service.http.json({ method: 'GET', path, retry: 'read', signal }));
  } catch (error) {
    if (isCode(error, 'NOT_FOUND')) throw sessionNotFound();
    throw error;
  }
  if (session.userId !== ref.userId) throw sessionNotFound();
  return session;
}

export interface Settled {
  done: boolean;
  /** What the operation made; absent for deletions and where nothing was made. */
  response: JsonObject | undefined;
}

/**
 * Waits until an operation is done, polling it by the name it came with. Newer answers are done at once,
 * older ones are not (agent-engine-api.md §1.2).
 * @throws SessionError what the operation failed with
 */
export async function settle(service: Service, body: unknown, waitMs = 30_000): Promise<Settled> {
  let operation = objectOf(body);
  const until = service.now() + waitMs;
  for (let pause = 200; ; pause = Math.min(2000, pause * 1.5)) {
    if (operation.done === true) {
      if (isObject(operation.error)) throw operationError(operation.error, service.place);
      return { done: true, response: isObject(operation.response) ? operation.response : undefined };
    }
    const path = operationPath(service.place, operation.name);
    if (path === undefined)
      throw new SessionError(
        'UNAVAILABLE',
        'Agent Engine answered with an operation that has no usable name.',
        {
          hint: 'Look with a list call whether the change was made.',
        },
      );
    if (service.now() + pause > until) return { done: false, response: undefined };
    await service.wait(pause);
    operation = objectOf(await service.http.json({ method: 'GET', path, retry: 'read' }));
  }
}

/** Like `settle`, for changes that a caller cannot use before they are done. */
export async function settled(service: Service, body: unknown, waitMs?: number): Promise<JsonObject> {
  const { done, response } = await settle(service, body, waitMs);
  if (!done)
    throw new SessionError('DEADLINE_EXCEEDED', 'Agent Engine has not finished the change yet.', {
      hint: 'It goes on there: look with a list call a little later.',
    });
  return response ?? {};
}
