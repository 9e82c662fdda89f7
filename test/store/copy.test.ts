import { join } from 'node:path';
import { Keyv } from 'keyv';
import { expect, onTestFinished, test } from 'vitest';
import { copyStore, refuseHalfCopy } from '../../src/store/copy.ts';
import { openKeyvStore } from '../../src/store/keyv/index.ts';
import { storeSecret } from '../../src/store/secret.ts';
import type { Store } from '../../src/store/types.ts';
import { scratch } from '../scratch.ts';
import { opened } from './helpers.ts';

const file = () => opened(join(scratch(), 'a.db'));
async function keyv(): Promise<Store> {
  const store = await openKeyvStore({ keyv: new Keyv(), location: 'map' });
  onTestFinished(() => store.close());
  return store;
}
const nothing = () => {};

/** Entries of every kind, more than a slice has. */
async function fill(store: Store, count = 1500): Promise<void> {
  const later = Date.now() + 3_600_000;
  await store.update([], () => ({
    result: 0,
    writes: Array.from({ length: count }, (_, i) => ({
      key: `k/${String(i).padStart(5, '0')}${['', ' ', '😀', '\uffff'][i % 4]}`,
      value: i % 100 === 0 ? 'ä'.repeat(20_000) : `v${i}`,
      ...(i % 3 === 0 ? { expires: later + i } : {}),
      ...(i % 4 === 0 ? { text: { scope: 's', body: `green tea ${i}`, tags: [`t${i % 8}`] } } : {}),
    })),
  }));
}

const everything = async (store: Store) => store.entries(undefined, 100_000);

test.each([
  ['sqlite to keyv', file, keyv],
  ['keyv to sqlite', keyv, file],
  ['sqlite to sqlite', file, file],
])('%s: every entry with its time and its words', async (_, openFrom, openTo) => {
  const [from, to] = [await openFrom(), await openTo()];
  await fill(from);
  const secret = await storeSecret(from);
  const seen: number[] = [];
  const result = await copyStore(from, to, ({ entries }) => seen.push(entries));
  expect(result).toMatchObject({ entries: 1501, found: 0 });
  expect(await everything(to)).toEqual(await everything(from));
  expect(await storeSecret(to)).toEqual(secret);
  expect(seen.length).toBeGreaterThan(6);
  const query = { scope: 's', text: 'green tea 600', limit: 5, tags: [['t0']] };
  const keys = async (store: Store) => (await store.search(query)).map(({ key }) => key);
  expect(await keys(to)).toEqual(await keys(from));
  expect(await keys(to)).not.toEqual([]);
  await refuseHalfCopy(to);
  // The digest says what is in it, not where it is.
  const third = await file();
  expect((await copyStore(to, third, nothing)).digest).toBe(result.digest);
});

test('a copy that is killed after any slice goes on, and nobody opens it before it is done', async () => {
  const from = await file();
  await fill(from);
  const to = await file();
  let runs = 0;
  for (let done = false; !done; runs++) {
    let slices = 0;
    const mortal: Store = {
      ...to,
      update(keys, decide) {
        // The claim or a slice, another, and then it dies.
        if (++slices > 2) throw new Error('killed');
        return to.update(keys, decide);
      },
    };
    const copied = (await everything(to)).length;
    done = await copyStore(from, mortal, nothing).then(
      () => true,
      () => false,
    );
    if (done) break;
    expect((await everything(to)).length).toBeGreaterThan(copied);
    await expect(refuseHalfCopy({ ...to, close: async () => {} })).rejects.toMatchObject({
      code: 'FAILED_PRECONDITION',
      message: expect.stringContaining('is a copy that is not done'),
    });
  }
  expect(runs).toBeGreaterThan(2);
  expect(await everything(to)).toEqual(await everything(from));
});

