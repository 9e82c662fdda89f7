import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { runAgent } from './agent.ts';
import { type Core, type FakeEvent, type FakeSession, type Json, type Owner, openCore } from './core.ts';

interface Answer {
  status: number;
  /** Sent as JSON, a string unchanged. Undefined: an empty body. */
  body?: unknown;
  type?: string;
}

/** How one dialect answers. A route that a voice lacks gets the dialect's answer to unknown routes. */
export interface Voice {
  /** Prefix of every path. */
  prefix: string;
  version: Answer | undefined;
  unknownRoute(path: string): Answer;
  /** Segments are split before they are decoded: an encoded "/" stays within its segment. */
  keepsSlash: boolean;
  firstVersion: number;
  session(session: FakeSession, core: Core): Json;
  listed(sessions: Json[]): unknown;
  event(event: FakeEvent): Json;
  missing(what: string): Answer;
  create(core: Core, owner: Owner, id: string | undefined, body: Json): FakeSession | Answer;
  deleted(existed: boolean, id: string): Answer;
  /** Undefined: no such route. */
  versions?(numbers: number[]): Answer;
  patch?(core: Core, session: FakeSession, body: Json): void;
  saveArtifact?(version: number, body: Json): Answer;
  addsToMemory?: boolean;
  /** Refuses the body of a run. */
  refuseRun?(body: Json): Answer | undefined;
  missingRun(id: string): Answer;
  frames(event: Json): string[];
  /** Undefined: the connection is cut. */
  errorFrame(message: string): string | undefined;
  runsOnAfterDisconnect: boolean;
}

/** A fault for requests whose `METHOD path` matches. */
interface Fault {
  match: RegExp;
  /** How many requests it hits. Default 1. */
  times?: number;
  delayMs?: number;
  /** Replaces the right answer; undefined: the connection is cut. */
  answer?: Answer | undefined;
  /** Whether the work is done although the answer is wrong. */
  afterWork?: boolean;
}

export interface FakeAdk {
  url: string;
  core: Core;
  /** `METHOD path` of every request so far. */
  requests: string[];
  fail(fault: Fault): void;
  close(): Promise<void>;
}

