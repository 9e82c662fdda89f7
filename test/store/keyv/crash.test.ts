import { expect, test } from 'vitest';
import { openKeyvStore } from '../../../src/store/keyv/index.ts';
import type { Store } from '../../../src/store/types.ts';

/** An adapter whose process dies: after so many calls that write nothing answers any more. */
function mortal(data: Map<string, unknown>) {
  let left = Number.POSITIVE_INFINITY;
  const never = new Promise<never>(() => {});
  const alive = async <T>(work: () => T): Promise<T> => {
    await Promise.resolve();
    if (left <= 0) return never;
    left -= 1;
    const done = work();
    // The last call is done, and nobody is there to hear of it.
    return left > 0 ? done : never;
  };
  return {
    adapter: {
      get: async (key: string) => data.get(key),
      set: (key: string, value: unknown) => alive(() => data.set(key, value) !== undefined),
      delete: (key: string) => alive(() => data.delete(key)),
      clear: async () => {},
      async *iterator() {
        yield* data.entries();
      },
    },
    dieAfter(calls: number) {
      left = calls;
    },
  };
}

/** Every commit moves a list from one length to the next, with two entries that must agree, and drops the last mark. */
async function append(store: Store, text: string): Promise<number> {
  return store.update(['length'], ([length]) => {
    const next = Number(length ?? 0) + 1;
    return {
      result: next,
      writes: [
        { key: 'length', value: String(next) },
        { key: `a/${next}`, value: text, text: { scope: 'all', body: `every ${text}` } },
        { key: `b/${next}`, value: text },
        { drop: `mark/${next - 1}` },
        { key: `mark/${next}`, value: '' },
        ...(next % 3 === 0 ? [{ dropPrefix: 'p/' }] : [{ key: `p/${next}`, value: '' }]),
      ],
    };
  });
}

async function checkWhole(store: Store, acknowledged: ReadonlyMap<number, string>): Promise<void> {
  const [length] = await store.get(['length']);
  const values = async (prefix: string) =>
    (await store.range({ prefix, limit: 1000 })).map((entry) => entry.value);
  const a = await values('a/');
  expect(await values('b/')).toEqual(a);
  expect(a).toHaveLength(Number(length ?? 0));
  expect(await store.range({ prefix: 'mark/', limit: 9 })).toEqual(
    length === undefined ? [] : [{ key: `mark/${length}`, value: '' }],
  );
  expect(await values('p/')).toHaveLength(Number(length ?? 0) % 3);
  expect(await store.search({ scope: 'all', text: 'every', limit: 1000 })).toHaveLength(a.length);
  for (const [number, text] of acknowledged) expect(await store.get([`a/${number}`])).toEqual([text]);
}

test('a process that dies at any call of the adapter loses nothing acknowledged and tears nothing', async () => {
  let carriedThrough = 0;
  for (let calls = 0; calls < 60; calls++) {
    const data = new Map<string, unknown>();
    const first = mortal(data);
    const store = await openKeyvStore({ keyv: first.adapter, location: 'mortal' });
    const acknowledged = new Map<number, string>();
    first.dieAfter(calls);
    void (async () => {
      for (let i = 0; i < 8; i++) {
        const text = `t${i}`;
        acknowledged.set(await append(store, text), text);
      }
    })();
    await new Promise((resolve) => setTimeout(resolve, 10));
    const before = acknowledged.size;
    first.dieAfter(0);

    // The owner of a process that died is not there; here it is this one, so its sign is taken away by hand.
    data.delete('agentsessions::owner');
    const again = await openKeyvStore({ keyv: mortal(data).adapter, location: 'mortal' });
    await checkWhole(again, acknowledged);
    const [length] = await again.get(['length']);
    if (Number(length ?? 0) > before) carriedThrough += 1;
    await append(again, 'afterwards');
    await again.close();
    const third = await openKeyvStore({ keyv: mortal(data).adapter, location: 'mortal' });
    await checkWhole(third, acknowledged);
    await third.close();
  }
  // Some died between the decision and the answer, and were carried through.
  expect(carriedThrough).toBeGreaterThan(0);
});

test('an intent that was cut off while it was written is not one', async () => {
  const data = new Map<string, unknown>();
  const { adapter } = mortal(data);
  const store = await openKeyvStore({ keyv: adapter, location: 'mortal' });
  for (let i = 0; i < 4; i++) await append(store, `t${i}`);
  await new Promise((resolve) => setTimeout(resolve, 10));
  const copy = new Map(data);
  await store.close();
  copy.delete('agentsessions::owner');
  const newest = copy.get('agentsessions::intent0');
  copy.set('agentsessions::intent1', String(newest).slice(0, 50));
  const again = await openKeyvStore({ keyv: mortal(copy).adapter, location: 'mortal' });
  await checkWhole(again, new Map([[4, 't3']]));
  await again.close();
});
