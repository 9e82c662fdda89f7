import { pipeline, type Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import type { Dispatcher } from 'undici';
import { version } from '../version.ts';
import { abortable } from './abortable.ts';

/** An answer whose head has come. */
export interface Answer {
  status: number;
  headers(): Headers;
  /** Its bytes, unpacked. Leaving the loop closes the connection. */
  body: AsyncIterable<Uint8Array>;
}

export interface Message {
  method: 'GET' | 'POST' | 'PATCH' | 'PUT' | 'DELETE';
  url: string;
  headers: Record<string, string>;
  body?: string | FormData | URLSearchParams | undefined;
  /** Ends the request, and the reading of its answer. */
  signal: AbortSignal;
}

let dispatcher: Dispatcher | undefined;

/** All requests of this process go through this one, such as an agent for proxies. */
export function sendThrough(agent: Dispatcher): void {
  dispatcher = agent;
}

/**
 * Sends one request and follows no redirect. By the library below Node's `fetch`, since `fetch` itself makes up to
 * half of the CPU that a call of a service costs (`npm run bench -- agent-engine`).
 */
export async function send({ method, url, headers, body, signal }: Message): Promise<Answer> {
  const { Agent, request } = await library();
  // As `fetch` of Node 24 does. HTTP/2 would need tests of its own.
  dispatcher ??= new Agent({ allowH2: false });
  const encoded = typeof body === 'object' ? new Response(body) : undefined;
  const type = encoded?.headers.get('content-type');
  // The library notices its signal only when it has a connection: a host that takes none would hold the caller.
  const answer = await abortable(
    request(url, {
      dispatcher,
      method,
      headers: {
        'accept-encoding': 'gzip',
        'user-agent': `agent-sessions-mcp/${version}`,
        ...(typeof type === 'string' ? { 'content-type': type } : {}),
        ...headers,
      },
      body: typeof body === 'string' ? body : ((await encoded?.bytes()) ?? null),
      signal,
      // The library's own 300 s are less than a run may be silent; the signal ends every request in its time.
      headersTimeout: 0,
      bodyTimeout: 0,
    }),
    signal,
  );
  return {
    status: answer.statusCode,
    headers: () => headersOf(answer.headers),
    body: isPacked(answer) ? unpacked(answer.body) : quiet(answer.body),
  };
}

let loaded: Promise<typeof import('undici')> | undefined;

/** Only who asks a service pays for the library. */
function library(): Promise<typeof import('undici')> {
  loaded ??= import('undici');
  return loaded;
}

function headersOf(fields: Record<string, string | string[] | undefined>): Headers {
  const headers = new Headers();
  for (const [name, value] of Object.entries(fields))
    for (const one of [value ?? []].flat()) headers.append(name, one);
  return headers;
}

/** Whether the body is gzip. Some servers say so of answers that have no body, too. */
function isPacked({ statusCode, headers }: Dispatcher.ResponseData): boolean {
  if (statusCode === 204 || headers['content-length'] === '0') return false;
  return /^(x-)?gzip$/i.test(String(headers['content-encoding']));
}

async function* unpacked(body: Readable): AsyncGenerator<Uint8Array, void> {
  const gunzip = createGunzip();
  pipeline(body, gunzip, () => {});
  try {
    yield* gunzip;
  } catch (error) {
    const isEmpty = body.readableEnded && gunzip.bytesWritten === 0;
    if (!isEmpty) throw error;
  }
}

/** Whoever reads sees an error; one that comes when nobody reads any more is of no interest. */
const quiet = (body: Readable): Readable => body.on('error', () => {});
