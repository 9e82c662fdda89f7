import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { openLocal } from '../../src/backend/local/index.ts';
import { keyvAddress } from '../../src/store/keyv/address.ts';
import { openKeyvStore } from '../../src/store/keyv/index.ts';
import { loadKeyv } from '../../src/store/keyv/load.ts';
import { openStore } from '../../src/store/open.ts';
import { backendContract } from '../contract/backend.ts';
import { storeContract } from '../contract/store.ts';
import { adapters } from './keyv-adapters.ts';
import { expectExact, startWriters } from './writers.ts';

const rounds = Number(process.env.KILL_ROUNDS ?? 10);
const open = (url: string) => openStore({ url, durability: 'full', dataDir: '' });

describe.each(Object.entries(adapters))('keyv on %s', (name, fresh) => {
  storeContract(name, false, async (now) => {
    const address = keyvAddress(fresh().slice('keyv:'.length));
    const store = await openKeyvStore({ ...address, keyv: await loadKeyv(address), now });
    return {
      store,
      async dispose() {
        // Of a table or a namespace nothing is left but its name.
        await store.update([], () => ({ result: 0, writes: [{ dropPrefix: '' }] })).catch(() => {});
        await store.close();
      },
    };
  });

  backendContract(`local on ${name}`, {
    async open() {
      const backend = openLocal({ store: await open(fresh()) });
      return { backend, app: 'contract', close: () => backend.close() };
    },
  });

  test('kill -9 of the server at any moment loses nothing acknowledged and tears nothing', async () => {
    const url = fresh();
    const writers = startWriters(url, 1, 8);
    for (let round = 0; round < rounds; round++) {
      const before = writers.acknowledged.size;
      await vi.waitFor(() => expect(writers.acknowledged.size).toBeGreaterThan(before), {
        timeout: 30_000,
        interval: 5,
      });
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 100));
      writers.replace(0);
    }
    await writers.killAll();
    expect([...writers.failed]).toEqual([]);
    const store = await open(url);
    onTestFinished(() => store.close());
    await expectExact(store, writers);
  }, 600_000);

  test('a second server is refused while the first is there', async () => {
    const url = fresh();
    const first = await open(url);
    onTestFinished(() => first.close());
    await expect(open(url)).rejects.toMatchObject({
      code: 'FAILED_PRECONDITION',
      message: 'Another server has this Keyv store open.',
    });
    expect(first.location).not.toMatch(/redis:\/\/|postgres:\/\//);
  });
});
