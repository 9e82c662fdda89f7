import { setTimeout as sleep } from 'node:timers/promises';
import { SessionError } from '../errors.ts';
import { traceHeaders } from './trace.ts';

/**
 * Which failures may be answered by sending the same request again:
 * `read` any passing one; `idempotent` 429 and 503; `quota` only 429, which was refused before it ran; `none`.
 */
type Retry = 'read' | 'idempotent' | 'quota' | 'none';

export interface HttpClientOptions {
  /** Of the service, for messages: "The Vectara service …". */
  service: string;
  /** Without a trailing slash; every request stays below it. */
  baseUrl: string;
  /** Credentials and the like, asked for before every attempt; `fresh` after a 401 refused the last ones. */
  headers(fresh: boolean): Promise<Record<string, string>>;
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
  headers?: Record<string, string> | undefined;
  signal?: AbortSignal | undefined;
  timeoutMs?: number | undefined;
  /** Told the status (0: no answer) after which the request is sent again. */
  onRetry?: ((status: number) => void) | undefined;
}

export interface HttpClient {
  /** The answer's JSON; undefined for an empty answer. */
  json(request: HttpRequest): Promise<unknown>;
  /** The answer's bytes as they come. Leaving the loop or the signal closes the connection. */
  stream(request: HttpRequest): Promise<{ headers: Headers; chunks: AsyncGenerator<Uint8Array, void> }>;
}

type Sent = { response: Response; end: AbortController; done: () => void; pulse: () => void };

const totalMs = 30_000;

/** An HTTP client for one service: time-outs, bounded retries with jitter, capped answers, no redirects. */
export function httpClient(options: HttpClientOptions): HttpClient {
  async function send(request: HttpRequest): Promise<Sent> {
    const deadline = Date.now() + totalMs;
    let fresh = false;
    for (let attempt = 1; ; attempt += 1) {
      const tried = await attemptOnce(request, fresh);
      if ('response' in tried && tried.response.ok) return tried;
      const status = 'response' in tried ? tried.response.status : 0;
      const error = 'error' in tried ? tried.error : await refusal(tried);
      if (status === 401 && !fresh) {
        fresh = true;
        continue;
      }
      const delay =
        error.retryAfter === undefined
          ? Math.random() * Math.min(8000, 500 * 2 ** attempt)
          : error.retryAfter * 1000;
      if (
        attempt >= (options.attempts ?? 4) ||
        !mayRetry(request.retry, status, error) ||
        Date.now() + delay > deadline
      )
        throw error;
      await sleep(delay, undefined, request.signal ? { signal: request.signal } : {}).catch(() => {
        throw cancelled();
      });
      request.onRetry?.(status);
    }
  }

  async function refusal(sent: Sent): Promise<SessionError> {
    const text = await readText(sent, options).catch(() => '');
    return options.toError(sent.response.status, parse(text), sent.response.headers, text);
  }

  async function attemptOnce(request: HttpRequest, fresh: boolean): Promise<Sent | { error: SessionError }> {
    const end = new AbortController();
    const onAbort = () => end.abort(cancelled());
    if (request.signal?.aborted) throw cancelled();
    request.signal?.addEventListener('abort', onAbort, { once: true });
    const wait = request.timeoutMs ?? options.timeoutMs;
    const timer = setTimeout(() => end.abort(late(options.service, wait)), wait);
    timer.unref();
    const done = () => {
      clearTimeout(timer);
      request.signal?.removeEventListener('abort', onAbort);
    };
    end.signal.addEventListener('abort', done);
    try {
      await options.admit?.(request.method, request.path, end.signal);
      const form =
        request.body instanceof FormData || request.body instanceof URLSearchParams
          ? request.body
          : undefined;
      const response = await fetch(options.baseUrl + request.path, {
        method: request.method,
        redirect: 'manual',
        signal: end.signal,
        headers: {
          accept: 'application/json',
          ...(request.body === undefined || form ? {} : { 'content-type': 'application/json' }),
          ...traceHeaders(),
          ...(await options.headers(fresh)),
          ...request.headers,
        },
        ...(request.body === undefined ? {} : { body: form ?? JSON.stringify(request.body) }),
      });
      return { response, end, done, pulse: () => timer.refresh() };
    } catch (error) {
      end.abort();
      return { error: failure(options.service, error, end.signal) };
    }
  }

  return {
    async json(request) {
      const text = await readText(await send(request), options).catch(async (error: unknown) => {
        // Broken off under way: what may be read again is, once.
        const again =
          request.retry === 'read' && error instanceof SessionError && error.code === 'UNAVAILABLE';
        if (again) return readText(await send(request), options);
        throw error;
      });
      if (text === '') return undefined;
      const body = parse(text);
      if (body === undefined)
        throw new SessionError('UNAVAILABLE', `The ${options.service} answered something that is not JSON.`, {
          hint: 'Check that the configured address is that of the service itself.',
        });
      return body;
    },
    async stream(request) {
      const sent = await send(request);
      return { headers: sent.response.headers, chunks: chunksOf(sent, options) };
    },
  };
}

