import { invalidArgument } from '../../errors.ts';
import { withoutDeadline } from '../../net/deadline.ts';
import { type HttpClient, httpClient } from '../../net/http.ts';
import { type Semaphore, semaphore } from '../../net/semaphore.ts';
import { checkBaseUrl } from '../../net/url.ts';
import { type ArrivalOrder, openArrivalOrder } from './arrival-order.ts';
import { type AdkConfig, defaults } from './config.ts';
import { type Detected, detect } from './detect.ts';
import { type Dialect, dialects, unknownDialect } from './dialects.ts';
import { notReachable, service, toError, unknownServer } from './errors.ts';
import { openSessionCache, type SessionCache } from './session-cache.ts';
import { openUnchangedSessions, type UnchangedSessions } from './unchanged-sessions.ts';

/** How many answers are read at the same time; each may be large, so this bounds memory. */
const parallelReads = 4;

/** Milliseconds between two attempts to detect the dialect, while reads wait for it. */
const retryMs = 1_000;
/** Milliseconds between two attempts to detect the dialect, while no call comes. */
const idleRetryMs = 10_000;

/** The state that the verbs of this backend share. */
export interface Adk {
  readonly http: HttpClient;
  readonly baseUrl: string;
  readonly runIdleMs: number;
  readonly maxAnswerBytes: number;
  /** What is known of the server at this moment. Sends no request. */
  known(): Detected;
  /** The server's dialect, detected now if it is not known yet. For reads: it may be `unknownDialect`. */
  dialect(): Promise<Dialect>;
  /** As `dialect`, for writes: rejects while the dialect is unknown, since a write could go wrong. */
  dialectToWrite(): Promise<Dialect>;
  /** Calls back once, as soon as the dialect is known. */
  onDialect(listener: (dialect: Dialect) => void): void;
  readonly sessionCache: SessionCache;
  readonly arrivals: ArrivalOrder;
  readonly unchanged: UnchangedSessions;
  /** Runs `work` when fewer than `parallelReads` others run. */
  readonly gate: Semaphore;
  /** Milliseconds since the epoch at which an app was last in the server's list. */
  readonly knownApps: Map<string, number>;
  /** Cancelled runs that continue on the server, by session. Aborting one closes its connection. */
  readonly orphans: Map<string, AbortController>;
  close(): void;
}

/** @throws SessionError INVALID_ARGUMENT when the configuration is wrong */
export async function connect(config: AdkConfig): Promise<Adk> {
  const baseUrl = checkBaseUrl('The address of the ADK server', config.baseUrl, {
    allowHttp: config.allowHttp ?? false,
  });
  if (config.dialect !== undefined && !Object.hasOwn(dialects, config.dialect))
    throw invalidArgument(
      'The configured dialect of the ADK server does not exist.',
      `Use one of ${Object.keys(dialects).join(', ')}, or leave it out to have it detected.`,
    );
  const headers = async (): Promise<Record<string, string>> =>
    config.token === undefined ? {} : { authorization: `Bearer ${config.token}` };
  const attempt = () => detect({ service, baseUrl, headers }, config.detectMs ?? defaults.detectMs);

  let known: Detected =
    config.dialect === undefined ? await attempt() : { dialect: dialects[config.dialect], reachable: true };
  let triedAt = Date.now();
  let detecting: Promise<unknown> | undefined;
  let retryTimer: NodeJS.Timeout | undefined;
  const listeners = new Set<(dialect: Dialect) => void>();
  const current = () => known.dialect ?? unknownDialect;

  async function detectNow(): Promise<void> {
    // All waiting calls share one detection, so the deadline of a single call must not end it.
    detecting ??= withoutDeadline(attempt).then((found) => {
      known = found;
      triedAt = Date.now();
      detecting = undefined;
      if (found.dialect === undefined) return;
      clearInterval(retryTimer);
      for (const listener of listeners) listener(found.dialect);
      listeners.clear();
    });
    await detecting;
  }
  if (known.dialect === undefined) retryTimer = setInterval(() => void detectNow(), idleRetryMs).unref();
  const orphans = new Map<string, AbortController>();
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
    sessionCache: openSessionCache(),
    arrivals: openArrivalOrder(),
    unchanged: openUnchangedSessions(),
    known: () => known,
    async dialect() {
      if (known.dialect === undefined && Date.now() - triedAt >= retryMs) await detectNow();
      return current();
    },
    async dialectToWrite() {
      if (known.dialect === undefined) await detectNow();
      if (known.dialect === undefined) throw known.reachable ? unknownServer() : notReachable();
      return known.dialect;
    },
    onDialect(listener) {
      listeners.add(listener);
    },
    knownApps: new Map(),
    orphans,
    close() {
      clearInterval(retryTimer);
      for (const orphan of orphans.values()) orphan.abort();
    },
    gate: semaphore(parallelReads),
  };
}
