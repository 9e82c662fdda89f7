import { fork } from 'node:child_process';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { openLocal } from '../src/backend/local/index.ts';
import type { Backend } from '../src/backend/types.ts';
import { openStore } from '../src/store/open.ts';
import { heading, quantile, row, scratch } from './tools.ts';

/**
 * npm run bench -- turns: how soon a process that waits for a turn has claimed what another handed over, and what 1,000
 * calls cost that wait for turns of 100 agents.
 */
const [role, url = ''] = process.argv.slice(2);
const rounds = 200;
const owner = { app: 'bench', userId: 'ann' };
const never = new AbortController().signal;

async function open(place: string): Promise<Required<Backend>> {
  const store = await openStore({ url: place, durability: 'full', dataDir: tmpdir() });
  return openLocal({ store }) as Required<Backend>;
}

if (role === 'taker') await takeAll(await open(url));

/** Takes turns in a process of its own, and reports when it had each. */
async function takeAll({ turns, events }: Required<Backend>): Promise<void> {
  process.send?.('ready');
  for (let i = 0; i < rounds; i += 1) {
    const taken = await turns.take?.(owner, { agent: 'taker', leaseMs: 60_000, waitMs: 60_000 }, never);
    const at = Date.now() + (performance.now() % 1);
    if (taken === undefined) break;
    process.send?.(at);
    const content = { role: 'model' as const, parts: [{ text: 'Done.' }] };
    await events.append?.(taken.ref, { author: 'taker', content }, { claim: taken.claim });
  }
  process.exit(0);
}

export default async function measure(): Promise<void> {
  const place = `sqlite:${path.join(scratch(), 'store.db')}`;
  const backend = await open(place);
  const child = fork(fileURLToPath(import.meta.url), ['taker', place]);
  const next = () => new Promise<unknown>((resolve) => child.once('message', resolve));
  await next();
  const session = await backend.sessions.create?.(owner, {});
  const ref = { ...owner, sessionId: session?.id ?? '' };
  heading('Turns that agents hand over');
  const times: number[] = [];
  for (let i = 0; i < rounds; i += 1) {
    await sleep(30 + Math.random() * 30);
    const heard = next();
    await backend.events.append?.(ref, { author: 'giver', actions: { transferAgent: 'taker' } });
    const from = Date.now();
    times.push(Number(await heard) - from);
  }
  times.sort((a, b) => a - b);
  const at = (share: number) => `${quantile(times, share).toFixed(1)} ms`;
  row('hand-over to claim in another process', `p50 ${at(0.5)}, p95 ${at(0.95)}`, 'p50 ≤ 30 ms');

  const stop = new AbortController();
  const waiting = Array.from({ length: 1000 }, (_, i) =>
    backend.turns.take?.(owner, { agent: `a${i % 100}`, leaseMs: 1000, waitMs: 60_000 }, stop.signal),
  );
  await sleep(2000);
  const before = process.cpuUsage();
  await sleep(5000);
  const { user, system } = process.cpuUsage(before);
  const share = (user + system) / 50_000;
  row('1,000 calls that wait for turns of 100 agents', `${share.toFixed(2)} % of one core`);
  stop.abort();
  await Promise.all(waiting);
  await backend.close();
}
