import { join } from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import { openSqlite } from '../../src/store/sqlite/index.ts';
import type { Store, Write } from '../../src/store/types.ts';
import { scratch } from '../scratch.ts';

/** Entries without values that go and come in one update keep their rows, and nobody shall notice. */

let store: Store;
let time = 0;

beforeEach(async () => {
  time = 0;
  store = await openSqlite({ path: join(scratch(), 'a.db'), durability: 'normal', now: () => time });
  return () => store.close();
});

const write = (...writes: Write[]) => store.update([], () => ({ result: undefined, writes }));
const entry = (key: string): Write => ({ key, value: '' });
const keys = async (prefix = '') =>
  (await store.range({ prefix, limit: 99 })).map(({ key, value }) =>
    value === '' ? key : `${key}=${value}`,
  );

test('an entry goes where another comes, in several lists at once', async () => {
  await write(entry('l/1'), entry('m/1'), { key: 'x', value: 'v' });
  await write({ drop: 'l/1' }, { drop: 'm/1' }, entry('l/2'), entry('m/2'), { key: 'x', value: 'w' });
  expect(await keys()).toEqual(['l/2', 'm/2', 'x=w']);
  await write({ drop: 'm/2' }, { drop: 'l/2' }, entry('l/3'), entry('l/4'));
  expect(await keys()).toEqual(['l/3', 'l/4', 'x=w']);
});

test('what goes need not be there, may have a value or a text, and what comes may be there', async () => {
  await write({ drop: 'l/none' }, entry('l/1'));
  await write(
    { key: 'l/value', value: 'v' },
    { key: 'l/text', value: '', text: { scope: 's', body: 'tea' } },
  );
  await write({ drop: 'l/value' }, { drop: 'l/text' }, entry('l/1'), entry('l/2'));
  expect(await keys()).toEqual(['l/1', 'l/2']);
  await write({ drop: 'l/1' }, entry('l/2'));
  expect(await keys()).toEqual(['l/2']);
  expect(await store.search({ scope: 's', text: 'tea', limit: 9 })).toEqual([]);
});

test('an entry that has expired does not live on as another, and none inherits a time to go', async () => {
  await write({ key: 'l/1', value: '', expires: 10 });
  time = 20;
  await write({ drop: 'l/1' }, entry('l/2'));
  time = 30;
  while (await store.sweep());
  expect(await keys()).toEqual(['l/2']);
  await write({ drop: 'l/2' }, { key: 'l/3', value: '', expires: 40 });
  time = 50;
  expect(await keys()).toEqual([]);
});

test('a prefix that goes takes what was below it, and not what comes with it', async () => {
  await write(entry('l/1'), entry('l/2'));
  await write({ dropPrefix: 'l/' }, { drop: 'l/1' }, entry('l/3'));
  expect(await keys()).toEqual(['l/3']);
});
