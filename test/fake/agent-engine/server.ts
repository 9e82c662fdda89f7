import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { isObject, type JsonObject } from '../../../src/model/json.ts';
import { adkMethods, callMethod, echo } from './agent.ts';
import { checkMessage } from './check.ts';
import { createEngine, deleteEngine, type Engines, engineIn, getEngine, listEngines } from './engines.ts';
import { badField, envelope, GoogleError, notFoundPage } from './google-error.ts';
import {
  createMemory,
  deleteMemory,
  generateMemories,
  getMemory,
  ingestEvents,
  listMemories,
  retrieveMemories,
} from './memories.ts';
import { type OperationOptions, operations } from './operations.ts';
import { type Call, matchCall } from './routes.ts';
import type { Method } from './schema.ts';
import {
  appendEvent,
  createSession,
  deleteSession,
  getSession,
  listEvents,
  listSessions,
  type SessionOptions,
  updateSession,
} from './sessions.ts';
import { newEngine, projectId, type StoredEngine } from './store.ts';

/** A request as it came in; `url` is the text of the request line. */
interface SeenRequest {
  method: string;
  url: string;
  headers: IncomingMessage['headers'];
  body: unknown;
  rpc: string | undefined;
  /** When it came, and when its answer was ready, by `performance.now()`. */
  begun: number;
  ended: number;
}

/** A fault that a test orders: instead of an answer, or after the work is done. */
export interface Fault {
  /** Tested against "METHOD path?query". */
  match: RegExp;
  /** How often. Default 1. */
  times?: number;
  status?: number;
  headers?: Record<string, string>;
  /** The body, sent unchanged. Default: Google's envelope for the status. */
  raw?: string;
  delayMs?: number;
  /** Closes the connection instead of answering. */
  cut?: boolean;
  /** Whether to do the work first, so that only the answer is lost. */
  afterwards?: boolean;
  /** Sends the beginning of an answer and never its end. */
  hang?: boolean;
}

type AgentStream = (
  input: JsonObject,
  classMethod: string,
) => AsyncIterable<string | Buffer> | Iterable<string | Buffer>;

export interface FakeAgentEngine {
  url: string;
  port: number;
  engines: Engines;
  /** The engine that exists from the start, with ADK's class methods. */
  engine: StoredEngine;
  requests: SeenRequest[];
  /** Fields that were accepted although the descriptors do not have them. */
  notes: string[];
  operations: OperationOptions;
  sessions: SessionOptions;
  /** When set, requests need this bearer token or API key. */
  token: string | undefined;
  /** What :streamQuery sends instead of the echo; the stream is cut when it throws. */
  agent: AgentStream | undefined;
  /** Milliseconds that every answer takes. */
  latencyMs: number;
  /** The number of streams whose reader disconnected before the end. */
  abandoned: number;
  fail(fault: Fault): void;
  /** Drops faults that no request has met yet. */
  heal(): void;
  close(): Promise<void>;
}

