import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { openStore, placeOf, secretsIn } from '../../../src/store/open.ts';
import { scratch } from '../../scratch.ts';

async function open(url: string) {
  const store = await openStore({ url, durability: 'full', dataDir: '.' });
  onTestFinished(() => store.close());
  return store;
}

const module = (text: string): string => {
  const file = join(scratch(), 'my store.mjs');
  writeFileSync(file, text);
  return file;
};
const keyv = `import { Keyv } from ${JSON.stringify(import.meta.resolve('keyv'))};`;

test.each([
  ['a Keyv', `${keyv} export default new Keyv();`],
  ['an adapter', 'export const store = new Map(); export default new Map();'],
  ['a class', 'export class Own extends Map { constructor() { super(); } }'],
  ['a function', `${keyv} export default async ({ size }) => new Keyv({ ttl: size === 5 ? undefined : 1 });`],
])('a module that exports %s is a store', async (_, text) => {
  const file = module(text);
  const store = await open(`keyv:${file}?size=5`);
  await store.update([], () => ({ result: 0, writes: [{ key: 'k', value: 'v' }] }));
  expect(await store.get(['k'])).toEqual(['v']);
  expect([store.engine, store.location]).toEqual(['keyv', `keyv:${file}`]);
  expect(store.limits?.join(' ')).toContain('one server at a time');
});

test('a package is found, made with its options, and holds what it held', async () => {
  const folder = scratch();
  const url = `keyv:keyv-file?filename=${encodeURIComponent(join(folder, 'a b.json'))}&writeDelay=1&namespace=mine`;
  const first = await openStore({ url, durability: 'full', dataDir: '.' });
  expect(first.location).toBe('keyv:keyv-file?namespace=mine');
  const text = { scope: 's', body: 'green tea' };
  await first.update([], () => ({
    result: 0,
    writes: [{ key: 'k', value: 'v', text, expires: Date.now() + 3_600_000 }],
  }));
  await first.close();
  const again = await open(url);
  expect(await again.get(['k'])).toEqual(['v']);
  expect(await again.search({ scope: 's', text: 'tea', limit: 5 })).toHaveLength(1);
});

test.each([
  ['keyv:', 'INVALID_ARGUMENT', 'The Keyv store names neither a package nor a module.'],
  ['keyv:no package?password=hunter2', 'INVALID_ARGUMENT', 'names neither'],
  ['keyv:keyv-file?namespace=a/b', 'INVALID_ARGUMENT', 'namespace'],
  [
    'keyv:no-such-package-here?password=hunter2',
    'FAILED_PRECONDITION',
    '"no-such-package-here", which is not installed',
  ],
  ['keyv:/no/such/module.mjs?password=hunter2', 'FAILED_PRECONDITION', 'could not be made'],
])('%j is refused', async (url, code, message) => {
  const opening = openStore({ url, durability: 'full', dataDir: '.' });
  await expect(opening).rejects.toMatchObject({ code, message: expect.stringContaining(message) });
  await expect(opening).rejects.not.toMatchObject({ message: expect.stringContaining('hunter2') });
});

test('a module that exports something else is refused', async () => {
  const file = module('export default 5;');
  await expect(open(`keyv:${file}`)).rejects.toMatchObject({
    message: 'The module of the store exports no Keyv and no adapter for one.',
  });
});

test('paths are absolute, and what is in the options is for nobody to see', () => {
  const url = 'keyv:./here.mjs?uri=postgres%3A%2F%2Fada%3Ahunter2%40db%2Fx&token=t0ken';
  expect(placeOf({ url, dataDir: '' })).toMatchObject({ location: `keyv:${process.cwd()}/here.mjs` });
  expect(secretsIn(url)).toEqual(['hunter2', 't0ken']);
  expect(secretsIn('redis://:pa55@host')).toEqual(['pa55']);
  expect(secretsIn('postgres://ada:p@5/5@host/db?password=other')).toEqual(['p@5/5', 'other']);
  expect(secretsIn('sqlite:/a/b@c:d@e')).toEqual([]);
});
