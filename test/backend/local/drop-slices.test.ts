import { expect, it } from 'vitest';
import { dropSlices } from '../../../src/backend/local/maintenance.ts';
import type { Local } from '../../../src/backend/local/session-record.ts';
import { openStore } from '../../../src/store/open.ts';

// A database may move what it holds to close the gap of a dropped key, and leave a copy where it was.
it('no key is dropped while a value is left that could be moved', async () => {
  const store = await openStore({ url: 'memory:', durability: 'full', dataDir: '' });
  const prefix = 'x/gone/';
  const rows = Array.from({ length: 700 }, (_, i) => ({ key: `${prefix}${i}`, value: 'text' }));
  await store.update([], () => ({ result: undefined, writes: [...rows, { key: 'x/kept', value: 'text' }] }));
  const valuesAtDrop: string[][] = [];
  const watched: typeof store = {
    ...store,
    async update(keys, decide) {
      const { writes } = decide([]);
      if (writes.some((write) => 'drop' in write)) {
        const left = await store.range({ prefix, limit: 1000 });
        valuesAtDrop.push(left.map(({ value }) => value).filter((value) => value !== ''));
      }
      return store.update(keys, decide);
    },
  };
  await dropSlices({ store: watched } as Local, prefix);
  expect(valuesAtDrop.length).toBeGreaterThan(0);
  expect(valuesAtDrop.flat()).toEqual([]);
  expect(await store.range({ prefix: 'x/', limit: 10 })).toEqual([{ key: 'x/kept', value: 'text' }]);
  await store.close();
});
