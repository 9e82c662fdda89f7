import { type ChildProcess, spawn } from 'node:child_process';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { openLocal } from '../../../src/backend/local/index.ts';
import { maintain } from '../../../src/backend/local/maintenance.ts';
import type { Backend } from '../../../src/backend/types.ts';
import { openSqlite } from '../../../src/store/sqlite/index.ts';
import { scratch } from '../../scratch.ts';

const script = fileURLToPath(new URL('./fixtures/forks.ts', import.meta.url));

/** KILL_ROUNDS sets how many processes are killed. */
const rounds = Number(process.env.KILL_ROUNDS ?? 4);

test(
  'SIGKILL at any moment of forks and deletes loses nothing acknowledged, now or three hours later',
  async () => {
    const file = path.join(scratch(), 'sessions.db');
    const kept = new Map<string, number>();
    const deleted = new Set<string>();
    for (let round = 0; round < rounds; round += 1) await life(file, `p${round}`, kept, deleted);

    const now = () => Date.now() + 3 * 60 * 60 * 1000;
    const store = await openSqlite({ path: file, durability: 'full' });
    const backend = openLocal({ store, now }) as Required<Backend>;
    await maintain({ store, now });
    const { items } = (await backend.sessions.list?.({ app: 'app', userId: 'ada', pageSize: 10_000 })) ?? {
      items: [],
    };
    const there = new Map(items.map((session) => [session.id, session]));
    expect(kept.size).toBeGreaterThan(0);
    for (const [sessionId, count] of kept) {
      const ref = { app: 'app', userId: 'ada', sessionId };
      if (!there.has(sessionId)) {
        expect(deleted).toContain(sessionId);
        continue;
      }
      const page = await backend.events.list?.(ref, { pageSize: 1000 });
      expect([page?.items.length, there.get(sessionId)?.eventCount]).toEqual([count, count]);
      const file = await backend.artifacts.get?.(ref, 'a.txt');
      expect(file?.data.toString()).toBe(sessionId.replace('-fork', ''));
    }
    // What was not acknowledged is whole, too.
    for (const { id, eventCount } of items) {
      const page = await backend.events.list?.(
        { app: 'app', userId: 'ada', sessionId: id },
        { pageSize: 1000 },
      );
      expect(page?.items.length).toBe(eventCount);
    }
    await backend.close();
  },
  300_000 + rounds * 4000,
);

/** A process from its start until it is killed somewhere in its work. */
async function life(
  file: string,
  name: string,
  kept: Map<string, number>,
  deleted: Set<string>,
): Promise<void> {
  const child: ChildProcess = spawn(process.execPath, [script, file, name], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let rest = '';
  const working = new Promise<void>((resolve, reject) => {
    child.once('exit', () => reject(new Error('The process ended by itself.')));
    child.stdout?.on('data', (chunk) => {
      const lines = `${rest}${chunk}`.split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) {
        const [what, id = '', count] = line.split(' ');
        if (what === 'deleted') deleted.add(id);
        else kept.set(id, Number(count));
      }
      resolve();
    });
  });
  await working;
  await new Promise((resolve) => setTimeout(resolve, Math.random() * 150));
  const ended = new Promise((resolve) => child.once('close', resolve));
  child.removeAllListeners('exit');
  child.kill('SIGKILL');
  await ended;
}
