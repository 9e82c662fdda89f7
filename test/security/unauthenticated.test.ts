import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Product, pause, startProduct } from '../server/http/harness.ts';
import {
  as,
  bearer,
  initialize,
  legacyRequest,
  modernRequest,
  openSession,
  send,
  tokenOf,
  tokensFor,
} from '../server/http/requests.ts';

const methods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'PROPFIND'];
const withBody = ['POST', 'PUT', 'PATCH', 'PROPFIND'];
const served = ['/mcp', '/mcp?access_token=x', '/metrics'];
const unserved = ['/', '/mcp/', '/admin', '//mcp', '/%6dcp', '/.well-known/x'];

describe('without a token', () => {
  let product: Product;
  let session: string;
  beforeAll(async () => {
    product = await startProduct({
      settings: {
        metrics: true,
        allowedOrigins: ['https://app.example'],
        tokens: tokensFor({ ann: ['sessions:write'], boss: ['sessions:admin'] }),
      },
    });
    session = await openSession(product.port, 'ann');
  });
  afterAll(() => product.end());

  const ask = (method: string, path: string) => {
    const { headers, body } = modernRequest('tools/list');
    const sent = { method, path, headers: headers ?? {}, ...(withBody.includes(method) ? { body } : {}) };
    return send(product.port, sent);
  };
  const each = (paths: string[]) => methods.flatMap((method) => paths.map((path) => [method, path]));

  it.each(each(served))('%s %s is 401', async (method, path) => {
    const answer = await ask(method, path);
    expect(answer.status).toBe(401);
    expect(answer.headers['www-authenticate']).toMatch(/^Bearer /);
    expect(answer.body).not.toMatch(/tools|ann|boss/);
  });

  it.each(each(unserved))('%s %s is 404, and nobody is asked to log in', async (method, path) => {
    const answer = await ask(method, path);
    expect(answer.status).toBe(404);
    expect(answer.headers['www-authenticate']).toBeUndefined();
    expect(answer.body).not.toMatch(/tools|ann|boss/);
  });

  it('no request of either era gets further, with a known protocol session or without', async () => {
    const call = { name: 'list_sessions', arguments: {} };
    for (const sent of [
      modernRequest('server/discover'),
      modernRequest('tools/call', call),
      modernRequest('subscriptions/listen', { notifications: {} }),
      initialize,
      legacyRequest(session, 'tools/call', call),
      { ...legacyRequest(session, 'x'), method: 'DELETE', body: undefined },
    ])
      expect((await send(product.port, sent)).status).toBe(401);
    expect((await send(product.port, as('ann', legacyRequest(session, 'ping')))).status).toBe(200);
  });

  it('nothing that only looks like a token helps', async () => {
    const good = tokenOf('ann');
    for (const authorization of [
      'Bearer',
      'Bearer ',
      `Basic ${Buffer.from(`ann:${good}`).toString('base64')}`,
      good,
      `Bearer ${good}x`,
      `Bearer ${good.toUpperCase()}`,
      `Bearer ${good}, Bearer x`,
      `Bearer x ${good}`,
      `Token ${good}`,
      'Bearer null',
      'Bearer undefined',
      `Bearer ${'a'.repeat(8000)}`,
    ]) {
      const sent = modernRequest('tools/list');
      const answer = await send(product.port, { ...sent, headers: { ...sent.headers, authorization } });
      expect([answer.status, authorization.slice(0, 50)]).toEqual([401, authorization.slice(0, 50)]);
    }
    for (const [name, value] of [
      ['x-forwarded-user', 'ann'],
      ['cookie', `token=${good}`],
      ['x-api-key', good],
      ['proxy-authorization', `Bearer ${good}`],
    ] as const) {
      const sent = modernRequest('tools/list');
      expect(
        (await send(product.port, { ...sent, headers: { ...sent.headers, [name]: value } })).status,
      ).toBe(401);
    }
  });

  it('a preflight tells an allowed page what it may send, and another page nothing', async () => {
    const ask = (origin: string, path: string) =>
      send(product.port, {
        method: 'OPTIONS',
        path,
        headers: { origin, 'access-control-request-method': 'POST' },
      });
    expect((await ask('https://app.example', '/mcp')).status).toBe(204);
    expect((await ask('https://app.example', '/metrics')).status).toBe(401);
    expect((await ask('https://evil.example', '/mcp')).status).toBe(403);
  });

  it('shows its numbers to admins only', async () => {
    const ask = (user: string) =>
      send(product.port, { method: 'GET', path: '/metrics', headers: bearer(user) });
    expect((await ask('ann')).status).toBe(403);
    const answer = await ask('boss');
    expect(answer.status).toBe(200);
    expect(answer.body).toMatch(/^agent_sessions_http_requests_total\{method="POST",status="401"\} \d+$/m);
  });

  it('a body is not even read', async () => {
    const socket = connect(product.port, '127.0.0.1');
    const said = new Promise<string>((resolve) => {
      let text = '';
      socket.setEncoding('utf8');
      socket.on('data', (chunk: string) => {
        text += chunk;
      });
      socket.on('close', () => resolve(text));
      socket.on('error', () => {});
    });
    const head = ['POST /mcp HTTP/1.1', `Host: 127.0.0.1:${product.port}`, 'Content-Type: application/json'];
    socket.write(`${head.join('\r\n')}\r\nContent-Length: 100000000\r\n\r\n{`);
    await pause(100);
    // The server closes the connection of a client that would send for long.
    socket.write('x'.repeat(1000));
    expect(await said).toMatch(/^HTTP\/1\.1 401 [\s\S]*connection: close/i);
  });
});

