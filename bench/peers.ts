/**
 * The same conversation, appended one event at a time and read back, in this server and in other stores for the
 * sessions of agents: events per second at 1,000 and at 20,000 events, and how much an append grows in between. The
 * others are installed into bench/peers. BENCH_SCALE makes all sizes smaller; BENCH_SECONDS limits how long one of
 * them is filled, where that is slow.
 */
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { openLocal } from '../src/backend/local/index.ts';
import type { Backend, SessionRef } from '../src/backend/types.ts';
import { openStore } from '../src/store/open.ts';
import { type Peer, peers, text } from './peer-stores.ts';
import {
  bundled,
  curve,
  fixed,
  heading,
  machine,
  rate,
  rawStdio,
  row,
  scratch,
  times,
  whole,
} from './tools.ts';

const scale = Number(process.env.BENCH_SCALE ?? 1);
const sizes = [1000, 20_000].map((n) => Math.max(100, Math.round(n * scale)));
const fillSeconds = Number(process.env.BENCH_SECONDS ?? 300);
const probe = 100;
const overMcp = 'this server over MCP, durable';

export default async function run(): Promise<void> {
  const folder = path.join(import.meta.dirname, 'peers');
  const { status } = spawnSync('npm', ['ci', '--loglevel=error'], { cwd: folder, stdio: 'inherit' });
  if (status !== 0) throw new Error('The packages in bench/peers could not be installed.');
  machine();
  heading('A conversation, one event at a time, beside other stores for sessions');
  const measured = new Map<string, Figures[]>();
  for (const open of [openOverMcp, () => openInProcess('full'), () => openInProcess('memory'), ...peers]) {
    const peer = await open();
    measured.set(peer.name, await measure(peer));
    await peer.close();
  }
  row('Redis Agent Memory Server', 'not run: a Python service beside Redis Stack');
  compare(measured, 'ADK DatabaseSessionService, SQLite', ['≥ 15 ×', '≥ 30 ×']);
  compare(measured, '@modelcontextprotocol/server-memory over MCP', ['', '≥ 20 ×']);
  curve(
    'One append, by the events that the session has',
    'events',
    'milliseconds',
    Object.fromEntries(
      [...measured].map(([name, all]) => [name, all.map(({ at, perSecond }) => [at, 1000 / perSecond])]),
    ),
  );
}

interface Figures {
  at: number;
  perSecond: number;
}

async function measure(peer: Peer): Promise<Figures[]> {
  const all: Figures[] = [];
  let count = 0;
  for (const size of sizes) {
    const end = performance.now() + fillSeconds * 1000;
    while (count < size && performance.now() < end) {
      const next = Math.min(size, count + peer.fillStep);
      await peer.fill(count, next);
      count = next;
    }
    const at = count;
    const start = performance.now();
    for (let i = 0; i < probe; i += 1) await peer.append(at + i);
    const perSecond = (probe * 1000) / (performance.now() - start);
    count += probe;
    const [read = Number.NaN] = await times(1, async () => {
      const found = await peer.read();
      if (found !== count) throw new Error(`${peer.name} has ${found} of ${count} events.`);
    });
    all.push({ at, perSecond });
    const growth = (all[0]?.perSecond ?? Number.NaN) / perSecond;
    row(
      `${peer.name}, at ${whole(at)}`,
      `${whole(perSecond)}/s appended${all.length > 1 ? ` (${fixed(growth)} × the time)` : ''}, ${whole((count * 1000) / read)}/s read back`,
    );
  }
  return all;
}

function compare(measured: Map<string, Figures[]>, other: string, targets: readonly string[]): void {
  const ours = measured.get(overMcp) ?? [];
  for (const [i, { at, perSecond }] of (measured.get(other) ?? []).entries())
    row(
      `this server over MCP ÷ ${other}, at ${whole(at)}`,
      `${fixed((ours[i]?.perSecond ?? Number.NaN) / perSecond, 1)} ×`,
      targets[i],
    );
}

async function openOverMcp(): Promise<Peer> {
  const file = path.join(scratch(), 'p.db');
  const client = rawStdio(await bundled('src/main.ts'), [
    '--store',
    `sqlite:${file}`,
    '--durability',
    'full',
  ]);
  await client.call('create_session', { sessionId: 's' });
  const append = () => client.call('append_event', { sessionId: 's', text });
  return {
    name: overMcp,
    fillStep: 1000,
    append,
    fill: async (from, to) => void (await rate(to - from, 32, append)),
    async read() {
      let count = 0;
      for (let pageToken: unknown; ; ) {
        const page = await client.call('list_events', {
          sessionId: 's',
          pageSize: 100,
          view: 'full',
          ...(pageToken === undefined ? {} : { pageToken }),
        });
        count += (page.events as unknown[]).length;
        pageToken = page.nextPageToken;
        if (pageToken === undefined) return count;
      }
    },
    close: async () => client.close(),
  };
}

async function openInProcess(where: 'full' | 'memory'): Promise<Peer> {
  const url = where === 'memory' ? 'memory:' : `sqlite:${path.join(scratch(), 'p.db')}`;
  const backend = openLocal({
    store: await openStore({ url, durability: 'full', dataDir: '' }),
  }) as Required<Backend>;
  const ref: SessionRef = { app: 'bench', userId: 'u', sessionId: 's' };
  await backend.sessions.create?.(ref, { sessionId: 's' });
  const append = async () =>
    void (await backend.events.append?.(ref, {
      author: 'user',
      content: { role: 'user', parts: [{ text }] },
    }));
  return {
    name: `this server's backend in process, ${where === 'memory' ? 'in memory' : 'durable'}`,
    fillStep: 1000,
    append,
    fill: async (from, to) => void (await rate(to - from, 32, append)),
    async read() {
      let count = 0;
      for (let cursor: string | undefined; ; ) {
        const page = await backend.events.list?.(ref, { pageSize: 100, cursor });
        count += page?.items.length ?? 0;
        cursor = page?.cursor;
        if (cursor === undefined) return count;
      }
    },
    close: () => backend.close(),
  };
}
