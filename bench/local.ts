import { closeSync, fdatasyncSync, openSync, writeSync } from 'node:fs';
import path from 'node:path';
import { openLocal } from '../src/backend/local/index.ts';
import type { Backend, SessionRef } from '../src/backend/types.ts';
import { openStore } from '../src/store/open.ts';
import {
  bundled,
  curve,
  fixed,
  heading,
  machine,
  median,
  quantile,
  rate,
  rawStdio,
  row,
  scratch,
  times,
  whole,
} from './tools.ts';

/** Share of the full sizes: BENCH_SCALE=0.01 for a quick look. */
const scale = Number(process.env.BENCH_SCALE ?? 1);
const size = (n: number) => Math.max(100, Math.round(n * scale));
const text =
  'The quick brown fox jumps over the lazy dog, and then it writes about it in some three hundred bytes. '.repeat(
    3,
  );

export default async function run(): Promise<void> {
  machine();
  const server = await bundled('src/main.ts');
  const noop = await bundled('bench/noop-server.ts', { plain: true });
  await appendsBesideNoop(server, noop);
  await startUp(server, noop);
  await listing(server, noop);
  await growth();
  await sessions();
  await memories();
  await processes(server);
}

async function appendsBesideNoop(server: string, noop: string): Promise<void> {
  heading('append_event over stdio beside a no-op tool of the same SDK');
  const idle = rawStdio(noop, []);
  const byHand = await bundled('bench/by-hand-server.ts', { plain: true });
  const limits = Object.fromEntries(
    (['full', 'normal'] as const).map((durability) => [
      durability,
      rawStdio(byHand, [path.join(scratch(), 'h.db'), durability]),
    ]),
  );
  const servers = Object.fromEntries(
    (['full', 'normal'] as const).map((durability) => [
      durability,
      rawStdio(server, ['--store', `sqlite:${path.join(scratch(), 'a.db')}`, '--durability', durability]),
    ]),
  );
  for (const client of Object.values(servers)) await client.call('create_session', { sessionId: 's' });
  const subjects = [
    { name: 'no-op', call: () => idle.call('noop') },
    ...Object.entries(servers).map(([durability, client]) => ({
      name: `append_event, ${durability}`,
      call: () => client.call('append_event', { sessionId: 's', text }),
    })),
    ...Object.entries(limits).map(([durability, client]) => ({
      name: `the limit: SDK and one row by hand, ${durability}`,
      call: () => client.call('append_event', { sessionId: 's', text }),
    })),
  ];
  for (const lanes of [1, 32]) {
    const count = size(lanes === 1 ? 3000 : 12_000);
    const rates = subjects.map(() => [] as number[]);
    for (const subject of subjects) await rate(500, lanes, subject.call);
    // In turns, so that a slow moment of the machine meets all of them.
    for (let round = 0; round < 5; round += 1)
      for (const [i, subject] of subjects.entries())
        rates[i]?.push(await rate(count / 5, lanes, subject.call));
    const base = median(rates[0] ?? []);
    for (const [i, subject] of subjects.entries()) {
      const mine = median(rates[i] ?? []);
      const target = targets[`${subject.name}, ${lanes}`];
      row(`${subject.name}, ${lanes} in flight`, `${whole(mine)}/s = ${fixed(mine / base)} × no-op`, target);
    }
  }
  row('write and fdatasync of one line, the limit of a durable call', `${whole(await syncs())}/s`);
  idle.close();
  for (const client of [...Object.values(servers), ...Object.values(limits)]) client.close();
}

const targets: Readonly<Record<string, string>> = {
  'append_event, full, 1': '≥ 0.5 ×',
  'append_event, full, 32': '≥ 0.55 ×',
  'append_event, normal, 32': '≥ 0.7 ×',
};

/** Lines per second that the disk confirms, one after another. */
async function syncs(): Promise<number> {
  const fd = openSync(path.join(scratch(), 'line'), 'w');
  const all = await times(300, async () => {
    writeSync(fd, `${text}\n`);
    fdatasyncSync(fd);
  });
  closeSync(fd);
  return 1000 / quantile(all, 0.5);
}

