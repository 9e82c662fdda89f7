import { invalidArgument, SessionError } from '../../errors.ts';
import { isObject, type JsonObject } from '../../model/json.ts';
import { type HttpClient, httpClient } from '../../net/http.ts';
import { checkBaseUrl, path } from '../../net/url.ts';
import type { Owner, SessionRef } from '../types.ts';
import { type AdkConfig, defaults } from './config.ts';
import { type Detected, detect } from './detect.ts';
import { type Dialect, dialects, unknownDialect } from './dialects.ts';
import { notAdk, service, sessionNotFound, toError } from './errors.ts';
import { openRecent, type Recent } from './session-cache.ts';

/** Answers of any size that are read at the same time, so that memory stays bounded. */
const parallelReads = 4;

/** Milliseconds between two attempts to find out what a server is that did not answer before. */
const askAgainMs = 5_000;

/** What every verb of the backend works with. */
export interface Adk {
  readonly http: HttpClient;
  readonly baseUrl: string;
  readonly runIdleMs: number;
  readonly maxAnswerBytes: number;
  /** As known now. */
  known(): Detected;
  /** Asks the server if it has not been reached yet. */
  dialect(): Promise<Dialect>;
  readonly recent: Recent;
  /** Runs `work` when fewer than `parallelReads` others run. */
  gate<T>(work: () => Promise<T>): Promise<T>;
}

/** @throws SessionError INVALID_ARGUMENT when the configuration is wrong */
export async function connect(config: AdkConfig): Promise<Adk> {
  const baseUrl = checkBaseUrl('The address of the ADK server', config.baseUrl, {
    allowHttp: config.allowHttp ?? false,
  });
  if (config.dialect !== undefined && !Object.hasOwn(dialects, config.dialect))
    throw invalidArgument(
      'The dialect of the ADK server is not known.',
      `Use one of ${Object.keys(dialects).join(', ')}, or none: the server is then asked.`,
    );
  const headers = async (): Promise<Record<string, string>> =>
    config.token === undefined ? {} : { authorization: `Bearer ${config.token}` };
  const ask = () => detect({ service, baseUrl, headers }, config.detectMs ?? defaults.detectMs);

  let known: Detected =
    config.dialect === undefined ? await ask() : { dialect: dialects[config.dialect], reachable: true };
  let askedAt = Date.now();
  let asking: Promise<unknown> | undefined;
  const current = () => known.dialect ?? unknownDialect;
  const maxAnswerBytes = config.maxAnswerBytes ?? defaults.maxAnswerBytes;

  return {
    http: httpClient({
      service,
      baseUrl,
      headers,
      timeoutMs: config.timeoutMs ?? defaults.timeoutMs,
      maxBytes: maxAnswerBytes,
      attempts: 2,
      toError: (...refusal) => toError(current(), ...refusal),
    }),
    baseUrl,
    runIdleMs: config.runIdleMs ?? defaults.runIdleMs,
    maxAnswerBytes,
    recent: openRecent(),
    known: () => known,
    async dialect() {
      if (known.dialect === undefined && Date.now() - askedAt >= askAgainMs) {
        asking ??= ask().then((found) => {
          known = found;
          askedAt = Date.now();
          asking = undefined;
        });
        await asking;
      }
      return current();
    },
    gate: gateOf(parallelReads),
  };
}

function gateOf(limit: number): Adk['gate'] {
  let running = 0;
  const waiting: (() => void)[] = [];
  return async (work) => {
    if (running >= limit) await new Promise<void>((resolve) => waiting.push(resolve));
    else running += 1;
    try {
      return await work();
    } finally {
      // The place goes to the next in line; only without one is it free again.
      const next = waiting.shift();
      if (next === undefined) running -= 1;
      else next();
    }
  };
}

export function checkSlash(allowed: boolean, what: string, value: string): void {
  if (!allowed && value.includes('/'))
    throw invalidArgument(
      `${what} holds a "/", which this ADK server cannot take in a path.`,
      `Use ${what} without "/".`,
    );
}

export async function sessionsPath(adk: Adk, owner: Owner): Promise<string> {
  const { slashInIds } = await adk.dialect();
  checkSlash(slashInIds, 'app', owner.app);
  checkSlash(slashInIds, 'userId', owner.userId);
  return path`/apps/${owner.app}/users/${owner.userId}/sessions`;
}

export async function sessionPath(adk: Adk, ref: SessionRef): Promise<string> {
  const parent = await sessionsPath(adk, ref);
  checkSlash((await adk.dialect()).slashInIds, 'sessionId', ref.sessionId);
  return parent + path`/${ref.sessionId}`;
}

/** A session as a server wrote it, its events among it. */
export interface WireSession extends JsonObject {
  id: string;
  events: JsonObject[];
}

/**
 * Reads a session whole: no dialect answers a part of it.
 * @throws SessionError NOT_FOUND, also when the answer is about another session or user
 */
export async function readSession(adk: Adk, ref: SessionRef): Promise<WireSession> {
  const url = await sessionPath(adk, ref);
  const value = await adk
    .gate(() => adk.http.json({ method: 'GET', path: url, retry: 'read' }))
    .catch((error: unknown) => {
      if (
        error instanceof SessionError &&
        error.code === 'RESOURCE_EXHAUSTED' &&
        error.retryAfter === undefined
      )
        throw tooLarge(adk, error);
      throw error;
    });
  const session = toWireSession(value);
  if (!belongsTo(session, ref) || session.id !== ref.sessionId) throw sessionNotFound();
  return session;
}

/** @throws SessionError UNAVAILABLE when the value is no session */
export function toWireSession(value: unknown): WireSession {
  if (!isObject(value) || (typeof value.id !== 'string' && typeof value.id !== 'number')) throw notAdk();
  return {
    ...value,
    id: String(value.id),
    events: Array.isArray(value.events) ? value.events.filter(isObject) : [],
  };
}

/** The app is not compared: a server started with `--app_name` reports that name for every app. */
export function belongsTo(session: JsonObject, owner: Owner): boolean {
  return session.userId === undefined || String(session.userId) === owner.userId;
}

function tooLarge(adk: Adk, cause: unknown): SessionError {
  return new SessionError(
    'RESOURCE_EXHAUSTED',
    `The session is larger than ${adk.maxAnswerBytes} bytes, and ADK servers answer a session only whole.`,
    { hint: 'Raise the limit of the adk backend, or go on in a new session.', cause },
  );
}
