import { connect, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { createLimits, defaultLimits, type LimitSettings } from '../../../src/server/http/limits.ts';
import { eventually, gauge, type Product, pause, startProduct } from './harness.ts';
import {
  as,
  bearer,
  endSession,
  getStream,
  initialize,
  legacyRequest,
  modernRequest,
  open,
  openSession,
  resultOf,
  send,
  tokensFor,
  toolCall,
} from './requests.ts';

let product: Product;
afterEach(() => product.end());

const start = async (limits: Partial<LimitSettings>) => {
  product = await startProduct({
    settings: {
      metrics: true,
      limits: { ...defaultLimits, ...limits },
      tokens: tokensFor({ ann: ['sessions:write'], bob: ['sessions:write'], boss: ['sessions:admin'] }),
    },
  });
};
const ask = (user: string, sent: Parameters<typeof as>[1]) => send(product.port, as(user, sent));
const list = modernRequest('tools/list');
const waiting = (sessionId: string) =>
  modernRequest('tools/call', { name: 'wait_for_events', arguments: { sessionId, timeoutSeconds: 60 } });

async function newSession(user: string): Promise<string> {
  const answer = await ask(user, modernRequest('tools/call', { name: 'create_session', arguments: {} }));
  const { result } = resultOf(answer) as { result: { structuredContent: { session: { id: string } } } };
  return result.structuredContent.session.id;
}

/** A request that stays open until `stop`. */
const hold = (user: string, sent: Parameters<typeof as>[1]) => open(product.port, as(user, sent));

describe('limits, for each user apart', () => {
  it('rate: 429 with the time to come back', async () => {
    await start({ requestsPerSecond: 0.01, burst: 3 });
    for (let i = 0; i < 3; i += 1) expect((await ask('ann', list)).status).toBe(200);
    const refused = await ask('ann', list);
    expect(refused.status).toBe(429);
    const seconds = Number(refused.headers['retry-after']);
    expect(seconds).toBeGreaterThan(50);
    expect(JSON.parse(refused.body)).toMatchObject({
      error: { code: -32000, data: { retryAfterSeconds: seconds } },
    });
    expect((await ask('bob', list)).status).toBe(200);
    expect((await ask('boss', { method: 'GET', path: '/metrics' })).body).toContain(
      'agent_sessions_refused_total{limit="rate"} 1',
    );
  });

  it('rate: a batch counts as its messages', async () => {
    await start({ requestsPerSecond: 0.01, burst: 10 });
    const id = await openSession(product.port, 'ann');
    const { headers } = legacyRequest(id, 'x');
    const body = Array.from({ length: 9 }, (_, i) => ({ jsonrpc: '2.0', id: i, method: 'ping' }));
    expect((await ask('ann', { headers: headers ?? {}, body })).status).toBe(429);
  });

  it('rate: a large body counts as many requests', async () => {
    await start({ requestsPerSecond: 0.01, burst: 10 });
    const large = modernRequest('tools/list', { cursor: 'x'.repeat(400_000) });
    expect((await ask('ann', large)).status).toBe(200);
    expect((await ask('ann', large)).status).toBe(429);
    expect((await ask('ann', list)).status).toBe(200);
  });

  it('calls under way: RESOURCE_EXHAUSTED that the model sees, and room again when one ends', async () => {
    await start({ calls: 2 });
    const sessionId = await newSession('ann');
    const held = [1, 2].map(() => hold('ann', waiting(sessionId)));
    await eventually(async () => (await gauge(product, 'tool_calls_under_way', 'boss')) === 2);
    const refused = await ask('ann', modernRequest('tools/call', { name: 'list_sessions', arguments: {} }));
    expect(refused.status).toBe(200);
    expect(refused.body).toContain('RESOURCE_EXHAUSTED');
    expect(refused.body).toContain('\\"retryAfterSeconds\\":1');
    const bob = await ask('bob', modernRequest('tools/call', { name: 'list_sessions', arguments: {} }));
    expect(bob.body).not.toContain('RESOURCE_EXHAUSTED');
    for (const one of held) one.stop();
    await eventually(async () => (await gauge(product, 'tool_calls_under_way', 'boss')) === 0);
    expect(await newSession('ann')).toBeTruthy();
  });

  it('calls under way: those whose caller of 2025 has gone go on until their places are needed', async () => {
    await start({ calls: 2 });
    const sessionId = await newSession('ann');
    const id = await openSession(product.port, 'ann');
    const args = { name: 'wait_for_events', arguments: { sessionId, timeoutSeconds: 60 } };
    for (const requestId of [7, 8]) {
      const gone = hold('ann', legacyRequest(id, 'tools/call', args, requestId));
      expect(await gone.status).toBe(200);
      gone.stop();
    }
    await eventually(async () => (await gauge(product, 'requests_under_way', 'boss')) === 0);
    expect(await gauge(product, 'tool_calls_under_way', 'boss')).toBe(2);
    for (let left = 1; left >= 0; left -= 1) {
      const listed = await ask('ann', toolCall('list_sessions'));
      expect(listed.body).not.toContain('RESOURCE_EXHAUSTED');
    }
    // A call whose caller still waits is not ended.
    const held = [1, 2].map(() => hold('ann', waiting(sessionId)));
    await eventually(async () => (await gauge(product, 'tool_calls_under_way', 'boss')) === 2);
    expect((await ask('ann', toolCall('list_sessions'))).body).toContain('RESOURCE_EXHAUSTED');
    for (const one of held) one.stop();
  });

  it('requests under way: a call of 2025 that is cancelled gives its place back, its connection open or not', async () => {
    await start({ requests: 3, calls: 3 });
    const sessionId = await newSession('ann');
    const id = await openSession(product.port, 'ann');
    const args = { name: 'wait_for_events', arguments: { sessionId, timeoutSeconds: 60 } };
    for (let requestId = 10; requestId < 20; requestId += 1) {
      const call = hold('ann', legacyRequest(id, 'tools/call', args, requestId));
      expect(await call.status).toBe(200);
      const { headers = {} } = legacyRequest(id, 'x');
      const body = { jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId } };
      expect((await ask('ann', { headers, body })).status).toBe(202);
      // The specification has no answer to a cancelled call, so its stream just ends.
      expect((await call.answer).body).not.toContain('data:');
    }
    await eventually(async () => (await gauge(product, 'tool_calls_under_way', 'boss')) === 0);
    expect(await gauge(product, 'requests_under_way', 'boss')).toBe(0);
  });

  it('requests under way: of a batch, the others are answered when one is cancelled', async () => {
    await start({});
    const sessionId = await newSession('ann');
    const id = await openSession(product.port, 'ann');
    const { headers = {} } = legacyRequest(id, 'x');
    const call = (requestId: number, timeoutSeconds: number) => ({
      jsonrpc: '2.0',
      id: requestId,
      method: 'tools/call',
      params: { name: 'wait_for_events', arguments: { sessionId, timeoutSeconds } },
    });
    const batch = hold('ann', { headers, body: [call(1, 60), call(2, 1)] });
    expect(await batch.status).toBe(200);
    const body = { jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 1 } };
    expect((await ask('ann', { headers, body })).status).toBe(202);
    const answers = (await batch.answer).body.match(/^data: .*$/gm) ?? [];
    expect(answers).toHaveLength(1);
    expect(answers[0]).toContain('"id":2');
  });

  it('requests under way: 429', async () => {
    await start({ requests: 2 });
    const sessionId = await newSession('ann');
    const held = [1, 2].map(() => hold('ann', waiting(sessionId)));
    await eventually(async () => (await gauge(product, 'requests_under_way', 'boss')) === 2);
    expect((await ask('ann', list)).status).toBe(429);
    expect((await ask('bob', list)).status).toBe(200);
    for (const one of held) one.stop();
    await eventually(async () => (await ask('ann', list)).status === 200);
  });

  it('streams and subscriptions of both eras: 429, and room again when one ends', async () => {
    await start({ streams: 2, subscriptions: 3 });
    const uris = (n: number) => Array.from({ length: n }, (_, i) => `session://default/s${i}`);
    const listen = (n: number) =>
      modernRequest('subscriptions/listen', { notifications: { resourceSubscriptions: uris(n) } });
    expect((await ask('ann', listen(4))).status).toBe(429);
    const first = hold('ann', listen(2));
    expect(await first.status).toBe(200);
    const id = await openSession(product.port, 'ann');
    const second = hold('ann', {
      method: 'GET',
      headers: { accept: 'text/event-stream', 'mcp-session-id': id },
    });
    expect(await second.status).toBe(200);
    expect((await ask('ann', listen(1))).status).toBe(429);
    const subscribe = async (uri: string) =>
      resultOf(await ask('ann', legacyRequest(id, 'resources/subscribe', { uri })));
    expect(await subscribe('session://default/a')).toHaveProperty('result');
    expect(await subscribe('session://default/a')).toHaveProperty('result');
    expect(await subscribe('session://default/b')).toMatchObject({ error: { code: -32603 } });
    for (const one of [first, second]) one.stop();
    await eventually(async () => (await gauge(product, 'streams_open', 'boss')) === 0);
    expect(await gauge(product, 'subscriptions', 'boss')).toBe(1);
    await ask('ann', endSession(id));
    expect(await gauge(product, 'subscriptions', 'boss')).toBe(0);
  });

  it('protocol sessions: one that nobody uses gives way to a new one, and 429 while all are in use', async () => {
    await start({ sessions: 2 });
    const bobs = await openSession(product.port, 'bob');
    // Some clients open a session for every call and never end it.
    const ids: string[] = [];
    for (let i = 0; i < 10; i += 1) ids.push(await openSession(product.port, 'ann'));
    const statuses = await Promise.all(
      ids.map(async (id) => (await ask('ann', legacyRequest(id, 'ping'))).status),
    );
    expect(statuses).toEqual([...Array(8).fill(404), 200, 200]);
    expect((await ask('bob', legacyRequest(bobs, 'ping'))).status).toBe(200);
    const streams = ids.slice(-2).map((id) => hold('ann', getStream(id)));
    for (const { status } of streams) expect(await status).toBe(200);
    const refused = await ask('ann', initialize);
    expect(refused.status).toBe(429);
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0);
    expect((await ask('bob', initialize)).status).toBe(200);
    for (const stream of streams) stream.stop();
    await eventually(async () => (await ask('ann', initialize)).status === 200);
    // A refused initialize does not count as a session.
    await ask('ann', endSession(ids.at(-1) ?? ''));
    const before = await gauge(product, 'protocol_sessions', 'boss');
    const { accept: _accept, ...rest } = initialize.headers ?? {};
    expect((await ask('ann', { ...initialize, headers: rest })).status).toBe(406);
    expect(await gauge(product, 'protocol_sessions', 'boss')).toBe(before);
  });

  it('bodies under way: 429', async () => {
    await start({ bodyBytes: 50_000, bodiesBytes: 60_000 });
    const sockets = [40_000, 40_000].map((bytes) => upload(bytes));
    const answers = await Promise.all(
      sockets.map(({ socket, first }) => Promise.race([first, late(socket)])),
    );
    expect(answers.map((text) => text.slice(9, 12)).sort()).toEqual(['429', 'lat']);
    for (const { socket } of sockets) socket.destroy();
  });
});

