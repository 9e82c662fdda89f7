import path from 'node:path';
import { expect, test } from 'vitest';
import { openLocal } from '../../src/backend/local/index.ts';
import { openStore } from '../../src/store/open.ts';
import type { Store } from '../../src/store/types.ts';
import { scratch } from '../scratch.ts';
import { act, look, refOf } from './history/act.ts';
import { faultsIn } from './history/check.ts';
import { type Line, operationsOf } from './history/operation.ts';
import { linearizable, newSessions } from './history/record.ts';

const folder = scratch();

linearizable('a file of SQLite', () => ({ url: `sqlite:${path.join(folder, 'sessions.db')}` }));

/** What engines get wrong. */
const planted: Record<string, (store: Store) => Store> = {
  'an update that decides on what it read before': (store) => ({
    ...store,
    async update(keys, decide) {
      const values = await store.get(keys);
      await new Promise((resolve) => setTimeout(resolve, 2));
      const { result, writes } = decide(values);
      await store.update([], () => ({ result: undefined, writes }));
      return result;
    },
  }),
  'a read that is answered by a replica which lags behind': (store) => {
    const old = new Map<string, (string | undefined)[]>();
    return {
      ...store,
      async get(keys) {
        const values = await store.get(keys);
        const earlier = old.get(keys.join('\n')) ?? values;
        old.set(keys.join('\n'), values);
        return earlier;
      },
    };
  },
  'a commit that is acknowledged and lost': (store) => {
    let commits = 0;
    return {
      ...store,
      async update(keys, decide) {
        commits += 1;
        if (commits % 20 > 0) return store.update(keys, decide);
        return decide(await store.get(keys)).result;
      },
    };
  },
  'a commit that is repeated because its answer was lost': (store) => {
    let commits = 0;
    return {
      ...store,
      async update(keys, decide) {
        commits += 1;
        if (commits % 20 === 0) await store.update(keys, decide);
        return store.update(keys, decide);
      },
    };
  },
};

async function faultsWith(breakIt: (store: Store) => Store): Promise<string[]> {
  const store = await openStore({ url: 'memory:', durability: 'full', dataDir: '' });
  const sound = openLocal({ store: { ...store, close: async () => {} } });
  const sessions = await newSessions(sound);
  const lines: Line[] = [];
  const workers = Array.from({ length: 4 }, async (_, i) => {
    const backend = openLocal({ store: { ...breakIt(store), close: async () => {} } });
    await act(backend, sessions, { name: `w${i}`, seed: i, count: 60 }, (line) => lines.push(line));
    await backend.close();
  });
  const ended = await Promise.allSettled(workers);
  const faults = ended.flatMap((end) =>
    end.status === 'rejected' ? [`a worker failed: ${end.reason}`] : [],
  );
  for (const session of sessions) {
    const last = await look(sound, refOf(session));
    faults.push(
      ...faultsIn(
        operationsOf(lines).filter((one) => one.session === session),
        last,
      ),
    );
  }
  await sound.close();
  await store.close();
  return faults;
}

test('the checker finds nothing in what is sound', async () => {
  expect((await faultsWith((store) => store)).slice(0, 3)).toEqual([]);
});

test.each(Object.entries(planted))('the checker finds %s', async (_, breakIt) => {
  expect((await faultsWith(breakIt)).length).toBeGreaterThan(0);
});
