/**
 * Keyv's own suite for storage adapters, on ours: over SQLite, over somebody else's adapter, and over the Redis and the
 * Postgres that `npm run test:services` names. Run: `npm ci && npm test` in this folder. The suite (2.1.2,
 * the newest) was written for keyv 5 and is run with keyv 6 here. Two of its tests ask for what keyv 6 has
 * changed; they are expected to fail, and they fail in the same way on the second subject, keyv's own Map.
 */
import keyvTestSuite, { keyvIteratorTests } from '@keyv/test-suite';
import Keyv from 'keyv';
import * as vitest from 'vitest';
import { openKeyvStore } from '../../../src/store/keyv/index.ts';
import { keyvAdapter } from '../../../src/store/keyv-adapter.ts';
import { openStore } from '../../../src/store/open.ts';

const changedInVersion6 = [
  '.deleteMany([keys]) with nonexistent keys resolves to false', // an answer for every key
  'value can be BigInt using other serializer/deserializer', // `opts.deserialize` is gone
];

const judge = {
  ...vitest,
  it: (title: string, run: () => Promise<void>) =>
    changedInVersion6.includes(title) ? vitest.it.fails(title, run) : vitest.it(title, run),
} as unknown as typeof vitest;

const { TEST_REDIS_URL: redis, TEST_POSTGRES_URL: postgres } = process.env;
const urls = [
  'memory:',
  ...(redis === undefined ? [] : [`${redis}?prefix=keyv-suite`]),
  ...(postgres === undefined ? [] : [postgres]),
];
const stores = await Promise.all([
  ...urls.map((url) => openStore({ url, durability: 'full', dataDir: '' })),
  openKeyvStore({ keyv: new Keyv(), location: 'a Keyv' }),
]);
const map = new Map();
const subjects = {
  ...Object.fromEntries(stores.map((store) => [`our adapter on ${store.engine}`, () => keyvAdapter(store)])),
  "keyv's Map": () => map,
};

vitest.afterAll(async () => {
  await Promise.all(
    stores.map(async (store) => {
      await store.update([], () => ({ result: undefined, writes: [{ dropPrefix: '~keyv/' }] }));
      await store.close();
    }),
  );
});

for (const [name, subject] of Object.entries(subjects))
  vitest.describe(name, () => {
    // The suite makes many Keyvs and expects them all to look at the same data.
    keyvTestSuite(judge, Keyv, subject);
    keyvIteratorTests(judge, Keyv, subject);
  });
