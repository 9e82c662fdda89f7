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
  (await store.search({ scope: 's', text, limit: 2000 })).map((hit) => hit.key).sort();

const rows = {
  merged: 'term_index_docsize',
  unmerged: `kv where term_list is not null
    and (id > (select id from merged) or id in (select id from merge_later))`,
};

function count(which: keyof typeof rows): number {
  const db = new DatabaseSync(path, { readOnly: true });
  const { n } = db.prepare(`select count(*) as n from ${rows[which]}`).get() as { n: number };
  db.close();
  return n;
}

test('entries are found before their terms are in the index, and after', async () => {
  const [entries, step] = [600, 40];
  for (let i = 0; i < entries; i += step) {
    const fresh = Array.from({ length: step }, (_, j) => i + j);
    await write(
      ...fresh.map((n) => put(`k${n}`, `tea ${n === 0 ? 'first' : n === entries - 1 ? 'last' : ''}`)),
    );
    if (i % 200 === 0) expect(await found('tea')).toHaveLength(i + step);
  }
  expect(count('merged')).toBeGreaterThan(500);
  expect(count('unmerged')).toBeGreaterThan(0);
  expect(await found('tea')).toHaveLength(entries);
  expect(await found('first')).toEqual(['k0']);
  expect(await found('last')).toEqual([`k${entries - 1}`]);
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
  expect([count('unmerged'), count('merged')]).toEqual([0, 1]);
  await write({ dropPrefix: '' });
  expect([count('unmerged'), count('merged')]).toEqual([0, 0]);
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

test('a row that takes the id of one that was dropped is found, merged, replaced and dropped like any other', async () => {
  await write(put('a', 'green tea'), put('b', 'black tea'));
  await store.sweep();
  await write({ drop: 'b' });
  await write(put('c', 'white tea'), put('d', 'red tea'));
  expect(await found('tea')).toEqual(['a', 'c', 'd']);
  await write(put('c', 'coffee'));
  expect(await found('tea')).toEqual(['a', 'd']);
  await store.sweep();
  expect(count('unmerged')).toBe(0);
  expect(await found('tea')).toEqual(['a', 'd']);
  expect(await found('coffee')).toEqual(['c']);
  await write({ drop: 'c' }, { drop: 'd' });
  expect([await found('tea'), await found('coffee')]).toEqual([['a'], []]);
  expect([count('merged'), count('unmerged')]).toEqual([1, 0]);
});

test('writes without text, too, move the mark: a search looks through few of them', async () => {
  await write(put('a', 'tea'));
  for (let i = 0; i < 5000; i += 100)
    await write(...Array.from({ length: 100 }, (_, j) => ({ key: `plain ${i + j}`, value: 'v' })));
  expect(count('unmerged')).toBe(0);
  expect(await found('tea')).toEqual(['a']);
});
