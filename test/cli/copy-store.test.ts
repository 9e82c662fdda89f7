import { spawn } from 'node:child_process';
import path from 'node:path';
import { expect, it } from 'vitest';
import { openStore } from '../../src/store/open.ts';
import { bundle } from '../e2e/bundle.ts';
import { connect } from '../e2e/clients.ts';
import { run } from '../e2e/run.ts';
import { scratch } from '../scratch.ts';

const keyvFile = (folder: string) =>
  `keyv:keyv-file?filename=${encodeURIComponent(path.join(folder, 'store'))}&separatedFile=true`;

it('moves a team from a file to another engine and back, and the servers find everything', async () => {
  const folder = scratch();
  const [first, second, third] = [
    `sqlite:${path.join(folder, 'first.db')}`,
    keyvFile(folder),
    `sqlite:${path.join(folder, 'third.db')}`,
  ] as const;
  const client = await connect('v2-modern', { args: ['--store', first, '--user', 'ada'] });
  await client.ok('create_session', { sessionId: 'trip', state: { city: 'Rome' } });
  await client.ok('append_event', { sessionId: 'trip', text: 'Where shall we go?' });
  await client.ok('create_memory', { fact: 'Ada likes green tea' });
  await client.close();

  const moved = await run(['copy-store', first, second]);
  expect(moved).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/the same in both, SHA-256 [0-9a-f]{64}\./),
  });
  expect((await run(['copy-store', second, third])).code).toBe(0);
  for (const store of [second, third]) {
    const there = await connect('v2-modern', { args: ['--store', store, '--user', 'ada'] });
    expect(await there.ok('get_session', { sessionId: 'trip' })).toMatchObject({
      session: { state: { city: 'Rome' }, eventCount: 1 },
    });
    expect(await there.ok('search_memory', { query: 'tea' })).toMatchObject({
      memories: [{ fact: 'Ada likes green tea' }],
    });
    await there.close();
  }
  const again = await run(['copy-store', first, third]);
  expect(again).toMatchObject({ code: 1, stdout: '' });
  expect(again.stderr).toContain('is not empty');
}, 60_000);

it('goes on where it was killed; no server opens what is half done', async () => {
  const folder = scratch();
  const from = `sqlite:${path.join(folder, 'from.db')}`;
  const to = `sqlite:${path.join(folder, 'to.db')}`;
  const source = await openStore({ url: from, durability: 'normal', dataDir: folder });
  for (let part = 0; part < 40; part++)
    await source.update([], () => ({
      result: 0,
      writes: Array.from({ length: 1000 }, (_, i) => ({ key: `k/${part}/${i}`, value: 'x'.repeat(500) })),
    }));
  await source.close();

  const half = await openStore({ url: to, durability: 'normal', dataDir: folder });
  const copied = async (): Promise<number> => {
    const [mark] = await half.get(['~copy']);
    return mark === undefined ? 0 : (JSON.parse(mark) as { entries: number }).entries;
  };
  for (let life = 0; life < 3; life++) {
    const before = await copied();
    const child = spawn(process.execPath, [bundle, 'copy-store', from, to], { stdio: 'ignore' });
    const ended = new Promise((resolve) => child.once('close', resolve));
    // A few slices of eighty.
    while ((await copied()) < before + 1000) await new Promise((resolve) => setTimeout(resolve, 1));
    child.kill('SIGKILL');
    await ended;
    expect(await copied()).toBeLessThan(40_001);
    const served = await run(['list', '--store', to]);
    expect(served.stderr).toContain('is a copy that is not done');
  }
  await half.close();
  const done = await run(['copy-store', from, to]);
  expect(done).toMatchObject({ code: 0, stdout: expect.stringContaining('Copied 40,001 entries') });
  expect(done.stderr).toContain('An earlier run had copied');
  expect((await run(['list', '--store', to])).code).toBe(0);
}, 120_000);

it.each([
  [['copy-store', 'sqlite:a.db'], 'copy-store needs TO.'],
  [['copy-store', 'sqlite:no/such.db', 'sqlite:b.db'], 'There is no store at'],
  [['copy-store', 'memory:', 'sqlite:b.db'], 'A store in memory can be neither copied nor copied to.'],
  [
    ['copy-store', 'redis://:hunter2@127.0.0.1:1', 'sqlite:b.db'],
    'cannot be reached at redis://127.0.0.1:1/0',
  ],
])('says what is wrong: %j', async (args, words) => {
  const { code, stderr } = await run(args);
  expect(code).toBeGreaterThan(0);
  expect(stderr).toContain(words);
  expect(stderr).not.toContain('hunter2');
});
