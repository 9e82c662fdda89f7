import { execFileSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
} from 'node:fs';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { openSqlite } from '../../src/store/sqlite/index.ts';
import type { Store } from '../../src/store/types.ts';
import { scratch } from '../scratch.ts';
import { opened, run } from './helpers.ts';

const put = (store: Store, key: string, value = 'v') =>
  store.update([], () => ({ result: undefined, writes: [{ key, value }] }));

const replaced = {
  code: 'FAILED_PRECONDITION',
  message: 'The file of the session database was moved, deleted or replaced while it was in use.',
};

/** Waits until reads check the file again. */
const aMoment = () => new Promise((resolve) => setTimeout(resolve, 120));

const move = (from: string, to: string) => {
  for (const suffix of ['', '-wal', '-shm'])
    if (existsSync(from + suffix)) renameSync(from + suffix, to + suffix);
};

const mishaps: [string, (path: string) => void | Promise<void>][] = [
  ['moved away', (path) => move(path, `${path}.moved`)],
  ['deleted', (path) => unlinkSync(path)],
  ['moved away with its folder', (path) => renameSync(join(path, '..'), `${join(path, '..')}.moved`)],
  [
    'replaced by another store',
    async (path) => {
      await (await openSqlite({ path: `${path}.new`, durability: 'full' })).close();
      renameSync(`${path}.new`, path);
    },
  ],
  ['robbed of its log', (path) => unlinkSync(`${path}-wal`)],
];

test.each(mishaps)('a store that was %s acknowledges nothing more, and says why', async (_, mishap) => {
  const folder = join(scratch(), 'data');
  mkdirSync(folder);
  const path = join(folder, 'sessions.db');
  const store = await opened(path);
  await put(store, 'k');
  await mishap(path);
  await expect(put(store, 'lost')).rejects.toMatchObject(replaced);
  await expect(Promise.all([put(store, 'a'), put(store, 'b')])).rejects.toMatchObject(replaced);
  await aMoment();
  await expect(store.get(['k'])).rejects.toMatchObject(replaced);
  await expect(store.range({ prefix: '', limit: 1 })).rejects.toMatchObject(replaced);
  await expect(store.search({ scope: 's', text: 'word', limit: 1 })).rejects.toMatchObject(replaced);
  await expect(store.sweep()).rejects.toMatchObject(replaced);
});

test('a file that is moved in the middle of a write is noticed before the answer', async () => {
  const path = join(scratch(), 'sessions.db');
  const store = await opened(path);
  const update = store.update([], () => {
    move(path, `${path}.moved`);
    return { result: 'written', writes: [{ key: 'k', value: 'v' }] };
  });
  await expect(update).rejects.toMatchObject(replaced);
});

test('a store that was put back goes on, and holds what it acknowledged and nothing else', async () => {
  const path = join(scratch(), 'sessions.db');
  const store = await opened(path);
  await put(store, 'before');
  move(path, `${path}.moved`);
  await expect(put(store, 'meanwhile')).rejects.toMatchObject(replaced);
  move(`${path}.moved`, path);
  await put(store, 'after');
  const keys = (await store.range({ prefix: '', limit: 9 })).map((entry) => entry.key);
  expect(keys).toEqual(['after', 'before']);
});

test('closing a store that was replaced leaves the new one and its log alone', async () => {
  const path = join(scratch(), 'sessions.db');
  const old = await openSqlite({ path, durability: 'full' });
  await put(old, 'old');
  move(path, `${path}.moved`);
  const fresh = await opened(path);
  await put(fresh, 'new');
  await old.close();
  expect(await run('read-key.ts', path, 'new')).toBe('v');
  await put(fresh, 'newer');
  expect(await run('read-key.ts', `${path}.moved`, 'old')).toBe('v');
});

test('the log of a store that was moved is left as it is', async () => {
  const path = join(scratch(), 'sessions.db');
  const store = await opened(path);
  await put(store, 'k', 'x'.repeat(50_000));
  move(path, `${path}.moved`);
  const before = statSync(`${path}.moved-wal`).size;
  // Longer than it takes until the log of an open store is emptied.
  await new Promise((resolve) => setTimeout(resolve, 1300));
  expect(statSync(`${path}.moved-wal`).size).toBe(before);
  move(`${path}.moved`, path);
  await vi.waitFor(() => expect(statSync(`${path}-wal`).size).toBe(0), { timeout: 10_000 });
});

test('a path through a symbolic link is as good as any', async () => {
  const folder = scratch();
  await (await openSqlite({ path: join(folder, 'real.db'), durability: 'full' })).close();
  symlinkSync(join(folder, 'real.db'), join(folder, 'link.db'));
  const store = await opened(join(folder, 'link.db'));
  await put(store, 'k');
  const other = await opened(join(folder, 'real.db'));
  expect(await other.get(['k'])).toEqual(['v']);
});

test.each([
  ['a folder', 'a folder', (path: string) => mkdirSync(path)],
  ['a named pipe', 'a pipe, a socket or a device', (path: string) => execFileSync('mkfifo', [path])],
  ['a device', 'a pipe, a socket or a device', (path: string) => symlinkSync('/dev/null', path)],
])('%s as the path is refused at once', async (_, words, make) => {
  const path = join(scratch(), 'sessions.db');
  make(path);
  await expect(openSqlite({ path, durability: 'full' })).rejects.toMatchObject({
    code: 'FAILED_PRECONDITION',
    message: `The path of the session database names ${words}, not a file.`,
  });
});

test('a link that leads nowhere is refused', async () => {
  const path = join(scratch(), 'sessions.db');
  symlinkSync(`${path}.nowhere`, path);
  await expect(openSqlite({ path, durability: 'full' })).rejects.toMatchObject({
    code: 'FAILED_PRECONDITION',
    message: 'The session database cannot be opened or created.',
  });
});

// SQLite's locks belong to the process: opening and closing the file by other means drops them all.
test.runIf(existsSync('/proc/locks'))(
  'opening a store again keeps the locks that its process has on it',
  async () => {
    const path = join(scratch(), 'sessions.db');
    const store = await opened(path);
    await put(store, 'k');
    const { ino } = statSync(path);
    const locks = () =>
      readFileSync('/proc/locks', 'utf8')
        .split('\n')
        .filter((line) => line.includes(`:${ino} `) && line.includes(` ${process.pid} `)).length;
    const before = locks();
    expect(before).toBeGreaterThan(0);
    await (await openSqlite({ path, durability: 'full' })).close();
    expect(locks()).toBe(before);
    await put(store, 'l');
    expect(locks()).toBe(before);
  },
);

test('a copy that was made while a store was closed is a store', async () => {
  const path = join(scratch(), 'sessions.db');
  const store = await openSqlite({ path, durability: 'full' });
  await put(store, 'k');
  await store.close();
  copyFileSync(path, `${path}.copy`);
  rmSync(path);
  expect(await (await opened(`${path}.copy`)).get(['k'])).toEqual(['v']);
});
