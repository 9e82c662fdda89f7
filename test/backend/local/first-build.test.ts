import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { gunzipSync } from 'node:zlib';
import { beforeEach, expect, test } from 'vitest';
import { openLocal } from '../../../src/backend/local/index.ts';
import { headKey, insideOf, trashKey } from '../../../src/backend/local/keys.ts';
import { maintain } from '../../../src/backend/local/maintenance.ts';
import { storedHead } from '../../../src/backend/local/session-record.ts';
import type { Backend } from '../../../src/backend/types.ts';
import { timeOfId } from '../../../src/model/ids.ts';
import { keyvAdapter } from '../../../src/store/keyv-adapter.ts';
import { openSqlite } from '../../../src/store/sqlite/index.ts';
import type { Store } from '../../../src/store/types.ts';
import { scratch } from '../../scratch.ts';

// A store that the first build wrote (schema version 2): a session of 20 events with one hidden and two deleted,
// state, an artifact, memories in several scripts, a Keyv entry, and traces of what had been deleted.
const packed = readFileSync(new URL('../../store/fixtures/first-build.db.gz', import.meta.url));
const owner = { app: 'default', userId: 'ada' };
const ref = { ...owner, sessionId: 'trip' };
let file: string;
let store: Store;
let local: Required<Backend>;

beforeEach(async () => {
  file = path.join(scratch(), 'sessions.db');
  writeFileSync(file, gunzipSync(packed));
  store = await openSqlite({ path: file, durability: 'full' });
  local = openLocal({ store }) as Required<Backend>;
  return () => local.close();
});

test('sessions, events, state, artifacts and Keyv entries are what they were', async () => {
  const session = await local.sessions.get?.(ref);
  expect(session).toMatchObject({
    displayName: 'Trip to Rome',
    labels: { kind: 'travel' },
    state: { city: 'Rome', step: 3, 'user:name': 'Ada', 'app:motd': 'hello' },
    eventCount: 20,
  });
  const page = await local.events.list?.(ref, { pageSize: 100, includeHidden: true });
  expect(page?.items.map((event) => event.id)).toEqual([
    ...[1, 2, 3, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20].map((i) => `e${i}`),
    'end',
  ]);
  expect(page?.items.find((event) => event.id === 'e5')?.hidden).toBe(true);
  // The script that wrote the store handed in a text for bytes: its checksum is not that of what was stored.
  expect((await local.artifacts.list?.(ref, { pageSize: 10 }))?.items[0]?.mimeType).toBe('text/plain');
  await expect(local.artifacts.get?.(ref, 'plan.txt')).rejects.toThrow('damaged');
  expect(await keyvAdapter(store, 'prefs').get('theme')).toBe('dark');
});

test('it goes on: appends, forks, deletes, and a second opening', async () => {
  await local.events.append?.(ref, { id: 'new', author: 'user', content: { parts: [{ text: 'Ciao' }] } });
  // The hidden event stays behind.
  await local.sessions.fork?.(ref, { newSessionId: 'copy' });
  await local.events.delete?.(ref, 'e2', {});
  expect((await local.sessions.get?.({ ...owner, sessionId: 'copy' }))?.eventCount).toBe(20);
  await local.close();
  const again = openLocal({
    store: await openSqlite({ path: file, durability: 'full' }),
  }) as Required<Backend>;
  expect((await again.sessions.get?.(ref))?.eventCount).toBe(20);
  await again.close();
});

test.each([
  ['house', 'Ada likes houses with gardens'],
  ['GARDENING', 'Ada likes houses with gardens'],
  ['run', 'Ada is running a marathon'],
  ['绿茶', '用户喜欢喝绿茶'],
  ['creme orleans', 'Café crème à Orléans'],
])('memories are found by %s, and their words go with them', async (text, fact) => {
  const search = () => local.memory.search?.(owner, { text, limit: 5 });
  const [found] = (await search()) ?? [];
  expect(found?.fact).toBe(fact);
  await local.memory.delete?.(owner, found?.id ?? '');
  expect((await search())?.map((memory) => memory.fact)).not.toContain(fact);
  await local.memory.create?.(owner, { fact });
  expect((await search())?.[0]?.fact).toBe(fact);
  const db = new DatabaseSync(file);
  db.exec("insert into term_index (term_index) values ('integrity-check')");
  expect(db.prepare('pragma integrity_check').all()).toEqual([{ integrity_check: 'ok' }]);
  db.close();
});

test('a fork whose process died between its last two commits keeps its contents', async () => {
  await local.sessions.fork?.(ref, { newSessionId: 'copy' });
  const [copy] = (await store.get([headKey({ ...owner, sessionId: 'copy' })])).map((value) =>
    storedHead(value ?? ''),
  );
  const uid = copy?.uid ?? '';
  // It made the session first, and ended the journal then.
  const journal = trashKey((timeOfId(uid) ?? 0) + 60 * 60 * 1000, uid);
  await store.update([], () => ({ result: undefined, writes: [{ key: journal, value: insideOf(uid) }] }));
  await maintain({ store, now: () => Date.now() + 2 * 60 * 60 * 1000 });
  const page = await local.events.list?.({ ...owner, sessionId: 'copy' }, { pageSize: 100 });
  expect(page?.items).toHaveLength(19);
  expect(await store.get([journal])).toEqual([undefined]);
});

test('the last event is found where a process of that time has appended since', async () => {
  await local.events.append?.(ref, { id: 'ours', author: 'user' });
  await local.events.append?.(ref, { id: 'theirs', author: 'user' });
  // It knows nothing of numbers of last events, and keeps what else a head holds.
  const stale = (await store.get([headKey(ref)])).map((value) => storedHead(value ?? ''))[0];
  const lastAt = { id: 'ours', seq: (stale?.lastAt?.seq ?? 0) - 1 };
  await store.update([], () => ({
    result: undefined,
    writes: [{ key: headKey(ref), value: JSON.stringify({ ...stale, lastAt }) }],
  }));
  await local.events.setVisibility?.(ref, 'ours', true);
  expect((await local.sessions.get?.(ref))?.lastEvent?.id).toBe('theirs');
  await local.events.setVisibility?.(ref, 'theirs', true);
  expect((await local.sessions.get?.(ref))?.lastEvent?.id).toBe('end');
});
