import { EventEmitter } from 'node:events';
import { hostname } from 'node:os';
import { expect, onTestFinished, test } from 'vitest';
import { openKeyvStore } from '../../../src/store/keyv/index.ts';
import type { Store } from '../../../src/store/types.ts';

const owner = 'agentsessions::owner';

/** An adapter on a Map, with some of its methods replaced. */
function adapter(data = new Map<string, unknown>(), change: object = {}) {
  const usual = {
    get: async (key: string) => data.get(key),
    set: async (key: string, value: unknown) => data.set(key, value) !== undefined,
    delete: async (key: string) => data.delete(key),
    clear: async () => {},
    async *iterator() {
      yield* data.entries();
    },
  };
  return Object.assign(new EventEmitter(), usual, change);
}

async function opened(keyv: object, patience?: number): Promise<Store> {
  const store = await openKeyvStore({ keyv, location: 'test', patience });
  onTestFinished(() => store.close());
  return store;
}

const put = (store: Store, key: string, value: string) =>
  store.update([], () => ({ result: 'stored', writes: [{ key, value }] }));

test('an adapter that cannot list its entries is refused', async () => {
  const refused = { code: 'FAILED_PRECONDITION', message: 'This Keyv adapter cannot list its entries.' };
  await expect(
    openKeyvStore({ keyv: adapter(new Map(), { iterator: undefined }), location: '' }),
  ).rejects.toMatchObject(refused);
  const empty = adapter(new Map(), { async *iterator() {} });
  await expect(openKeyvStore({ keyv: empty, location: '' })).rejects.toMatchObject(refused);
});

test('a listing that breaks off is no listing', async () => {
  const data = new Map<string, unknown>();
  const first = await openKeyvStore({ keyv: adapter(data), location: '' });
  for (let i = 0; i < 20; i++) await put(first, `k${i}`, 'v');
  await first.close();
  const broken = adapter(data, {
    async *iterator() {
      yield* [...data.entries()].slice(0, 5);
      broken.emit('error', new Error('the connection is gone'));
    },
  });
  await expect(openKeyvStore({ keyv: broken, location: '' })).rejects.toMatchObject({ code: 'UNAVAILABLE' });
});

test.each([
  ['answers false', async () => false],
  ['throws', async () => Promise.reject(new Error('disk full'))],
])('a write that %s is not acknowledged, and the next one is free of it', async (_, failing) => {
  const data = new Map<string, unknown>();
  const keyv = adapter(data);
  const store = await opened(keyv);
  const { set } = keyv;
  await put(store, 'a', '1');
  keyv.set = failing;
  await expect(put(store, 'a', '2')).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  expect(await store.get(['a'])).toEqual(['1']);
  keyv.set = set;
  expect(await put(store, 'b', '3')).toBe('stored');
  expect(await store.get(['a', 'b'])).toEqual(['1', '3']);
});

test('an error that is only reported by an event fails the call', async () => {
  const keyv = adapter();
  const store = await opened(keyv);
  const { set } = keyv;
  keyv.set = async () => keyv.emit('error', new Error('not connected'));
  await expect(put(store, 'a', '2')).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  keyv.set = set;
  expect(await put(store, 'a', '3')).toBe('stored');
});

test('what is acknowledged is read while the adapter is still refusing to take it, and is taken later', async () => {
  const data = new Map<string, unknown>();
  const keyv = adapter(data);
  const store = await opened(keyv, 300);
  const { set } = keyv;
  keyv.set = async (key, value) => (key.includes('intent') ? set(key, value) : false);
  expect(await put(store, 'a', '1')).toBe('stored');
  expect(await store.get(['a'])).toEqual(['1']);
  expect(await store.range({ prefix: '', limit: 9 })).toEqual([{ key: 'a', value: '1' }]);
  await expect(put(store, 'a', '2')).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  keyv.set = set;
  await new Promise((resolve) => setTimeout(resolve, 1000));
  expect(await put(store, 'b', '2')).toBe('stored');
  expect(await store.get(['a', 'b'])).toEqual(['1', '2']);
});

