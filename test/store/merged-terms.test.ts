import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { gunzipSync } from 'node:zlib';
import { beforeEach, describe, expect, test } from 'vitest';
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
  toTake: 'take_later',
};

function count(which: keyof typeof rows): number {
  const db = new DatabaseSync(path, { readOnly: true });
  const { n } = db.prepare(`select count(*) as n from ${rows[which]}`).get() as { n: number };
  db.close();
  return n;
}

/** The terms of the index, and those that the rows say it should hold. */
function terms(): { held: string[]; due: string[] } {
  const db = new DatabaseSync(path);
  db.exec(`insert into term_index (term_index) values ('integrity-check')`);
  db.exec('create virtual table temp.held using fts5vocab (main, term_index, instance)');
  const held = db.prepare('select doc, term from temp.held').all() as { doc: number; term: string }[];
  const due = db
    .prepare(`select id, term_list from kv where term_list is not null and id <= (select id from merged)
      and id not in (select id from merge_later) union all select id, term_list from take_later`)
    .all() as { id: number; term_list: string }[];
  db.close();
  const lists = due.flatMap(({ id, term_list: list }) => {
    const [prefix = '', ...rest] = list.split(' ');
    return [prefix, ...rest.map((term) => prefix + term)].map((term) => `${id} ${term}`);
  });
  return { held: held.map(({ doc, term }) => `${doc} ${term}`).sort(), due: lists.sort() };
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

describe('terms of entries that lose their text and stay', () => {
  const hide = (key: string): Write => ({ key, value: 'hidden' });
  const toTake = () => count('toTake');
  const text = (key: string) => `tea ${key}`;
  const names = Array.from({ length: 60 }, (_, i) => `k${i}`);

  test('stay in the index until a sweep, and cost no other entry its place', async () => {
    await write(...names.map((key) => put(key, text(key))));
    await store.sweep();
    await write(...names.slice(1).map(hide));
    expect(toTake()).toBe(names.length - 1);
    expect(await store.search({ scope: 's', text: 'tea', limit: 1 })).toMatchObject([{ key: 'k0' }]);
    while (await store.sweep());
    expect([toTake(), count('merged')]).toEqual([0, 1]);
    expect(await found('tea')).toEqual(['k0']);
  });

  test('need not come back, where the same text does', async () => {
    await write(...names.map((key) => put(key, text(key))));
    await store.sweep();
    await write(...names.map(hide));
    await write(...names.map((key) => put(key, text(key))));
    expect([toTake(), count('unmerged')]).toEqual([0, 0]);
    expect(await found('tea')).toEqual(names.toSorted());
  });

  test('go at once with what is erased, replaced or dropped', async () => {
    await write(put('a', 'tea'), put('b', 'tea'), put('c', 'tea'), put('d', 'tea'));
    await store.sweep();
    await write(hide('a'), hide('b'), hide('c'), hide('d'));
    await write({ key: 'a', value: '' }, { drop: 'b' }, put('c', 'coffee'), { key: 'd', value: 'other' });
    expect([toTake(), count('merged')]).toEqual([0, 0]);
    expect([await found('tea'), await found('coffee')]).toEqual([[], ['c']]);
  });

  test('whatever is done to the entries, the index holds what it should, and searches find it', async () => {
    const bodies = new Map<string, string>();
    let seed = Number(process.env.SEED ?? 7);
    const next = (below: number) => {
      seed = (seed * 48271) % 2147483647;
      return seed % below;
    };
    for (let round = 0; round < Number(process.env.TERM_ROUNDS ?? 60); round += 1) {
      const batch = new Map(Array.from({ length: 1 + next(20) }, () => [`k${next(40)}`, next(5)]));
      await write(
        ...Array.from(batch, ([key, what]): Write => {
          const body = what === 0 ? `tea ${key} ${next(3)}` : text(key);
          if (what < 2) bodies.set(key, body);
          else bodies.delete(key);
          return what < 2 ? put(key, body) : what === 4 ? { drop: key } : hide(key);
        }),
      );
      expect(await found('tea')).toEqual([...bodies.keys()].sort());
      if (next(5) === 0) await store.sweep();
      const { held, due } = terms();
      expect(held).toEqual(due);
    }
    while (await store.sweep());
    expect([toTake(), count('merged')]).toEqual([0, bodies.size]);
  });
});

// A store of schema version 6: k0 was replaced and k1 hidden, k2 dropped, k30 and k31 are not merged.
test('a store of before is brought up to date', async () => {
  const packed = readFileSync(new URL('fixtures/before-take-later.db.gz', import.meta.url));
  await store.close();
  writeFileSync(path, gunzipSync(packed));
  store = await openSqlite({ path, durability: 'normal' });
  const there = ['k30', 'k31', ...Array.from({ length: 27 }, (_, i) => `k${i + 3}`)];
  expect(await found('tea')).toEqual(there.toSorted());
  await write(...there.slice(0, 20).map((key): Write => ({ key, value: 'hidden' })));
  expect(count('toTake')).toBeGreaterThan(0);
  for (let more = true; more; more = await store.sweep()) {
    expect([await found('tea'), await found('coffee')]).toEqual([there.slice(20).sort(), ['k0']]);
    const { held, due } = terms();
    expect(held).toEqual(due);
  }
  expect([count('toTake'), count('unmerged'), count('merged')]).toEqual([0, 0, 10]);
});