test('a target that is not empty, or the copy of another store, is left as it is', async () => {
  const [from, other, to] = [await file(), await file(), await file()];
  await fill(from, 10);
  await fill(other, 10);
  await to.update([], () => ({ result: 0, writes: [{ key: 'mine', value: '1' }] }));
  const refused = { code: 'FAILED_PRECONDITION', message: expect.stringContaining('is not empty') };
  await expect(copyStore(from, to, nothing)).rejects.toMatchObject(refused);
  expect(await everything(to)).toHaveLength(1);
  const half = await file();
  const mortal = { ...half, update: half.update };
  let updates = 0;
  mortal.update = (keys, decide) => {
    if (++updates > 1) throw new Error('killed');
    return half.update(keys, decide);
  };
  await expect(copyStore(from, mortal, nothing)).rejects.toThrow('killed');
  await expect(copyStore(other, half, nothing)).rejects.toMatchObject(refused);
  await expect(copyStore(from, from, nothing)).rejects.toMatchObject(refused);
  expect(await copyStore(from, half, nothing)).toMatchObject({ entries: 11 });
});

test('what comes into the target before it is marked is left as it is', async () => {
  const [from, to] = [await file(), await file()];
  await fill(from, 10);
  let looks = 0;
  const racing: Store = {
    ...to,
    async range(range) {
      const found = await to.range(range);
      if (++looks === 1) await to.update([], () => ({ result: 0, writes: [{ key: 'mine', value: '1' }] }));
      return found;
    },
  };
  await expect(copyStore(from, racing, nothing)).rejects.toMatchObject({
    code: 'FAILED_PRECONDITION',
    message: expect.stringContaining('is not empty'),
  });
  expect(await everything(to)).toMatchObject([{ key: 'mine' }]);
});

test('of two runs of a copy the later goes on, and the other writes nothing any more', async () => {
  const [from, to] = [await file(), await file()];
  await fill(from);
  let updates = 0;
  const overtaken: Store = {
    ...to,
    async update(keys, decide) {
      // The other run copies the rest, and a server begins to use the store.
      if (++updates === 3) {
        await copyStore(from, to, nothing);
        await to.update([], () => ({ result: 0, writes: [{ key: 'mine', value: '1' }] }));
      }
      return to.update(keys, decide);
    },
  };
  await expect(copyStore(from, overtaken, nothing)).rejects.toMatchObject({ code: 'ABORTED' });
  expect(await to.get(['mine'])).toEqual(['1']);
  expect(await everything(to)).toHaveLength((await everything(from)).length + 1);
  await refuseHalfCopy(to);
});

test('what changes in the source meanwhile is found by the comparison and mended', async () => {
  const [from, to] = [await file(), await file()];
  await fill(from);
  const [first, second, third] = await everything(from);
  let changed = false;
  await copyStore(from, to, async ({ entries }) => {
    if (entries < 700 || changed) return;
    changed = true;
    await from.update([], () => ({
      result: 0,
      writes: [
        { key: first?.key ?? '', value: 'changed' },
        { drop: second?.key ?? '' },
        { key: third?.key ?? '', value: third?.value ?? '', text: { scope: 'new', body: 'words' } },
        { key: '!first', value: 'new' },
      ],
    }));
  });
  expect(changed).toBe(true);
  expect(await everything(to)).toEqual(await everything(from));
});

test('a source that changes all the time is given up, and can be tried again', async () => {
  const [from, to] = [await file(), await file()];
  await fill(from, 100);
  let n = 0;
  const restless: Store = {
    ...from,
    async entries(after, limit) {
      const key = 'k/first';
      await from.update([], () => ({ result: 0, writes: [{ key, value: String(n++) }] }));
      return from.entries(after, limit);
    },
  };
  await expect(copyStore(restless, to, nothing)).rejects.toMatchObject({ code: 'ABORTED' });
  await expect(refuseHalfCopy({ ...to, close: async () => {} })).rejects.toMatchObject({
    code: 'FAILED_PRECONDITION',
  });
  await copyStore(from, to, nothing);
  expect(await everything(to)).toEqual(await everything(from));
});
