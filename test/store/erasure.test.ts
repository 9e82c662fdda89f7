import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { expect, test, vi } from 'vitest';
import { openSqlite } from '../../src/store/sqlite/index.ts';
import type { Store, Write } from '../../src/store/types.ts';
import { scratch } from '../scratch.ts';
import { opened, run, start } from './helpers.ts';

const write = (store: Store, ...writes: Write[]) => store.update([], () => ({ result: undefined, writes }));

/** The store's files that contain a text. grep reads them, because closing them here would drop SQLite's locks. */
function filesWith(path: string, text: string): string[] {
  const files = ['', '-wal', '-shm'].map((suffix) => path + suffix).filter((file) => existsSync(file));
  const { stdout, status } = spawnSync(
    'grep',
    ['--text', '--fixed-strings', '--files-with-matches', text, ...files],
    {
      encoding: 'utf8',
    },
  );
  if (status === null || status > 1) throw new Error('grep failed');
  return stdout.split('\n').filter((line) => line !== '');
}

/** The log of an open store is emptied within about a second. */
const gone = (path: string, text: string) =>
  vi.waitFor(() => expect(filesWith(path, text)).toEqual([]), { timeout: 10_000, interval: 100 });

const filler = (i: number) => ({ key: `f/${i}`, value: `filler number ${i} `.repeat(20) });

test('what was dropped, overwritten or swept is gone from the bytes of an open store', async () => {
  const path = join(scratch(), 'sessions.db');
  let clock = 1_000_000;
  const store = await opened(path, { now: () => clock });
  const other = await opened(path, { now: () => clock });
  await write(
    store,
    ...Array.from({ length: 300 }, (_, i) => filler(i)),
    { key: 'one', value: 'SECRET-dropped' },
    { key: 'p/1', value: 'SECRET-under-a-prefix' },
    { key: 'p/2', value: `SECRET-of-many-pages ${'SECRET-tail '.repeat(5000)}` },
    { key: 'over', value: 'SECRET-overwritten, and a rest that is longer than what follows' },
    { key: 'ttl', value: 'SECRET-expired', expires: clock + 10 },
  );
  await write(other, { key: 'other', value: 'SECRET-of-another-connection' });
  expect(filesWith(path, 'SECRET')).not.toEqual([]);
  await write(
    store,
    { drop: 'one' },
    { dropPrefix: 'p/' },
    { key: 'over', value: 'short' },
    { drop: 'other' },
  );
  clock += 10;
  while (await store.sweep());
  await gone(path, 'SECRET');
  expect(await other.get(['f/7', 'over'])).toEqual([filler(7).value, 'short']);
});

test('words of a deleted or changed text leave the search index at once, and the others stay', async () => {
  const path = join(scratch(), 'sessions.db');
  const store = await opened(path);
  const entry = (i: number, more = '') => {
    const body = `entry zzword${i} zzworde${i % 7} of the zzwordlist ${more}`;
    return { key: `k${i}`, value: `${i}`, text: { scope: 's', body } };
  };
  for (let i = 0; i < 400; i++) await write(store, entry(i, i === 123 ? 'zzworduniquea zzworduniqueb' : ''));
  await write(store, { key: 'k200', value: 'no text', text: { scope: 's', body: 'quite zzwordchanged' } });
  expect(filesWith(path, 'zzworduniqueb')).not.toEqual([]);
  await write(store, { drop: 'k123' }, entry(200));
  for (const word of ['zzworduniq', 'zzword123', 'zzwordch']) await gone(path, word);
  expect(await store.search({ scope: 's', text: 'zzworduniquea zzword123', limit: 10 })).toEqual([]);
  expect(await store.search({ scope: 's', text: 'zzword200', limit: 10 })).toHaveLength(1);
  expect(await store.search({ scope: 's', text: 'zzwordlist', limit: 1000 })).toHaveLength(399);
});

test('a store that was killed right after a delete is cleaned by the next that opens it', async () => {
  const path = join(scratch(), 'sessions.db');
  const child = start('drop-and-wait.ts', path, 'SECRET-of-the-killed');
  await new Promise((resolve) => child.stdout?.once('data', resolve));
  child.kill('SIGKILL');
  await new Promise((resolve) => child.once('close', resolve));
  expect(filesWith(path, 'SECRET')).not.toEqual([]);
  await opened(path);
  await gone(path, 'SECRET');
});

test('a reader who holds an old state keeps it; the bytes are gone when the reader is', async () => {
  const path = join(scratch(), 'sessions.db');
  const store = await opened(path);
  await write(store, { key: 'k', value: 'SECRET' });
  const reader = start('read-and-wait.ts', path, '2000');
  const seen = await new Promise<string>((resolve) =>
    reader.stdout?.once('data', (chunk) => resolve(`${chunk}`)),
  );
  await write(store, { drop: 'k' });
  expect(seen).toBe('SECRET');
  await write(store, { key: 'l', value: 'not held up' });
  await gone(path, 'SECRET');
});

test('a store that is closed beside another that stays open leaves nothing in the log', async () => {
  const path = join(scratch(), 'sessions.db');
  await opened(path);
  const store = await openSqlite({ path, durability: 'full' });
  await write(store, { key: 'k', value: 'SECRET' });
  await write(store, { drop: 'k' });
  await store.close();
  expect(filesWith(path, 'SECRET')).toEqual([]);
});

test('the file gives the room of deleted entries back to the disk', async () => {
  const path = join(scratch(), 'sessions.db');
  const store = await opened(path, { durability: 'normal' });
  const value = 'x'.repeat(100_000);
  for (let i = 0; i < 300; i += 30)
    await write(store, ...Array.from({ length: 30 }, (_, j) => ({ key: `k/${i + j}`, value })));
  await write(store, { key: 'stays', value });
  await write(store, { dropPrefix: 'k/' });
  while (await store.sweep());
  await vi.waitFor(() => expect(statSync(path).size).toBeLessThan(8_000_000), { timeout: 10_000 });
  expect(await store.get(['stays'])).toEqual([value]);
});

test('a store of the first build keeps its data, and loses what had been deleted before', async () => {
  const path = join(scratch(), 'sessions.db');
  const packed = readFileSync(new URL('fixtures/first-build.db.gz', import.meta.url));
  writeFileSync(path, gunzipSync(packed));
  for (const text of ['plughxyzzy', 'plughplover']) expect(filesWith(path, text)).not.toEqual([]);
  const store = await opened(path);
  for (const text of ['plughxyzzy', 'plughplov']) await gone(path, text);
  expect(await store.range({ prefix: 's/', limit: 9 })).toMatchObject([{ key: 's/default/ada/trip' }]);
});

test('a store of the first build that another process holds open is still opened', async () => {
  const path = join(scratch(), 'sessions.db');
  writeFileSync(path, gunzipSync(readFileSync(new URL('fixtures/first-build.db.gz', import.meta.url))));
  const reader = start('read-and-wait.ts', path, '4000');
  await new Promise((resolve) => reader.stdout?.once('data', resolve));
  const store = await opened(path);
  await write(store, { key: 'new', value: '1' });
  expect(await run('read-key.ts', path, 'new')).toBe('1');
});
