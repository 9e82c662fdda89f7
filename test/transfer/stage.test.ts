import { tmpdir } from 'node:os';
import { describe, expect, it } from 'vitest';
import { openLocal } from '../../src/backend/local/index.ts';
import { openStore } from '../../src/store/open.ts';
import type { Store } from '../../src/store/types.ts';
import { forkSession } from '../../src/transfer/fork.ts';
import { ada, eventsOf, grow, idle, local, make, read, save, stateOf, verb } from './support.ts';

const hour = 60 * 60 * 1000;
const memory = () => openStore({ url: 'memory:', durability: 'full', dataDir: tmpdir() });

/** A store whose process seems to die after a number of updates: later calls never resolve. */
function dying(store: Store, updates: number): { store: Store; dead: Promise<void> } {
  let left = updates;
  let die = () => {};
  const dead = new Promise<void>((resolve) => {
    die = resolve;
  });
  const never = new Promise<never>(() => {});
  return {
    dead,
    store: {
      ...store,
      get: (keys) => store.get(keys),
      range: (range) => (left < 0 ? never : store.range(range)),
      async update(keys, decide) {
        left -= 1;
        if (left >= 0) return store.update(keys, decide);
        die();
        return never;
      },
      close: async () => {},
    },
  };
}

async function keysIn(store: Store): Promise<string[]> {
  const found: string[] = [];
  // All keys of sessions, of their contents, and of what maintenance is to delete.
  for (const prefix of ['s/', 'x/', 't/', 'lu/', 'lc/', 'mu/', 'mc/'])
    found.push(...(await store.range({ prefix, limit: 1000 })).map((entry) => entry.key));
  return found;
}

describe('a staged session', () => {
  it('keeps its contents when it appeared and could not be read for the answer', async () => {
    const store = await memory();
    let reads = 0;
    let appeared = false;
    const backend = openLocal({
      store: {
        ...store,
        get(keys) {
          if (appeared) reads += 1;
          return reads === 1 ? Promise.reject(new Error('The disk is slow.')) : store.get(keys);
        },
        async update(keys, decide) {
          const result = await store.update(keys, decide);
          const [head] = await store.range({ prefix: 's/', limit: 1 });
          appeared = head !== undefined;
          return result;
        },
      },
    });
    const staged = await verb(backend.transfer?.stage)(ada, { sessionId: 'copy' });
    await staged.addEvent({
      id: 'e',
      author: 'user',
      invocationId: 'i',
      timestamp: new Date().toISOString(),
    });
    expect(await staged.commit({ topic: 'tea' })).toMatchObject({ id: 'copy', state: { topic: 'tea' } });
    await staged.discard();
    const copy = { ...ada, sessionId: 'copy' };
    expect(await stateOf(backend, copy)).toEqual({ topic: 'tea' });
    expect(await eventsOf(backend, copy)).toHaveLength(1);
    await backend.close();
  });

  it('is there whole or not at all, whichever write its process dies before', {
    timeout: 60_000,
  }, async () => {
    const from = await local();
    const ref = await make(from, 's', { state: { topic: 'tea' } });
    await grow(from, ref, [{ n: 0 }, { n: 1 }]);
    // Each is larger than one write of a staged session.
    for (const text of ['a', 'b', 'c']) await save(from, ref, 'f.txt', text.repeat(1_200_000));
    const outcomes: string[] = [];
    for (let updates = 0; ; updates += 1) {
      const store = await memory();
      const end = dying(store, updates);
      const first = openLocal({ store: end.store, now: () => Date.now() });
      const work = forkSession(
        { backend: from, ref },
        { backend: first, owner: ada },
        { newSessionId: 'copy', signal: idle },
      );
      const done = await Promise.race([work.then(() => true), end.dead.then(() => false)]);
      // Hours later, in a new process.
      const later = openLocal({ store, now: () => Date.now() + 3 * hour });
      const copy = { ...ada, sessionId: 'copy' };
      const seen = await verb(later.sessions?.get)(copy).catch(() => undefined);
      outcomes.push(seen === undefined ? 'nothing' : 'whole');
      if (seen === undefined) {
        expect(done).toBe(false);
        await expect.poll(() => keysIn(store), { timeout: 10_000 }).toEqual([]);
      } else {
        expect(seen).toMatchObject({ eventCount: 2, state: { topic: 'tea', n: 1 } });
        expect(await eventsOf(later, copy)).toHaveLength(2);
        expect(await read(later, copy, 'f.txt', 2)).toBe('c'.repeat(1_200_000));
        expect((await keysIn(store)).filter((key) => key.startsWith('t/'))).toEqual([]);
      }
      await later.close();
      if (done) break;
    }
    expect(outcomes.filter((outcome) => outcome === 'nothing').length).toBeGreaterThan(4);
    expect(outcomes.at(-1)).toBe('whole');
  });

  it('is refused at its end when it stood still for so long that it was swept', async () => {
    let now = Date.now();
    const store = await memory();
    const to = openLocal({ store, now: () => now });
    const stage = await verb(to.transfer?.stage)(ada, { sessionId: 'slow' });
    now += 2 * hour;
    // A deletion starts maintenance.
    await verb(to.sessions?.delete)(await make(to, 'other'));
    await expect.poll(() => keysIn(store), { timeout: 10_000 }).toEqual([]);
    await expect(stage.commit({})).rejects.toMatchObject({ code: 'ABORTED' });
    expect(await keysIn(store)).toEqual([]);
    await to.close();
  });

  it('loses to whoever takes its id meanwhile', async () => {
    const to = await local();
    const stage = await verb(to.transfer?.stage)(ada, { sessionId: 'taken' });
    await make(to, 'taken');
    await expect(stage.commit({})).rejects.toMatchObject({ code: 'ALREADY_EXISTS' });
    await stage.discard();
    await expect(verb(to.transfer?.stage)(ada, { sessionId: 'taken' })).rejects.toMatchObject({
      code: 'ALREADY_EXISTS',
    });
  });
});
