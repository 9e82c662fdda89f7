import type { ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, test, vi } from 'vitest';
import { openSqlite } from '../../src/store/sqlite/index.ts';
import type { Store } from '../../src/store/types.ts';
import { scratch } from '../scratch.ts';
import { opened, run, start } from './helpers.ts';

test('four processes lose no update of one key, and none of them waits long', async () => {
  const path = join(scratch(), 'sessions.db');
  const waits = await Promise.all(Array.from({ length: 4 }, () => run('increment.ts', path, '500')));
  const store = await opened(path);
  expect(await store.get(['n'])).toEqual(['2000']);
  // The promise is one second on a machine that is not busy otherwise; this one may be.
  expect(Math.max(...waits.map(Number))).toBeLessThan(3000);
}, 60_000);

test('a watcher hears of another process within 200 ms', async () => {
  const path = join(scratch(), 'sessions.db');
  const store = await opened(path);
  const heard: { value: string | undefined; at: number }[] = [];
  store.watch('length', async () => {
    const at = performance.now();
    const [value] = await store.get(['length']);
    heard.push({ value, at });
  });
  const child = start('append.ts', path, 'w');
  const acknowledged = await new Promise<number>((resolve) =>
    child.stdout?.once('data', () => resolve(performance.now())),
  );
  await new Promise((resolve) => setTimeout(resolve, 400));
  child.kill('SIGKILL');
  expect(heard.length).toBeGreaterThan(1);
  expect((heard[0]?.at ?? Number.POSITIVE_INFINITY) - acknowledged).toBeLessThan(200);
}, 60_000);

test('many processes open a fresh path at the same moment', async () => {
  const folder = scratch();
  for (let round = 0; round < 3; round++) {
    const path = join(folder, `new folder ${round}`, 'sessions.db');
    const time = String(Date.now() + 400);
    await Promise.all(Array.from({ length: 4 }, () => run('open-at.ts', path, time)));
    const store = await openSqlite({ path, durability: 'full' });
    expect(await store.get(['n'])).toEqual(['4']);
    await store.close();
  }
}, 60_000);

const rounds = Number(process.env.KILL_ROUNDS ?? 40);

test(
  'kill -9 at any moment loses nothing acknowledged and tears no update',
  async () => {
    const path = join(scratch(), 'sessions.db');
    const acknowledged = new Map<number, string>();
    const ended: Promise<unknown>[] = [];
    let started = 0;

    function writer(): ChildProcess {
      const child = start('append.ts', path, `w${started++}`);
      let rest = '';
      child.stdout?.on('data', (chunk) => {
        const lines = `${rest}${chunk}`.split('\n');
        rest = lines.pop() ?? '';
        for (const line of lines) {
          const [number = '', text = ''] = line.split(' ');
          if (acknowledged.has(Number(number))) throw new Error(`entry ${number} was acknowledged twice`);
          acknowledged.set(Number(number), text);
        }
      });
      ended.push(new Promise((resolve) => child.on('close', resolve)));
      return child;
    }

    const begin = performance.now();
    const writers = Array.from({ length: 3 }, writer);
    await vi.waitFor(() => expect(acknowledged.size).toBeGreaterThan(0), { timeout: 60_000, interval: 5 });
    const startUp = performance.now() - begin;
    for (let round = 0; round < rounds; round++) {
      // Each lives for three rounds: some end before the file is open, some well into the writing.
      await new Promise((resolve) => setTimeout(resolve, startUp * (0.1 + Math.random())));
      const victim = round % writers.length;
      writers[victim]?.kill('SIGKILL');
      writers[victim] = writer();
    }
    // All at once, so that whoever comes next finds nobody alive and must repair the file alone.
    for (const child of writers) child.kill('SIGKILL');
    await Promise.all(ended);

    const store = await opened(path);
    const a = await everything(store, 'a/');
    const b = await everything(store, 'b/');
    const [length] = await store.get(['length']);
    expect(acknowledged.size).toBeGreaterThan(rounds);
    for (const [number, text] of acknowledged) expect(a.get(`${number}`)).toBe(text);
    expect(b).toEqual(a);
    expect(a.size).toBe(Number(length));
    expect(new Set(a.values()).size).toBe(a.size);
    expect(await store.search({ scope: 'all', text: 'every', limit: 10 })).toHaveLength(10);

    const db = new DatabaseSync(path);
    expect(db.prepare('pragma integrity_check').all()).toEqual([{ integrity_check: 'ok' }]);
    const ids = 'select id from kv where term_list is not null';
    const indexed = `select id from term_index_docsize union all select id from merge_later
      union all select * from (${ids} and id > (select id from merged))`;
    expect(db.prepare(`select count(*) as n from (${indexed})`).get()).toEqual({ n: a.size });
    expect(db.prepare(`${ids} except select * from (${indexed})`).all()).toEqual([]);
    db.close();
  },
  600_000 + rounds * 3000,
);

async function everything(store: Store, prefix: string): Promise<Map<string, string>> {
  const entries = await store.range({ prefix, limit: 10_000_000 });
  return new Map(entries.map(({ key, value }) => [key.slice(prefix.length), value]));
}
