import { expect, test, vi } from 'vitest';
import { startSweeper } from '../../src/store/sweeper.ts';
import { opened } from './helpers.ts';

test('deletes what has expired at once and again and again, until it is stopped', async () => {
  let clock = 1000;
  const store = await opened(':memory:', { now: () => clock });
  const put = (key: string) =>
    store.update([], () => ({ result: undefined, writes: [{ key, value: 'v', expires: clock + 10 }] }));
  // What is swept is not there either for a clock that is put back.
  const there = async () => {
    clock -= 10;
    const entries = await store.range({ prefix: '', limit: 9 });
    clock += 10;
    return entries.length;
  };
  await put('first');
  clock += 10;
  expect(await there()).toBe(1);
  const stop = startSweeper(store, 20);
  await vi.waitFor(async () => expect(await there()).toBe(0));
  await put('second');
  clock += 10;
  await vi.waitFor(async () => expect(await there()).toBe(0));
  await stop();
  await put('third');
  clock += 10;
  await new Promise((resolve) => setTimeout(resolve, 80));
  expect(await there()).toBe(1);
});

test('goes on after a round that failed', async () => {
  const store = await opened(':memory:');
  let rounds = 0;
  const stop = startSweeper(
    {
      ...store,
      sweep: async () => {
        rounds += 1;
        throw new Error('disk');
      },
    },
    10,
  );
  await vi.waitFor(() => expect(rounds).toBeGreaterThan(2));
  await stop();
});