/** A small HTTP server that answers as one dialect of the ADK API server does. */
export async function startFake(voice: Voice, port = 0): Promise<FakeAdk> {
  const core = openCore();
  const requests: string[] = [];
  const faults: Fault[] = [];
  const server = createServer((request, response) => {
    const line = `${request.method} ${request.url}`;
    requests.push(line);
    const fault = faults.find(({ match }) => match.test(line));
    if (fault !== undefined) {
      fault.times = (fault.times ?? 1) - 1;
      if (fault.times === 0) faults.splice(faults.indexOf(fault), 1);
    }
    answer(voice, core, request, response, fault).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}${voice.prefix}`,
    core,
    requests,
    fail: (fault) => void faults.push({ ...fault }),
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function answer(
  voice: Voice,
  core: Core,
  request: IncomingMessage,
  response: ServerResponse,
  fault: Fault | undefined,
): Promise<void> {
  if (fault?.delayMs !== undefined) await sleep(fault.delayMs);
  if (fault === undefined || (fault.delayMs !== undefined && fault.answer === undefined)) {
    await serve(voice, core, request, response);
    return;
  }
  // Writing to a closed connection fails, which is no fault of the test.
  if (fault.afterWork === true) await serve(voice, core, request, new ServerResponse(request));
  if (fault.answer === undefined) response.destroy();
  else send(response, fault.answer);
}

function send(response: ServerResponse, { status, body, type }: Answer): void {
  const text = typeof body === 'string' ? body : body === undefined ? '' : JSON.stringify(body);
  response.writeHead(status, { 'content-type': type ?? 'application/json' }).end(text);
}

async function readBody(request: IncomingMessage): Promise<Json> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const text = Buffer.concat(chunks).toString();
  return text === '' ? {} : (JSON.parse(text) as Json);
}

async function serve(voice: Voice, core: Core, request: IncomingMessage, response: ServerResponse) {
  const body = await readBody(request);
  const [rawPath = ''] = (request.url ?? '').split('?');
  const unknown = voice.unknownRoute(rawPath);
  if (!rawPath.startsWith(voice.prefix)) return send(response, unknown);
  const raw = rawPath.slice(voice.prefix.length);
  const segments = voice.keepsSlash
    ? raw.split('/').map(decodeURIComponent)
    : decodeURIComponent(raw).split('/');
  const [, apps = '', app = '', users, userId = '', ...rest] = segments;
  const route = `${request.method} ${apps}`;
  if (route === 'GET version' && voice.version !== undefined) return send(response, voice.version);
  if (route === 'GET list-apps') return send(response, { status: 200, body: core.apps });
  if (route === 'POST run_sse') return run(voice, core, body, response);
  if (route === 'POST run') return runWhole(voice, core, body, response);
  if (apps !== 'apps' || users !== 'users') return send(response, unknown);
  send(response, answerOf(voice, core, `${request.method}`, { app, userId }, rest, body) ?? unknown);
}

function answerOf(voice: Voice, core: Core, method: string, owner: Owner, rest: string[], body: Json) {
  const [kind, id, artifacts, ...more] = rest;
  const ok = (session: FakeSession): Answer => ({ status: 200, body: voice.session(session, core) });
  if (kind === 'memory' && method === 'PATCH' && voice.addsToMemory) {
    core.remembered.push(String(body.sessionId));
    return { status: 200, body: null };
  }
  if (kind !== 'sessions') return undefined;
  if (method === 'POST' && artifacts === undefined) {
    const made = voice.create(core, owner, id, body);
    return 'status' in made ? (made as Answer) : ok(made as FakeSession);
  }
  if (method === 'GET' && id === undefined) {
    const sessions = core.list(owner).map((s) => ({ ...voice.session({ ...s, events: [] }, core) }));
    return { status: 200, body: voice.listed(sessions) };
  }
  if (id === undefined) return undefined;
  const session = core.find(owner, id);
  if (artifacts === 'artifacts') return artifactAnswer(voice, core, method, owner, id, more, body);
  if (artifacts !== undefined) return undefined;
  if (method === 'DELETE') return voice.deleted(core.delete(owner, id), id);
  if (session === undefined) return voice.missing(`session ${id}`);
  if (method === 'PATCH') {
    if (voice.patch === undefined) return undefined;
    voice.patch(core, session, body);
  }
  return method === 'GET' || method === 'PATCH' ? ok(session) : undefined;
}

function artifactAnswer(
  voice: Voice,
  core: Core,
  method: string,
  owner: Owner,
  id: string,
  more: string[],
  body: Json,
): Answer | undefined {
  const placeOf = (name: string) => core.artifacts(owner, name.startsWith('user:') ? 'user:' : id);
  if (method === 'POST' && more.length === 0) {
    const name = String(body.filename);
    const versions = [...(placeOf(name).get(name) ?? []), body.artifact as Json];
    placeOf(name).set(name, versions);
    return voice.saveArtifact?.(versions.length - 1 + voice.firstVersion, body);
  }
  if (method !== 'GET') return undefined;
  if (more.length === 0) return { status: 200, body: core.artifactNames(owner, id) };
  const at = more.lastIndexOf('versions');
  const name = (at < 0 ? more : more.slice(0, at)).join('/');
  const versions = placeOf(name).get(name) ?? [];
  if (at === more.length - 1) return voice.versions?.(versions.map((_, i) => i + voice.firstVersion));
  const number = at < 0 ? versions.length - 1 : Number(more.at(-1)) - voice.firstVersion;
  const part = versions[number];
  return part === undefined ? voice.missing('artifact') : { status: 200, body: part };
}

async function run(voice: Voice, core: Core, body: Json, response: ServerResponse) {
  const refused = voice.refuseRun?.(body);
  if (refused !== undefined) return send(response, refused);
  const owner = { app: String(body.appName), userId: String(body.userId) };
  const session = core.find(owner, String(body.sessionId));
  if (session === undefined) return send(response, voice.missingRun(String(body.sessionId)));
  let gone = false;
  response.once('close', () => {
    gone = !response.writableEnded;
  });
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  response.flushHeaders();
  const message = body.newMessage as { parts: Json[] };
  const invocationId = `e-${randomUUID()}`;
  core.append(session, {
    author: 'user',
    invocationId,
    content: message,
    actions: { stateDelta: body.stateDelta ?? {} },
  });
  const turn = { core, session, parts: message.parts, streaming: body.streaming === true };
  try {
    for await (const said of runAgent({ ...turn, firstVersion: voice.firstVersion })) {
      if (gone && !voice.runsOnAfterDisconnect) return;
      const yielded = { ...said, invocationId };
      const event = said.partial === true ? core.complete(yielded) : core.append(session, yielded);
      for (const frame of voice.frames(voice.event(event))) if (!gone) response.write(frame);
    }
  } catch (error) {
    const frame = voice.errorFrame(String(error));
    if (frame === undefined) {
      // A reset discards data that is not sent yet, so what was written before goes out first.
      await sleep(30);
      return response.destroy();
    }
    response.write(frame);
  }
  if (gone) core.orphans += 1;
  response.end();
}

/** POST /run: all events of the run at once. */
async function runWhole(voice: Voice, core: Core, body: Json, response: ServerResponse) {
  const refused = voice.refuseRun?.(body);
  if (refused !== undefined) return send(response, refused);
  const owner = { app: String(body.appName), userId: String(body.userId) };
  const session = core.find(owner, String(body.sessionId));
  if (session === undefined) return send(response, voice.missingRun(String(body.sessionId)));
  const { parts } = body.newMessage as { parts: Json[] };
  const actions = { stateDelta: body.stateDelta ?? {} };
  const invocationId = `e-${randomUUID()}`;
  core.append(session, { author: 'user', invocationId, content: body.newMessage, actions });
  const events: Json[] = [];
  try {
    const turn = { core, session, parts, streaming: false, firstVersion: voice.firstVersion };
    for await (const yielded of runAgent(turn))
      events.push(voice.event(core.append(session, { ...yielded, invocationId })));
  } catch (error) {
    return send(response, { status: 500, body: { error: String(error), events } });
  }
  send(response, { status: 200, body: events });
}
