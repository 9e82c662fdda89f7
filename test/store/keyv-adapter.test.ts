import fc from 'fast-check';
import { Keyv } from 'keyv';
import { beforeEach, expect, onTestFinished, test } from 'vitest';
import { keyvAdapter } from '../../src/store/keyv-adapter.ts';
import { openSqlite } from '../../src/store/sqlite/index.ts';
import type { Store } from '../../src/store/types.ts';

let store: Store;
let clock: number;

beforeEach(async () => {
  clock = Date.now();
  store = await openSqlite({ path: ':memory:', durability: 'full', now: () => clock });
  return () => store.close();
});

async function entries(iterable: AsyncIterable<unknown> | undefined): Promise<unknown[]> {
  const found: unknown[] = [];
  for await (const entry of iterable ?? []) found.push(entry);
  return found;
}

test('every method of the interface', async () => {
  const adapter = keyvAdapter(store, 'n');
  expect(adapter.namespace).toBe('n');
  expect(await adapter.get('a')).toBeUndefined();
  expect(await adapter.has('a')).toBe(false);
  expect(await adapter.delete('a')).toBe(false);
  expect(await adapter.set('a', { deep: [1, null, 'x'] })).toBe(true);
  expect(await adapter.get('a')).toEqual({ deep: [1, null, 'x'] });
  expect(await adapter.has('a')).toBe(true);
  expect(
    await adapter.setMany<unknown>([
      { key: 'b', value: 'two' },
      { key: 'c', value: 3, expires: clock + 50 },
    ]),
  ).toEqual([true, true]);
  expect(await adapter.getMany(['c', 'nope', 'a', 'b'])).toEqual([
    3,
    undefined,
    { deep: [1, null, 'x'] },
    'two',
  ]);
  expect(await adapter.hasMany(['c', 'nope', 'b'])).toEqual([true, false, true]);
  expect(await entries(adapter.iterator?.())).toEqual([
    ['a', { deep: [1, null, 'x'] }],
    ['b', 'two'],
    ['c', 3],
  ]);
  clock += 50;
  expect(await adapter.get('c')).toBeUndefined();
  expect(await adapter.hasMany(['b', 'c'])).toEqual([true, false]);
  expect(await entries(adapter.iterator?.())).toHaveLength(2);
  expect(await adapter.deleteMany(['b', 'nope', 'c'])).toEqual([true, false, false]);
  expect(await adapter.delete('a')).toBe(true);
  await adapter.set('a', 1);
  await adapter.clear();
  expect(await store.range({ prefix: '', limit: 10 })).toEqual([]);
});

test.each([[false], [null], [undefined], [0], [''], ['text'], [[]], [{}], [{ value: 1, expires: 2 }]])(
  'keeps the value %j',
  async (value) => {
    const adapter = keyvAdapter(store);
    await adapter.set('k', value);
    expect(await adapter.get('k')).toEqual(value);
    expect(await adapter.has('k')).toBe(true);
  },
);

test('an expiry that is no time, or past, is taken for what it says', async () => {
  const adapter = keyvAdapter(store);
  await adapter.set('never', 1, Number.POSITIVE_INFINITY);
  await adapter.set('past', 1, clock - 1);
  await adapter.set('fraction', 1, clock + 0.5);
  expect(await adapter.hasMany(['never', 'past', 'fraction'])).toEqual([true, false, true]);
});

test('the iterator reads more than a page, and keys of any kind come back as they were', async () => {
  const adapter = keyvAdapter(store, 'n/%');
  const odd = ['a/b', '%2f', '%', '', 'ключ', '😀', '\0', '\ud800'];
  const keys = [...Array.from({ length: 250 }, (_, i) => `k${i}`), ...odd];
  await adapter.setMany(keys.map((key) => ({ key, value: key })));
  const found = (await entries(adapter.iterator?.())) as [string, string][];
  expect(found.map(([key]) => key).toSorted()).toEqual(keys.toSorted());
  for (const [key, value] of found) expect(value).toBe(key);
});

test('namespaces never meet, whatever they and the keys are', async () => {
  const name = fc.array(fc.constantFrom('a', 'b', '/', '%', ':', '::', '%002f', '\0', '😀', '\ud800'), {
    maxLength: 4,
  });
  const text = name.map((parts) => parts.join(''));
  await fc.assert(
    fc.asyncProperty(text, text, text, text, async (n1, k1, n2, k2) => {
      fc.pre(n1 !== n2 || k1 !== k2);
      const [one, two] = [keyvAdapter(store, n1), keyvAdapter(store, n2)];
      await one.set(k1, 'one');
      expect(await two.has(k2)).toBe(false);
      await two.set(k2, 'two');
      expect(await one.get(k1)).toBe('one');
      if (n1 !== n2) {
        await two.clear();
        expect(await one.get(k1)).toBe('one');
      }
      await one.clear();
      await two.clear();
    }),
    { numRuns: 200 },
  );
});

