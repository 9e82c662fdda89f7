import { setTimeout as sleep } from 'node:timers/promises';
import { SessionError } from '../errors.ts';
import { abortable } from './abortable.ts';
import { chunksOf, type OpenAnswer, parseJson, readText } from './answer.ts';
import { currentDeadline } from './deadline.ts';
import {
  type Failure,
  failedToConnect,
  isPassing,
  isRefusal,
  isUnsendable,
  lostAnswer,
  mayHaveRun,
  mayRetry,
  pauseBefore,
  type Retry,
} from './retry.ts';
import { send } from './send.ts';
import { timeLimit } from './time-limit.ts';
import { traceHeaders } from './trace.ts';

/** Headers that identify this server to a service. */
export type Credentials = Record<string, string>;

export interface HttpClientOptions {
  /** Of the service, for messages: "The Vectara service …". */
  service: string;
  /** Without a trailing slash; every request stays below it. */
  baseUrl: string;
  /**
   * Credentials and the like, asked for before every attempt. After a 401 `refused` holds those that were refused: several
   * requests may have been refused with the same ones, and one renewal serves them all.
   */
  headers(refused?: Credentials): Promise<Credentials>;
  /**
   * What a refusal means. `body` is the parsed JSON, or undefined when it was none; `text` is the answer as it
   * came, for services that say what is wrong only there.
   */
  toError(status: number, body: unknown, headers: Headers, text: string): SessionError;
  /** Milliseconds for one attempt to answer whole; for a stream: to answer, and then between two chunks. */
  timeoutMs: number;
  /** Largest answer that is read. */
  maxBytes: number;
  /** How often a request that may be retried is sent at most. Default 4. */
  attempts?: number | undefined;
  /** Called before every attempt; resolves when the attempt may be made. */
  admit?(method: string, path: string, signal: AbortSignal | undefined): Promise<void>;
}

export interface HttpRequest {
  method: 'GET' | 'POST' | 'PATCH' | 'PUT' | 'DELETE';
  /** Begins with "/"; made by `path` of url.ts. */
  path: string;
  /** Sent as JSON; a FormData and URLSearchParams as they are. */
  body?: unknown;
  retry: Retry;
  /**
   * For a write: the tool that shows whether it took effect, named in the error when its answer is lost. Every
   * request other than GET that is not retried as a read counts as a write.
   */
  lookWith?: string | undefined;
  headers?: Record<string, string> | undefined;
  signal?: AbortSignal | undefined;
  timeoutMs?: number | undefined;
  /** Told the status (0: no answer) after which the request is sent again. */
  onRetry?: ((status: number) => void) | undefined;
}

/**
 * Requests to one service. Each ends with its own time-out, with its signal, and with the deadline of the tool
 * call that it is made for, retries and waits included.
 */
export interface HttpClient {
  /** The answer's JSON; undefined for a write that is answered with nothing: 204, or the end of a DELETE. */
  json(request: HttpRequest): Promise<unknown>;
  /** The answer's bytes as they come. Leaving the loop or the signal closes the connection. */
  stream(request: HttpRequest): Promise<{ headers: Headers; chunks: AsyncGenerator<Uint8Array, void> }>;
}

/** Milliseconds for all attempts of a request outside of a call with a deadline. */
const totalMs = 30_000;

/** Milliseconds that a service may ask for before the next attempt. Whether to wait for longer is the caller's affair. */
const longestPauseMs = 60_000;

