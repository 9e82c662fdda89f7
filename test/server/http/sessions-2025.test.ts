import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { principalOf } from '../../../src/server/auth/scopes.ts';
import { tokenEntry } from '../../../src/server/auth/tokens.ts';
import { createLimits, defaultLimits, type LimitSettings } from '../../../src/server/http/limits.ts';
import { hostSessions } from '../../../src/server/http/sessions-2025.ts';
import { serveApp } from '../../../src/server/mcp/served-app.ts';
import { memoryBackend, runManager } from '../../tools/harness.ts';
import { type Product, pause, startProduct } from './harness.ts';
import {
  initialize,
  type Json,
  legacyRequest,
  open,
  openSession,
  resultOf,
  type Sent,
  send,
} from './requests.ts';

const quiet = { info() {}, warn() {}, error() {} };

describe('sessions of 2025', () => {
  let product: Product;
  beforeAll(async () => {
    product = await startProduct();
  });
  afterAll(() => product.end());
  const ask = (sent: Parameters<typeof send>[1]) => send(product.port, sent);

  it('live from initialize to DELETE', async () => {
    const id = await openSession(product.port);
    expect((await ask(legacyRequest(id, 'tools/list'))).status).toBe(200);
    const { headers } = legacyRequest(id, 'x');
    expect((await ask({ method: 'DELETE', ...(headers ? { headers } : {}) })).status).toBe(200);
    expect((await ask(legacyRequest(id, 'tools/list'))).status).toBe(404);
  });

  it('are 404 when unknown, and 400 when none is named', async () => {
    expect((await ask(legacyRequest('nope', 'tools/list'))).status).toBe(404);
    expect((await ask({ method: 'GET', headers: { 'mcp-session-id': 'nope' } })).status).toBe(404);
    const { headers, body } = legacyRequest('x', 'tools/list');
    const { 'mcp-session-id': _id, ...rest } = headers ?? {};
    expect((await ask({ headers: rest, body })).status).toBe(400);
  });

  it('have one stream of notifications each, and end with it open', async () => {
    const id = await openSession(product.port);
    const headers = { accept: 'text/event-stream', 'mcp-session-id': id };
    const stream = ask({ method: 'GET', headers });
    await pause(100);
    expect((await ask({ method: 'GET', headers })).status).toBe(409);
    expect((await ask({ method: 'DELETE', headers })).status).toBe(200);
    expect((await stream).status).toBe(200);
  });

  it('answer a batch of an older client', async () => {
    const id = await openSession(product.port);
    const { headers } = legacyRequest(id, 'x');
    const messages = [1, 2].map((n) => ({ jsonrpc: '2.0', id: n, method: 'ping' }));
    const answer = await ask({ ...(headers ? { headers } : {}), body: messages });
    expect(answer.status).toBe(200);
    expect(answer.body.match(/^data: /gm)).toHaveLength(2);
  });

  it('refuse the id of a request that is under way, and take that of one that was answered or refused', async () => {
    const id = await openSession(product.port);
    await ask(legacyRequest(id, 'tools/call', { name: 'create_session', arguments: { sessionId: 's' } }, 1));
    const wait = { name: 'wait_for_events', arguments: { sessionId: 's', timeoutSeconds: 60 } };
    const waiting = open(product.port, legacyRequest(id, 'tools/call', wait, 7));
    expect(await waiting.status).toBe(200);
    const error = { code: -32600, message: expect.stringContaining('under way') };
    const twice = [7, 7].map((n) => ({ jsonrpc: '2.0', id: n, method: 'ping' }));
    for (const sent of [legacyRequest(id, 'ping', {}, 7), { ...legacyRequest(id, 'ping'), body: twice }]) {
      const answer = await ask(sent);
      expect([answer.status, resultOf(answer)]).toEqual([400, { jsonrpc: '2.0', id: 7, error }]);
    }
    const append = { name: 'append_event', arguments: { sessionId: 's', text: 'Hi' } };
    await ask(legacyRequest(id, 'tools/call', append, 8));
    expect(resultOf(await waiting.answer)).toMatchObject({ id: 7, result: {} });
    const { headers, body } = legacyRequest(id, 'ping', {}, 9);
    const old = { ...headers, 'mcp-protocol-version': '1999-01-01' };
    expect((await ask({ headers: old, body })).status).toBe(400);
    for (const n of [7, 9]) expect((await ask(legacyRequest(id, 'ping', {}, n))).status).toBe(200);
  });
});

it('a session is none for a token of its user that may speak as others only', async () => {
  const [free, bound] = ['a', 'b'].map((letter) => letter.repeat(30));
  const entry = (token = '', more = {}) => ({ ...tokenEntry(token, 'ann'), ...more });
  const tokens = JSON.stringify([entry(free), entry(bound, { agents: ['planner'] })]);
  const product = await startProduct({ settings: { tokens } });
  const by = (token: string | undefined, sent: Sent): Sent => ({
    ...sent,
    headers: { ...sent.headers, authorization: `Bearer ${token}` },
  });
  const { headers } = await send(product.port, by(free, initialize));
  const list = legacyRequest(String(headers['mcp-session-id']), 'tools/list');
  expect((await send(product.port, by(bound, list))).status).toBe(404);
  expect((await send(product.port, by(free, list))).status).toBe(200);
  await product.end();
});