async function startUp(server: string, noop: string): Promise<void> {
  heading('Start-up: from spawn to the answer of the first tools/list, bundles');
  const once = async (file: string, args: string[]) => {
    const start = performance.now();
    const client = rawStdio(file, args);
    await client.request('tools/list');
    const took = { wall: performance.now() - start, cpu: client.cpu() / 1000 };
    client.close();
    return took;
  };
  const store = path.join(scratch(), 's.db');
  const ours: Awaited<ReturnType<typeof once>>[] = [];
  const theirs: typeof ours = [];
  for (let i = 0; i < 20; i += 1) {
    theirs.push(await once(noop, []));
    ours.push(await once(server, ['--store', `sqlite:${store}`]));
  }
  const wall = (starts: typeof ours) => median(starts.map((start) => start.wall));
  // The system counts it in steps of 10 ms.
  const cpu = (starts: typeof ours) => starts.reduce((sum, start) => sum + start.cpu, 0) / starts.length;
  const shown = (starts: typeof ours) => `${fixed(wall(starts), 0)} ms, CPU ${fixed(cpu(starts), 0)} ms`;
  row('a one-tool server', shown(theirs));
  row(
    'this server, with its store',
    `${shown(ours)} = ${fixed(wall(ours) / wall(theirs))} ×, ${fixed(cpu(ours) / cpu(theirs))} ×`,
    '≤ 1.25 ×',
  );
}

async function listing(server: string, noop: string): Promise<void> {
  heading('tools/list: CPU of the server beside that of a no-op call');
  const ours = rawStdio(server, ['--store', 'memory:']);
  const theirs = rawStdio(noop, []);
  const cpuOf = async (client: typeof ours, call: () => Promise<unknown>) => {
    await rate(1000, 8, call);
    const before = client.cpu();
    await rate(4000, 8, call);
    return (client.cpu() - before) / 4000;
  };
  const noopCpu = await cpuOf(theirs, () => theirs.call('noop'));
  const listCpu = await cpuOf(ours, () => ours.request('tools/list'));
  row('no-op call', `${fixed(noopCpu, 0)} µs`);
  row('tools/list', `${fixed(listCpu, 0)} µs = ${fixed(listCpu / noopCpu, 1)} ×`, '≤ 10 ×');
  ours.close();
  theirs.close();
}

async function openBench(): Promise<{ backend: Required<Backend>; file: string }> {
  const file = path.join(scratch(), 'b.db');
  const store = await openStore({ url: `sqlite:${file}`, durability: 'normal', dataDir: '' });
  return { backend: openLocal({ store }) as Required<Backend>, file };
}

async function growth(): Promise<void> {
  heading('One session that grows (in process, durability normal)');
  const { backend } = await openBench();
  const ref: SessionRef = { app: 'bench', userId: 'u', sessionId: 'big' };
  await backend.sessions.create?.(ref, { sessionId: 'big' });
  const say = (said: string) =>
    backend.events.append?.(ref, { author: 'user', content: { parts: [{ text: said }] } }) ??
    Promise.resolve();
  const append = () => say(text);
  const fact = facts();
  const sizes = [1000, 100_000, 1_000_000].map(size);
  const first: Record<string, number> = {};
  const grown: Record<string, [number, number][]> = {};
  let count = 0;
  for (const at of sizes) {
    if (at > count) await rate(at - count, 64, () => say(fact()));
    count = at;
    const probe = 2000;
    const figures = {
      append: quantile(await times(probe / 2, append), 0.5),
      'append, 32 in flight (per event)': 1000 / (await rate(probe, 32, append)),
      'last 20': quantile(await times(300, () => list(backend, ref, { order: 'desc' })), 0.5),
      'page of 20 from the middle': quantile(
        await times(300, () => list(backend, ref, { cursor: (count / 2).toString(36).padStart(9, '0') })),
        0.5,
      ),
    };
    count += probe * 1.5;
    for (const [what, ms] of Object.entries(figures)) {
      first[what] ??= ms;
      grown[what] = [...(grown[what] ?? []), [at, ms]];
      const target = at === sizes[0] ? '' : what.startsWith('append') ? '≤ 1.3 ×' : '≤ 2 ×';
      row(
        `${what} at ${whole(at)} events`,
        `${fixed(ms, 3)} ms = ${fixed(ms / (first[what] ?? ms))} × first`,
        target,
      );
    }
  }
  curve('One call, by the events of its session', 'events', 'milliseconds', grown);
  heading('search_events, top 10 with neighbours');
  await searches(`${whole(count)} events of one user`, (query) =>
    backend.events.search?.({ app: ref.app, userId: ref.userId, text: query, limit: 10, around: 1 }),
  );
  await backend.close();
}

