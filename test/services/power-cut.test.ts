/**
 * A power cut, by the trace of a server's system calls: of the log there is what was forced to the disk before an
 * answer left, and nothing after it. No driver and no disk is trusted here, only the order of the calls.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { copyFileSync, readFileSync, statSync, truncateSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { openLocal } from '../../src/backend/local/index.ts';
import type { Backend } from '../../src/backend/types.ts';
import { openStore } from '../../src/store/open.ts';
import { bundle } from '../e2e/bundle.ts';
import { ended, folderFor, installDebian, programIn, removeFolder } from './process.ts';

const folder = folderFor('power cut');
afterAll(() => removeFolder(folder));
beforeAll(async () => {
  if (programIn().find('strace') === undefined) await installDebian('strace');
});

/** Few enough for SQLite not to begin its log anew in between. */
const appends = 60;
const lanes = 4;
const user = 'ada';

const protocol = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientInfo': { name: 'test', version: '1' },
  'io.modelcontextprotocol/clientCapabilities': {},
};

/** Calls a server under strace. The process that is spawned is the server's own, with the tracer behind it (-D). */
function traced(trace: string, args: readonly string[]) {
  const calls = ['-e', 'trace=pwrite64,write,writev,fsync,fdatasync,ftruncate', '-s', '100000'];
  const child = spawn(
    'strace',
    ['-D', '-f', '-y', ...calls, '-o', trace, process.execPath, bundle, ...args],
    {
      stdio: ['pipe', 'pipe', 'ignore'],
    },
  );
  const waiting = new Map<number, () => void>();
  let text = '';
  child.stdout.on('data', (chunk) => {
    const lines = `${text}${chunk}`.split('\n');
    text = lines.pop() ?? '';
    for (const line of lines) waiting.get((JSON.parse(line) as { id: number }).id)?.();
  });
  let id = 0;
  const call = (name: string, given: object) =>
    new Promise<void>((resolve) => {
      id += 1;
      waiting.set(id, resolve);
      const params = { name, arguments: given, _meta: protocol };
      child.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', id, method: 'tools/call', params })}\n`);
    });
  return { child: child as ChildProcess, call };
}

interface Cut {
  /** Bytes of the log that are on the disk. */
  log: number;
  /** Numbers of the events whose appends were answered by then. */
  answered: number[];
}

/** What is on the disk, and what had been answered, after each write of answers. */
function cutsIn(trace: string): Cut[] {
  const cuts: Cut[] = [];
  const answered: number[] = [];
  let [written, forced] = [0, 0];
  for (const line of readFileSync(trace, 'utf8').split('\n')) {
    const [, length, offset] = /pwrite64\(\d+<[^>]*-wal>.*, (\d+), (\d+)\) *= \d+$/.exec(line) ?? [];
    if (length !== undefined) written = Math.max(written, Number(offset) + Number(length));
    else if (/ f(?:data)?sync\(\d+<[^>]*-wal>\) *= 0$/.test(line)) forced = written;
    else if (/ ftruncate\(\d+<[^>]*-wal>/.test(line)) [written, forced] = [0, 0];
    else if (/ writev?\(1</.test(line)) {
      const ids = [...line.matchAll(/event\\+":\{\\+"id\\+":\\+"e(\d+)-\d{9}/g)].map((found) =>
        Number(found[1]),
      );
      if (ids.length === 0) continue;
      answered.push(...new Set(ids));
      cuts.push({ log: forced, answered: [...answered] });
    }
  }
  return cuts;
}

/** The numbers of the events that a store holds, in order. */
async function eventsIn(file: string): Promise<number[]> {
  const store = await openStore({ url: `sqlite:${file}`, durability: 'normal', dataDir: folder });
  const backend = openLocal({ store }) as Required<Backend>;
  const ref = { app: 'default', userId: user, sessionId: 's' };
  const page = await backend.events
    .list?.(ref, { pageSize: 1000 })
    .catch(() => ({ items: [] }))
    .finally(() => backend.close());
  return (page?.items ?? []).map(({ id }) => Number(/^e(\d+)-/.exec(id)?.[1]));
}

/** Runs a server until it is killed, cuts its log where each answer found it, and counts the events that are missing. */
async function lost(durability: 'full' | 'normal'): Promise<{ cuts: number; lost: number }> {
  const file = path.join(folder, `${durability}.db`);
  const trace = path.join(folder, `${durability}.trace`);
  const server = traced(trace, ['--store', `sqlite:${file}`, '--durability', durability, '--user', user]);
  await server.call('create_session', { sessionId: 's' });
  // Soon after its start a server empties the log; after that not for half a minute.
  await vi.waitFor(() => expect(statSync(`${file}-wal`).size).toBe(0), { timeout: 20_000, interval: 50 });
  let count = 0;
  const lane = async () => {
    while (count < appends) {
      count += 1;
      await server.call('append_event', { sessionId: 's', text: `line ${count}` });
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  await ended(server.child, 'SIGKILL');
  const cuts = await vi.waitFor(
    () => {
      const found = cutsIn(trace);
      expect(found.at(-1)?.answered).toHaveLength(appends);
      return found;
    },
    { timeout: 20_000, interval: 200 },
  );
  let missing = 0;
  for (const [i, cut] of cuts.entries()) {
    const copy = path.join(folder, `${durability}-${i}.db`);
    copyFileSync(file, copy);
    copyFileSync(`${file}-wal`, `${copy}-wal`);
    truncateSync(`${copy}-wal`, cut.log);
    const there = new Set(await eventsIn(copy));
    missing += cut.answered.filter((number) => !there.has(number)).length;
  }
  return { cuts: cuts.length, lost: missing };
}

test('after a power cut everything that was acknowledged is there', async () => {
  const found = await lost('full');
  expect(found.cuts).toBeGreaterThan(appends / lanes / 2);
  expect(found.lost).toBe(0);
});

test('without a sync at every commit the same cut is seen to lose some', async () => {
  expect((await lost('normal')).lost).toBeGreaterThan(0);
});
