import { createHash, randomBytes } from 'node:crypto';
import { chmodSync, existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { gunzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { SessionError } from '../../src/errors.ts';
import { openSqlite } from '../../src/store/sqlite/index.ts';
import { prepareOn } from '../../src/store/sqlite/statements.ts';
import type { Store } from '../../src/store/types.ts';
import { scratch } from '../scratch.ts';
import { opened, run, start } from './helpers.ts';

async function refusal(path: string): Promise<SessionError> {
  const outcome = await openSqlite({ path, durability: 'full' }).catch((error: unknown) => error);
  if (!(outcome instanceof SessionError)) throw new Error('the store was opened');
  // A model sees the error, so it must not contain the file's path.
  expect(JSON.stringify({ ...outcome, message: outcome.message, cause: undefined })).not.toContain(path);
  expect(outcome.message + outcome.hint).not.toContain(dirname(path));
  return outcome;
}

const digest = (path: string) => createHash('sha256').update(readFileSync(path)).digest('hex');

const put = (store: Store, key: string, value: string) =>
  store.update([], () => ({ result: undefined, writes: [{ key, value }] }));

function sql(path: string, text: string): void {
  const db = new DatabaseSync(path);
  db.exec(text);
  db.close();
}

/** A file as the first step of the schema left it. */
function firstVersion(path: string): void {
  sql(
    path,
    `pragma journal_mode = wal;
     create table kv (id integer primary key, key text not null unique, value text not null, expires integer);
     create index kv_expires on kv (expires) where expires is not null;
     insert into kv (key, value) values ('a', 'old'), ('b', 'older');
     pragma application_id = ${0x61736d73};
     pragma user_version = 1;`,
  );
}

test('creates the file and its folder for the owner alone, and keeps the data', async () => {
  const path = join(scratch(), 'a folder', 'deeper', 'sessions.db');
  const store = await opened(path);
  expect(store.engine).toBe('sqlite');
  expect(store.location).toBe(path);
  await put(store, 'k', 'v');
  for (const name of readdirSync(dirname(path)))
    expect([name, statSync(join(dirname(path), name)).mode & 0o777]).toEqual([name, 0o600]);
  expect(statSync(dirname(path)).mode & 0o777).toBe(0o700);
  await store.close();
  expect(await (await opened(path)).get(['k'])).toEqual(['v']);
});

test('an empty file becomes a store', async () => {
  const path = join(scratch(), 'sessions.db');
  writeFileSync(path, '');
  const store = await opened(path);
  await put(store, 'k', 'v');
  expect(await store.get(['k'])).toEqual(['v']);
});

test.each([
  ['text', Buffer.from('these are my notes, not a database\n'.repeat(100))],
  ['a few bytes', Buffer.from('x')],
  ['random bytes', randomBytes(20_000)],
])('a file of %s is refused and left as it is', async (_, content) => {
  const path = join(scratch(), 'sessions.db');
  writeFileSync(path, content);
  const error = await refusal(path);
  expect(error.code).toBe('FAILED_PRECONDITION');
  expect(error.message).toBe('The file is not a session database.');
  expect(readFileSync(path).equals(content)).toBe(true);
});

test.each([
  ['with its own mark', 'create table t (x); pragma application_id = 4711;'],
  ['without a mark', 'create table t (x);'],
  ['without a mark, in WAL mode', 'pragma journal_mode = wal; create table t (x);'],
])('a database of another program, %s, is refused and left as it is', async (_, content) => {
  const folder = scratch();
  const path = join(folder, 'sessions.db');
  sql(path, content);
  const before = digest(path);
  const error = await refusal(path);
  expect(error.code).toBe('FAILED_PRECONDITION');
  expect(error.message).toBe('The file is not a session database.');
  expect(digest(path)).toBe(before);
  expect(readdirSync(folder)).toEqual(['sessions.db']);
});

test('a store from a newer version is refused and left as it is', async () => {
  const path = join(scratch(), 'sessions.db');
  await (await openSqlite({ path, durability: 'full' })).close();
  sql(path, 'pragma user_version = 99');
  const before = digest(path);
  const error = await refusal(path);
  expect(error.code).toBe('FAILED_PRECONDITION');
  expect(error.message).toBe('The session database was written by a newer version of this program.');
  expect(error.hint).toContain('Update');
  expect(error.details).toMatchObject({ version: 99 });
  expect(digest(path)).toBe(before);
});

test('a store of the first version is brought up to date with its data', async () => {
  const path = join(scratch(), 'sessions.db');
  firstVersion(path);
  const store = await opened(path);
  expect(await store.range({ prefix: '', limit: 9 })).toEqual([
    { key: 'a', value: 'old' },
    { key: 'b', value: 'older' },
  ]);
  const text = { scope: 's', body: 'words' };
  await store.update([], () => ({ result: undefined, writes: [{ key: 'a', value: 'new', text }] }));
  expect(await store.search({ scope: 's', text: 'word', limit: 9 })).toMatchObject([
    { key: 'a', value: 'new' },
  ]);
});

test('many processes bring one old store up to date at the same moment', async () => {
  const path = join(scratch(), 'sessions.db');
  firstVersion(path);
  const time = String(Date.now() + 400);
  await Promise.all(Array.from({ length: 4 }, () => run('open-at.ts', path, time)));
  expect(await (await opened(path)).get(['n', 'a'])).toEqual(['4', 'old']);
}, 60_000);

test('a process that is killed while it brings an old store up to date harms nothing', async () => {
  const packed = readFileSync(new URL('fixtures/first-build.db.gz', import.meta.url));
  const path = join(scratch(), 'sessions.db');
  const time = performance.now();
  await run('open-at.ts', join(scratch(), 'other.db'), '0');
  const took = performance.now() - time;
  for (let round = 0; round < 8; round++) {
    for (const suffix of ['-wal', '-shm']) rmSync(path + suffix, { force: true });
    writeFileSync(path, gunzipSync(packed));
    const child = start('open-at.ts', path, '0');
    const ended = new Promise((resolve) => child.once('close', resolve));
    await new Promise((resolve) => setTimeout(resolve, took * (0.5 + round / 16)));
    child.kill('SIGKILL');
    await ended;
    const store = await openSqlite({ path, durability: 'full' });
    expect(await store.range({ prefix: 's/', limit: 9 })).toHaveLength(1);
    expect(await store.range({ prefix: 'r/', limit: 100 })).toHaveLength(22);
    await store.close();
    const db = new DatabaseSync(path);
    expect(db.prepare('pragma integrity_check').all()).toEqual([{ integrity_check: 'ok' }]);
    expect(db.prepare('pragma auto_vacuum').get()).toEqual({ auto_vacuum: 2 });
    db.close();
  }
}, 60_000);

test('a migration that fails changes nothing', async () => {
  const path = join(scratch(), 'sessions.db');
  firstVersion(path);
  sql(path, 'create table term_index (in_the_way)');
  expect((await refusal(path)).message).toBe('The session database is damaged.');
  const db = new DatabaseSync(path);
  expect(db.prepare('pragma user_version').get()).toEqual({ user_version: 1 });
  expect(db.prepare('pragma table_info(kv)').all()).toHaveLength(4);
  db.close();
});

test('a damaged store says so, at opening or at the first read of what is damaged', async () => {
  const path = join(scratch(), 'sessions.db');
  const store = await openSqlite({ path, durability: 'full' });
  for (let i = 0; i < 50; i++) await put(store, `k${i}`, 'v'.repeat(3000));
  await store.close();
  const content = readFileSync(path);
  content.fill(0xa5, 4096);
  writeFileSync(path, content);
  const reading = openSqlite({ path, durability: 'full' }).then((s) =>
    s.get(['k7']).finally(() => s.close()),
  );
  await expect(reading).rejects.toMatchObject({
    code: 'FAILED_PRECONDITION',
    message: 'The session database is damaged.',
  });
});

test('a file that was cut short is refused', async () => {
  const path = join(scratch(), 'sessions.db');
  await (await openSqlite({ path, durability: 'full' })).close();
  writeFileSync(path, readFileSync(path).subarray(0, 3000));
  expect((await refusal(path)).code).toBe('FAILED_PRECONDITION');
});

test('a path below a file is refused', async () => {
  const folder = scratch();
  writeFileSync(join(folder, 'file'), 'not a folder');
  const error = await refusal(join(folder, 'file', 'sessions.db'));
  expect(error.code).toBe('FAILED_PRECONDITION');
  expect(error.message).toBe('The session database cannot be opened or created.');
});

test('a file, or a folder, that may not be written is refused', async () => {
  const folder = scratch();
  const path = join(folder, 'sessions.db');
  await (await openSqlite({ path, durability: 'full' })).close();
  chmodSync(path, 0o444);
  chmodSync(folder, 0o555);
  const answers = [
    await run('open-as-nobody.ts', path),
    await run('open-as-nobody.ts', join(folder, 'new.db')),
  ];
  chmodSync(folder, 0o755);
  expect(answers).toEqual([
    'FAILED_PRECONDITION: The session database cannot be written to.',
    'FAILED_PRECONDITION: The session database cannot be opened or created.',
  ]);
  expect(existsSync(join(folder, 'new.db'))).toBe(false);
});

test('a full disk refuses what does not fit, loses nothing, and is left behind when there is room', async () => {
  const path = join(scratch(), 'sessions.db');
  const store = await opened(path, { maxPages: 200 });
  const text = { scope: 's', body: 'some words' };
  const kept: string[] = [];
  let refused: unknown;
  for (let i = 0; refused === undefined && i < 1000; i++) {
    const key = `k${String(i).padStart(4, '0')}`;
    await store
      .update([], () => ({ result: undefined, writes: [{ key, value: 'x'.repeat(10_000), text }] }))
      .then(
        () => kept.push(key),
        (error: unknown) => {
          refused = error;
        },
      );
  }
  expect(refused).toMatchObject({
    code: 'RESOURCE_EXHAUSTED',
    message: 'The disk of the session database is full.',
  });
  expect(kept.length).toBeGreaterThan(10);
  const keys = async () => (await store.range({ prefix: '', limit: 9999 })).map((entry) => entry.key);
  expect(await keys()).toEqual(kept);
  expect(await store.search({ scope: 's', text: 'words', limit: 9999 })).toHaveLength(kept.length);
  await store.update([], () => ({ result: undefined, writes: kept.slice(0, 5).map((drop) => ({ drop })) }));
  await put(store, 'z', 'y'.repeat(10_000));
  expect(await keys()).toEqual([...kept.slice(5), 'z']);
  await store.close();
  expect(await (await opened(path)).range({ prefix: 'z', limit: 1 })).toHaveLength(1);
});

test('a file is opened while another process rewrites it again and again', async () => {
  const path = join(scratch(), 'sessions.db');
  await opened(path);
  const [db, other] = [new DatabaseSync(path), new DatabaseSync(path)];
  const rewritten = {
    exec: (sql: string) => db.exec(sql),
    prepare(sql: string) {
      other.exec('vacuum');
      return db.prepare(sql);
    },
  };
  const { text } = prepareOn(rewritten as DatabaseSync);
  expect(text.rows([1])).toEqual([]);
  for (const one of [db, other]) one.close();
});

test('an entry with text is written after this connection and another have rewritten the file', async () => {
  const path = join(scratch(), 'sessions.db');
  const store = await opened(path);
  const entry = { key: 'k', value: 'v', text: { scope: 's', body: 'word' } };
  for (const write of [entry, { drop: 'k' }])
    await store.update([], () => ({ result: undefined, writes: [write] }));
  // It rewrites the file a second after something was dropped.
  await new Promise((resolve) => setTimeout(resolve, 1300));
  const other = new DatabaseSync(path);
  other.exec('vacuum');
  other.close();
  await store.update([], () => ({ result: undefined, writes: [entry] }));
  expect(await store.search({ scope: 's', text: 'word', limit: 1 })).toMatchObject([{ key: 'k' }]);
});