describe('hosts and origins', () => {
  it('come before tokens, so that a page cannot try any', async () => {
    const product = await startProduct({ settings: { tokens: tokensFor({ ann: ['sessions:read'] }) } });
    for (const headers of [
      { host: 'evil.example' },
      { origin: 'https://evil.example' },
      { origin: 'null' },
    ] as Record<string, string>[]) {
      const sent = as('ann', modernRequest('tools/list'));
      expect((await send(product.port, { ...sent, headers: { ...sent.headers, ...headers } })).status).toBe(
        403,
      );
    }
    await product.end();
  });

  it('are those that were configured, on a server for the network', async () => {
    const product = await startProduct({
      settings: {
        host: '0.0.0.0',
        publicUrl: 'https://sessions.example/mcp',
        allowedHosts: ['inside.example:9000'],
        tokens: tokensFor({ ann: ['sessions:read'] }),
      },
    });
    const ask = async (headers: Record<string, string>) => {
      const sent = as('ann', modernRequest('tools/list'));
      return (await send(product.port, { ...sent, headers: { ...sent.headers, ...headers } })).status;
    };
    expect(await ask({ host: 'sessions.example' })).toBe(200);
    expect(await ask({ host: 'inside.example:9000' })).toBe(200);
    expect(await ask({ host: 'sessions.example', origin: 'https://sessions.example' })).toBe(200);
    expect(await ask({ host: 'inside.example' })).toBe(403);
    expect(await ask({ host: 'localhost' })).toBe(403);
    expect(await ask({ host: 'sessions.example', origin: 'http://localhost:3000' })).toBe(403);
    await product.end();
  });
});

describe('a server on loopback without authentication', () => {
  it('acts for its operator, but not as an admin', async () => {
    const product = await startProduct({ user: 'olga' });
    const call = { name: 'describe_server', arguments: {} };
    const { body } = await send(product.port, modernRequest('tools/call', call));
    expect(body).toContain('\\"userId\\":\\"olga\\",\\"admin\\":false');
    // Claims of the caller about itself change nothing.
    const claimed = await send(product.port, as('boss', modernRequest('tools/call', call)));
    expect(claimed.body).toContain('\\"userId\\":\\"olga\\",\\"admin\\":false');
    await product.end();
  });
});

describe('the caller’s token', () => {
  it('does not reach a tool, a log or a service behind us', async () => {
    const seen: unknown[] = [];
    const product = await startProduct({
      settings: { tokens: tokensFor({ ann: ['sessions:write'] }) },
      backend: {
        name: 'spy',
        describe: async () => ({ name: 'spy', location: '', capabilities: [], notes: [] }),
        close: async () => {},
        sessions: {
          async list(query) {
            seen.push(query);
            throw new Error(`failed with ${JSON.stringify(query)}`);
          },
        },
      },
    });
    const call = { name: 'list_sessions', arguments: {} };
    for (const sent of [
      modernRequest('tools/call', call),
      legacyRequest(await openSession(product.port, 'ann'), 'tools/call', call),
    ]) {
      const answer = await send(product.port, as('ann', sent));
      expect(answer.body).toContain('INTERNAL');
      expect(answer.body).not.toContain(tokenOf('ann'));
    }
    expect(seen).toHaveLength(2);
    await pause(50);
    expect(JSON.stringify([seen, product.entries])).not.toContain(tokenOf('ann'));
    // The failure is found in the log by the request's id.
    const failure = product.entries.find((entry) => entry.level === 'error');
    expect(failure?.requestId).toMatch(/^[0-9a-f-]{36}$/);
    await product.end();
  });
});
