import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, onTestFinished, test } from 'vitest';
import type { Store } from '../../src/store/types.ts';
import { scratch } from '../scratch.ts';
import { opened } from './helpers.ts';

const put = (store: Store, key: string) =>
  store.update([], () => ({ result: undefined, writes: [{ key, value: 'v' }] }));

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

async function lockedStore(patience: number) {
  const path = join(scratch(), 'sessions.db');
  const store = await opened(path, { patience });
  const blocker = new DatabaseSync(path);
  onTestFinished(() => blocker.close());
  blocker.exec('begin immediate');
  return { store, blocker };
}

async function waited(store: Store): Promise<number> {
  const start = performance.now();
  await expect(put(store, 'k')).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  return performance.now() - start;
}

test('a writer behind others that wait for the same lock waits no longer than it should alone', async () => {
  const { store } = await lockedStore(1000);
  const waits: Promise<number>[] = [];
  for (let i = 0; i < 4; i++) {
    waits.push(waited(store));
    await sleep(300);
  }
  for (const wait of await Promise.all(waits)) {
    expect(wait).toBeGreaterThan(950);
    // A second round of waiting would take twice as long.
    expect(wait).toBeLessThan(1700);
  }
});

test('who gives up takes nobody along who has time left', async () => {
  const { store, blocker } = await lockedStore(1000);
  const first = waited(store);
  await sleep(600);
  const second = put(store, 'second');
  await first;
  blocker.exec('rollback');
  await second;
  expect(await store.get(['k', 'second'])).toEqual([undefined, 'v']);
});