async function* chunksOf(sent: Sent, options: HttpClientOptions): AsyncGenerator<Uint8Array, void> {
  let whole = false;
  try {
    let bytes = 0;
    for await (const chunk of sent.response.body ?? []) {
      sent.pulse();
      bytes += chunk.byteLength;
      if (bytes > options.maxBytes)
        throw new SessionError(
          'RESOURCE_EXHAUSTED',
          `The ${options.service} answered more than ${options.maxBytes} bytes.`,
          {
            hint: 'Ask for a smaller page.',
          },
        );
      yield chunk;
    }
    whole = true;
  } catch (error) {
    throw failure(options.service, error, sent.end.signal);
  } finally {
    // An abort costs as much as half a request: only for what is still coming.
    if (whole) sent.done();
    else sent.end.abort();
  }
}

async function readText(sent: Sent, options: HttpClientOptions): Promise<string> {
  const chunks: Uint8Array[] = [];
  // The time limit is for the whole answer: one that trickles in does not push it back.
  for await (const chunk of chunksOf({ ...sent, pulse: () => {} }, options)) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

// Some services answer 500 to what will never succeed; `toError` then knows better than the status.
const final: readonly string[] = ['CANCELLED', 'NOT_FOUND', 'ALREADY_EXISTS', 'FAILED_PRECONDITION'];

function mayRetry(retry: Retry, status: number, error: SessionError): boolean {
  if (final.includes(error.code)) return false;
  if (retry === 'none') return false;
  if (status === 429) return true;
  if (retry === 'quota') return false;
  if (status === 503) return true;
  return (
    retry === 'read' &&
    ((status === 0 && passing(error)) || status === 408 || status === 500 || status === 502 || status === 504)
  );
}

/** Without an answer: the network may heal, credentials that cannot be had will not. */
function passing(error: SessionError): boolean {
  return error.code === 'UNAVAILABLE' || error.code === 'DEADLINE_EXCEEDED';
}

function failure(service: string, error: unknown, signal: AbortSignal): SessionError {
  if (error instanceof SessionError) return error;
  if (signal.reason instanceof SessionError) return signal.reason;
  return new SessionError('UNAVAILABLE', `The ${service} cannot be reached, or broke off its answer.`, {
    hint: 'Check that it runs and that the configured address is right, then try again.',
    cause: error,
  });
}

function cancelled(): SessionError {
  return new SessionError('CANCELLED', 'The call was cancelled.', {
    hint: 'Call again if it is still wanted.',
  });
}

function late(service: string, ms: number): SessionError {
  return new SessionError('DEADLINE_EXCEEDED', `The ${service} did not answer within ${ms / 1000} s.`, {
    hint: 'Try again later; if it was a write, read first whether it took effect.',
  });
}

/** Seconds from a Retry-After header, as a number or a date; undefined when there is none. */
export function retryAfterOf(headers: Headers, now: number = Date.now()): number | undefined {
  const value = headers.get('retry-after');
  if (value === null) return undefined;
  const seconds = /^\d+$/.test(value) ? Number(value) : (Date.parse(value) - now) / 1000;
  return Number.isFinite(seconds) ? Math.max(0, seconds) : undefined;
}
