import { spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, expect, onTestFinished, test } from 'vitest';
import { openLocal } from '../../src/backend/local/index.ts';
import type { Backend } from '../../src/backend/types.ts';
import { openStore } from '../../src/store/open.ts';
import { pageText, textsOf } from '../docs/markdown.ts';
import { bundle } from '../e2e/bundle.ts';
import { run } from '../e2e/run.ts';
import { scratch } from '../scratch.ts';
import { tokensFor } from '../server/http/requests.ts';
import { freshPlace, sql } from './postgres.ts';

const { url, drop } = await freshPlace();
afterAll(drop);

test('the two commands of docs/scaling.md move the sessions of a file and serve them', async () => {
  const folder = scratch();
  const file = path.join(folder, 'sessions.db');
  const local = openLocal({
    store: await openStore({ url: `sqlite:${file}`, durability: 'full', dataDir: '' }),
  }) as Required<Backend>;
  await local.sessions.create?.({ app: 'default', userId: 'ada' }, { sessionId: 'trip' });
  await local.close();
  writeFileSync(path.join(folder, 'tokens.json'), tokensFor({ ada: ['sessions:write'] }));
  const bin = path.join(folder, 'bin');
  mkdirSync(bin);
  const command = `#!/bin/sh\nexec "${process.execPath}" "${bundle}" "$@"\n`;
  writeFileSync(path.join(bin, 'agent-sessions-mcp'), command, { mode: 0o755 });
  const lines = textsOf(pageText('docs/scaling.md'), 'sh').join('').trim().split('\n');
  expect(lines).toHaveLength(2);
  const script = lines.map((line) => line.replaceAll('postgres://agents@db.example/agents', `'${url}'`));
  const child = spawn('sh', ['-c', `set -e\n${script[0]}\nexec ${script[1]} --port 0`], {
    cwd: folder,
    env: { PATH: `${bin}:${process.env.PATH}`, HOME: folder },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  await new Promise<void>((resolve, reject) => {
    child.stderr.on('data', (chunk) => {
      said += chunk;
      if (said.includes('"url"')) resolve();
    });
    child.on('exit', () => reject(new Error(said)));
  });
  const store = await openStore({ url, durability: 'full', dataDir: '' });
  const moved = openLocal({ store }) as Required<Backend>;
  expect(await moved.sessions.get?.({ app: 'default', userId: 'ada', sessionId: 'trip' })).toMatchObject({
    id: 'trip',
  });
  await moved.close();
  child.kill('SIGTERM');
  await new Promise((resolve) => child.once('close', resolve));
});

test('doctor names the engine and where it is, and never the password', async () => {
  const secret = new URL(url);
  secret.password = 'hunter2';
  const ended = await run(['doctor', '--store', secret.href, '--user', 'ada']);
  expect(ended).toMatchObject({ code: 0, stdout: expect.stringContaining('postgres') });
  expect(ended.stdout).toContain(secret.host);
  expect(ended.stdout + ended.stderr).not.toContain('hunter2');
  const nowhere = await run(['doctor', '--store', 'postgres://ada:hunter2@127.0.0.1:1/db', '--user', 'ada']);
  expect(nowhere).toMatchObject({ code: 1, stdout: expect.stringContaining('FAIL') });
  expect(nowhere.stdout + nowhere.stderr).not.toContain('hunter2');
});

test('doctor makes no tables and changes none, and tells a new database from one in use', async () => {
  const place = await freshPlace();
  onTestFinished(place.drop);
  const doctor = (user = 'ada') => run(['doctor', '--store', place.url, '--user', user]);
  const first = await doctor();
  expect(first).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('it answers; the server makes its tables at its first start'),
  });
  expect(await sql('select to_regclass($$agent_sessions_meta$$) as there', place.url)).toEqual([
    { there: null },
  ]);
  const store = await openStore({ url: place.url, durability: 'full', dataDir: '' });
  const gone = { key: 'gone', value: 'v', expires: 1 };
  await store.update([], () => ({ result: 0, writes: [gone, { key: '~copy', value: '{}' }] }));
  await store.close();
  const content = () => sql('select key, value, xmin::text as version from agent_sessions_kv', place.url);
  const before = await content();
  const half = await doctor();
  expect(half).toMatchObject({ code: 1, stdout: expect.stringContaining('is a copy that is not done') });
  await sql(`update agent_sessions_kv set key = 'k' where key = '~copy'`, place.url);
  expect(await doctor()).toMatchObject({ code: 0, stdout: expect.stringMatching(/it answers\n/) });
  expect((await content()).length).toBe(before.length);
  await sql('update agent_sessions_meta set version = 99', place.url);
  expect(await doctor()).toMatchObject({ code: 1, stdout: expect.stringContaining('newer version') });
});

test('doctor names what the user of the store may not do', async () => {
  const place = await freshPlace();
  await sql(`drop role if exists looker; create role looker login`);
  onTestFinished(async () => {
    await place.drop();
    await sql('drop owned by looker; drop role looker');
  });
  const theirs = new URL(place.url);
  theirs.username = 'looker';
  const doctor = () => run(['doctor', '--store', theirs.href, '--user', 'ada']);
  const refused = { code: 1, stdout: expect.stringContaining('may not do this in its database') };
  expect(await doctor()).toMatchObject(refused);
  await (await openStore({ url: place.url, durability: 'full', dataDir: '' })).close();
  const schema = /search_path%3D(\w+)/.exec(place.url)?.[1] ?? '';
  await sql(
    `grant usage on schema ${schema} to looker; grant select on all tables in schema ${schema} to looker`,
  );
  expect(await doctor()).toMatchObject(refused);
  await sql(
    `grant select, insert, update, delete on all tables in schema ${schema} to looker;
     grant usage on all sequences in schema ${schema} to looker`,
  );
  expect(await doctor()).toMatchObject({ code: 0 });
  // That is all it needs.
  const store = await openStore({ url: theirs.href, durability: 'full', dataDir: '' });
  const writes = [{ key: 'k', value: 'v', text: { scope: 's', body: 'some words' } }];
  await store.update([], () => ({ result: 0, writes }));
  while (await store.sweep());
  expect(await store.search({ scope: 's', text: 'words', limit: 1 })).toHaveLength(1);
  await store.close();
});

test('copy-store makes no tables where FROM is mistyped', async () => {
  const place = await freshPlace();
  onTestFinished(place.drop);
  const ended = await run(['copy-store', place.url, `sqlite:${scratch()}/moved.db`]);
  expect(ended).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('There is no store at postgres://'),
  });
  expect(await sql('select to_regclass($$agent_sessions_meta$$) as there', place.url)).toEqual([
    { there: null },
  ]);
});
