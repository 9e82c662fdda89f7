import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { beforeEach, expect, test } from 'vitest';
import { openSqlite } from '../../src/store/sqlite/index.ts';
import type { Store, Write } from '../../src/store/types.ts';
import { scratch } from '../scratch.ts';

let path: string;
let store: Store;

beforeEach(async () => {
  path = join(scratch(), 'a.db');
  store = await openSqlite({ path, durability: 'normal' });
  return () => store.close();
});

const write = (...writes: Write[]) => store.update([], () => ({ result: undefined, writes }));
const put = (key: string, body: string): Write => ({ key, value: body, text: { scope: 's', body } });
const found = async (text: string) =>
  (await store.search({ scope: 's', text, limit: 1000 })).map((hit) => hit.key).sort();

function count(table: 'unmerged' | 'term_index_docsize'): number {
  const db = new DatabaseSync(path, { readOnly: true });
  const { n } = db.prepare(`select count(*) as n from ${table}`).get() as { n: number };
  db.close();
  return n;
}

test('entries are found before their terms are in the index, and after', async () => {
  for (let i = 0; i < 300; i += 1) {
    await write(put(`k${i}`, `tea ${i === 0 ? 'first' : i === 299 ? 'last' : ''}`));
    if (i % 50 === 0) expect(await found('tea')).toHaveLength(i + 1);
  }
  expect(count('term_index_docsize')).toBeGreaterThan(200);
  expect(count('unmerged')).toBeGreaterThan(0);
  expect(await found('tea')).toHaveLength(300);
  expect(await found('first')).toEqual(['k0']);
  expect(await found('last')).toEqual(['k299']);
});

test.each([false, true])('replaced and dropped entries are gone, merged before: %s', async (merged) => {
  await write(put('a', 'green tea'), put('b', 'black tea'), put('c', 'white tea'));
  if (merged) await store.sweep();
  expect(count('unmerged')).toBe(merged ? 0 : 3);
  await write(put('a', 'coffee'), { drop: 'b' }, { key: 'c', value: 'no text' });
  expect(await found('tea')).toEqual([]);
  expect(await found('coffee')).toEqual(['a']);
  await store.sweep();
  expect(await found('tea')).toEqual([]);
  expect(await found('coffee')).toEqual(['a']);
  expect([count('unmerged'), count('term_index_docsize')]).toEqual([0, 1]);
  await write({ dropPrefix: '' });
  expect([count('unmerged'), count('term_index_docsize')]).toEqual([0, 0]);
});

test('another process finds what is not merged yet, and merges it', async () => {
  await write(put('a', 'tea'));
  const other = await openSqlite({ path, durability: 'normal' });
  expect((await other.search({ scope: 's', text: 'tea', limit: 9 })).map((hit) => hit.key)).toEqual(['a']);
  await other.sweep();
  await other.close();
  expect(count('unmerged')).toBe(0);
  expect(await found('tea')).toEqual(['a']);
});
