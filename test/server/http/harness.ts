import { createHash } from 'node:crypto';
import http from 'node:http';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import type { Backend } from '../../../src/backend/types.ts';
import { readHttp } from '../../../src/config/http.ts';
import { noSources } from '../../../src/config/setting.ts';
import { createLog } from '../../../src/log.ts';
import type { AccessScope } from '../../../src/model/principal.ts';
import type { RunManager } from '../../../src/run/manager.ts';
import { type HttpSettings, startHttp } from '../../../src/server/http/index.ts';
import type { HttpServer } from '../../../src/server/http/listener.ts';
import { openTelemetry } from '../../../src/server/mcp/telemetry.ts';
import { type Toolset, toolsets } from '../../../src/tools/support/define.ts';
import { memoryBackend, runManager } from '../../tools/harness.ts';

export type Json = Record<string, unknown>;

export interface Product extends HttpServer {
  backend: Backend;
  port: number;
  /** Entries of the log, parsed. */
  entries: Json[];
  end(): Promise<void>;
}

export interface ProductOptions {
  settings?: Partial<HttpSettings>;
  user?: string;
  toolsets?: readonly Toolset[];
  backend?: Backend;
  runs?: RunManager;
  secret?: Buffer;
  app?: string;
}

/** The settings of a server without flags, on a free port. */
export function defaults(): HttpSettings {
  return { ...readHttp(noSources), port: 0 };
}

/** The real server on a local store in memory. */
export async function startProduct(options: ProductOptions = {}): Promise<Product> {
  const backend = options.backend ?? (await memoryBackend());
  const entries: Json[] = [];
  const runs = options.runs ?? runManager();
  const server = await startHttp(
    {
      version: '0.0.0',
      backends: [backend],
      runs,
      defaultApp: options.app ?? 'default',
      toolsets: options.toolsets ?? toolsets,
      readOnly: false,
      secret: options.secret ?? Buffer.alloc(32, 7),
      log: createLog((line) => entries.push(JSON.parse(line) as Json)),
      around: await openTelemetry(),
    },
    { ...defaults(), ...options.settings },
    options.user ?? 'local',
  );
  return {
    ...server,
    backend,
    entries,
    port: Number(new URL(server.url).port),
    async end() {
      await server.close(0);
      await runs.endAll(backend);
      await backend.close();
    },
  };
}

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
  /** Sent as JSON, a string as it is. */
  body?: unknown;
  /** Ends the answer as soon as this matches what has come. */
  until?: RegExp;
}

/** One raw request on a connection of its own. */
export function send(
  port: number,
  { method = 'POST', path = '/mcp', headers, body, until }: Sent,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const req = http.request({ host: '127.0.0.1', port, path, method, headers, agent: false }, (res) => {
      let text = '';
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
    req.end(body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body));
  });
}

export const modern = '2026-07-28';
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

/** What a tool call answered: the JSON of the result or of the error, whichever way it came. */
export function resultOf({ body }: Answer): Json {
  const data = body.startsWith('event:') ? (body.match(/^data: (.*)$/m)?.[1] ?? '{}') : body;
  return JSON.parse(data) as Json;
}

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

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Waits until something holds, for at most so long. */
export async function eventually(holds: () => boolean | Promise<boolean>, ms = 5000): Promise<void> {
  const deadline = Date.now() + ms;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error('It did not come to hold in time.');
    await pause(10);
  }
}

/** What /metrics says of something that is so now. */
export async function gauge(product: Product, name: string, user?: string): Promise<number> {
  const { body } = await send(product.port, { method: 'GET', path: '/metrics', headers: bearer(user) });
  return Number(new RegExp(`^agent_sessions_${name} (\\d+)$`, 'm').exec(body)?.[1]);
}