export async function startAgentEngine(): Promise<FakeAgentEngine> {
  const engine = newEngine('1490000000000000001', { displayName: 'first', classMethods: adkMethods });
  const faults: Fault[] = [];
  const server = createServer((request, response) => {
    serve(request, response).catch((error: unknown) => {
      // An error in the fake itself must not look like an answer of the service.
      fake.notes.push(`fault of the fake: ${String(error)}`);
      response.destroy();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const fake: FakeAgentEngine = {
    url: `http://127.0.0.1:${port}`,
    port,
    engines: new Map([[engine.id, engine]]),
    engine,
    requests: [],
    notes: [],
    operations: { polls: 0 },
    sessions: { hiddenReads: 0, hiddenEventReads: 0 },
    token: undefined,
    agent: undefined,
    latencyMs: 0,
    abandoned: 0,
    fail: (fault) => faults.push({ ...fault }),
    heal: () => faults.splice(0),
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  const running = operations(fake.operations);

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const text = Buffer.concat(chunks).toString();
    const { method = '', url: target = '', headers } = request;
    const url = new URL(target, 'http://fake');
    if (serveMetadata(url, response)) return;
    const begun = performance.now();
    const ended = Number.POSITIVE_INFINITY;
    const seen: SeenRequest = {
      method,
      url: target,
      headers,
      body: parse(text),
      rpc: undefined,
      begun,
      ended,
    };
    fake.requests.push(seen);
    if (fake.latencyMs > 0) await sleep(fake.latencyMs);
    seen.ended = performance.now();
    const fault = takeFault(`${method} ${target}`);
    if (fault?.delayMs !== undefined) await sleep(fault.delayMs);
    if (fault !== undefined && fault.afterwards !== true && (await answerFault(fault, response))) return;
    try {
      authenticate(headers, url);
      await answer(method, url, text, seen, fault, response);
    } catch (error) {
      if (!(error instanceof GoogleError)) throw error;
      send(response, error.http, envelope(error));
    }
  }

  async function answer(
    method: string,
    url: URL,
    text: string,
    seen: SeenRequest,
    fault: Fault | undefined,
    response: ServerResponse,
  ): Promise<void> {
    const poll = /^\/v1(?:beta1)?\/((?:[\w.-]+\/)*operations\/[\w-]+)$/.exec(url.pathname);
    if (method === 'GET' && poll?.[1] !== undefined) return send(response, 200, running.poll(poll[1]));
    const ingest = /^\/v1beta1\/(.+)\/memories:ingestEvents$/.exec(url.pathname);
    if (method === 'POST' && ingest?.[1] !== undefined) {
      const body = jsonOf(text);
      return send(
        response,
        200,
        ingestEvents(engineIn(fake.engines, ingest[1]), isObject(body) ? body : {}, running),
      );
    }
    const matched = matchCall(method, url, () => jsonOf(text), { note: (note) => fake.notes.push(note) });
    if (matched === undefined) {
      response.writeHead(404, { 'content-type': 'text/html; charset=UTF-8' }).end(notFoundPage(url.pathname));
      return;
    }
    const { call } = matched;
    seen.rpc = call.rpc;
    if (call.rpc === 'StreamQueryReasoningEngine') return await stream(call, response);
    const body = handle(call, matched.method);
    if (fault !== undefined && (await answerFault(fault, response))) return;
    send(response, 200, body);
  }

  function handle(call: Call, method: Method): JsonObject {
    const handler = handlers[call.rpc];
    if (handler === undefined) throw new Error(`The fake does not do ${call.rpc}.`);
    const body = handler(call);
    // Answers of the fake must conform to the descriptors, too.
    if (method.response.includes('.')) return body;
    return checkMessage(method.response, body, '', { note: () => {}, output: true });
  }

  const at = (call: Call) => engineIn(fake.engines, call.name);
  const handlers: Record<string, (call: Call) => JsonObject> = {
    CreateSession: (call) => createSession(at(call), call, running, fake.sessions),
    GetSession: (call) => getSession(at(call), call),
    ListSessions: (call) => listSessions(at(call), call),
    UpdateSession: (call) => updateSession(at(call), call),
    DeleteSession: (call) => deleteSession(at(call), call, running),
    AppendEvent: (call) => appendEvent(at(call), call, fake.sessions),
    ListEvents: (call) => listEvents(at(call), call),
    CreateMemory: (call) => createMemory(at(call), call, running),
    GetMemory: (call) => getMemory(at(call), call),
    ListMemories: (call) => listMemories(at(call), call),
    DeleteMemory: (call) => deleteMemory(at(call), call, running),
    GenerateMemories: (call) => generateMemories(at(call), call, running),
    RetrieveMemories: (call) => retrieveMemories(at(call), call),
    CreateReasoningEngine: (call) => createEngine(fake.engines, call, running),
    GetReasoningEngine: (call) => getEngine(fake.engines, call),
    ListReasoningEngines: (call) => listEngines(fake.engines, call),
    DeleteReasoningEngine: (call) => deleteEngine(fake.engines, call, running),
    QueryReasoningEngine: (call) => ({
      output: callMethod(at(call), String(call.body.classMethod ?? 'query'), inputOf(call)),
    }),
  };

  async function stream(call: Call, response: ServerResponse): Promise<void> {
    const classMethod = String(call.body.classMethod ?? 'stream_query');
    const chunks = fake.agent?.(inputOf(call), classMethod) ?? echo(at(call), classMethod, inputOf(call));
    const source = (async function* () {
      yield* chunks;
    })();
    // An agent that fails before its first word answers like :query.
    let next = await source.next();
    response.writeHead(200, { 'content-type': 'application/json' });
    response.flushHeaders();
    let gone = false;
    response.on('close', () => {
      gone = !response.writableEnded;
    });
    try {
      for (; next.done !== true && !gone; next = await source.next()) response.write(next.value);
    } catch {
      response.destroy();
      return;
    }
    if (gone) fake.abandoned += 1;
    response.end();
  }

  function takeFault(line: string): Fault | undefined {
    const index = faults.findIndex((fault) => fault.match.test(line));
    const fault = faults[index];
    if (fault === undefined) return undefined;
    fault.times = (fault.times ?? 1) - 1;
    if (fault.times <= 0) faults.splice(index, 1);
    return fault;
  }

  function authenticate(headers: IncomingMessage['headers'], url: URL): void {
    if (fake.token === undefined) return;
    const given = [
      headers.authorization?.replace(/^Bearer /, ''),
      headers['x-goog-api-key'],
      url.searchParams.get('key'),
    ];
    if (!given.includes(fake.token))
      throw new GoogleError('UNAUTHENTICATED', 'Request had invalid authentication credentials.');
  }

  return fake;
}

const inputOf = (call: Call): JsonObject => (isObject(call.body.input) ? call.body.input : {});

/** Whether the fault replaced the answer; one that only delays does not. */
async function answerFault(fault: Fault, response: ServerResponse): Promise<boolean> {
  if (fault.cut === true) {
    response.destroy();
    return true;
  }
  if (fault.hang === true) {
    response.writeHead(200, { 'content-type': 'application/json' }).write('{"');
    return true;
  }
  if (fault.status === undefined && fault.raw === undefined) return false;
  const status = fault.status ?? 200;
  const body = fault.raw ?? JSON.stringify(envelopeOf(status));
  response.writeHead(status, {
    'content-type': fault.raw === undefined ? 'application/json' : 'text/html',
    ...fault.headers,
  });
  response.end(body);
  return true;
}

function envelopeOf(status: number): JsonObject {
  const names: Record<number, string> = {
    400: 'INVALID_ARGUMENT',
    401: 'UNAUTHENTICATED',
    403: 'PERMISSION_DENIED',
    404: 'NOT_FOUND',
    409: 'ABORTED',
    429: 'RESOURCE_EXHAUSTED',
    500: 'INTERNAL',
    503: 'UNAVAILABLE',
    504: 'DEADLINE_EXCEEDED',
  };
  const message =
    status === 429
      ? "Quota exceeded for quota metric 'Session Event Append Requests' and limit 'Session Event Append Requests per minute per region' of service 'aiplatform.googleapis.com'."
      : 'Internal details that nobody should see.';
  return { error: { code: status, message, status: names[status] ?? 'UNKNOWN', details: [] } };
}

function parse(text: string): unknown {
  try {
    return text === '' ? undefined : (JSON.parse(text) as unknown);
  } catch {
    return text;
  }
}

function jsonOf(text: string): unknown {
  if (text === '') return undefined;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw badField('', 'Invalid JSON payload received. Unexpected token.');
  }
}

function send(response: ServerResponse, status: number, body: JsonObject): void {
  response.writeHead(status, { 'content-type': 'application/json; charset=UTF-8' });
  response.end(JSON.stringify(body));
}

/** Token of the metadata server. */
export const metadataToken = 'ya29.metadata-token';

/** The metadata server, which default credentials ask. */
function serveMetadata(url: URL, response: ServerResponse): boolean {
  if (!url.pathname.startsWith('/computeMetadata/v1')) return false;
  const path = url.pathname.slice('/computeMetadata/v1'.length);
  response.setHeader('metadata-flavor', 'Google');
  if (path.endsWith('/token'))
    send(response, 200, { access_token: metadataToken, expires_in: 3600, token_type: 'Bearer' });
  else if (path === '/project/project-id') response.end(projectId);
  else if (path === '/universe/universe-domain') response.end('googleapis.com');
  else response.end('ok');
  return true;
}
