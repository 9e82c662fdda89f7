import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { openLocal } from '../../../src/backend/local/index.ts';
import type { Backend } from '../../../src/backend/types.ts';
import { openStore } from '../../../src/store/open.ts';
import { start } from '../writers.ts';
import { look, refOf } from './act.ts';
import { faultsIn } from './check.ts';
import { type Line, operationsOf } from './operation.ts';

const seeds = Number(process.env.HISTORY_SEEDS ?? 1);
const workers = 4;
const count = 40;

/**
 * Several processes do random things to the same sessions, some are killed meanwhile, the database too where `crash`
 * can do that; and what they were told has to fit one order.
 */
export function linearizable(name: string, place: () => { url: string; crash?: () => Promise<void> }): void {
  test.each(Array.from({ length: seeds }, (_, i) => i + 1))(
    `histories on ${name} are linearizable: seed %i`,
    async (seed) => {
      const { url, crash } = place();
      const backend = openLocal({ store: await openStore({ url, durability: 'full', dataDir: '' }) });
      try {
        const sessions = await newSessions(backend);
        const lines: Line[] = [];
        const run = (worker: number) =>
          worked(url, `${seed}-${worker}`, seed * 1000 + worker, sessions, lines);
        const running = Array.from({ length: workers }, (_, i) => run(i));
        await enough(lines, 40);
        await crash?.();
        running[0]?.child.kill('SIGKILL');
        running.push(run(workers));
        await Promise.all(running.map(({ ended }) => ended));
        const operations = operationsOf(lines);
        expect(operations.filter((one) => one.outcome.is === 'done').length).toBeGreaterThan(workers * 20);
        for (const session of sessions) {
          const last = await look(backend, refOf(session));
          const own = operations.filter((one) => one.session === session);
          expect(faultsIn(own, last).slice(0, 3)).toEqual([]);
        }
      } finally {
        await backend.close();
      }
    },
    120_000,
  );
}

export async function newSessions(backend: Backend): Promise<string[]> {
  const sessions = Array.from({ length: 2 }, () => `s${randomBytes(6).toString('hex')}`);
  for (const session of sessions) {
    const { sessionId, ...owner } = refOf(session);
    await backend.sessions?.create?.(owner, { sessionId });
  }
  return sessions;
}

function worked(url: string, name: string, seed: number, sessions: readonly string[], lines: Line[]) {
  const child = start('history.ts', url, name, String(seed), String(count), ...sessions);
  let rest = '';
  child.stdout?.on('data', (chunk) => {
    const whole = `${rest}${chunk}`.split('\n');
    rest = whole.pop() ?? '';
    for (const line of whole) lines.push(JSON.parse(line) as Line);
  });
  return { child, ended: new Promise((resolve) => child.on('close', resolve)) };
}

async function enough(lines: readonly Line[], wanted: number): Promise<void> {
  while (lines.length < wanted) await new Promise((resolve) => setTimeout(resolve, 10));
}
