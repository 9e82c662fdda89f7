import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { beforeEach, describe, expect, it, test } from 'vitest';
import { openLocal } from '../../../src/backend/local/index.ts';
import { maintain } from '../../../src/backend/local/maintenance.ts';
import type { Backend } from '../../../src/backend/types.ts';
import { openStore } from '../../../src/store/open.ts';
import type { Store } from '../../../src/store/types.ts';
import { scratch } from '../../scratch.ts';

/**
 * While a commit is made, no other process can write. Each word of a text leaves the index singly, so the commits of
 * verbs that delete are counted by the texts that they take away.
 */
const owner = { app: 'app', userId: 'ada' };
const most = 40;

let store: Store;
let backend: Required<Backend>;
let largest: number;
/** Whether a commit takes as long as long texts make it: pace is kept by how long the last one took. */
let slow: boolean;
beforeEach(async () => {
  store = await openStore({ url: 'memory:', durability: 'normal', dataDir: '' });
  largest = 0;
  slow = false;
  backend = openLocal({ store: counting(store), maintains: false }) as Required<Backend>;
  return () => backend.close();
});

/** Notes the most texts that one update takes away. */
const counting = (of: Store): Store => ({
  ...of,
  async update(keys, decide) {
    const before = await textsIn(of);
    const result = await of.update(keys, decide);
    const taken = before - (await textsIn(of));
    if (slow) await new Promise((resolve) => setTimeout(resolve, 3 * taken));
    largest = Math.max(largest, taken);
    return result;
  },
});

async function textsIn(of: Store): Promise<number> {
  let count = 0;
  for (let after = 0; ; ) {
    const texts = await of.texts(after, 500);
    count += texts.filter(({ value }) => value !== '').length;
    const last = texts.at(-1);
    if (last === undefined) return count;
    after = last.place;
  }
}

async function session(sessionId: string, events: number) {
  await backend.sessions.create?.(owner, { sessionId });
  for (let i = 0; i < events; i += 1)
    await backend.events.append?.(
      { ...owner, sessionId },
      { author: 'user', content: { parts: [{ text: `line ${i}` }] } },
    );
}

describe('no commit takes many texts away at once', () => {
  it('of a session that is deleted, and yet it is gone at once', async () => {
    await session('s', 150);
    slow = true;
    await backend.sessions.delete?.({ ...owner, sessionId: 's' });
    expect(await backend.events.search?.({ ...owner, text: 'line', limit: 5, around: 0 })).toMatchObject({
      hits: [],
    });
    await maintain({ store: counting(store), now: Date.now });
    expect(await textsIn(store)).toBe(0);
    expect(largest).toBeGreaterThan(0);
    expect(largest).toBeLessThanOrEqual(most);
  });

  it('of memories that are deleted together', async () => {
    await session('s', 100);
    await backend.memory.addSession?.({ ...owner, sessionId: 's' }, {});
    slow = true;
    expect(await backend.memory.deleteAll?.(owner, { sessionIds: ['s'] })).toBe(100);
    expect(largest).toBeGreaterThan(0);
    expect(largest).toBeLessThanOrEqual(most);
  });
});

test('a rewinding notes what leaves the index of SQLite, and a sweep takes it out', async () => {
  const path = join(scratch(), 'sessions.db');
  const sqlite = await openStore({ url: `sqlite:${path}`, durability: 'normal', dataDir: '' });
  await backend.close();
  backend = openLocal({ store: sqlite, maintains: false }) as Required<Backend>;
  await session('s', 60);
  await sqlite.sweep();
  const ref = { ...owner, sessionId: 's' };
  const { items: [first] = [] } = (await backend.events.list?.(ref, { pageSize: 1 })) ?? {};
  const entriesIn = (table: string) => {
    const db = new DatabaseSync(path, { readOnly: true });
    const { n } = db.prepare(`select count(*) as n from ${table}`).get() as { n: number };
    db.close();
    return n;
  };
  const hits = async (limit: number) =>
    (await backend.events.search?.({ ...owner, text: 'line', limit, around: 1 }))?.hits.map((hit) => [
      hit.event.id,
      hit.after.length,
    ]);
  await backend.sessions.rewind?.(ref, { eventId: first?.id ?? '' });
  expect([entriesIn('take_later'), entriesIn('term_index_docsize')]).toEqual([59, 60]);
  for (const limit of [1, 50]) expect(await hits(limit)).toEqual([[first?.id, 0]]);
  await backend.sessions.rewind?.(ref, { undo: true });
  expect([entriesIn('take_later'), entriesIn('term_index_docsize')]).toEqual([0, 60]);
  expect(await hits(100)).toHaveLength(60);
  await backend.sessions.rewind?.(ref, { eventId: first?.id ?? '' });
  while (await sqlite.sweep());
  expect([entriesIn('take_later'), entriesIn('term_index_docsize')]).toEqual([0, 1]);
  expect(await hits(50)).toEqual([[first?.id, 0]]);
  await backend.sessions.rewind?.(ref, { undo: true });
  expect(await hits(100)).toHaveLength(60);
});
