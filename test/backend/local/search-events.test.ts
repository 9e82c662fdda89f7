import { beforeEach, expect, it, onTestFinished } from 'vitest';
import { openLocal } from '../../../src/backend/local/index.ts';
import { eventKey, indexedKey, sessionIdKey } from '../../../src/backend/local/keys.ts';
import { maintain } from '../../../src/backend/local/maintenance.ts';
import { storedHead } from '../../../src/backend/local/session-record.ts';
import type { Backend } from '../../../src/backend/types.ts';
import { textOf } from '../../../src/model/event.ts';
import { openSqlite } from '../../../src/store/sqlite/index.ts';
import type { Store } from '../../../src/store/types.ts';

const owner = { app: 'a', userId: 'u' };
let now: number;
let store: Store;
let local: Required<Backend>;

beforeEach(async () => {
  now = Date.now();
  store = await openSqlite({ path: ':memory:', durability: 'normal', now: () => now });
  local = openLocal({ store, now: () => now }) as Required<Backend>;
  return () => local.close();
});

const say = (sessionId: string, text: string) =>
  local.events.append?.({ ...owner, sessionId }, { author: 'user', content: { parts: [{ text }] } });
const search = (text: string) => local.events.search?.({ ...owner, text, limit: 10, around: 0 });
const found = async (text: string) => (await search(text))?.hits.map(({ event }) => textOf(event));

it('finds nothing of a session that has expired, before it is deleted and after', async () => {
  await local.sessions.create?.(owner, {
    sessionId: 's',
    expireTime: new Date(now + 60_000).toISOString(),
  });
  await say('s', 'the harbour');
  expect(await found('harbour')).toEqual(['the harbour']);
  now += 60_001;
  expect(await found('harbour')).toEqual([]);
  await maintain({ store, now: () => now });
  expect(await found('harbour')).toEqual([]);
});

it('finds nothing of a copy that is still being made', async () => {
  const staged = await local.transfer.stage?.(owner, { sessionId: 'copy' });
  await staged?.addEvent({
    id: 'e',
    author: 'user',
    invocationId: 'i',
    timestamp: new Date(now).toISOString(),
    content: { parts: [{ text: 'the harbour' }] },
  });
  expect(await found('harbour')).toEqual([]);
  await staged?.commit({});
  expect(await found('harbour')).toEqual(['the harbour']);
});

/** Takes away what the first version did not store. */
async function asStoredBefore(sessionId: string, texts: readonly string[]): Promise<void> {
  await local.sessions.create?.(owner, { sessionId });
  for (const text of texts) await say(sessionId, text);
  const [head] = (await store.range({ prefix: `s/a/u/${sessionId}`, limit: 1 })).map((row) =>
    storedHead(row.value),
  );
  const uid = head?.uid ?? '';
  const eventKeys = texts.map((_, i) => eventKey(uid, i));
  await store.update(eventKeys, (values) => ({
    result: undefined,
    writes: [
      ...eventKeys.map((key, i) => ({ key, value: values[i] ?? '' })),
      { drop: sessionIdKey(uid) },
      { drop: indexedKey },
    ],
  }));
}

it('indexes what an earlier version stored, says so until it is done, and goes on where it was stopped', async () => {
  await asStoredBefore('old', ['the harbour', 'hidden lighthouse']);
  await asStoredBefore('older', ['a harbour, too']);
  const { items = [] } = (await local.events.list?.({ ...owner, sessionId: 'old' }, { pageSize: 9 })) ?? {};
  await local.events.setVisibility?.({ ...owner, sessionId: 'old' }, items[1]?.id ?? '', true);
  expect(await found('harbour')).toEqual([]);
  expect((await search('harbour'))?.indexing).toBe(true);
  let asked = 0;
  await maintain({ store, now: () => now }, () => {
    asked += 1;
    return asked > 12;
  });
  await maintain({ store, now: () => now });
  expect((await search('harbour'))?.indexing).toBe(false);
  expect((await found('harbour'))?.toSorted()).toEqual(['a harbour, too', 'the harbour']);
  expect(await found('lighthouse')).toEqual([]);
  const again = await store.get([indexedKey]);
  await maintain({ store, now: () => now });
  expect(await store.get([indexedKey])).toEqual(again);
});

it('indexes memories of an earlier version anew', async () => {
  await local.memory.create?.(owner, { fact: 'They call getUserById' });
  const [row] = await store.range({ prefix: 'r/', limit: 1 });
  await store.update([], () => ({
    result: undefined,
    writes: [{ key: row?.key ?? '', value: row?.value ?? '' }, { drop: indexedKey }],
  }));
  const facts = async () => (await local.memory.search?.(owner, { text: 'user', limit: 5 }))?.length;
  expect(await facts()).toBe(0);
  await maintain({ store, now: () => now });
  expect(await facts()).toBe(1);
});

it('a new store has nothing to index, however soon the first session is made', async () => {
  const fresh = await openSqlite({ path: ':memory:', durability: 'normal' });
  const range: Store['range'] = async (query) => {
    await new Promise((resolve) => setTimeout(resolve, 20));
    return fresh.range(query);
  };
  const slow = openLocal({ store: { ...fresh, range } }) as Required<Backend>;
  onTestFinished(() => slow.close());
  await slow.sessions.create?.(owner, { sessionId: 's' });
  const found = await slow.events.search?.({ userId: owner.userId, text: 'tea', limit: 1, around: 0 });
  expect(found?.indexing).toBe(false);
});
