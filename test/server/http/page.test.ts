import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SessionError } from '../../../src/errors.ts';
import { createOneTimeKey } from '../../../src/server/auth/one-time-key.ts';
import { principalOf } from '../../../src/server/auth/scopes.ts';
import { type Product, startProduct } from './harness.ts';
import { bearer, modernRequest, resultOf, send, tokensFor, toolCall } from './requests.ts';

const html = '<!doctype html><html><head><style>p{}</style></head><body><script>run()</script></body></html>';
const hashOf = (text: string) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;

describe('the session page', () => {
  let product: Product;
  beforeAll(async () => {
    const settings = { tokens: tokensFor({ ann: ['sessions:read'] }), path: '/a/mcp' };
    product = await startProduct({ page: async () => html, settings });
  });
  afterAll(() => product.end());
  const get = (more = {}) => send(product.port, { method: 'GET', path: '/ui', ...more });

  it('is given to everybody, with a policy under which only its own script runs', async () => {
    const { status, headers, body } = await get();
    expect([status, headers['content-type']]).toEqual([200, 'text/html; charset=utf-8']);
    for (const rule of [
      "default-src 'none'",
      "connect-src 'self'",
      "frame-ancestors 'none'",
      "require-trusted-types-for 'script'",
    ])
      expect(headers['content-security-policy']).toContain(rule);
    expect(headers['content-security-policy']).toContain(
      `script-src ${hashOf('run()')}; style-src ${hashOf('p{}')};`,
    );
    expect(headers).toMatchObject({ 'cache-control': 'no-store', 'x-frame-options': 'DENY' });
    // Relative to /ui, also behind a proxy.
    expect(body).toContain('<meta name="mcp-endpoint" content="a/mcp">');
    expect((await get({ method: 'HEAD' })).body).toBe('');
    expect((await get({ method: 'POST' })).status).toBe(405);
    expect((await get({ path: '/ui/token', method: 'POST', body: 'x' })).status).toBe(404);
  });

  it('is refused to a page that rebinds its name', async () => {
    expect((await get({ headers: { host: 'evil.example' } })).status).toBe(403);
  });

  it('may call its own server, by whatever name that is served', async () => {
    const settings = { tokens: tokensFor({ ann: ['sessions:read'] }), host: '0.0.0.0' };
    const open = await startProduct({ page: async () => html, settings });
    const from = (origin: string) => {
      const sent = toolCall('list_sessions');
      return send(open.port, {
        ...sent,
        headers: { ...sent.headers, ...bearer('ann'), host: 'sessions.lan', origin },
      });
    };
    expect((await from('https://sessions.lan')).status).toBe(200);
    expect((await from('https://evil.example')).status).toBe(403);
    expect((await from('null')).status).toBe(403);
    await open.end();
  });

  it('is the resource that tools name', async () => {
    const ask = async (method: string, params = {}) => {
      const sent = modernRequest(method, params);
      return resultOf(
        await send(product.port, { ...sent, path: '/a/mcp', headers: { ...sent.headers, ...bearer('ann') } }),
      );
    };
    const uri = 'ui://sessions';
    const { result } = (await ask('tools/list')) as {
      result: { tools: { name: string; _meta?: unknown }[] };
    };
    expect(result.tools.find(({ name }) => name === 'get_session')?._meta).toEqual({
      ui: { resourceUri: uri },
    });
    expect(result.tools.find(({ name }) => name === 'get_event')?._meta).toBeUndefined();
    expect(await ask('resources/read', { uri })).toMatchObject({
      result: { contents: [{ uri, mimeType: 'text/html;profile=mcp-app', text: html }] },
    });
  });
});

describe('a server without a page', () => {
  it('serves none and names none', async () => {
    const product = await startProduct();
    expect((await send(product.port, { method: 'GET', path: '/ui' })).status).toBe(404);
    const { result } = resultOf(await send(product.port, modernRequest('tools/list')));
    expect(JSON.stringify(result)).not.toContain('ui://');
    await product.end();
  });
});

describe('a checkout whose page has not been built', () => {
  it('says so, and what to do', async () => {
    let page = '';
    const load = async () => {
      if (page !== '') return page;
      throw new SessionError('FAILED_PRECONDITION', 'It is not built.', { hint: 'Build it.' });
    };
    const product = await startProduct({ page: load });
    const get = () => send(product.port, { method: 'GET', path: '/ui' });
    expect(await get()).toMatchObject({
      status: 503,
      body: expect.stringContaining('It is not built. Build it.'),
    });
    page = html;
    expect((await get()).status).toBe(200);
    await product.end();
  });
});

describe('a one-time key', () => {
  it('is exchanged once for the only token', async () => {
    const key = createOneTimeKey(principalOf('ann', ['sessions:admin']));
    const product = await startProduct({ page: async () => html, oneTimeKey: key });
    const exchange = (body: string) => send(product.port, { path: '/ui/token', body });
    const list = (token: string) => {
      const sent = toolCall('list_sessions');
      return send(product.port, { ...sent, headers: { ...sent.headers, authorization: `Bearer ${token}` } });
    };
    expect((await list('')).status).toBe(401);
    expect((await exchange('wrong')).status).toBe(403);
    expect((await send(product.port, { path: '/ui/token', method: 'GET' })).status).toBe(405);
    const { token } = JSON.parse((await exchange(key.key)).body) as { token: string };
    expect((await exchange(key.key)).status).toBe(403);
    expect((await list(token)).status).toBe(200);
    expect((await list(key.key)).status).toBe(401);
    const foreign = { path: '/ui/token', body: key.key, headers: { origin: 'https://evil.example' } };
    expect((await send(product.port, foreign)).status).toBe(403);
    await product.end();
  });
});