describe('the number of sessions', () => {
  const principal = principalOf('ann', ['sessions:write']);
  const request = (headers: Record<string, string> = {}, method = 'POST') =>
    new Request('http://localhost/', { method, headers: { ...initialize.headers, ...headers } });

  async function host(limits: Partial<LimitSettings>, settings: { idleSeconds: number; most: number }) {
    const clock = { now: 1_000_000 };
    const counted = createLimits({ ...defaultLimits, ...limits });
    const served = serveApp({
      version: '0',
      backends: [await memoryBackend()],
      runs: runManager(),
      defaultApp: 'default',
      toolsets: undefined,
      readOnly: false,
      secret: Buffer.alloc(32),
      log: quiet,
    });
    const sessions = hostSessions(served, counted, { ...settings, keepAliveMs: 10_000 }, () => clock.now);
    const call = (body: unknown) => ({ principal, authInfo: undefined, body });
    const open = async (user = 'ann') => {
      const by = { ...call(initialize.body), principal: principalOf(user, ['sessions:write']) };
      const { response, done } = await sessions.handle(request(), by);
      await response.text();
      done();
      return { status: response.status, id: response.headers.get('mcp-session-id') ?? '' };
    };
    const ping = async (id: string) => {
      const body = { jsonrpc: '2.0', id: 1, method: 'ping' };
      const { response, done } = await sessions.handle(request({ 'mcp-session-id': id }), call(body));
      await response.text();
      done();
      return response.status;
    };
    return { clock, counted, sessions, open, ping, call };
  }

  it('end when nobody has used them for long, but not while a stream is open', async () => {
    const { clock, counted, sessions, open, ping, call } = await host({}, { idleSeconds: 100, most: 10 });
    const [idle, streaming, used] = [await open(), await open(), await open()];
    const get = request({ 'mcp-session-id': streaming.id }, 'GET');
    const { done } = await sessions.handle(get, call(undefined));
    clock.now += 90_000;
    expect(await ping(used.id)).toBe(200);
    clock.now += 20_000;
    sessions.reap();
    expect([await ping(idle.id), await ping(streaming.id), await ping(used.id)]).toEqual([404, 200, 200]);
    done();
    clock.now += 200_000;
    sessions.reap();
    expect(await ping(streaming.id)).toBe(404);
    expect(counted.total('sessions')).toBe(0);
  });

  it('give way to new ones of their user, the longest unused first', async () => {
    const { open, ping } = await host({ sessions: 2 }, { idleSeconds: 1e6, most: 10 });
    const [first, second] = [await open(), await open()];
    await ping(first.id);
    expect((await open()).status).toBe(200);
    expect([await ping(first.id), await ping(second.id)]).toEqual([200, 404]);
  });

  it('are limited in all: 503 for a user without one, and nobody loses one for another', async () => {
    const { clock, open, ping, sessions } = await host({}, { idleSeconds: 1000, most: 2 });
    const hers = [await open(), await open()];
    expect((await open('bob')).status).toBe(503);
    for (const { id } of hers) expect(await ping(id)).toBe(200);
    expect((await open()).status).toBe(200);
    clock.now += 1_001_000;
    sessions.reap();
    expect((await open('bob')).status).toBe(200);
  });
});

describe('an initialize that is malformed', () => {
  it('is told what is wrong with it', async () => {
    const product = await startProduct();
    const ask = async (params: unknown, id: unknown = 5) => {
      const body = { jsonrpc: '2.0', id, method: 'initialize', params };
      const answer = await send(product.port, { ...initialize, body });
      return { status: answer.status, ...(JSON.parse(answer.body) as Json) };
    };
    const capabilities = {};
    const clientInfo = { name: 'x', version: '1' };
    for (const [params, where] of [
      [undefined, 'params'],
      [{ capabilities, clientInfo }, 'params.protocolVersion'],
      [{ protocolVersion: '2025-11-25', clientInfo }, 'params.capabilities'],
      [{ protocolVersion: '2025-11-25', capabilities }, 'params.clientInfo'],
      [{ protocolVersion: 20251125, capabilities, clientInfo }, 'params.protocolVersion'],
      [
        { protocolVersion: '2025-11-25', capabilities, clientInfo: { name: 'x' } },
        'params.clientInfo.version',
      ],
    ] as const)
      expect(await ask(params)).toMatchObject({
        status: 400,
        id: 5,
        error: { code: -32602, message: expect.stringContaining(`malformed. ${where}: `) },
      });
    await product.end();
  });
});
