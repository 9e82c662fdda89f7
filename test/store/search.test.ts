import { beforeAll, expect, test } from 'vitest';
import { openSqlite } from '../../src/store/sqlite/index.ts';
import type { Put, Store } from '../../src/store/types.ts';

// Enough for words to be frequent in the sense of ranking.ts, where ranking works on what it can bound.
const facts = 12_000;
let store: Store;

function fact(i: number): string {
  const drink = i % 2 === 0 ? 'coffee' : 'tea';
  const rare = i === 5 ? 'and owns a saxophone' : i === 11_000 ? 'and owns a trombone' : '';
  const old = i === 2 || i === 7 ? 'since childhood' : '';
  return `The user likes ${drink} in the ${i % 3 === 0 ? 'morning' : 'evening'} ${old} ${rare}`;
}

beforeAll(async () => {
  store = await openSqlite({ path: ':memory:', durability: 'normal' });
  const put = (i: number, scope: string, body: string): Put => ({
    key: `${scope}/${String(i).padStart(6, '0')}`,
    value: body,
    text: { scope, body },
  });
  for (let from = 0; from < facts; from += 1000)
    await store.update([], () => ({
      result: undefined,
      writes: Array.from({ length: 1000 }, (_, i) => put(from + i, 'large', fact(from + i))),
    }));
  await store.update([], () => ({ result: undefined, writes: [put(1, 'small', 'The user likes coffee')] }));
  return () => store.close();
});

const found = async (query: string, scope = 'large') =>
  (await store.search({ scope, text: query, limit: 10 })).map((hit) => Number(hit.key.slice(-6)));

test('a rare word rules over words that are everywhere', async () => {
  expect((await found('what does the user with the saxophone like?'))[0]).toBe(5);
  expect((await found('does the user own a trombone'))[0]).toBe(11_000);
});

test('an old entry with a rare and a frequent word comes before one with the rare word alone', async () => {
  expect(await found('childhood')).toEqual([7, 2]);
  expect((await found('childhood coffee')).slice(0, 2)).toEqual([2, 7]);
});

test('of frequent words alone, entries with all of them come first, the newest first', async () => {
  const top = await found('coffee in the morning');
  expect(top).toHaveLength(10);
  for (const i of top) expect(i % 6).toBe(0);
  expect(top[0]).toBe(11_994);
});

test('a word that is in every entry still finds entries', async () => {
  expect(await found('user')).toHaveLength(10);
  expect(await found('the user')).toHaveLength(10);
});

test('a large scope next door changes nothing in a small one', async () => {
  expect(await found('coffee', 'small')).toEqual([1]);
  expect(await found('tea', 'small')).toEqual([]);
});
