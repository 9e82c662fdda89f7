import { spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { openLocal } from '../../src/backend/local/index.ts';
import type { Backend } from '../../src/backend/types.ts';
import { openStore } from '../../src/store/open.ts';
import { pageText, textsOf } from '../docs/markdown.ts';
import { bundle } from '../e2e/bundle.ts';
import { scratch } from '../e2e/clients.ts';
import { run } from '../e2e/run.ts';
import { tokensFor } from '../server/http/requests.ts';
import { freshPlace } from './postgres.ts';

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
