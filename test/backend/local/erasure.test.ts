import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { openLocal } from '../../../src/backend/local/index.ts';
import { maintain } from '../../../src/backend/local/maintenance.ts';
import type { Backend } from '../../../src/backend/types.ts';
import { openSqlite } from '../../../src/store/sqlite/index.ts';
import type { Store } from '../../../src/store/types.ts';
import { scratch } from '../../scratch.ts';

const owner = { app: 'a', userId: 'u' };
const ref = { ...owner, sessionId: 's' };
let file: string;
let clock: number;
let store: Store;
let local: Required<Backend>;

beforeEach(async () => {
  file = path.join(scratch(), 'sessions.db');
  clock = Date.parse('2026-01-01T00:00:00Z');
  const now = () => clock;
  store = await openSqlite({ path: file, durability: 'normal', now });
  local = openLocal({ store, now }) as Required<Backend>;
  for (const sessionId of ['s', 'stays']) {
    await local.sessions.create?.(owner, { sessionId });
    for (let i = 0; i < 50; i++) await say(sessionId, `Plain line ${i} of ${sessionId}.`);
  }
  return () => local.close();
});

// Whatever was deleted, the rest is as it was.
afterEach(async () => {
  const page = await local.events.list?.({ ...owner, sessionId: 'stays' }, { pageSize: 100 });
  expect(page?.items).toHaveLength(50);
});

const say = (sessionId: string, text: string, id?: string) =>
  local.events.append?.(
    { ...owner, sessionId },
    { id, author: 'user', content: { role: 'user', parts: [{ text }] } },
  );

/** Looked at by another process: this one would lose its locks on the file by closing it. */
function held(text: string): boolean {
  const files = ['', '-wal', '-shm'].map((suffix) => file + suffix).filter((name) => existsSync(name));
  return spawnSync('grep', ['--text', '--fixed-strings', '--quiet', text, ...files]).status === 0;
}

const gone = () => vi.waitFor(() => expect(held('SECRET')).toBe(false), { timeout: 10_000, interval: 100 });

test('the text of a deleted event is gone from the bytes', async () => {
  await say('s', 'SECRET, said by mistake', 'mistake');
  await say('s', 'And then something else');
  expect(held('SECRET')).toBe(true);
  await local.events.delete?.(ref, 'mistake', {});
  await gone();
});

test.each([10, 300])('a deleted session of %i events is gone from the bytes', async (count) => {
  for (let i = 0; i < count; i++) await say('s', `SECRET ${i} `.repeat(30));
  await local.sessions.update?.(ref, { displayName: 'SECRET name', state: { note: 'SECRET state' } }, {});
  await local.artifacts.save?.(ref, {
    name: 'SECRET.txt',
    mimeType: 'text/plain',
    data: Buffer.from('SECRET content'),
  });
  expect(held('SECRET')).toBe(true);
  await local.sessions.delete?.(ref, {});
  await gone();
});

test('a deleted session is gone with the answer, not with a later round', async () => {
  const alone = openLocal({ store, maintains: false });
  for (let i = 0; i < 40; i++) await say('s', `SECRET ${i}`);
  await alone.sessions?.delete?.(ref, {});
  const { length } = await store.range({ prefix: '', limit: 1000 });
  await maintain({ store, now: () => clock + 1e9 });
  expect(await store.range({ prefix: '', limit: 1000 })).toHaveLength(length);
  await gone();
});

test('a session that expired is gone from the bytes with the next round of maintenance', async () => {
  await local.sessions.update?.(ref, { expireTime: '2026-01-02T00:00:00Z' }, {});
  for (let i = 0; i < 20; i++) await say('s', `SECRET ${i}`);
  clock += 2 * 24 * 3_600_000;
  await maintain({ store, now: () => clock });
  await gone();
});

test('a deleted memory is gone from the bytes, its words included', async () => {
  for (let i = 0; i < 100; i++) await local.memory.create?.(owner, { fact: `Plain fact number ${i}` });
  const memory = await local.memory.create?.(owner, { fact: 'The SECRET word is xyzzyplugh' });
  expect([held('SECRET'), held('xyzzyplugh')]).toEqual([true, true]);
  await local.memory.delete?.(owner, memory?.id ?? '');
  await gone();
  expect(held('xyzzypl')).toBe(false);
});