test('an adapter that forgets is found out before anything is acknowledged', async () => {
  const data = new Map<string, unknown>();
  const keyv = adapter(data);
  const store = await opened(keyv, 300);
  keyv.set = async (key, value) => {
    data.set(key, value);
    // A cache of two entries.
    for (const old of [...data.keys()].slice(0, -2)) data.delete(old);
    return true;
  };
  const writes = Promise.all([put(store, 'a', '1'), put(store, 'b', '2')]).then(() => put(store, 'c', '3'));
  await expect(writes).rejects.toMatchObject({
    code: expect.stringMatching(/UNAVAILABLE|FAILED_PRECONDITION/),
  });
});

test('a second server is refused, until the first has closed', async () => {
  const data = new Map<string, unknown>();
  const first = await openKeyvStore({ keyv: adapter(data), location: '' });
  await put(first, 'a', '1');
  const second = openKeyvStore({ keyv: adapter(data), location: '' });
  await expect(second).rejects.toMatchObject({
    code: 'FAILED_PRECONDITION',
    message: 'Another server has this Keyv store open.',
  });
  await put(first, 'a', '2');
  await first.close();
  const third = await opened(adapter(data));
  expect(await third.get(['a'])).toEqual(['2']);
});

test.each([
  ['on another host, just now', { host: 'elsewhere', pid: 1, ago: 1000 }, 'refused'],
  ['on another host, long ago', { host: 'elsewhere', pid: 1, ago: 60_000 }, 'opened'],
  ['on another host, tomorrow by a wrong clock', { host: 'elsewhere', pid: 1, ago: -86_400_000 }, 'opened'],
  ['on this host, a process that is gone', { host: hostname(), pid: 999_999_999, ago: 0 }, 'opened'],
  ['on this host, a process that is there', { host: hostname(), pid: process.ppid, ago: 1000 }, 'refused'],
  ['with the number of this process, before it', { host: hostname(), pid: process.pid, ago: 0 }, 'opened'],
])('an owner %s: %s', async (_, { host, pid, ago }, expected) => {
  const text = JSON.stringify({ id: 'other', host, pid, seen: Date.now() - ago });
  const data = new Map<string, unknown>([[owner, JSON.stringify({ value: text })]]);
  const outcome = await openKeyvStore({ keyv: adapter(data), location: '' }).then(
    async (store) => {
      await store.close();
      return 'opened';
    },
    () => 'refused',
  );
  expect(outcome).toBe(expected);
});

test('a server whose store was taken over acknowledges nothing more', async () => {
  const data = new Map<string, unknown>();
  const store = await opened(adapter(data));
  await put(store, 'a', '1');
  const other = { id: 'other', host: 'elsewhere', pid: 1, seen: Date.now() };
  data.set(owner, JSON.stringify({ value: JSON.stringify(other) }));
  await expect(put(store, 'a', '2')).rejects.toMatchObject({
    code: 'FAILED_PRECONDITION',
    message: 'Another server has taken over this Keyv store.',
  });
});

test('all values of a get are of one moment while others write', async () => {
  const slow = adapter();
  const { get } = slow;
  slow.get = async (key) => {
    await new Promise((resolve) => setTimeout(resolve, Math.random() * 3));
    return get(key);
  };
  const store = await opened(slow);
  // Too long to be kept in memory.
  const rest = 'x'.repeat(50_000);
  let done = false;
  const writing = (async () => {
    for (let i = 0; i < 40; i++)
      await store.update([], () => ({
        result: 0,
        writes: [
          { key: 'a', value: i + rest },
          { key: 'b', value: i + rest },
        ],
      }));
    done = true;
  })();
  while (!done) {
    const [a, b] = await store.get(['a', 'b']);
    expect(a === b).toBe(true);
    await new Promise((resolve) => setImmediate(resolve));
  }
  await writing;
});
