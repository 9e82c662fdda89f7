import { expect, test } from 'vitest';
import { decideAll, groupCommit, type Job, type Outcome } from '../../src/store/group-commit.ts';
import type { Write } from '../../src/store/types.ts';

/** The simplest possible engine, which a test can delay and make fail. */
function engine() {
  const data = new Map<string, string | undefined>();
  const batches: number[] = [];
  let failure: Error | undefined;
  const lane = groupCommit(async (jobs: readonly Job[]): Promise<readonly Outcome[]> => {
    batches.push(jobs.length);
    const keys = jobs.flatMap((job) => job.keys);
    const values = new Map(keys.map((key) => [key, data.get(key)]));
    const { outcomes, writes } = decideAll(jobs, values, 0);
    await new Promise((resolve) => setTimeout(resolve, 5));
    if (failure !== undefined) throw failure;
    for (const write of writes) if ('key' in write) data.set(write.key, write.value);
    return outcomes;
  }, 20_000);
  return {
    ...lane,
    data,
    batches,
    fail: (error?: Error) => {
      failure = error;
    },
  };
}

const add = (lane: ReturnType<typeof engine>, key = 'n') =>
  lane.update([key], ([value]) => {
    const next = String(Number(value ?? 0) + 1);
    return { result: next, writes: [{ key, value: next }] };
  });

test('updates that wait while one is under way share the next transaction', async () => {
  const lane = engine();
  const first = add(lane);
  await new Promise((resolve) => setImmediate(resolve));
  await new Promise((resolve) => setImmediate(resolve));
  const others = Array.from({ length: 10 }, () => add(lane));
  expect(await Promise.all([first, ...others])).toEqual(Array.from({ length: 11 }, (_, i) => `${i + 1}`));
  expect(lane.batches).toEqual([1, 10]);
});

test('a batch has a bound', async () => {
  const lane = engine();
  await Promise.all(Array.from({ length: 1000 }, () => add(lane)));
  expect(Math.max(...lane.batches)).toBeLessThanOrEqual(256);
  expect(lane.batches.reduce((a, b) => a + b)).toBe(1000);
});

test('callers that a batch woke are together in the next one', async () => {
  const lane = engine();
  await Promise.all(
    Array.from({ length: 8 }, async () => {
      for (let i = 0; i < 5; i++) await add(lane);
    }),
  );
  expect(lane.batches).toEqual([8, 8, 8, 8, 8]);
});

test('a commit that fails fails its own batch, and no other', async () => {
  const lane = engine();
  const lost = new Error('disk on fire');
  lane.fail(lost);
  const outcomes = await Promise.allSettled([add(lane), add(lane)]);
  expect(outcomes).toEqual([
    { status: 'rejected', reason: lost },
    { status: 'rejected', reason: lost },
  ]);
  lane.fail(undefined);
  expect(await Promise.all([add(lane), add(lane)])).toEqual(['1', '2']);
});

test('a decision that throws harms no neighbour, and leaves no trace for those after it', async () => {
  const lane = engine();
  const no = new Error('no');
  const outcomes = await Promise.allSettled([
    add(lane),
    lane.update(['n'], () => {
      throw no;
    }),
    add(lane),
  ]);
  expect(outcomes).toEqual([
    { status: 'fulfilled', value: '1' },
    { status: 'rejected', reason: no },
    { status: 'fulfilled', value: '2' },
  ]);
  expect(lane.data.get('n')).toBe('2');
});

test('idle waits for all that was asked for before', async () => {
  const lane = engine();
  void add(lane);
  void add(lane).then(() => add(lane));
  await lane.idle();
  expect(lane.data.get('n')).toBe('3');
  await lane.idle();
});

test('one write is left of many to one key, and what came before a dropped prefix is gone', () => {
  const job = (...writes: Write[]): Job => ({ keys: [], decide: () => ({ result: undefined, writes }) });
  const { writes } = decideAll(
    [
      job({ key: 'head', value: '1' }, { key: 'p/1', value: 'a' }, { key: 'q', value: 'b' }),
      job({ key: 'head', value: '2' }, { dropPrefix: 'p/' }, { key: 'p/2', value: 'c' }, { drop: 'q' }),
    ],
    new Map(),
    0,
  );
  expect(writes).toEqual([
    { dropPrefix: 'p/' },
    { key: 'head', value: '2' },
    { drop: 'q' },
    { key: 'p/2', value: 'c' },
  ]);
});

test('with several lanes a key that is held up holds up no other, and its own updates stay in order', async () => {
  const data = new Map<string, string>();
  let release = () => {};
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  const running: string[][] = [];
  const lane = groupCommit(
    async (jobs) => {
      const keys = [...new Set(jobs.map((job) => job.keys[0] ?? ''))];
      for (const others of running) expect(others.some((key) => keys.includes(key))).toBe(false);
      running.push(keys);
      if (keys.includes('slow') && !data.has('slow')) await held;
      const values = new Map(keys.map((key) => [key, data.get(key)]));
      const { outcomes, writes } = decideAll(jobs, values, 0);
      for (const write of writes) if ('key' in write) data.set(write.key, write.value);
      running.splice(running.indexOf(keys), 1);
      return outcomes;
    },
    20_000,
    2,
  );
  const append = (key: string, text: string) =>
    lane.update([key], ([value = '']) => ({ result: value, writes: [{ key, value: value + text }] }));
  const slow = append('slow', '1');
  await new Promise((resolve) => setTimeout(resolve, 5));
  const later = append('slow', '2');
  for (const text of ['a', 'b', 'c']) await append('quick', text);
  expect(Object.fromEntries(data)).toEqual({ quick: 'abc' });
  release();
  await Promise.all([slow, later]);
  expect(Object.fromEntries(data)).toEqual({ quick: 'abc', slow: '12' });
  await lane.idle();
});
