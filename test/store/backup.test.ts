import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { beforeEach, expect, test } from 'vitest';
import { storeSecret } from '../../src/store/secret.ts';
import { backupStore, restoreStore } from '../../src/store/sqlite/backup.ts';
import { openSqlite } from '../../src/store/sqlite/index.ts';
import type { Store } from '../../src/store/types.ts';
import { scratch } from '../scratch.ts';
import { opened, start } from './helpers.ts';

let folder: string;
let path: string;
let copy: string;

beforeEach(() => {
  folder = scratch();
  path = join(folder, 'sessions.db');
  copy = join(folder, 'copy of sessions.db');
});

const entry = (i: number, more = '') => ({
  key: `k/${String(i).padStart(5, '0')}`,
  value: `value ${i} ${more}`,
  text: { scope: 's', body: `fact number${i}` },
});

const fill = (store: Store, from: number, to: number, more = '') =>
  store.update([], () => ({
    result: undefined,
    writes: Array.from({ length: to - from }, (_, i) => entry(from + i, more)),
  }));

async function closedStore(count: number, at = path, more = ''): Promise<void> {
  const store = await openSqlite({ path: at, durability: 'full' });
  await fill(store, 0, count, more);
  await store.close();
}

const all = (store: Store) => store.range({ prefix: '', limit: 1_000_000 });

test('a backup of a store in use holds one moment of it, and restores to the same store', async () => {
  const store = await opened(path);
  const secret = await storeSecret(store);
  await fill(store, 0, 500);
  // Two keys that always agree, while the copy is made.
  let writing = true;
  let rounds = 0;
  const writer = (async () => {
    while (writing) {
      const value = String(++rounds);
      await store.update([], () => ({
        result: undefined,
        writes: [
          { key: 'a', value },
          { key: 'b', value },
        ],
      }));
    }
  })();
  const inspection = await backupStore(path, copy);
  writing = false;
  await writer;
  expect(inspection).toMatchObject({ problems: [], version: inspection.currentVersion, freeBytes: 0 });
  expect(statSync(copy).mode & 0o777).toBe(0o600);
  expect(readdirSync(folder).filter((name) => name.startsWith('copy'))).toEqual(['copy of sessions.db']);

  const place = join(folder, 'new folder', 'sessions.db');
  await restoreStore(copy, place);
  expect(statSync(place).mode & 0o777).toBe(0o600);
  const restored = await opened(place);
  const [a, b] = await restored.get(['a', 'b']);
  expect(a).toBe(b);
  expect((await restored.range({ prefix: 'k/', limit: 1000 })).length).toBe(500);
  expect(await restored.search({ scope: 's', text: 'number77', limit: 5 })).toMatchObject([
    { key: 'k/00077' },
  ]);
  expect(await storeSecret(restored)).toEqual(secret);
  await fill(restored, 500, 510);
});

test('a backup leaves the store alone and its locks in place', async () => {
  await closedStore(10);
  const before = readFileSync(path);
  await backupStore(path, copy);
  expect(readFileSync(path).equals(before)).toBe(true);
  const store = await opened(path);
  const locks = () =>
    existsSync('/proc/locks')
      ? readFileSync('/proc/locks', 'utf8').split(`:${statSync(path).ino} `).length
      : 2;
  const held = locks();
  expect(held).toBeGreaterThan(1);
  await backupStore(path, `${copy} 2`);
  expect(locks()).toBe(held);
  await fill(store, 10, 20);
});

test('nothing is overwritten, by a backup or a restore', async () => {
  await closedStore(5);
  writeFileSync(copy, 'something else');
  await expect(backupStore(path, copy)).rejects.toMatchObject({ code: 'ALREADY_EXISTS' });
  expect(readFileSync(copy, 'utf8')).toBe('something else');
  symlinkSync(join(folder, 'nowhere'), join(folder, 'link'));
  await expect(backupStore(path, join(folder, 'link'))).rejects.toMatchObject({ code: 'ALREADY_EXISTS' });
  const good = join(folder, 'good');
  await backupStore(path, good);
  await closedStore(7, join(folder, 'other.db'));
  for (const target of [path, join(folder, 'other.db'), good])
    await expect(restoreStore(good, target)).rejects.toMatchObject({ code: 'ALREADY_EXISTS' });
  expect(await all(await opened(join(folder, 'other.db')))).toHaveLength(7);
  // A log that a store left behind would be replayed into the restored one.
  writeFileSync(join(folder, 'third.db-wal'), '');
  await expect(restoreStore(good, join(folder, 'third.db'))).rejects.toMatchObject({
    code: 'ALREADY_EXISTS',
    message: 'The log of an earlier session database lies at the path of the store.',
  });
  expect(readdirSync(folder).filter((name) => name.includes('partial'))).toEqual([]);
});

