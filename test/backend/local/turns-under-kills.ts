import { type ChildProcess, spawn } from 'node:child_process';
import { tmpdir } from 'node:os';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import { openLocal } from '../../../src/backend/local/index.ts';
import type { Backend } from '../../../src/backend/types.ts';
import type { Event } from '../../../src/model/event.ts';
import { textOf } from '../../../src/model/event.ts';
import { withNote } from '../../../src/model/turn.ts';
import { openStore } from '../../../src/store/open.ts';

const script = fileURLToPath(new URL('./fixtures/worker.ts', import.meta.url));
const processes = 4;
/** Long beside a turn, and short beside the test. */
const leaseMs = 1500;

/**
 * Four processes of one agent work off `handOvers` hand-overs in `sessions` sessions on a store, and one of them is
 * killed every few hundred milliseconds and replaced. Every turn must be answered once, in its order, and none may be
 * on offer for longer than a lease while a worker is free; processes that were seen to stall have that much longer.
 */
export async function turnsUnderKills(url: string, handOvers: number, sessions: number): Promise<void> {
  const store = await openStore({ url, durability: 'normal', dataDir: tmpdir() });
  const backend = openLocal({ store }) as Required<Backend>;
  const hops = handOvers / sessions;
  const refs = Array.from({ length: sessions }, (_, i) => ({
    app: 'turns',
    userId: 'ada',
    sessionId: `s${i}`,
  }));
  for (const ref of refs) await backend.sessions.create?.(ref, { sessionId: ref.sessionId });

  const workers = new Set<ChildProcess>();
  let ending = false;
  let aimed = 0;
  let started = 0;
  let ready = 0;
  const claims: { turn: string; at: number; free: number }[] = [];
  let stall = 0;
  let ticked = performance.now();
  const ticker = setInterval(() => {
    stall = Math.max(stall, performance.now() - ticked);
    ticked = performance.now();
  }, 20);
  let kills = 0;
  const failures: string[] = [];
  const hire = (): void => {
    const child = spawn(process.execPath, [script, url, String(hops), String(leaseMs)], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let wasReady = false;
    createInterface({ input: child.stdout as Readable }).on('line', (line) => {
      if (line === 'ready') {
        wasReady = true;
        started += 1;
        ready += 1;
        return;
      }
      const [sessionId, number, at, free] = line.split(' ');
      if (sessionId === 'stalled') {
        stall = Math.max(stall, Number(number));
        return;
      }
      claims.push({ turn: `${sessionId} ${number}`, at: Number(at), free: Number(free) });
      // One is left at all times: what it does not take in time nobody else keeps it from.
      if (ready <= 1 || (aimed > 0 && Math.random() > 0.05)) return;
      aimed += 1;
      ready -= 1;
      wasReady = false;
      setTimeout(() => child.kill('SIGKILL'), Math.random() * 15);
    });
    let said = '';
    child.stderr?.on('data', (chunk) => {
      said += chunk;
    });
    workers.add(child);
    child.once('close', (_code, signal) => {
      workers.delete(child);
      if (wasReady) ready -= 1;
      if (signal !== 'SIGKILL') failures.push(said);
      if (ending) return;
      kills += 1;
      hire();
    });
  };
  for (let i = 0; i < processes; i += 1) hire();
  try {
    while (started < processes && failures.length === 0) await sleep(10);
    for (const ref of refs)
      await backend.events.append?.(ref, {
        author: 'planner',
        actions: { transferAgent: 'worker' },
        ...withNote('1'),
      });
    for (;;) {
      await sleep(100);
      if (failures.length > 0) throw new Error(failures[0]);
      const open = await Promise.all(refs.map(async (ref) => (await backend.sessions.get?.(ref))?.turn));
      if (open.every((turn) => turn === undefined)) break;
    }
  } finally {
    ending = true;
    clearInterval(ticker);
    const gone = [...workers].map((child) => new Promise((resolve) => child.once('close', resolve)));
    for (const child of workers) child.kill('SIGKILL');
    await Promise.all(gone);
  }
  const wanted = Array.from({ length: hops }, (_, i) => String(i + 1));
  const waits: number[] = [];
  const offered: number[] = [];
  for (const ref of refs) {
    const events = await eventsOf(backend, ref);
    expect(events.filter((event) => event.author === 'worker').map(textOf)).toEqual(wanted);
    for (const [i, event] of events.entries()) {
      const before = events[i - 1];
      if (before === undefined) continue;
      const from = Date.parse(before.timestamp);
      waits.push(Date.parse(event.timestamp) - from);
      const taken = claims.filter(({ turn }) => turn === `${ref.sessionId} ${i}`).map(({ at }) => at);
      expect(taken.length).toBeGreaterThan(0);
      for (const [n, at] of taken.sort((a, b) => a - b).entries()) {
        const since = n === 0 ? from : (taken[n - 1] ?? 0) + leaseMs;
        // The longest that one worker was free meanwhile.
        for (const one of claims) offered.push(Math.min(at, one.at) - Math.max(since, one.free));
      }
    }
  }
  expect(kills).toBeGreaterThan(0);
  const longest = offered.reduce((a, b) => Math.max(a, b));
  expect(longest).toBeLessThanOrEqual(leaseMs + 3 * stall);
  await backend.close();
  if (process.env.TURN_HAND_OVERS !== undefined) {
    waits.sort((a, b) => a - b);
    const [median, worst] = [waits[Math.floor(waits.length / 2)], waits.at(-1)];
    process.stderr.write(
      `${handOvers} hand-overs in ${sessions} sessions, ${kills} kills; from hand-over to answer: median ${median} ms, longest ${worst} ms (lease ${leaseMs} ms). Longest on offer while a worker was free: ${longest} ms; longest stall of a process: ${Math.round(stall)} ms.\n`,
    );
  }
}

async function eventsOf(
  backend: Required<Backend>,
  ref: { app: string; userId: string; sessionId: string },
): Promise<Event[]> {
  const events: Event[] = [];
  for (let cursor: string | undefined; ; ) {
    const page = await backend.events.list?.(ref, { pageSize: 100, cursor });
    events.push(...(page?.items ?? []));
    cursor = page?.cursor;
    if (cursor === undefined) return events;
  }
}