/** Begins to send a body and stops in the middle. */
function upload(bytes: number): { socket: Socket; first: Promise<string> } {
  const socket = connect(product.port, '127.0.0.1');
  const headers = { ...bearer('ann'), 'content-type': 'application/json', 'content-length': String(bytes) };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.write(`POST /mcp HTTP/1.1\r\nhost: 127.0.0.1\r\n${lines.join('')}\r\n{"jsonrpc"`);
  socket.on('error', () => {});
  return { socket, first: new Promise((resolve) => socket.once('data', (chunk) => resolve(String(chunk)))) };
}

const late = (_socket: Socket): Promise<string> => pause(300).then(() => 'it is so late');

describe('the accounts behind the limits', () => {
  it('spend, save and forget', async () => {
    await start({});
    const clock = { now: 0 };
    const limits = createLimits({ ...defaultLimits, requestsPerSecond: 10, burst: 20 }, () => clock.now);
    expect(limits.spend('a', 20)).toBe(0);
    expect(limits.spend('a', 5)).toBeCloseTo(0.5);
    clock.now += 500;
    expect(limits.spend('a', 5)).toBe(0);
    // A request that costs more than the burst is allowed after a wait, instead of never.
    clock.now += 10_000;
    expect(limits.spend('a', 50)).toBe(0);
    expect(limits.spend('a', 1)).toBeCloseTo(3.1);
    const give = await limits.take('a', 'calls');
    give?.();
    give?.();
    expect(limits.total('calls')).toBe(0);
    for (let i = 0; i < 5000; i += 1) limits.spend(`user-${i}`, 1);
    expect(limits.spend('a', 1)).toBeGreaterThan(0);
  });
});