test.each<[string, string, (file: string) => Promise<void> | void]>([
  ['is not there', 'There is no session database at the path given.', () => {}],
  ['is empty', 'The file is not a session database.', (file) => writeFileSync(file, '')],
  ['is text', 'The file is not a session database.', (file) => writeFileSync(file, 'my notes\n'.repeat(500))],
  [
    'belongs to another program',
    'The file is not a session database.',
    async (file) => {
      const { DatabaseSync } = await import('node:sqlite');
      const db = new DatabaseSync(file);
      db.exec('create table t (x)');
      db.close();
    },
  ],
  [
    'is newer',
    'The session database was written by a newer version of this program.',
    async (file) => {
      await closedStore(1, file);
      const { DatabaseSync } = await import('node:sqlite');
      const db = new DatabaseSync(file);
      db.exec('pragma user_version = 99');
      db.close();
    },
  ],
  [
    'was cut short',
    'The session database is damaged.',
    async (file) => {
      await closedStore(2000, file);
      writeFileSync(file, readFileSync(file).subarray(0, 4096 * 40));
    },
  ],
  [
    'is damaged in the middle',
    'The session database is damaged.',
    async (file) => {
      await closedStore(2000, file);
      const bytes = readFileSync(file);
      bytes.fill(0xa5, 4096 * 25, 4096 * 50);
      writeFileSync(file, bytes);
    },
  ],
  ['is a folder', 'The path of the session database names a folder, not a file.', (file) => mkdirSync(file)],
  [
    'is a pipe',
    'The path of the session database names a pipe, a socket or a device, not a file.',
    (file) => {
      execFileSync('mkfifo', [file]);
    },
  ],
])('a file that %s is neither backed up nor restored', async (_, message, make) => {
  await make(copy);
  await expect(restoreStore(copy, path)).rejects.toMatchObject({ code: 'FAILED_PRECONDITION', message });
  await expect(backupStore(copy, path)).rejects.toMatchObject({ code: 'FAILED_PRECONDITION', message });
  expect(existsSync(path)).toBe(false);
  expect(readdirSync(folder).filter((name) => name.includes('partial'))).toEqual([]);
});

test('a target that cannot be written is refused', async () => {
  await closedStore(5);
  await expect(backupStore(path, join(folder, 'no such folder', 'copy'))).rejects.toMatchObject({
    code: 'FAILED_PRECONDITION',
    message: 'The copy cannot be written to this path.',
  });
});

test('a backup whose log was not written back yet is restored whole', async () => {
  const store = await opened(path);
  await fill(store, 0, 5);
  // As a careless person would copy it, but with all of its files.
  for (const suffix of ['', '-wal', '-shm']) execFileSync('cp', [path + suffix, copy + suffix]);
  await restoreStore(copy, join(folder, 'restored.db'));
  expect(await all(await opened(join(folder, 'restored.db')))).toHaveLength(5);
});

test('a backup on a disk that cannot be written is restored', async () => {
  await closedStore(5);
  const place = join(folder, 'read-only');
  mkdirSync(place);
  copyFileSync(path, join(place, 'copy.db'));
  chmodSync(join(place, 'copy.db'), 0o400);
  chmodSync(place, 0o500);
  await restoreStore(join(place, 'copy.db'), copy);
  chmodSync(place, 0o700);
  expect(await all(await opened(copy))).toHaveLength(5);
});

test('a backup of the first build is restored, and brought up to date when it is opened', async () => {
  writeFileSync(copy, gunzipSync(readFileSync(new URL('fixtures/first-build.db.gz', import.meta.url))));
  expect((await restoreStore(copy, path)).version).toBe(2);
  expect(readFileSync(path).includes('plughxyzzy')).toBe(false);
  expect(await (await opened(path)).range({ prefix: 's/', limit: 9 })).toHaveLength(1);
});

test('a restore that is killed at any moment leaves no store or a whole one', async () => {
  await closedStore(3000, copy, 'x'.repeat(3000));
  let done = 0;
  for (let round = 0; round < 8; round++) {
    const place = join(folder, `restored ${round}`);
    const child = start('restore.ts', copy, place);
    const ended = new Promise((resolve) => child.once('close', resolve));
    await new Promise((resolve) => child.stdout?.once('data', resolve));
    await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, round * 40))]);
    child.kill('SIGKILL');
    await ended;
    if (!existsSync(place)) continue;
    done += 1;
    const store = await openSqlite({ path: place, durability: 'full' });
    expect(await all(store)).toHaveLength(3000);
    await store.close();
  }
  expect(done).toBeLessThan(8);
});
