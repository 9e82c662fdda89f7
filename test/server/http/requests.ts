import { createHash } from 'node:crypto';
import http from 'node:http';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import type { AccessScope } from '../../../src/model/principal.ts';

export type Json = Record<string, unknown>;

/** The content of a token file: a token of the form `NAME-token-of-the-tests` for each name. */
export const tokenOf = (user: string): string => `${user}-token-of-the-tests`;
export function tokensFor(users: Record<string, readonly AccessScope[]>): string {
  return JSON.stringify(
    Object.entries(users).map(([user, scopes]) => ({
      sha256: createHash('sha256').update(tokenOf(user)).digest('hex'),
      user,
      scopes,
    })),
  );
}

export interface Answer {
  status: number;
  headers: http.IncomingHttpHeaders;
  body: string;
}

export interface Sent {
  method?: string;
  path?: string;
  headers?: Record<string, string>;
  /** Sent as JSON, a string unchanged. */
  body?: unknown;
  /** Ends reading as soon as this matches the body so far. */
  until?: RegExp;
}

/** A request that has been sent. */
export interface Opened {
  /** The whole answer. */
  answer: Promise<Answer>;
  /** The answer's status; 0 when the connection broke before it. */
  status: Promise<number>;
  /** The body so far. */
  soFar(): string;
  /** Closes the connection. */
  stop(): void;
}

/** Sends one raw request, by default on a connection of its own. */
export function open(
  port: number,
  { method = 'POST', path = '/mcp', headers, body, until }: Sent,
  agent: http.Agent | false = false,
): Opened {
  const req = http.request({ host: '127.0.0.1', port, path, method, headers, agent });
  let text = '';
  const answer = new Promise<Answer>((resolve, reject) => {
    req.on('response', (res) => {
      const done = () => resolve({ status: res.statusCode ?? 0, headers: res.headers, body: text });
      res.setEncoding('utf8');
      res.on('data', (chunk: string) => {
        text += chunk;
        if (until?.test(text)) {
          done();
          req.destroy();
        }
      });
      res.on('end', done);
      res.on('error', reject);
    });
    req.on('error', reject);
  });
  // A test that stops a request does not await its answer, which then fails.
  answer.catch(() => {});
  const status = new Promise<number>((resolve) => {
    req.on('response', (res) => resolve(res.statusCode ?? 0));
    req.on('error', () => resolve(0));
  });
  req.end(body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body));
  return { answer, status, soFar: () => text, stop: () => req.destroy() };
}

export const send = (port: number, sent: Sent): Promise<Answer> => open(port, sent).answer;

const modern = '2026-07-28';
const json = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' };

export const bearer = (user: string | undefined): Record<string, string> =>
  user === undefined ? {} : { authorization: `Bearer ${tokenOf(user)}` };

/** A request of 2026-07-28, with the headers that it must have. */
export function modernRequest(method: string, params: Json = {}, capabilities: Json = {}): Sent {
  const name = params.name ?? params.uri;
  return {
    headers: {
      ...json,
      'mcp-protocol-version': modern,
      'mcp-method': method,
      ...(typeof name === 'string' ? { 'mcp-name': encodeName(name) } : {}),
    },
    body: {
      jsonrpc: '2.0',
      id: 1,
      method,
      params: {
        ...params,
        _meta: {
          'io.modelcontextprotocol/protocolVersion': modern,
          'io.modelcontextprotocol/clientInfo': { name: 'test', version: '1' },
          'io.modelcontextprotocol/clientCapabilities': capabilities,
          ...(params._meta as Json | undefined),
        },
      },
    },
  };
}

/** A call of a tool in 2026-07-28. */
export const toolCall = (name: string, args: Json = {}): Sent =>
  modernRequest('tools/call', { name, arguments: args });

const encodeName = (name: string): string =>
  /^[\x21-\x7e]+$/.test(name) ? name : `=?base64?${Buffer.from(name).toString('base64')}?=`;

export const initialize: Sent = {
  headers: json,
  body: {
    jsonrpc: '2.0',
    id: 0,
    method: 'initialize',
    params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'test', version: '1' } },
  },
};

/** A request of 2025 in a session. */
export const legacyRequest = (session: string, method: string, params: Json = {}, id = 1): Sent => ({
  headers: { ...json, 'mcp-session-id': session, 'mcp-protocol-version': '2025-11-25' },
  body: { jsonrpc: '2.0', id, method, params },
});

/** The same request by a user. */
export const as = (user: string | undefined, sent: Sent): Sent => ({
  ...sent,
  headers: { ...sent.headers, ...bearer(user) },
});

/** The JSON of a tool's result or error, from a JSON body or from a stream. */
export function resultOf({ body }: Answer): Json {
  const data = body.startsWith('{') ? body : (body.match(/^data: (.*)$/m)?.[1] ?? '{}');
  return JSON.parse(data) as Json;
}

/** The request that ends a session of 2025. */
export const endSession = (session: string): Sent => ({
  method: 'DELETE',
  headers: { 'mcp-session-id': session, 'mcp-protocol-version': '2025-11-25' },
});

/** The request for the stream of notifications of a session of 2025. */
export const getStream = (session: string): Sent => ({
  method: 'GET',
  headers: { accept: 'text/event-stream', 'mcp-session-id': session },
});

/** Opens a session of 2025 and resolves to its id. */
export async function openSession(port: number, user?: string): Promise<string> {
  const { headers } = await send(port, as(user, initialize));
  const id = headers['mcp-session-id'];
  if (typeof id !== 'string') throw new Error('No session was opened.');
  await send(port, as(user, { ...legacyRequest(id, 'notifications/initialized'), body: initialized }));
  return id;
}

const initialized = { jsonrpc: '2.0', method: 'notifications/initialized' };

/** The official client, on either era. */
export async function officialClient(
  url: string,
  era: 'modern' | 'legacy',
  user?: string,
  capabilities: Json = {},
): Promise<Client> {
  const client = new Client(
    { name: 'test', version: '1' },
    { capabilities, versionNegotiation: { mode: era === 'modern' ? { pin: modern } : 'legacy' } },
  );
  const requestInit = { headers: bearer(user) };
  await client.connect(new StreamableHTTPClientTransport(new URL(url), { requestInit }));
  return client;
}
