import { createParser } from 'eventsource-parser';
import { isObject, type JsonObject } from '../../model/json.ts';
import { resultOf } from './result.ts';
import { type Bridge, CallFailure, type CallOptions } from './types.ts';

/** The revision that this client speaks: every request stands alone. */
const protocolVersion = '2026-07-28';
const meta = {
  'io.modelcontextprotocol/protocolVersion': protocolVersion,
  'io.modelcontextprotocol/clientInfo': { name: 'agent-sessions-page', version: '1' },
  'io.modelcontextprotocol/clientCapabilities': {},
};

/** Times that a request is repeated that was refused because too many came at once. */
const repeats = 5;

/**
 * Speaks to the server over Streamable HTTP. Written by hand, because the SDK's client alone is 319 kB, which is more
 * than the whole page may have; the parts of the protocol that the page uses are two requests.
 */
export function httpBridge(endpoint: string, token: () => string | undefined): Bridge {
  let lastId = 0;

  async function request(method: string, params: JsonObject, options: CallOptions = {}): Promise<unknown> {
    lastId += 1;
    const id = lastId;
    const { signal, onProgress } = options;
    const bearer = token();
    const init: RequestInit = {
      method: 'POST',
      credentials: 'omit',
      cache: 'no-store',
      headers: {
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        'mcp-protocol-version': protocolVersion,
        'mcp-method': method,
        ...(typeof params.name === 'string' ? { 'mcp-name': params.name } : {}),
        ...(bearer === undefined ? {} : { authorization: `Bearer ${bearer}` }),
      },
      body: JSON.stringify({
        jsonrpc: '2.0',
        id,
        method,
        params: { ...params, _meta: onProgress === undefined ? meta : { ...meta, progressToken: id } },
      }),
      ...(signal === undefined ? {} : { signal }),
    };
    for (let attempt = 0; ; attempt += 1) {
      const response = await reached(fetch(endpoint, init), signal);
      if (response.status === 429 && attempt < repeats) {
        await pause(secondsOf(response) * 1000, signal);
        continue;
      }
      return answerOf(await reached(messageOf(response, id, onProgress), signal), response);
    }
  }

  return {
    kind: 'browser',
    async tools() {
      const found = new Map<string, ReadonlySet<string>>();
      let cursor: string | undefined;
      do {
        const page = await request('tools/list', cursor === undefined ? {} : { cursor });
        const { tools, nextCursor } = page as { tools: JsonObject[]; nextCursor?: string };
        for (const { name, inputSchema } of tools) found.set(String(name), argumentsOf(inputSchema));
        cursor = nextCursor;
      } while (cursor !== undefined);
      return found;
    },
    call: async (name, args, options) =>
      resultOf(await request('tools/call', { name, arguments: args }, options)),
    openLink: (url) => void window.open(url, '_blank', 'noopener,noreferrer'),
    async saveFile(name, mimeType, content) {
      const url = URL.createObjectURL(new Blob([content], { type: mimeType }));
      const link = document.createElement('a');
      link.href = url;
      link.download = name;
      link.click();
      setTimeout(() => URL.revokeObjectURL(url), 60_000);
    },
  };
}

/** Exchanges the one-time key of the page's address for a token; undefined when it opens nothing. */
export async function exchangeKey(key: string): Promise<string | undefined> {
  const response = await fetch(new URL('ui/token', location.href), { method: 'POST', body: key });
  if (!response.ok) return undefined;
  const { token } = (await response.json()) as { token?: string };
  return token;
}

async function reached<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (signal?.aborted === true) throw new CallFailure('CANCELLED', 'The call was cancelled.');
    if (error instanceof CallFailure) throw error;
    throw new CallFailure('UNAVAILABLE', 'The server does not answer.');
  }
}

/** The JSON-RPC message that answers the request; undefined when the answer holds none. */
async function messageOf(
  response: Response,
  id: number,
  onProgress: CallOptions['onProgress'],
): Promise<JsonObject | undefined> {
  if (response.headers.get('content-type')?.startsWith('text/event-stream') !== true) {
    const body: unknown = await response.json().catch(() => undefined);
    return isObject(body) ? body : undefined;
  }
  let answer: JsonObject | undefined;
  const parser = createParser({
    onEvent({ data }) {
      const message: unknown = data === '' ? undefined : JSON.parse(data);
      if (!isObject(message)) return;
      if (message.id === id) answer = message;
      else if (message.method === 'notifications/progress' && isObject(message.params))
        onProgress?.(String(message.params.message ?? ''));
    },
  });
  const decoder = new TextDecoder();
  const reader = response.body?.getReader();
  for (;;) {
    const { done, value } = (await reader?.read()) ?? { done: true };
    if (done) break;
    parser.feed(decoder.decode(value, { stream: true }));
  }
  if (answer === undefined) throw new CallFailure('UNAVAILABLE', 'The server broke off its answer.');
  return answer;
}

function answerOf(message: JsonObject | undefined, response: Response): unknown {
  if (response.ok && message !== undefined && message.error === undefined) return message.result;
  const error = isObject(message?.error) ? message.error : {};
  const text = typeof error.message === 'string' ? error.message : 'The server refused the request.';
  if (response.headers.get('www-authenticate')?.includes('insufficient_scope') === true)
    throw new CallFailure('PERMISSION_DENIED', 'Your token does not allow this: it may only read.');
  const code = codes[response.status] ?? (response.status >= 500 ? 'UNAVAILABLE' : 'INTERNAL');
  throw new CallFailure(code, text, { retryAfter: secondsOf(response) });
}

const codes: Readonly<Record<number, string>> = {
  401: 'UNAUTHENTICATED',
  403: 'PERMISSION_DENIED',
  404: 'UNIMPLEMENTED',
  413: 'INVALID_ARGUMENT',
  429: 'RESOURCE_EXHAUSTED',
};

const secondsOf = (response: Response): number => Number(response.headers.get('retry-after')) || 1;

const argumentsOf = (schema: unknown): ReadonlySet<string> =>
  new Set(isObject(schema) && isObject(schema.properties) ? Object.keys(schema.properties) : []);

function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms);
    signal?.addEventListener('abort', () => {
      clearTimeout(timer);
      reject(new CallFailure('CANCELLED', 'The call was cancelled.'));
    });
  });
}
