import { invalidArgument } from '../../errors.ts';
import { type HttpClient, httpClient } from '../../net/http.ts';
import { type Semaphore, semaphore } from '../../net/semaphore.ts';
import { checkBaseUrl } from '../../net/url.ts';
import { type AdkConfig, defaults } from './config.ts';
import { type Detected, detect } from './detect.ts';
import { type Dialect, dialects, unknownDialect } from './dialects.ts';
import { service, toError } from './errors.ts';
import { openSessionCache, type SessionCache } from './session-cache.ts';

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
  readonly sessionCache: SessionCache;
  /** Runs `work` when fewer than `parallelReads` others run. */
  readonly gate: Semaphore;
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
    sessionCache: openSessionCache(),
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
    gate: semaphore(parallelReads),
  };
}