const list = (backend: Required<Backend>, ref: SessionRef, more: object) =>
  backend.events.list?.(ref, { pageSize: 20, ...more }) ?? Promise.resolve();

async function sessions(): Promise<void> {
  heading('A page of 20 among many sessions');
  const { backend } = await openBench();
  const owner = { app: 'bench', userId: 'u' };
  let count = 0;
  let base: number | undefined;
  for (const at of [1000, 100_000].map(size)) {
    await rate(
      at - count,
      64,
      () => backend.sessions.create?.(owner, { displayName: 'Session' }) ?? Promise.resolve(),
    );
    count = at;
    const ms = quantile(
      await times(300, () => backend.sessions.list?.({ ...owner, pageSize: 20 }) ?? Promise.resolve()),
      0.5,
    );
    base ??= ms;
    row(
      `list_sessions among ${whole(at)}`,
      `${fixed(ms, 3)} ms = ${fixed(ms / base)} × first`,
      ms === base ? '' : '≤ 2 ×',
    );
  }
  await backend.close();
}

const subjects = 'Ada Bo Cy Dag Eva Finn Gro Hal Ida Jon Kaja Leif Mona Nils Oda Per'.split(' ');
const verbs = 'likes hates buys sells paints fixes studies grows'.split(' ');

/** Makes texts that share some words with all others, and some with few. */
function facts(): () => string {
  let n = 0;
  return () => {
    n += 1;
    return `The user ${subjects[n % 16]} ${verbs[n % 8]} item${n % 5000} and thing${n % 977} in town${n % 311}.`;
  };
}

async function memories(): Promise<void> {
  heading('search_memory, top 10');
  const { backend } = await openBench();
  const owner = { app: 'bench', userId: 'u' };
  const total = size(1_000_000);
  const fact = facts();
  await rate(total, 128, () => backend.memory.create?.(owner, { fact: fact() }) ?? Promise.resolve());
  await searches(`${whole(total)} facts`, (text) => backend.memory.search?.(owner, { text, limit: 10 }));
  await backend.close();
}

/** Searches by words that are rare, and that are everywhere, among texts of `fact`. */
async function searches(
  among: string,
  search: (query: string) => Promise<unknown> | undefined,
): Promise<void> {
  for (const [what, query] of [
    ['a rare word', (i: number) => `item${(i * 37) % 5000}`],
    ['plain words', (i: number) => `what does the user like to buy in town${i % 311}?`],
    ['only words that are everywhere', () => 'the user and'],
  ] as const) {
    const all = await times(200, (i) => search(query(i)) ?? Promise.resolve());
    row(
      `${what}, ${among}`,
      `p50 ${fixed(quantile(all, 0.5), 1)} ms, p95 ${fixed(quantile(all, 0.95), 1)} ms`,
      '≤ 50 ms',
    );
  }
}

async function processes(server: string): Promise<void> {
  heading('4 server processes on one session beside 1 (stdio, durable)');
  const count = size(8000);
  const measure = async (many: number) => {
    const store = path.join(scratch(), 'p.db');
    const clients = Array.from({ length: many }, () => rawStdio(server, ['--store', `sqlite:${store}`]));
    for (const client of clients) await client.call('list_sessions');
    await clients[0]?.call('create_session', { sessionId: 's' });
    let worst = 0;
    const each = async (client: (typeof clients)[number]) =>
      rate(count / many, 8, async () => {
        const start = performance.now();
        await client.call('append_event', { sessionId: 's', text });
        worst = Math.max(worst, performance.now() - start);
      });
    const start = performance.now();
    await Promise.all(clients.map(each));
    const perSecond = count / ((performance.now() - start) / 1000);
    for (const client of clients) client.close();
    return { perSecond, worst };
  };
  const one = await measure(1);
  const four = await measure(4);
  row('1 process', `${whole(one.perSecond)}/s, longest wait ${fixed(one.worst, 0)} ms`);
  row(
    '4 processes together',
    `${whole(four.perSecond)}/s = ${fixed(four.perSecond / one.perSecond)} ×, longest ${fixed(four.worst, 0)} ms`,
    '≥ 0.8 ×, ≤ 1 s',
  );
}
