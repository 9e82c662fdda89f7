import { createServer, type IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { echo, type Script } from './agent.ts';
import type { Fault } from './faults.ts';
import { handle } from './routes.ts';
import type { FakeSession, Json } from './store.ts';

export type Role = 'agent_viewer' | 'agent_user' | 'agent_developer' | 'agent_administrator' | 'owner';

export interface FakeOptions {
  /** The order of lists of sessions and events, which Vectara does not document. Default asc. */
  order?: 'asc' | 'desc' | 'shuffled';
  /** Whether PATCH replaces metadata or merges it. Default replace. */
  metadata?: 'replace' | 'merge';
  /** What POST does with a session key that is taken. Default refuse. */
  takenKey?: 'refuse' | 'overwrite';
  /** Whether hidden events have a field that says so. Default true. */
  tellsWhyHidden?: boolean;
  /** Bytes in one write of a stream. Default: a whole event. */
  slice?: number;
  /** How many reads of a new session answer 404. Default 0. */
  settleReads?: number;
  /** Life of OAuth tokens in seconds. Default 1800. */
  tokenLife?: number;
}

export interface Recorded {
  method: string;
  /** Path and query as they were sent. */
  url: string;
  headers: IncomingMessage['headers'];
  body: Buffer;
  json: Json | undefined;
}

/** A service on loopback that behaves as docs/protocols/vectara.md says, and records the requests. */
export interface FakeVectara {
  url: string;
  tokenUrl: string;
  options: FakeOptions;
  requests: Recorded[];
  sessions: FakeSession[];
  agents: Map<string, Script>;
  aliases: Map<string, string>;
  /** API keys, and what they may do. */
  keys: Map<string, readonly Role[]>;
  client: { id: string; secret: string };
  /** Valid OAuth tokens, with the time when each expires. */
  tokens: Map<string, number>;
  fail(fault: Fault): void;
  faults: Fault[];
  session(key: string): FakeSession;
  close(): Promise<void>;
}

export const ownerKey = 'zut_owner-key';

export async function startVectara(options: FakeOptions = {}): Promise<FakeVectara> {
  const server = createServer((request, response) => {
    void answer(fake, request, response);
  });
  const fake: FakeVectara = {
    url: '',
    tokenUrl: '',
    options,
    requests: [],
    sessions: [],
    agents: new Map([
      ['support', echo],
      ['sales', echo],
    ]),
    aliases: new Map([['front-desk', 'support']]),
    keys: new Map<string, readonly Role[]>([
      [ownerKey, ['owner']],
      ['zut_viewer-key', ['agent_viewer']],
      ['zut_user-key', ['agent_user']],
      ['zut_developer-key', ['agent_developer']],
    ]),
    client: { id: 'client-one', secret: 'client-secret-9f2' },
    tokens: new Map(),
    faults: [],
    fail(fault) {
      fake.faults.push({ ...fault });
    },
    session(key) {
      const found = fake.sessions.find((session) => session.key === key);
      if (found === undefined) throw new Error(`no session ${key}`);
      return found;
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  fake.url = `http://127.0.0.1:${port}`;
  fake.tokenUrl = `${fake.url}/oauth2/token`;
  return fake;
}

async function answer(fake: FakeVectara, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of request) chunks.push(chunk as Buffer);
  } catch {
    return;
  }
  const body = Buffer.concat(chunks);
  const recorded: Recorded = {
    method: request.method ?? '',
    url: request.url ?? '',
    headers: request.headers,
    body,
    json: parse(body),
  };
  fake.requests.push(recorded);
  const fault = fake.faults.find(
    (f) => (f.method === undefined || f.method === recorded.method) && f.path.test(recorded.url),
  );
  if (fault !== undefined) {
    fault.times = (fault.times ?? 1) - 1;
    if (fault.times === 0) fake.faults.splice(fake.faults.indexOf(fault), 1);
    if (fault.delayMs !== undefined) await new Promise((resolve) => setTimeout(resolve, fault.delayMs));
    // Writing to a closed connection fails, which is no fault of the test.
    if (fault.after === true) await handle(fake, recorded, new ServerResponse(request));
    if (fault.respond !== undefined) return void (await fault.respond(response, request));
  }
  try {
    await handle(fake, recorded, response);
  } catch (error) {
    // An error in the fake itself must not look like an answer of the service.
    if (!response.headersSent) response.writeHead(599, { 'content-type': 'text/plain' });
    response.end(String(error));
  }
}

function parse(body: Buffer): Json | undefined {
  try {
    return JSON.parse(body.toString()) as Json;
  } catch {
    return undefined;
  }
}
