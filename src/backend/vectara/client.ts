import { SessionError } from '../../errors.ts';
import { type BoundedMap, boundedMap } from '../../model/bounded-map.ts';
import { isObject, type JsonObject } from '../../model/json.ts';
import { type HttpClient, type HttpRequest, httpClient } from '../../net/http.ts';
import { readWritten } from '../../net/retry.ts';
import { sessionKey } from '../shared/session-key.ts';
import type { ArtifactContent, SessionRef } from '../types.ts';
import { credentialHeaders } from './auth.ts';
import type { VectaraSettings } from './config.ts';
import { forOperation, lookWith, type OperationName, toError } from './errors.ts';
import { type EventPageStore, openEventPages } from './event-pages.ts';
import type { OwnSession } from './wire.ts';

/** Largest answer that is read, artifacts aside; a stream may be longer in all. */
const maxAnswerBytes = 32 * 1024 * 1024;
const maxStreamBytes = 256 * 1024 * 1024;

/** Milliseconds for which a new session may be unknown to some of Vectara's machines. */
const settleMs = 10_000;
const settlingLimit = 1000;

/** Milliseconds for which the next page of a list relies on the last check of the session's owner. */
const ownerMs = 2000;

/** Milliseconds for which the last fetched file is kept. */
const holdMs = 60_000;

interface HeldFile {
  /** The session's path, the artifact's id and its checksum. */
  key: string;
  content: ArtifactContent;
}

/** What the parts of this backend share. */
export interface Vectara {
  settings: VectaraSettings;
  now(): number;
  json(name: OperationName, request: HttpRequest): Promise<unknown>;
  /** As `json`, with the limits on size and time that a file needs. */
  file(name: OperationName, request: HttpRequest): Promise<unknown>;
  stream(name: OperationName, request: HttpRequest): ReturnType<HttpClient['stream']>;
  /** The last fetched file, for a minute. The caller checks the session's owner and the checksum first. */
  heldFile(): HeldFile | undefined;
  holdFile(file: HeldFile): void;
  /** Notes a session that was created here, so that `settled` waits for it to appear. */
  created(sessionPath: string): void;
  deleted(sessionPath: string): void;
  /** Whether a session was created here a moment ago, so that some of Vectara's machines may not know it. */
  isSettling(sessionPath: string): boolean;
  /** Pages of event lists, kept while callers page through them. */
  readonly eventPages: EventPageStore;
  /** For each query on a session's events: when it was last asked, and for how many events. */
  readonly looks: BoundedMap<{ pageSize: number; look: number; at: number }>;
  /** Times of events in microseconds, by the session's path and the event's id. They never change. */
  readonly eventTimes: BoundedMap<number>;
  /** The owner's session as `check` finds it. The next page of a list uses the last answer for a moment. */
  checkedOwner(ref: SessionRef, continues: boolean, check: () => Promise<OwnSession>): Promise<OwnSession>;
  /** Repeats `work` for a few seconds while a session that was just created here is not found. */
  settled<T>(sessionPath: string, work: () => Promise<T>, signal?: AbortSignal): Promise<T>;
}

export function connect(settings: VectaraSettings, now: () => number = Date.now): Vectara {
  const shared = {
    service: 'Vectara service',
    baseUrl: settings.baseUrl,
    headers: credentialHeaders(settings, now),
    toError,
    timeoutMs: settings.timeoutMs,
  };
  const http = httpClient({ ...shared, maxBytes: maxAnswerBytes });
  // base64 takes four bytes for three.
  const files = httpClient({
    ...shared,
    maxBytes: Math.ceil(settings.maxArtifactBytes * 1.4) + 1024 * 1024,
    timeoutMs: settings.timeoutMs * 4,
  });
  const streams = httpClient({ ...shared, maxBytes: maxStreamBytes, timeoutMs: settings.runTimeoutMs });
  const settling = boundedMap<number>(settlingLimit);
  const checked = boundedMap<{ session: OwnSession; at: number }>(100);
  let held: HeldFile | undefined;
  let dropHeld: NodeJS.Timeout | undefined;

  return {
    settings,
    now,
    json: (name, request) => http.json({ lookWith: lookWith(name), ...request }).catch(rethrow(name)),
    file: (name, request) => files.json(request).catch(rethrow(name)),
    stream: (name, request) => streams.stream({ lookWith: lookWith(name), ...request }).catch(rethrow(name)),
    heldFile: () => held,
    holdFile(file) {
      held = file;
      clearTimeout(dropHeld);
      dropHeld = setTimeout(() => {
        held = undefined;
      }, holdMs).unref();
    },
    created(sessionPath) {
      settling.set(sessionPath, now() + settleMs);
    },
    deleted(sessionPath) {
      settling.delete(sessionPath);
    },
    isSettling: (sessionPath) => now() < (settling.get(sessionPath) ?? 0),
    eventPages: openEventPages(now),
    looks: boundedMap(100),
    eventTimes: boundedMap(1000),
    async checkedOwner(ref, continues, check) {
      const key = sessionKey(ref);
      const known = checked.get(key);
      if (continues && known !== undefined && now() - known.at <= ownerMs) return known.session;
      const session = await check();
      checked.set(key, { session, at: now() });
      return session;
    },
    async settled(sessionPath, work, signal) {
      for (let delay = 100; ; delay = Math.min(delay * 2, 2000)) {
        try {
          return await work();
        } catch (error) {
          const until = settling.get(sessionPath);
          if (!(error instanceof SessionError) || error.code !== 'NOT_FOUND' || until === undefined)
            throw error;
          if (now() + delay > until || signal?.aborted) {
            settling.delete(sessionPath);
            throw error;
          }
          await new Promise((resolve) => setTimeout(resolve, delay));
        }
      }
    },
  };
}

function rethrow(name: OperationName): (error: unknown) => never {
  return (error) => {
    throw error instanceof SessionError ? forOperation(error, name) : error;
  };
}

/** The object that answers a write. @throws SessionError after another answer: the change may have been made */
export const writtenObject = (name: OperationName, answer: unknown): JsonObject =>
  readWritten(lookWith(name), () => objectOf(answer));

/** An answer that must be one object. */
export function objectOf(answer: unknown): JsonObject {
  if (isObject(answer)) return answer;
  throw new SessionError('UNAVAILABLE', 'The answer of Vectara is not an object.', {
    hint: 'Try again later; if it stays so, check the address of the service.',
  });
}
