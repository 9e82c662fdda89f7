import { join } from 'node:path';
import { openSqlite } from '../../src/store/sqlite/index.ts';
import { scratch } from '../scratch.ts';
import { storeContract } from './store.ts';

storeContract('sqlite in memory', false, async (now) => {
  const store = await openSqlite({ path: ':memory:', durability: 'full', now });
  return { store, dispose: () => store.close() };
});

storeContract('sqlite file', true, async (now) => {
  const folder = scratch();
  const open = () => openSqlite({ path: join(folder, 'sessions.db'), durability: 'full', now });
  const [store, other] = await Promise.all([open(), open()]);
  return {
    store,
    other,
    dispose: async () => {
      await Promise.all([store.close(), other.close()]);
    },
  };
});
