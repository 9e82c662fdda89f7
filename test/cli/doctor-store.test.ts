import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { gunzipSync } from 'node:zlib';
import { expect, it } from 'vitest';
import { openLocal } from '../../src/backend/local/index.ts';
import type { Backend } from '../../src/backend/types.ts';
import { openSqlite } from '../../src/store/sqlite/index.ts';
import { run } from '../e2e/run.ts';
import { scratch } from '../scratch.ts';

const doctor = (file: string) => run(['doctor', '--store', `sqlite:${file}`, '--user', 'ada']);

async function filled(file: string): Promise<void> {
  const store = await openSqlite({ path: file, durability: 'full' });
  const writes = Array.from({ length: 500 }, (_, i) => ({ key: `k${i}`, value: 'v'.repeat(500) }));
  await store.update([], () => ({ result: undefined, writes }));
  await store.close();
}

it('tells a new store from an existing one, with its size, version and integrity', async () => {
  const file = path.join(scratch(), 'data.db');
  const first = await doctor(file);
  expect(first).toMatchObject({ code: 0, stdout: expect.stringContaining(`store: new, at ${file}`) });
  // Its path may be mistyped.
  expect(existsSync(file)).toBe(false);
  await filled(file);
  const second = await doctor(file);
  expect(second.code).toBe(0);
  expect(second.stdout).toMatch(/store: existing, at .*: 500 entries, [\d.]+ kB, of which .* are free/);
  expect(second.stdout).toMatch(/store version: \d+, the current one/);
  expect(second.stdout).toContain('store integrity: no page is damaged');
  expect(second.stdout).toMatch(/disk of the store: [\d.]+ [GT]B free/);
});

it('says that a new store cannot be made where its folder is a file', async () => {
  const folder = path.join(scratch(), 'not-a-folder');
  writeFileSync(folder, '');
  expect(await doctor(path.join(folder, 'data.db'))).toMatchObject({
    code: 1,
    stdout: expect.stringContaining(`FAIL  The store cannot be made under ${folder}.`),
  });
});

it('takes the empty file of a server killed at its first start for a new store, as serving does', async () => {
  const file = path.join(scratch(), 'data.db');
  writeFileSync(file, '');
  expect(await doctor(file)).toMatchObject({
    code: 0,
    stdout: expect.stringContaining(`store: new, at ${file}`),
  });
});

it('says that a store in memory does not last', async () => {
  const ended = await run(['doctor', '--store', 'memory:', '--user', 'ada']);
  expect(ended).toMatchObject({ code: 0, stdout: expect.stringContaining('note  The store is in memory') });
});

it('names the step that an older store is about to take', async () => {
  const file = path.join(scratch(), 'data.db');
  const packed = readFileSync(new URL('../store/fixtures/first-build.db.gz', import.meta.url));
  writeFileSync(file, gunzipSync(packed));
  const ended = await doctor(file);
  expect(ended.code).toBe(0);
  expect(ended.stdout).toMatch(/note {2}The store has version 2; the next start brings it to version \d/);
  // It takes the step by no means itself.
  expect((await doctor(file)).stdout).toContain('The store has version 2;');
});

it('names damaged records, and their number', async () => {
  const file = path.join(scratch(), 'data.db');
  const store = await openSqlite({ path: file, durability: 'full' });
  const local = openLocal({ store }) as Required<Backend>;
  const owner = { app: 'default', userId: 'ada' };
  for (const sessionId of ['trip', 'work']) {
    await local.sessions.create?.(owner, { sessionId });
    for (let i = 0; i < 3; i++)
      await local.events.append?.(
        { ...owner, sessionId },
        { author: 'user', content: { parts: [{ text: 'Hi' }] } },
      );
  }
  await local.memory.create?.(owner, { fact: 'Ada likes tea' });
  await local.close();
  expect((await doctor(file)).stdout).toContain('ok    store records: none is damaged');
  const db = new DatabaseSync(file);
  const uid = db
    .prepare("select json_extract(value, '$.uid') as uid from kv where key = 's/default/ada/trip'")
    .get();
  const change = db.prepare('update kv set value = ? where key like ?');
  change.run('{"torn', `x/${uid?.uid}/e/%1`);
  change.run('[]', 's/default/ada/work');
  change.run('no JSON', 'r/default/ada/%');
  db.close();
  const ended = await doctor(file);
  expect(ended.code).toBe(1);
  expect(ended.stdout).toContain('FAIL  3 records are damaged: "a memory (default, ada, ');
  expect(ended.stdout).toContain('"session work of user ada in app default"');
  expect(ended.stdout).toContain('"an event (000000001) of session trip of user ada in app default"');
});

it.each<[string, string, (file: string) => void]>([
  [
    'is damaged',
    'The store is damaged: ',
    (file) => {
      const bytes = readFileSync(file);
      bytes.fill(0xa5, 4096 * 20, 4096 * 40);
      writeFileSync(file, bytes);
    },
  ],
  [
    'is newer',
    'was written by a newer version',
    (file) => {
      const db = new DatabaseSync(file);
      db.exec('pragma user_version = 99');
      db.close();
    },
  ],
  [
    'is another file',
    'The file is not a session database.',
    (file) => writeFileSync(file, 'notes\n'.repeat(999)),
  ],
])('fails on a store that %s, once, and leaves it as it is', async (_, words, harm) => {
  const file = path.join(scratch(), 'data.db');
  await filled(file);
  harm(file);
  const before = readFileSync(file);
  const ended = await doctor(file);
  expect(ended.code).toBe(1);
  expect(ended.stdout).toContain(words);
  expect(ended.stdout).toContain('1 to fix.');
  expect(readFileSync(file).equals(before)).toBe(true);
});

it('changes nothing in a store that is well, not even what has expired', async () => {
  const folder = scratch();
  const file = path.join(folder, 'data.db');
  const store = await openSqlite({ path: file, durability: 'full' });
  await store.update([], () => ({ result: 0, writes: [{ key: 'k', value: 'v', expires: 1 }] }));
  await store.close();
  const before = readFileSync(file);
  expect(await doctor(file)).toMatchObject({ code: 0 });
  expect(readFileSync(file).equals(before)).toBe(true);
  expect(readdirSync(folder)).toEqual(['data.db']);
});

it('fails on a copy that is not done, as serving does', async () => {
  const file = path.join(scratch(), 'data.db');
  const store = await openSqlite({ path: file, durability: 'full' });
  await store.update([], () => ({ result: 0, writes: [{ key: '~copy', value: '{"of":"x"}' }] }));
  await store.close();
  const ended = await doctor(file);
  expect(ended).toMatchObject({ code: 1, stdout: expect.stringContaining('is a copy that is not done') });
});

it('finds the adapter of a Keyv store, and does not open it', async () => {
  const folder = scratch();
  const query = new URLSearchParams({ filename: path.join(folder, 'made'), separatedFile: 'true' });
  const look = (adapter: string) => run(['doctor', '--store', `keyv:${adapter}?${query}`, '--user', 'ada']);
  const found = await look('keyv-file');
  expect(found).toMatchObject({ code: 0, stdout: expect.stringContaining('store: keyv, at keyv:keyv-file') });
  expect(readdirSync(folder)).toEqual([]);
  const missing = await look('keyv-nowhere');
  expect(missing).toMatchObject({ code: 1, stdout: expect.stringContaining('npm install keyv-nowhere') });
});
