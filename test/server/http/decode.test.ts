import http from 'node:http';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openLocal } from '../../../src/backend/local/index.ts';
import { openStore } from '../../../src/store/open.ts';
import { scratch } from '../../scratch.ts';
import { type Product, startProduct } from './harness.ts';
import { bearer, type Json, modernRequest, resultOf, send, tokensFor, toolCall } from './requests.ts';

const users = tokensFor({
  ann: ['sessions:read', 'sessions:write'],
  root: ['sessions:admin', 'sessions:read'],
});

const folder = scratch();

describe('what comes in over HTTP', () => {
  let product: Product;
  beforeAll(async () => {
    const store = await openStore({ url: undefined, durability: 'full', dataDir: folder });
    product = await startProduct({ settings: { tokens: users }, backend: openLocal({ store }) });
  });
  afterAll(() => product.end());

  const call = async (user: string, name: string, args: Json = {}) => {
    const sent = toolCall(name, args);
    return send(product.port, { ...sent, headers: { ...sent.headers, ...bearer(user) } });
  };

  /** Sends raw bytes. */
  function sendBytes(body: Buffer): Promise<{ status: number; body: string }> {
    const { headers } = toolCall('create_session');
    return new Promise((resolve, reject) => {
      const options = { host: '127.0.0.1', port: product.port, path: '/mcp', method: 'POST' };
      const req = http.request(
        { ...options, headers: { ...headers, ...bearer('ann') }, agent: false },
        (res) => {
          const chunks: Buffer[] = [];
          res.on('data', (chunk: Buffer) => chunks.push(chunk));
          res.on('end', () =>
            resolve({ status: res.statusCode ?? 0, body: Buffer.concat(chunks).toString() }),
          );
        },
      );
      req.on('error', reject);
      req.end(body);
    });
  }

  it.each<[string, (json: Buffer) => Buffer, number]>([
    [
      'bytes that are no UTF-8',
      (json) => Buffer.from(json.toString('latin1').replace('NAME', '\xff\xfe'), 'latin1'),
      -32700,
    ],
    [
      'half a character in UTF-8',
      (json) => Buffer.from(json.toString('latin1').replace('NAME', '\xed\xa0\xbd'), 'latin1'),
      -32700,
    ],
    [
      'an argument __proto__',
      (json) => Buffer.from(json.toString().replace('displayName', '__proto__')),
      -32602,
    ],
  ])('is refused if it has %s, and nothing is stored', async (_what, spoil, code) => {
    const json = Buffer.from(JSON.stringify(toolCall('create_session', { displayName: 'NAME' }).body));
    const answer = await sendBytes(spoil(json));
    expect([answer.status, JSON.parse(answer.body)]).toMatchObject([400, { error: { code } }]);
    expect(resultOf(await call('ann', 'list_sessions')).result).toMatchObject({
      structuredContent: { sessions: [] },
    });
  });

  it('is refused if it has an address that is longer than any, by a sentence', async () => {
    const uri = `session://default/${'a'.repeat(1_100_000)}`;
    const ref = { type: 'ref/resource', uri };
    for (const [method, params] of [
      ['resources/read', { uri }],
      ['completion/complete', { ref, argument: { name: 'app', value: '' } }],
    ] as const) {
      const { headers, body } = modernRequest(method, params);
      // The name of a request is in its headers too, where there is no room for this one.
      const sent = { headers: { ...headers, ...bearer('ann'), 'mcp-name': 'x' }, body };
      const answer = await send(product.port, sent);
      expect([answer.status, resultOf(answer)]).toMatchObject([
        400,
        {
          error: {
            code: -32602,
            message: expect.stringMatching(/^INVALID_ARGUMENT: "uri" is longer than 16384 /),
          },
        },
      ]);
    }
  });

  it.each<[string, string]>([
    ['half a character as an escape', '{"x":"\\ud83d"}'],
    ['a key __proto__ in an argument', '{"__proto__":{"x":1}}'],
    ['nesting of 20,000', `${'{"a":'.repeat(20_000)}1${'}'.repeat(20_000)}`],
  ])('is refused by the tool if it has %s', async (_what, state) => {
    const json = JSON.stringify(toolCall('create_session', { state: 'STATE' }).body).replace(
      '"STATE"',
      state,
    );
    const answer = await sendBytes(Buffer.from(json));
    expect(answer.body).toContain('INVALID_ARGUMENT');
    expect(answer.body).toContain('state');
    expect(resultOf(await call('ann', 'list_sessions')).result).toMatchObject({
      structuredContent: { sessions: [] },
    });
  });

  it('shows paths of this machine to admins only', async () => {
    expect((await call('root', 'describe_server')).body).toContain(path.basename(folder));
    const { body } = await call('ann', 'describe_server');
    expect(body).not.toContain(path.basename(folder));
    expect(body).toContain('sqlite');
  });
});
