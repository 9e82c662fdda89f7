import http from 'node:http';
import net from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { defaultLimits } from '../../../src/server/http/limits.ts';
import { memoryBackend } from '../../tools/harness.ts';
import { eventually, gauge, type Product, pause, startProduct } from './harness.ts';
import {
  initialize,
  type Json,
  modernRequest,
  officialClient,
  resultOf,
  send,
  tokensFor,
} from './requests.ts';

const clientWithForms = { elicitation: { form: {} } };
const eras = ['modern', 'legacy'] as const;

/** The answer that a client reads which sends its whole request first, as many do. */
function sendThenRead(port: number, request: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = net.connect(port, '127.0.0.1').setEncoding('utf8').pause();
    let text = '';
    socket.on('data', (chunk: string) => {
      text += chunk;
      if (text.includes('\r\n\r\n{')) socket.end();
    });
    socket.on('error', reject).on('close', () => resolve(text));
    socket.write(request, (error) => (error ? reject(error) : socket.resume()));
  });
}

describe.each(eras)('HTTP with the official client, %s', (era) => {
  let product: Product;
  beforeAll(async () => {
    product = await startProduct({ settings: { metrics: true } });
  });
  afterAll(() => product.end());

  const call = async (client: Awaited<ReturnType<typeof officialClient>>, name: string, args: Json) =>
    (await client.callTool({ name, arguments: args })) as { structuredContent: Json; isError?: boolean };

  it('lists, calls and reads', async () => {
    const client = await officialClient(product.url, era);
    expect((await client.listTools()).tools.map((tool) => tool.name)).toContain('append_event');
    await call(client, 'create_session', { sessionId: `s-${era}` });
    const appended = await call(client, 'append_event', { sessionId: `s-${era}`, text: 'hello' });
    expect(appended.structuredContent).toMatchObject({ event: { id: expect.stringMatching(/^e1-/) } });
    const { contents } = await client.readResource({ uri: `session://default/s-${era}/events` });
    expect(JSON.stringify(contents)).toContain('hello');
    expect((await client.listPrompts()).prompts.length).toBeGreaterThan(0);
    await client.close();
  });

  it('tells of changes of the sessions that are listened to, and of no others', async () => {
    const client = await officialClient(product.url, era);
    const updates: string[] = [];
    client.setNotificationHandler('notifications/resources/updated', ({ params }) => {
      updates.push(params.uri);
    });
    for (const id of ['watched', 'other'])
      await call(client, 'create_session', { sessionId: `${id}-${era}` });
    const uri = `session://default/watched-${era}`;
    if (era === 'modern') await client.listen({ resourceSubscriptions: [uri] });
    else await client.subscribeResource({ uri });
    await pause(100);
    await call(client, 'append_event', { sessionId: `other-${era}`, text: 'x' });
    await call(client, 'append_event', { sessionId: `watched-${era}`, text: 'x' });
    await eventually(() => updates.length > 0);
    expect(new Set(updates)).toEqual(new Set([uri]));
    await client.close();
  });

  it('asks the user before it deletes', async () => {
    const client = await officialClient(product.url, era, undefined, clientWithForms);
    const questions: string[] = [];
    client.setRequestHandler('elicitation/create', async ({ params }) => {
      questions.push(params.message);
      return { action: 'accept', content: { confirm: true } };
    });
    await call(client, 'create_session', { sessionId: `gone-${era}` });
    const deleted = await call(client, 'delete_session', { sessionId: `gone-${era}` });
    expect(deleted.structuredContent).toMatchObject({ deleted: true });
    expect(questions).toHaveLength(1);
    await client.close();
  });

  it('ends a call that its caller cancels', async () => {
    const client = await officialClient(product.url, era);
    await call(client, 'create_session', { sessionId: `wait-${era}` });
    const ac = new AbortController();
    const waiting = client.callTool(
      { name: 'wait_for_events', arguments: { sessionId: `wait-${era}`, timeoutSeconds: 60 } },
      { signal: ac.signal },
    );
    const failed = expect(waiting).rejects.toThrow();
    await eventually(() => gauge(product, 'tool_calls_under_way').then((n) => n > 0));
    ac.abort();
    await failed;
    await eventually(() => gauge(product, 'tool_calls_under_way').then((n) => n === 0));
    await client.close();
  });

  it('reports progress while a call lasts', async () => {
    const client = await officialClient(product.url, era);
    await call(client, 'create_session', { sessionId: `p-${era}` });
    await call(client, 'append_event', { sessionId: `p-${era}`, text: 'x' });
    const answer = await client.callTool(
      { name: 'wait_for_events', arguments: { sessionId: `p-${era}` } },
      { onprogress: () => {} },
    );
    expect(answer.isError).not.toBe(true);
    await client.close();
  });
});

