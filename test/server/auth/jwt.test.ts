import { createHmac } from 'node:crypto';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { type CryptoKey, exportJWK, exportSPKI, generateKeyPair, type JWK, SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type OAuthSettings, openJwts } from '../../../src/server/auth/jwt.ts';
import { type Product, pause, startProduct } from '../http/harness.ts';
import { modernRequest, send } from '../http/requests.ts';

interface Keys {
  kid: string;
  privateKey: CryptoKey;
  publicKey: CryptoKey;
  jwk: JWK;
}

async function newKeys(kid: string, alg = 'ES256'): Promise<Keys> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
  return { kid, privateKey, publicKey, jwk: { ...(await exportJWK(publicKey)), kid, alg, use: 'sig' } };
}

/** An authorization server on loopback, whose keys and faults a test can change. */
async function startIssuer() {
  const state = {
    keys: [] as JWK[],
    keysPath: '/keys',
    down: false,
    /** The fault of its first metadata address. */
    first: undefined as 'html' | 'reset' | 'hang' | undefined,
    claimsToBe: undefined as string | undefined,
    fetches: 0,
  };
  const server = http.createServer((req, res) => {
    if (state.down) return void res.writeHead(500).end();
    const isFirst = req.url === '/.well-known/oauth-authorization-server';
    if (isFirst && state.first === 'hang') return;
    if (isFirst && state.first === 'reset') return void req.socket.resetAndDestroy();
    if (isFirst && state.first === 'html') return void res.end('<!doctype html><p>Welcome</p>');
    const issuer = state.claimsToBe ?? url;
    if (isFirst || req.url === '/.well-known/openid-configuration')
      return void res.end(JSON.stringify({ issuer, jwks_uri: url + state.keysPath }));
    if (req.url === state.keysPath) {
      state.fetches += 1;
      return void res.end(JSON.stringify({ keys: state.keys }));
    }
    res.writeHead(404).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { url, state, close: () => server.close() };
}

const audience = 'https://sessions.example/mcp';
const b64 = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');

describe('JWTs', () => {
  let issuer: Awaited<ReturnType<typeof startIssuer>>;
  let product: Product;
  let keys: Keys;
  let settings: OAuthSettings;

  beforeAll(async () => {
    issuer = await startIssuer();
    keys = await newKeys('k1');
    issuer.state.keys = [keys.jwk];
    settings = { issuer: issuer.url, audience: [audience], userClaim: 'sub', clockSkewSeconds: 30 };
    product = await startProduct({ settings: { oauth: settings, publicUrl: audience } });
  });
  afterAll(async () => {
    await product.end();
    issuer.close();
  });

  const sign = (
    claims: Record<string, unknown> = {},
    by: Keys = keys,
    header: Record<string, unknown> = {},
  ) => {
    const now = Math.floor(Date.now() / 1000);
    const all = {
      iss: issuer.url,
      aud: audience,
      sub: 'alice',
      scope: 'sessions:read',
      exp: now + 60,
      ...claims,
    };
    const kept = Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
    return new SignJWT(kept).setProtectedHeader({ alg: 'ES256', kid: by.kid, ...header }).sign(by.privateKey);
  };
  const ask = (token: string, name = 'describe_server', args = {}) => {
    const sent = modernRequest('tools/call', { name, arguments: args });
    return send(product.port, { ...sent, headers: { ...sent.headers, authorization: `Bearer ${token}` } });
  };

  it('let in whom they name', async () => {
    const answer = await ask(await sign());
    expect(answer.status).toBe(200);
    expect(answer.body).toContain('\\"userId\\":\\"alice\\"');
    expect(answer.body).toContain('\\"admin\\":false');
    const admin = await ask(await sign({ scope: 'openid sessions:admin' }));
    expect(admin.body).toContain('\\"admin\\":true');
    const list = await ask(await sign({ scope: undefined, scp: ['sessions:read'] }));
    expect(list.status).toBe(200);
    const several = await ask(await sign({ aud: ['https://other.example', audience] }));
    expect(several.status).toBe(200);
  });

  it('may be bound to the agents that they speak as', async () => {
    const write = { scope: 'sessions:write' };
    await ask(await sign(write), 'create_session', { sessionId: 'spoken' });
    const say = async (author: string, agents: unknown) =>
      (
        await ask(await sign({ ...write, agents }), 'append_event', {
          sessionId: 'spoken',
          author,
          text: 'Hi.',
        })
      ).body;
    expect(await say('scout', ['scout', 'lead'])).toContain('revision');
    for (const agents of [['lead'], [], 'scout', [['scout']], { scout: true }, null])
      expect(await say('scout', agents), JSON.stringify(agents)).toContain('PERMISSION_DENIED');
  });

  it('are refused when they are not for here, not now, or of nobody', async () => {
    const now = Math.floor(Date.now() / 1000);
    const claims: Record<string, unknown>[] = [
      { aud: 'https://other.example/mcp' },
      { aud: undefined },
      { aud: `${audience}/` },
      { iss: `${issuer.url}/` },
      { iss: undefined },
      { exp: now - 40 },
      { exp: undefined },
      { nbf: now + 40 },
      { sub: undefined },
      { sub: '' },
      { sub: 7 },
      { sub: 'a\u0000b' },
      { sub: 'x'.repeat(300) },
    ];
    for (const claim of claims) {
      const answer = await ask(await sign(claim));
      expect([answer.status, claim]).toEqual([401, claim]);
      expect(answer.headers['www-authenticate']).toContain('error="invalid_token"');
      expect(answer.headers['www-authenticate']).toContain(
        'resource_metadata="https://sessions.example/.well-known/oauth-protected-resource/mcp"',
      );
    }
  });

  it('bear clocks that differ a little', async () => {
    const now = Math.floor(Date.now() / 1000);
    expect((await ask(await sign({ exp: now - 10 }))).status).toBe(200);
    expect((await ask(await sign({ nbf: now + 10 }))).status).toBe(200);
  });

  it('are refused when their signature is none, forged, or made with the public key', async () => {
    const now = Math.floor(Date.now() / 1000);
    const body = b64({
      iss: issuer.url,
      aud: audience,
      sub: 'alice',
      scope: 'sessions:admin',
      exp: now + 60,
    });
    const good = await sign();
    const [, , signature = ''] = good.split('.');
    const hmac = (secret: string, header: object) => {
      const signed = `${b64(header)}.${body}`;
      return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`;
    };
    const stranger = await newKeys('k1');
    const forged = [
      `${b64({ alg: 'none' })}.${body}.`,
      `${b64({ alg: 'None', kid: 'k1' })}.${body}.`,
      `${b64({ alg: 'none' })}.${body}.${signature}`,
      `${b64({ alg: 'ES256', kid: 'k1' })}.${body}.${signature}`,
      `${b64({ alg: 'ES256', kid: 'k1' })}.${body}.`,
      hmac(await exportSPKI(keys.publicKey), { alg: 'HS256', kid: 'k1' }),
      hmac(JSON.stringify(keys.jwk), { alg: 'HS256', kid: 'k1' }),
      hmac('', { alg: 'HS256', kid: 'k1' }),
      await sign({}, stranger),
      await sign({}, stranger, { jwk: stranger.jwk }),
      await sign({}, stranger, { jku: `${issuer.url}/keys` }),
      await sign({}, { ...keys, kid: '../k1' }),
      `${good}x`,
      `${good}.extra`,
    ];
    for (const token of forged)
      expect([(await ask(token)).status, token.slice(0, 40)]).toEqual([401, token.slice(0, 40)]);
  });

  it('need scopes: 403 at the door without any, 403 with the missing one at a tool that writes', async () => {
    for (const scope of [undefined, '', 'openid', 'sessions:reader']) {
      const answer = await ask(await sign({ scope }));
      expect(answer.status).toBe(403);
      expect(answer.headers['www-authenticate']).toMatch(/error="insufficient_scope".*scope="sessions:read"/);
    }
    const list = modernRequest('tools/list');
    const authorization = `Bearer ${await sign({ scope: 'openid' })}`;
    const listed = await send(product.port, { ...list, headers: { ...list.headers, authorization } });
    expect(listed.status).toBe(403);
    const step = await ask(await sign(), 'create_session');
    expect(step.status).toBe(403);
    expect(step.headers['www-authenticate']).toMatch(/insufficient_scope/);
    expect(step.headers['www-authenticate']).toContain('scope="sessions:write"');
    expect(step.headers['www-authenticate']).toContain('resource_metadata="https://sessions.example/');
    expect((await ask(await sign({ scope: 'sessions:write' }), 'create_session')).status).toBe(200);
  });

  it('are announced by the metadata of RFC 9728, to anybody', async () => {
    for (const path of [
      '/.well-known/oauth-protected-resource/mcp',
      '/.well-known/oauth-protected-resource',
    ]) {
      const answer = await send(product.port, {
        method: 'GET',
        path,
        headers: { origin: 'https://any.example' },
      });
      expect(answer.status).toBe(200);
      expect(answer.headers['access-control-allow-origin']).toBe('*');
      expect(JSON.parse(answer.body)).toMatchObject({
        resource: audience,
        authorization_servers: [issuer.url],
        scopes_supported: ['sessions:read', 'sessions:write', 'sessions:admin'],
      });
    }
  });

  const timing = { cooldownMs: 50, retryMs: 20 };

  it('follow the issuer when it changes its keys', async () => {
    const check = await openJwts(settings, timing);
    expect(await check(await sign())).toMatchObject({ principal: { userId: 'alice' } });
    const next = await newKeys('k2');
    issuer.state.keys = [keys.jwk, next.jwk];
    await pause(60);
    expect(await check(await sign({}, next))).toMatchObject({ principal: { userId: 'alice' } });
  });

  it('do not make us ask the issuer for every unknown key', async () => {
    const check = await openJwts(settings, { ...timing, cooldownMs: 60_000 });
    await check(await sign());
    const before = issuer.state.fetches;
    for (let i = 0; i < 20; i += 1)
      expect(await check(await sign({}, { ...keys, kid: `no-${i}` }))).toBeUndefined();
    expect(issuer.state.fetches).toBe(before);
  });

  it('wait for an issuer that is down, and take no other’s word', async () => {
    const check = await openJwts(settings, timing);
    issuer.state.down = true;
    await expect(check(await sign())).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    issuer.state.down = false;
    issuer.state.claimsToBe = 'https://evil.example';
    await pause(40);
    await expect(check(await sign())).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    issuer.state.claimsToBe = undefined;
    await pause(40);
    expect(await check(await sign())).toMatchObject({ principal: { userId: 'alice' } });
  });

  it.each(['html', 'reset', 'hang'] as const)(
    'are checked by the second metadata address when the first is no good: %s',
    async (first) => {
      const check = await openJwts(settings, { ...timing, fetchMs: 300 });
      issuer.state.first = first;
      expect(await check(await sign())).toMatchObject({ principal: { userId: 'alice' } });
      issuer.state.first = undefined;
    },
  );

  it('follow the issuer when its keys move', async () => {
    const check = await openJwts(settings, { ...timing, freshMs: 30 });
    await check(await sign());
    // Only the moved keys have the new one; the last keys, which stay in use for a while, do not.
    const next = await newKeys('k-moved');
    const before = issuer.state.keys;
    issuer.state.keysPath = '/moved/keys';
    issuer.state.keys = [keys.jwk, next.jwk];
    await pause(60);
    expect(await check(await sign({}, next))).toMatchObject({ principal: { userId: 'alice' } });
    issuer.state.keysPath = '/keys';
    issuer.state.keys = before;
  });

  it('are checked by the last keys while the issuer is down, for a bounded time', async () => {
    const check = await openJwts(settings, { ...timing, freshMs: 30, staleMs: 1500 });
    await check(await sign());
    const began = performance.now();
    issuer.state.down = true;
    try {
      await pause(60);
      expect(await check(await sign())).toMatchObject({ principal: { userId: 'alice' } });
      expect(await check(await sign({ exp: 1 }))).toBeUndefined();
      // The issuer may have published an unknown key since the last fetch.
      const unknown = await newKeys('k9');
      await expect(check(await sign({}, unknown))).rejects.toMatchObject({ code: 'UNAVAILABLE' });
      await pause(1600 - (performance.now() - began));
      await expect(check(await sign())).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    } finally {
      issuer.state.down = false;
    }
    await pause(40);
    expect(await check(await sign())).toMatchObject({ principal: { userId: 'alice' } });
  });

  it('need a public address on a server that the network can reach: it is what they are issued for', async () => {
    const forNetwork = { host: '0.0.0.0', oauth: settings };
    await expect(startProduct({ settings: forNetwork })).rejects.toMatchObject({
      code: 'FAILED_PRECONDITION',
      message: expect.stringContaining('--public-url'),
    });
    const reachable = await startProduct({ settings: { ...forNetwork, publicUrl: audience } });
    await reachable.end();
  });

  it('name the port that the server got, where it was left to choose', async () => {
    const other = await startProduct({ settings: { oauth: settings } });
    const { body } = await send(other.port, {
      method: 'GET',
      path: '/.well-known/oauth-protected-resource/mcp',
    });
    expect(JSON.parse(body)).toMatchObject({ resource: `http://127.0.0.1:${other.port}/mcp` });
    await other.end();
  });

  it('answer 503, not 401, while the keys cannot be had', async () => {
    const nowhere = { ...settings, issuer: 'http://127.0.0.1:9' };
    const other = await startProduct({ settings: { oauth: nowhere } });
    const sent = modernRequest('tools/list');
    const headers = { ...sent.headers, authorization: `Bearer ${await sign()}` };
    const answer = await send(other.port, { ...sent, headers });
    expect(answer.status).toBe(503);
    expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0);
    expect(JSON.stringify(other.entries)).not.toContain(await sign());
    await other.end();
  });
});
