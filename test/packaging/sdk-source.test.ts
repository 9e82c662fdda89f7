import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import {
  isJSONRPCErrorResponse,
  isJSONRPCNotification,
  isJSONRPCRequest,
  isJSONRPCResultResponse,
} from '@modelcontextprotocol/server';
import { build } from 'esbuild';
import { beforeAll, expect, it } from 'vitest';
import { sdkSource } from '../../scripts/sdk-source.ts';
import { scratch } from '../scratch.ts';

const published = {
  isJSONRPCErrorResponse,
  isJSONRPCNotification,
  isJSONRPCRequest,
  isJSONRPCResultResponse,
};
const kinds = Object.keys(published) as (keyof typeof published)[];

let text: string;

beforeAll(async () => {
  const { outputFiles } = await build({
    stdin: {
      contents: `export { ${kinds.join(', ')} } from '@modelcontextprotocol/server';`,
      resolveDir: import.meta.dirname,
    },
    write: false,
    bundle: true,
    format: 'esm',
    platform: 'node',
    plugins: [sdkSource],
  });
  text = outputFiles[0]?.text ?? '';
});

/** The values, right and wrong ones, that each key of a message may have; `absent`: the message has no such key. */
const absent = Symbol('absent');
const values: Record<string, unknown[]> = {
  jsonrpc: ['2.0', '1.0', absent],
  id: [1, 'a', 1.5, null, undefined, absent],
  method: ['tools/list', 7, undefined, absent],
  params: [{}, { _meta: { progressToken: 1 } }, [], 'text', absent],
  result: [{}, { _meta: {} }, null, undefined, absent],
  error: [{ code: -1, message: 'no' }, {}, undefined, absent],
  more: [1, absent],
};

/** Messages with every value of every key. */
const messages = Object.entries(values).reduce<Record<string, unknown>[]>(
  (all, [key, choices]) =>
    all.flatMap((message) =>
      choices.map((value) => (value === absent ? message : { ...message, [key]: value })),
    ),
  [{}],
);

it('messages have the kind that the SDK gives them', async () => {
  const ours = (await import(`data:text/javascript,${encodeURIComponent(text)}`)) as typeof published;
  const others = [null, undefined, 'text', 1, [], [{ jsonrpc: '2.0', method: 'ping', id: 1 }]];
  for (const kind of kinds) {
    const yes = messages.filter((message) => published[kind](message));
    expect(yes.length, kind).toBeGreaterThan(1);
    expect(messages.filter((message) => ours[kind](message))).toEqual(yes);
    for (const other of others) expect(ours[kind](other)).toBe(false);
  }
});

it('the bundle asks messages by their keys, and holds the schemas that are used, and no others', () => {
  expect(text.match(/"\w+" in value/g)).toHaveLength(6);
  expect(text).toContain('JSONRPCRequestSchema = ');
  expect(text).not.toContain('OpenIdProviderMetadataSchema = ');
});

it('a build fails where the SDK has another form, even in one place', async () => {
  const resolveDir = scratch();
  const dist = path.join(resolveDir, 'node_modules/@modelcontextprotocol/server/dist');
  mkdirSync(dist, { recursive: true });
  const guard = (kind: string, ask: string) =>
    `const isJSONRPC${kind} = (value) => JSONRPC${kind}Schema.${ask}(value).success;`;
  const lines = [
    'for (const [key, schema] of []) register(key, schema);',
    guard('Request', 'safeParse'),
    guard('Notification', 'tryParse'),
    guard('ResultResponse', 'safeParse'),
    guard('ErrorResponse', 'safeParse'),
  ];
  writeFileSync(path.join(dist, 'renamed.mjs'), lines.join('\n'));
  const contents = 'import "./node_modules/@modelcontextprotocol/server/dist/renamed.mjs";';
  const built = build({
    stdin: { contents, resolveDir },
    write: false,
    bundle: true,
    logLevel: 'silent',
    plugins: [sdkSource],
  });
  await expect(built).rejects.toMatchObject({
    errors: [{ text: expect.stringContaining('another form now: see whether askByKeys of Notification is') }],
  });
});
