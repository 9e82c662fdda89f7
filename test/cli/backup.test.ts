import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';
import { openLocal } from '../../src/backend/local/index.ts';
import type { Backend } from '../../src/backend/types.ts';
import { openSqlite } from '../../src/store/sqlite/index.ts';
import { bundle } from '../e2e/bundle.ts';
import { connect } from '../e2e/clients.ts';
import { run } from '../e2e/run.ts';
import { scratch } from '../scratch.ts';

const url = (file: string) => `sqlite:${file}`;

async function withLocal<T>(file: string, work: (local: Required<Backend>) => Promise<T>): Promise<T> {
  const local = openLocal({
    store: await openSqlite({ path: file, durability: 'full' }),
  }) as Required<Backend>;
  try {
    return await work(local);
  } finally {
    await local.close();
  }
}

const owner = { app: 'default', userId: 'ada' };
const titles = (file: string) =>
  withLocal(file, async (local) =>
    (await local.sessions.list?.({ ...owner, pageSize: 9 }))?.items.map((s) => s.id),
  );

it('backs up the store of a running server, and restores it elsewhere', async () => {
  const folder = scratch();
  const [live, copy, other] = ['live.db', 'copy.db', 'other.db'].map((name) => path.join(folder, name)) as [
    string,
    string,
    string,
  ];
  const client = await connect('v2-modern', { args: ['--store', url(live), '--user', 'ada'] });
  await client.ok('create_session', { sessionId: 'trip' });
  const made = await run(['backup', copy, '--store', url(live)]);
  expect(made).toMatchObject({ code: 0, stdout: expect.stringContaining(`Backed up to ${copy}: `) });
  await client.ok('create_session', { sessionId: 'later' });
  const again = await run(['backup', copy, '--store', url(live)]);
  expect(again).toMatchObject({ code: 1, stdout: '' });
  expect(again.stderr).toContain('A file already exists at the path of the backup.');
  const over = await run(['restore', copy, '--store', url(live)]);
  expect(over.code).toBe(1);
  expect(over.stderr).toContain('A session database already exists');
  await client.close();
  expect(await run(['restore', copy, '--store', url(other)])).toMatchObject({ code: 0 });
  expect(await titles(other)).toEqual(['trip']);
  expect(await titles(live)).toEqual(['later', 'trip']);
});

it('says what is missing', async () => {
  const file = path.join(scratch(), 'none.db');
  for (const [args, words] of [
    [['backup'], 'backup needs FILE.'],
    [['backup', file, '--store', url(`${file}2`)], 'There is no session database at the path given.'],
    [['restore', file, '--store', url(`${file}2`)], 'There is no session database at the path given.'],
    [['backup', file, '--store', 'memory:'], 'A store in memory ends with its server'],
  ] as const) {
    const ended = await run(args);
    expect(ended.code).toBeGreaterThan(0);
    expect(ended.stderr).toContain(words);
    expect(existsSync(file)).toBe(false);
  }
});

it('every command of docs/backup.md does what the page says', async () => {
  const home = scratch();
  const bin = path.join(home, 'bin');
  const data = path.join(home, '.local/share/agent-sessions-mcp');
  mkdirSync(bin);
  const program = path.join(bin, 'agent-sessions-mcp');
  writeFileSync(program, `#!/bin/sh\nexec "${process.execPath}" "${bundle}" "$@"\n`);
  chmodSync(program, 0o755);
  await withLocal(
    path.join(data, 'sessions.db'),
    async (local) => await local.sessions.create?.(owner, { sessionId: 'kept' }),
  );
  const page = readFileSync(new URL('../../docs/backup.md', import.meta.url), 'utf8');
  const scripts = [...page.matchAll(/^```sh\n(.*?)^```/gms)].map(([, script = '']) => script);
  expect(scripts).toHaveLength(4);
  for (const script of scripts) {
    const ended = spawnSync('sh', ['-e', '-c', script], {
      env: { HOME: home, PATH: `${bin}:${process.env.PATH}` },
      encoding: 'utf8',
    });
    expect([script, ended.status, ended.stderr.includes('"level":"error"')]).toEqual([script, 0, false]);
  }
  for (const file of [
    path.join(data, 'sessions.db'),
    path.join(`${data}.old`, 'sessions.db'),
    path.join(home, 'backups/tried/sessions.db'),
  ])
    expect(await titles(file)).toEqual(['kept']);
  expect(statSync(path.join(home, 'backups/sessions.db')).mode & 0o777).toBe(0o600);
});
