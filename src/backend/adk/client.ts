import { invalidArgument } from '../../errors.ts';
import { type HttpClient, httpClient } from '../../net/http.ts';
import { type Semaphore, semaphore } from '../../net/semaphore.ts';
import { checkBaseUrl } from '../../net/url.ts';
import { type ArrivalOrder, openArrivalOrder } from './arrival-order.ts';
import { type AdkConfig, defaults } from './config.ts';
import { detect } from './detect.ts';
import { dialects, unknownDialect } from './dialects.ts';
import { service, toError } from './errors.ts';
import { type KnownDialect, openKnownDialect } from './known-dialect.ts';
import { openSessionCache, type SessionCache } from './session-cache.ts';
import { openUnchangedSessions, type UnchangedSessions } from './unchanged-sessions.ts';

/** How many answers are read at the same time; each may be large, so this bounds memory. */
const parallelReads = 4;

/** The state that the verbs of this backend share. */
export interface Adk extends Omit<KnownDialect, 'stopAsking'> {
  readonly http: HttpClient;
  readonly baseUrl: string;
  readonly runIdleMs: number;
  readonly maxAnswerBytes: number;
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

  const { stopAsking, ...dialect } = openKnownDialect(
    config.dialect === undefined ? await attempt() : { dialect: dialects[config.dialect], reachable: true },
    attempt,
  );
  const orphans = new Map<string, AbortController>();
  const maxAnswerBytes = config.maxAnswerBytes ?? defaults.maxAnswerBytes;

  return {
    ...dialect,
    http: httpClient({
      service,
      baseUrl,
      headers,
      timeoutMs: config.timeoutMs ?? defaults.timeoutMs,
      maxBytes: maxAnswerBytes,
      attempts: 2,
      toError: (...refusal) => toError(dialect.known().dialect ?? unknownDialect, ...refusal),
    }),
    baseUrl,
    runIdleMs: config.runIdleMs ?? defaults.runIdleMs,
    maxAnswerBytes,
    sessionCache: openSessionCache(),
    arrivals: openArrivalOrder(),
    unchanged: openUnchangedSessions(),
    knownApps: new Map(),
    orphans,
    close() {
      stopAsking();
      for (const orphan of orphans.values()) orphan.abort();
    },
    gate: semaphore(parallelReads),
  };
}
