/**
 * Keyv's own suite for storage adapters, on ours. Run: `npm ci && npm test` in this folder. The suite (2.1.2,
 * the newest) was written for keyv 5 and is run with keyv 6 here. Two of its tests ask for what keyv 6 has
 * changed; they are expected to fail, and they fail in the same way on the second subject, keyv's own Map.
 */
import keyvTestSuite, { keyvIteratorTests } from '@keyv/test-suite';
import Keyv from 'keyv';
import * as vitest from 'vitest';
import { keyvAdapter } from '../../../src/store/keyv-adapter.ts';
import { openSqlite } from '../../../src/store/sqlite/index.ts';

const changedInVersion6 = [
  '.deleteMany([keys]) with nonexistent keys resolves to false', // an answer for every key
  'value can be BigInt using other serializer/deserializer', // `opts.deserialize` is gone
];

const judge = {
  ...vitest,
  it: (title: string, run: () => Promise<void>) =>
    changedInVersion6.includes(title) ? vitest.it.fails(title, run) : vitest.it(title, run),
} as unknown as typeof vitest;

const store = await openSqlite({ path: ':memory:', durability: 'full' });
const map = new Map();
const subjects = { 'our adapter': () => keyvAdapter(store), "keyv's Map": () => map };

vitest.afterAll(() => store.close());

for (const [name, subject] of Object.entries(subjects))
  vitest.describe(name, () => {
    // The suite makes many Keyvs and expects them all to look at the same data.
    keyvTestSuite(judge, Keyv, subject);
    keyvIteratorTests(judge, Keyv, subject);
  });