/** An HTTP client for one service: time-outs, bounded retries with jitter, capped answers, no redirects. */
export function httpClient(options: HttpClientOptions): HttpClient {
  const { service, maxBytes, attempts = 4 } = options;

  /** Undefined: what was to be deleted is gone, and the answer that said so was lost. */
  async function sendWithRetries(request: HttpRequest): Promise<OpenAnswer | undefined> {
    const until = performance.now() + totalMs;
    let refused: Credentials | undefined;
    let lost = false;
    for (let attempt = 1; ; attempt += 1) {
      const tried = await attemptOnce(request, refused);
      if ('response' in tried && isOk(tried.response.status)) return tried;
      const failed = 'response' in tried ? await refusal(tried) : tried;
      const { status, error } = failed;
      if (status === 401 && refused === undefined && 'credentials' in tried) {
        refused = tried.credentials;
        continue;
      }
      if (request.method === 'DELETE' && lost && error.code === 'NOT_FOUND') return undefined;
      lost ||= isWrite(request) && mayHaveRun(failed);
      const pause = pauseBefore(attempt, error);
      const left = Math.min(currentDeadline()?.left() ?? until - performance.now(), longestPauseMs);
      if (attempt >= attempts || !mayRetry(request.retry, failed) || pause > left)
        throw lost && !isRefusal(error) ? lostAnswer(error, request.lookWith) : error;
      await wait(pause, request);
      request.onRetry?.(status);
    }
  }

  async function wait(ms: number, request: HttpRequest): Promise<void> {
    const limit = timeLimit({ ms: Number.POSITIVE_INFINITY, follow: endingsOf(request) });
    try {
      await sleep(ms, undefined, { signal: limit.signal });
    } catch {
      throw endedBy(limit.signal);
    } finally {
      limit.end();
    }
  }

  async function refusal(answer: OpenAnswer): Promise<Failure> {
    const { status, headers } = answer.response;
    const text = await readText(answer, maxBytes).catch(() => '');
    return { status, error: options.toError(status, parseJson(text), headers(), text), sent: true };
  }

  async function attemptOnce(
    request: HttpRequest,
    refused: Credentials | undefined,
  ): Promise<(OpenAnswer & { credentials: Credentials }) | Failure> {
    const ms = request.timeoutMs ?? options.timeoutMs;
    const limit = timeLimit({ ms, reason: () => late(service, ms), follow: endingsOf(request) });
    const failure = (error: unknown) => failureOf(service, error, limit.signal);
    let sent = false;
    let final = false;
    try {
      if (limit.signal.aborted) throw endedBy(limit.signal);
      await options.admit?.(request.method, request.path, limit.signal);
      // Whoever gets credentials has tried as often as makes sense.
      final = true;
      const credentials = await abortable(options.headers(refused), limit.signal);
      final = false;
      const headers = {
        accept: 'application/json',
        ...(request.body === undefined || isForm(request.body) ? {} : { 'content-type': 'application/json' }),
        ...traceHeaders(),
        ...credentials,
        ...request.headers,
      };
      if (limit.signal.aborted) throw endedBy(limit.signal);
      sent = true;
      const response = await send({
        method: request.method,
        url: options.baseUrl + request.path,
        headers,
        body:
          request.body === undefined || isForm(request.body) ? request.body : JSON.stringify(request.body),
        signal: limit.signal,
      });
      return { service, response, limit, failure, credentials };
    } catch (error) {
      const failed = failure(error);
      limit.abort();
      return { status: 0, error: failed, sent: sent && !failedToConnect(error), final };
    }
  }

  return {
    async json(request) {
      const answer = await sendWithRetries(request);
      if (answer === undefined) return undefined;
      const text = await textOf(answer, request, maxBytes).catch(async (error: unknown) => {
        if (!(error instanceof SessionError)) throw error;
        if (isWrite(request)) throw lostAnswer(error, request.lookWith);
        // Broken off under way, or empty: what may be read again is, once.
        const mayAsk = attempts > 1 && request.retry === 'read' && isPassing(error);
        const again = mayAsk ? await sendWithRetries(request) : undefined;
        if (again === undefined) throw error;
        return textOf(again, request, maxBytes);
      });
      if (text === '') return undefined;
      const value = parseJson(text);
      if (value !== undefined) return value;
      const error = notJson(service);
      throw isWrite(request) ? lostAnswer(error, request.lookWith) : error;
    },
    async stream(request) {
      const answer = await sendWithRetries(request);
      if (answer === undefined) return { headers: new Headers(), chunks: nothing() };
      return { headers: answer.response.headers(), chunks: chunksOf(answer, maxBytes) };
    },
  };
}

async function* nothing(): AsyncGenerator<Uint8Array, void> {}

const isOk = (status: number): boolean => status >= 200 && status < 300;

const isWrite = ({ method, retry }: HttpRequest): boolean =>
  method === 'DELETE' || (method !== 'GET' && retry !== 'read');

const isForm = (body: unknown): body is FormData | URLSearchParams =>
  body instanceof FormData || body instanceof URLSearchParams;

const endingsOf = (request: HttpRequest) => [request.signal, currentDeadline()?.signal()];

/** A whole answer. Nothing at all is an answer only where there is nothing to say. */
async function textOf(answer: OpenAnswer, request: HttpRequest, maxBytes: number): Promise<string> {
  const text = await readText(answer, maxBytes);
  const { status } = answer.response;
  const saysNothing = request.method === 'DELETE' || (isWrite(request) && (status === 204 || status === 205));
  if (text !== '' || saysNothing) return text;
  throw new SessionError('UNAVAILABLE', `The ${answer.service} sent an empty answer.`, {
    hint: 'Try again later; if it stays so, check that the configured address is that of the service itself.',
  });
}

function notJson(service: string): SessionError {
  return new SessionError('UNAVAILABLE', `The answer of the ${service} is not JSON.`, {
    hint: 'Check that the configured address is that of the service itself.',
  });
}

function failureOf(service: string, error: unknown, signal: AbortSignal): SessionError {
  if (error instanceof SessionError) return error;
  if (signal.aborted) return endedBy(signal);
  if (isUnsendable(error))
    return new SessionError('FAILED_PRECONDITION', `HTTP cannot carry a header for the ${service}.`, {
      hint: 'Check the configured credentials for quotes and line breaks that were copied with them.',
      cause: error,
    });
  return new SessionError('UNAVAILABLE', `The ${service} cannot be reached, or broke off its answer.`, {
    hint: 'Check that it runs and that the configured address is right, then try again.',
    cause: error,
  });
}

/** Time-outs and deadlines say why they end a request; any other signal is a caller's. */
function endedBy(signal: AbortSignal): SessionError {
  if (signal.reason instanceof SessionError) return signal.reason;
  return new SessionError('CANCELLED', 'The call was cancelled.', {
    hint: 'Call again if it is still wanted.',
  });
}

function late(service: string, ms: number): SessionError {
  return new SessionError('DEADLINE_EXCEEDED', `The ${service} did not answer within ${ms / 1000} s.`, {
    hint: 'Try again later.',
  });
}

/** Seconds from a Retry-After header, as a number or a date; undefined when there is none. */
export function retryAfterOf(headers: Headers, now: number = Date.now()): number | undefined {
  const value = headers.get('retry-after');
  if (value === null) return undefined;
  const seconds = /^\d+$/.test(value) ? Number(value) : (Date.parse(value) - now) / 1000;
  return Number.isFinite(seconds) ? Math.max(0, seconds) : undefined;
}