describe('the rules of Streamable HTTP', () => {
  let product: Product;
  beforeAll(async () => {
    product = await startProduct();
  });
  afterAll(() => product.end());
  const ask = (sent: Parameters<typeof send>[1]) => send(product.port, sent);
  const code = (answer: { body: string }) =>
    (JSON.parse(answer.body) as { error?: { code: number } }).error?.code;
  const list = modernRequest('tools/list');

  it.each([
    ['no version header', { 'mcp-protocol-version': '' }, 400, -32020],
    ['another version than the body', { 'mcp-protocol-version': '2025-11-25' }, 400, -32020],
    ['no method header', { 'mcp-method': '' }, 400, -32020],
    ['another method than the body', { 'mcp-method': 'tools/call' }, 400, -32020],
    ['another content type', { 'content-type': 'text/plain' }, 415, -32000],
    ['a content type that only begins like JSON', { 'content-type': 'application/jsonp' }, 415, -32000],
    ['another charset', { 'content-type': 'application/json; charset=utf-16' }, 415, -32000],
    ['a compressed body', { 'content-encoding': 'gzip' }, 415, -32000],
  ])('refuses %s', async (_what, headers, status, expected) => {
    const kept = Object.entries({ ...list.headers, ...headers }).filter(([, value]) => value !== '');
    const answer = await ask({ ...list, headers: Object.fromEntries(kept) });
    expect([answer.status, code(answer)]).toEqual([status, expected]);
  });

  it.each([
    ['JSON that is none', '{nope', 400, -32700],
    ['an empty body', '', 400, -32700],
    ['a batch', [{ ...(list.body as Json) }], 400, -32600],
    ['null', 'null', 400, -32600],
    ['a number', '7', 400, -32600],
  ])('refuses %s as a body', async (_what, body, status, expected) => {
    const answer = await ask({ ...list, body });
    expect([answer.status, code(answer)]).toEqual([status, expected]);
  });

  it('refuses a version that it does not speak, and names those it does', async () => {
    const sent = modernRequest('tools/list', {
      _meta: { 'io.modelcontextprotocol/protocolVersion': '2099-01-01' },
    });
    const answer = await ask({ ...sent, headers: { ...sent.headers, 'mcp-protocol-version': '2099-01-01' } });
    expect(answer.status).toBe(400);
    expect(JSON.parse(answer.body)).toMatchObject({
      error: { code: -32022, data: { supported: ['2026-07-28'] } },
    });
  });

  it('answers 404 to methods that are unknown or gone', async () => {
    for (const method of ['no/such', 'ping', 'resources/subscribe']) {
      const answer = await ask(modernRequest(method));
      expect([answer.status, code(answer)]).toEqual([404, -32601]);
    }
  });

  it('answers a call of an unknown tool as the protocol says, and a notification with 202', async () => {
    expect(code(await ask(modernRequest('tools/call', { name: 'nope', arguments: {} })))).toBe(-32602);
    const { body, ...sent } = modernRequest('notifications/cancelled', { requestId: 5 });
    const { id: _id, ...notification } = body as Json;
    const answer = await ask({ ...sent, body: notification });
    expect([answer.status, answer.body]).toEqual([202, '']);
  });

  it('refuses methods of HTTP that mean nothing here', async () => {
    for (const method of ['PUT', 'PATCH', 'HEAD', 'OPTIONS', 'TRACE']) {
      const answer = await ask({ method });
      expect([answer.status, answer.headers.allow]).toEqual([405, 'POST, GET, DELETE']);
    }
    for (const method of ['GET', 'DELETE']) {
      const answer = await ask({ method, headers: { accept: 'text/event-stream' } });
      expect([answer.status, answer.headers.allow]).toEqual([405, 'POST']);
    }
    const elsewhere = await ask({ path: '/mcp/' });
    expect([elsewhere.status, elsewhere.body]).toEqual([
      404,
      expect.stringContaining('endpoint is at /mcp.'),
    ]);
  });

  it('refuses a body that is too large, declared or not, and goes on serving', async () => {
    const small = await startProduct({ settings: { limits: { ...defaultLimits, bodyBytes: 10_000 } } });
    const body = JSON.stringify({ ...(list.body as Json), pad: 'x'.repeat(20_000) });
    const declared = { ...list.headers, 'content-length': String(body.length) };
    expect((await send(small.port, { ...list, headers: declared, body })).status).toBe(413);
    const chunked = { ...list.headers, 'transfer-encoding': 'chunked' };
    expect((await send(small.port, { ...list, headers: chunked, body })).status).toBe(413);
    expect((await send(small.port, list)).status).toBe(200);
    await small.end();
  });

  it('answers also a client that sends all of a body that is too large before it looks', async () => {
    const small = await startProduct({ settings: { limits: { ...defaultLimits, bodyBytes: 10_000 } } });
    const body = 'x'.repeat(16_000_000);
    const head = 'POST /mcp HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n';
    const declared = `${head}content-length: ${body.length}\r\n\r\n${body}`;
    const chunked = `${head}transfer-encoding: chunked\r\n\r\n${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`;
    for (const request of [declared, chunked]) {
      const answer = await sendThenRead(small.port, request);
      expect(answer).toMatch(/^HTTP\/1.1 413 .* at most 10000 bytes/s);
    }
    await small.end();
  });

  it('answers a client that sends a large body before it learns that its token is not good', async () => {
    const guarded = await startProduct({ settings: { tokens: tokensFor({ ada: ['sessions:read'] }) } });
    const body = 'x'.repeat(7_000_000);
    const request = `POST /mcp HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
    expect(await sendThenRead(guarded.port, request)).toMatch(/^HTTP\/1.1 401 /);
    await guarded.end();
  });

  it('refuses a foreign Host and a foreign or opaque Origin', async () => {
    for (const headers of [
      { host: 'evil.example' },
      { host: 'localhost.evil.example:80' },
      { host: '127.0.0.1@evil.example' },
      { origin: 'http://evil.example' },
      { origin: 'null' },
      { origin: 'http://localhost.evil.example' },
      { origin: 'file://' },
    ])
      expect((await ask({ ...list, headers: { ...list.headers, ...headers } })).status).toBe(403);
    for (const headers of [{ host: 'localhost:1' }, { host: '[::1]' }, { origin: 'http://localhost:3000' }]) {
      const answer = await ask({ ...list, headers: { ...list.headers, ...headers } });
      expect(answer.status).toBe(200);
      expect(answer.headers['access-control-allow-origin']).toBeUndefined();
    }
  });

  it('lets pages of allowed origins in, and no others', async () => {
    const origin = 'https://app.example';
    const open = await startProduct({ settings: { allowedOrigins: [origin] } });
    const preflight = {
      method: 'OPTIONS',
      headers: {
        origin,
        'access-control-request-method': 'POST',
        'access-control-request-headers': 'mcp-method,mcp-param-region,evil',
      },
    };
    const asked = await send(open.port, preflight);
    expect(asked.status).toBe(204);
    expect(asked.headers['access-control-allow-origin']).toBe(origin);
    const allowed = asked.headers['access-control-allow-headers'] ?? '';
    for (const name of ['authorization', 'mcp-session-id', 'mcp-protocol-version', 'mcp-param-region'])
      expect(allowed).toContain(name);
    expect(allowed).not.toContain('evil');
    const called = await send(open.port, { ...list, headers: { ...list.headers, origin } });
    expect(called.status).toBe(200);
    expect(called.headers).toMatchObject({ 'access-control-allow-origin': origin, vary: 'Origin' });
    expect(called.headers['access-control-expose-headers']).toContain('mcp-session-id');
    const other = { ...preflight, headers: { ...preflight.headers, origin: 'https://other.example' } };
    expect((await send(open.port, other)).status).toBe(403);
    await open.end();
  });

  it('says that it lives and is ready, and nothing else, whatever the Host', async () => {
    for (const path of ['/healthz', '/readyz']) {
      const answer = await ask({ method: 'GET', path, headers: { host: '10.0.0.7:8080' } });
      expect([answer.status, answer.body]).toEqual([200, '{"status":"ok"}']);
      expect((await ask({ method: 'POST', path })).status).toBe(405);
    }
    const store = await memoryBackend();
    for (const backend of [
      { name: 'broken', ...failing },
      // A client that still reads.
      { ...store, ready: () => Promise.reject(new Error('The disk is full.')) },
    ]) {
      const broken = await startProduct({ backend });
      expect((await send(broken.port, { method: 'GET', path: '/readyz' })).status).toBe(503);
      expect((await send(broken.port, { method: 'GET', path: '/healthz' })).status).toBe(200);
      await broken.end();
    }
  });

  it('gives every answer a request id, the proxy’s own where it is sane', async () => {
    const answer = await ask({ ...list, headers: { ...list.headers, 'x-request-id': 'proxy-1234567' } });
    expect(answer.headers['x-request-id']).toBe('proxy-1234567');
    const evil = await ask({ ...list, headers: { ...list.headers, 'x-request-id': 'a b' } });
    expect(evil.headers['x-request-id']).toMatch(/^[0-9a-f-]{36}$/);
    await eventually(() => product.entries.some((entry) => entry.requestId === 'proxy-1234567'));
    const entry = product.entries.find((e) => e.requestId === 'proxy-1234567');
    expect(entry).toMatchObject({
      method: 'POST',
      path: '/mcp',
      rpc: 'tools/list',
      status: 200,
      user: 'local',
    });
  });

  it('refuses headers that are given twice, where a proxy could go by the one and we by the other', async () => {
    const text = JSON.stringify(list.body);
    const askRaw = (extra: Record<string, string | string[]>) =>
      new Promise<number>((resolve, reject) => {
        const headers = Object.entries({ host: `127.0.0.1:${product.port}`, ...list.headers, ...extra });
        const options = { host: '127.0.0.1', port: product.port, path: '/mcp', method: 'POST', agent: false };
        const flat = headers.flatMap(([name, value]) => [value].flat().flatMap((each) => [name, each]));
        const req = http.request({ ...options, headers: flat, setHost: false }, (res) => {
          res.resume();
          resolve(res.statusCode ?? 0);
        });
        req.on('error', reject);
        req.end(text);
      });
    const length = String(Buffer.byteLength(text));
    expect(await askRaw({ 'content-length': length })).toBe(200);
    const own = `127.0.0.1:${product.port}`;
    for (const twice of [
      { host: [own, 'evil.example'] },
      { host: ['evil.example', own] },
      { Host: [own, own] },
      { authorization: ['Bearer a', 'Bearer b'] },
      { origin: ['http://localhost', 'https://evil.example'] },
      { 'content-type': ['application/json', 'text/plain'] },
      { 'content-length': [length, length] },
      { 'mcp-session-id': ['a', 'b'] },
    ] as Record<string, string[]>[]) {
      const status = await askRaw({
        ...('content-length' in twice ? {} : { 'content-length': length }),
        ...twice,
      });
      expect([status, twice]).toEqual([400, twice]);
    }
  });

  it('serves 2025 request by request where sessions are switched off', async () => {
    const stateless = await startProduct({ settings: { legacy: 'stateless' } });
    const answer = await send(stateless.port, initialize);
    expect(answer.status).toBe(200);
    // The server does not advertise what it cannot do in this mode.
    expect(resultOf(answer)).toMatchObject({ result: { capabilities: { resources: { subscribe: false } } } });
    expect(answer.headers['mcp-session-id']).toBeUndefined();
    const listed = await send(stateless.port, {
      ...initialize,
      body: { jsonrpc: '2.0', id: 1, method: 'tools/list' },
    });
    expect(JSON.stringify(resultOf(listed))).toContain('append_event');
    const params = { name: 'create_session', arguments: { sessionId: 's' } };
    const called = await send(stateless.port, {
      ...initialize,
      body: { jsonrpc: '2.0', id: 2, method: 'tools/call', params },
    });
    expect(resultOf(called)).toMatchObject({ result: { structuredContent: { session: { id: 's' } } } });
    expect((await send(stateless.port, { method: 'GET' })).status).toBe(405);
    await stateless.end();
  });
});

const failing = {
  describe: () => Promise.reject(new Error('broken')),
  close: async () => {},
  sessions: { list: () => Promise.reject(new Error('broken')) },
};