test('clear leaves other namespaces and the rest of the store alone', async () => {
  await store.update([], () => ({ result: undefined, writes: [{ key: 'ours', value: '1' }] }));
  const [none, one, longer] = [keyvAdapter(store), keyvAdapter(store, 'n'), keyvAdapter(store, 'nn')];
  for (const adapter of [none, one, longer]) await adapter.set('k', 1);
  await none.clear();
  expect(await one.has('k')).toBe(true);
  await one.clear();
  expect(await longer.has('k')).toBe(true);
  expect(await store.get(['ours'])).toEqual(['1']);
});

test('setMany writes all or nothing', async () => {
  const adapter = keyvAdapter(store);
  const entries = [
    { key: 'a', value: 1 },
    { key: 'b', value: 10n },
  ];
  await expect(adapter.setMany<unknown>(entries)).rejects.toThrow(TypeError);
  expect(await adapter.has('a')).toBe(false);
});

test('a Keyv on it: values, lists, expiry, namespace, iterator, clear, disconnect', async () => {
  const make = (namespace: string) => new Keyv({ store: keyvAdapter(store), namespace, throwOnErrors: true });
  const [users, teams] = [make('users'), make('teams')];
  expect(users.store.capabilities?.expires).toBe(true);
  await users.set('a', { name: 'Ada', tags: ['x', null] });
  await users.set('b', Buffer.from('bytes'));
  await users.set('c', 'short', 1000);
  await teams.set('a', 'other');
  expect(await users.get('a')).toEqual({ name: 'Ada', tags: ['x', null] });
  expect(await users.get('b')).toEqual(Buffer.from('bytes'));
  expect(await users.getMany(['c', 'nope'])).toEqual(['short', undefined]);
  expect((await entries(users.iterator())).length).toBe(3);
  clock += 2000;
  expect(await users.get('c')).toBeUndefined();
  expect(await users.has('c')).toBe(false);
  expect(await users.delete('a')).toBe(true);
  expect(await users.delete('a')).toBe(false);
  await users.clear();
  expect(await entries(users.iterator())).toEqual([]);
  expect(await teams.get('a')).toBe('other');
  await users.disconnect();
  expect(await teams.get('a')).toBe('other');
});

test('an adapter keeps the namespace it was made with where Keyv has none', async () => {
  const keyv = new Keyv({ store: keyvAdapter(store, 'mine') });
  await keyv.set('k', 1);
  expect(keyv.namespace).toBe('mine');
  expect(await keyvAdapter(store, 'mine').has('k')).toBe(true);
  expect(await keyvAdapter(store).has('k')).toBe(false);
});

test.each(['no JSON', 'null', ''])('a stored value that is %j is called damaged', async (damage) => {
  const adapter = keyvAdapter(store);
  await adapter.set('k', 1);
  const [entry] = await store.range({ prefix: '', limit: 1 });
  await store.update([], () => ({ result: undefined, writes: [{ key: entry?.key ?? '', value: damage }] }));
  await expect(adapter.get('k')).rejects.toMatchObject({
    code: 'FAILED_PRECONDITION',
    message: 'A stored value is damaged.',
  });
  await adapter.set('k', 2);
  expect(await adapter.get('k')).toBe(2);
});

test('errors come out of the call that failed', async () => {
  const closed = await openSqlite({ path: ':memory:', durability: 'full' });
  await closed.close();
  const adapter = keyvAdapter(closed);
  await expect(adapter.get('k')).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  await expect(adapter.set('k', 1)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  await expect(entries(adapter.iterator?.())).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  const keyv = new Keyv({ store: adapter, throwOnErrors: true });
  await expect(keyv.get('k')).rejects.toThrow('closed');
  await expect(keyv.set('k', 1)).rejects.toThrow('closed');
  const quiet = new Keyv({ store: adapter });
  const heard: unknown[] = [];
  quiet.on('error', (error: unknown) => heard.push(error));
  onTestFinished(() => expect(heard).toHaveLength(1));
  expect(await quiet.set('k', 1)).toBe(false);
});
