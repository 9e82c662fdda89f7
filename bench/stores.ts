import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import pg from 'pg';
import { createClient } from 'redis';
import { openLocal } from '../src/backend/local/index.ts';
import type { Backend, EventQuery } from '../src/backend/types.ts';
import { openStore } from '../src/store/open.ts';
import type { Store, Write } from '../src/store/types.ts';
import { startPostgres } from '../test/services/postgres-server.ts';
import { startRedis } from '../test/services/redis-server.ts';
import { callModern, type Server, start } from './http-client.ts';
import {
  bundled,
  fixed,
  heading,
  machine,
  median,
  quantile,
  rate,
  row,
  scratch,
  times,
  whole,
} from './tools.ts';

/** Share of the full sizes: BENCH_SCALE=0.01 for a quick look. */
const scale = Number(process.env.BENCH_SCALE ?? 1);
const size = (n: number) => Math.max(100, Math.round(n * scale));
const value = JSON.stringify({ author: 'ada', text: 'Some three hundred bytes of an event. '.repeat(8) });

/** Appends an event as a session does: its head is read and replaced, two lists are kept in order of time. */
type Append = (session: number) => Promise<unknown>;

interface Subject {
  name: string;
  ours: Append;
  byHand: Append;
  close(): Promise<void>;
}

/**
 * Each engine beside its driver doing the same transaction by hand, and what people would take instead. With
 * `--events N` only how Postgres grows to that many events of one session.
 */
export default async function run(): Promise<void> {
  machine();
  const { values } = parseArgs({ options: { events: { type: 'string' } }, allowPositionals: true });
  if (values.events !== undefined) return growthAlone(Number(values.events));
  const postgres = await startPostgres();
  const redis = await startRedis({ appendonly: 'yes', appendfsync: 'always' });
  try {
    const subjects = [
      await sqliteSubject(),
      await postgresSubject(postgres.url),
      await redisSubject(redis.url),
    ];
    await beside(subjects);
    for (const subject of subjects) await subject.close();
    await wakeUp(postgres.url);
    await growth(postgres.url, size(100_000));
    await conversation(postgres.url);
  } finally {
    await postgres.stop();
    await redis.stop();
  }
}

/** `--events 1000000`: filling takes some minutes, and nobody cuts the power meanwhile. */
async function growthAlone(events: number): Promise<void> {
  const postgres = await startPostgres({ fsync: 'off', max_wal_size: '8GB' });
  try {
    await growth(postgres.url, events);
  } finally {
    await postgres.stop();
  }
}

const head = (session: number) => `head/${session}`;
const eventKey = (session: number, n: number) => `event/${session}/${String(n).padStart(9, '0')}`;
const listKeys = (session: number, n: number) =>
  ['user', 'app'].map((list) => `${list}/${String(n).padStart(9, '0')}/${session}`);

function appendTo(store: Store): Append {
  return (session) =>
    store.update([head(session)], ([count]) => {
      const n = Number(count ?? 0) + 1;
      const writes: Write[] = [
        { key: head(session), value: String(n) },
        { key: eventKey(session, n), value },
        ...listKeys(session, n - 1).map((drop) => ({ drop })),
        ...listKeys(session, n).map((key) => ({ key, value: '' })),
      ];
      return { result: n, writes };
    });
}

async function sqliteSubject(): Promise<Subject> {
  const url = `sqlite:${path.join(scratch(), 'ours.db')}`;
  const store = await openStore({ url, durability: 'full', dataDir: '' });
  const db = new DatabaseSync(path.join(scratch(), 'by-hand.db'));
  db.exec(
    'pragma journal_mode = wal; pragma synchronous = full; create table kv (key text primary key, value text)',
  );
  const select = db.prepare('select value from kv where key = ?');
  const put = db.prepare(
    'insert into kv values (?, ?) on conflict (key) do update set value = excluded.value',
  );
  const drop = db.prepare('delete from kv where key = ?');
  return {
    name: 'sqlite',
    ours: appendTo(store),
    async byHand(session) {
      db.exec('begin immediate');
      const n = Number((select.get(head(session)) as { value?: string } | undefined)?.value ?? 0) + 1;
      put.run(head(session), String(n));
      put.run(eventKey(session, n), value);
      for (const key of listKeys(session, n - 1)) drop.run(key);
      for (const key of listKeys(session, n)) put.run(key, '');
      db.exec('commit');
    },
    async close() {
      db.close();
      await store.close();
    },
  };
}

async function postgresSubject(url: string): Promise<Subject> {
  const store = await openStore({ url, durability: 'full', dataDir: '' });
  const pool = new pg.Pool({ connectionString: url, max: 10 });
  await pool.query('create table by_hand (key text collate "C" primary key, value text)');
  const upsert = 'on conflict (key) do update set value = excluded.value';
  return {
    name: 'postgres',
    ours: appendTo(store),
    async byHand(session) {
      const client = await pool.connect();
      await client.query('begin');
      const { rows } = await client.query({
        name: 'head',
        text: 'select value from by_hand where key = $1 for update',
        values: [head(session)],
      });
      const n = Number(rows[0]?.value ?? 0) + 1;
      await client.query({
        name: 'drop',
        text: 'delete from by_hand where key = any($1)',
        values: [listKeys(session, n - 1)],
      });
      await client.query({
        name: 'put',
        text: `insert into by_hand values ($1, $2), ($3, $4), ($5, ''), ($6, '') ${upsert}`,
        values: [head(session), String(n), eventKey(session, n), value, ...listKeys(session, n)],
      });
      await client.query('commit');
      client.release();
    },
    async close() {
      await pool.end();
      await store.close();
    },
  };
}

async function redisSubject(url: string): Promise<Subject> {
  const store = await openStore({ url, durability: 'full', dataDir: '' });
  const client = await createClient({ url }).connect();
  const busy = new Map<number, Promise<unknown>>();
  const once = async (session: number) => {
    const n = Number((await client.get(`hand/${head(session)}`)) ?? 0) + 1;
    const all = client
      .multi()
      .set(`hand/${head(session)}`, String(n))
      .set(`hand/${eventKey(session, n)}`, value);
    for (const key of listKeys(session, n - 1)) all.zRem('hand/order', key);
    for (const key of listKeys(session, n)) all.zAdd('hand/order', { score: 0, value: key });
    await all.exec();
  };
  return {
    name: 'redis, appendfsync always',
    ours: appendTo(store),
    // Within one process a promise is lock enough for what is done by hand.
    byHand(session) {
      const next = (busy.get(session) ?? Promise.resolve()).then(() => once(session));
      busy.set(session, next);
      return next;
    },
    async close() {
      await client.close();
      await store.close();
    },
  };
}

async function beside(subjects: readonly Subject[]): Promise<void> {
  heading('Appends a second, durable: our store beside the driver doing the same transaction by hand');
  for (const { name, ours, byHand } of subjects) {
    /** In turns, so that a slow moment of the machine meets both. */
    const measure = async (lanes: number, sessions: number, first: number) => {
      const rates: { ours: number[]; byHand: number[] } = { ours: [], byHand: [] };
      for (let round = 0; round < 7; round += 1)
        for (const [who, append] of [['ours', ours] as const, ['byHand', byHand] as const])
          rates[who].push(await rate(size(2000), lanes, (i) => append(first + (i % sessions))));
      return { ours: median(rates.ours), byHand: median(rates.byHand) };
    };
    /** The same one by one, call beside call. */
    const measureAlone = async () => {
      const took: { ours: number[]; byHand: number[] } = { ours: [], byHand: [] };
      for (let i = 0; i < size(1000); i += 1)
        for (const [who, append] of [['ours', ours] as const, ['byHand', byHand] as const])
          took[who].push(...(await times(1, () => append(0))));
      return { ours: 1000 / median(took.ours), byHand: 1000 / median(took.byHand) };
    };
    await measure(32, 1, 900);
    const alone = await measureAlone();
    row(
      `${name}, one in flight`,
      `${whole(alone.ours)}/s, by hand ${whole(alone.byHand)}/s: ${fixed(alone.byHand / alone.ours)} × the time`,
      '≤ 1.5 ×',
    );
    for (const sessions of [1, 32]) {
      const many = await measure(32, sessions, 100);
      row(
        `${name}, 32 in flight to ${sessions === 1 ? 'one session' : '32 sessions'}`,
        `${whole(many.ours)}/s = ${fixed(many.ours / alone.ours)} × one in flight, by hand ${whole(many.byHand)}/s`,
        name === 'postgres' ? '≥ 4 ×' : '',
      );
    }
  }
}

/** Two HTTP servers on one Postgres: from the append on one to the answer of whoever waits on the other. */
async function wakeUp(url: string): Promise<void> {
  heading('wait_for_events on one HTTP server, append on another, both on one Postgres');
  const file = await bundled('src/main.ts');
  const args = ['http', '--port', '0', '--store', url, '--user', 'ada'];
  const [first, second] = (await Promise.all([start(file, args), start(file, args)])) as [Server, Server];
  const call = async (server: Server, name: string, input: Record<string, unknown>) => {
    const { text } = await callModern(server, name, input)(1);
    const found = JSON.parse(text.startsWith('{') ? text : (/^data: (.*)$/m.exec(text)?.[1] ?? '{}'));
    return found.result.structuredContent;
  };
  await call(first, 'create_session', { sessionId: 'wake' });
  const took: number[] = [];
  let afterEventId: string | undefined;
  for (let i = 0; i < size(300); i += 1) {
    const waiting = call(first, 'wait_for_events', {
      sessionId: 'wake',
      timeoutSeconds: 20,
      ...(afterEventId === undefined ? {} : { afterEventId }),
    });
    await new Promise((resolve) => setTimeout(resolve, 20));
    const begin = performance.now();
    const [, appended] = await Promise.all([
      waiting.then(() => took.push(performance.now() - begin)),
      call(second, 'append_event', { sessionId: 'wake', text: `turn ${i}` }),
    ]);
    afterEventId = appended.event.id;
  }
  took.sort((a, b) => a - b);
  row(
    'append sent → wait answered',
    `p50 ${fixed(quantile(took, 0.5))} ms, p95 ${fixed(quantile(took, 0.95))} ms`,
    'p50 ≤ 30 ms',
  );
  for (const { child, agent } of [first, second]) {
    agent.destroy();
    child.kill();
  }
}

const ref = { app: 'bench', userId: 'ada', sessionId: 'grown' };
const words = 'river stone window garden letter winter silver morning harbour lantern'.split(' ');
const said = (i: number) =>
  `${words[i % 10]} ${words[(i * 7) % 10]} number${i} about the ${words[(i * 3) % 10]} and topic${i % 997}`;

/** A store of its own, in a schema of this server, with one session of so many events. */
async function grown(url: string, name: string, count: number) {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query(`create schema ${name}`);
  await client.end();
  const place = new URL(url);
  place.searchParams.set('options', `-csearch_path=${name}`);
  const store = await openStore({ url: place.href, durability: 'full', dataDir: '' });
  const { sessions, events } = openLocal({ store }) as Required<Backend>;
  const { sessionId, ...owner } = ref;
  await sessions.create?.(owner, { sessionId });
  let last = 0;
  let middle: string | undefined;
  const append = async () => {
    const i = ++last;
    const appended = await events.append?.(ref, {
      author: 'ada',
      content: { role: 'user', parts: [{ text: said(i) }] },
    });
    if (i === Math.round(count / 2)) middle = appended?.event.id;
  };
  await rate(count, 256, append);
  // What was not merged into the index yet would be measured with the searches.
  while (await store.sweep());
  const page = (query: Omit<EventQuery, 'pageSize'>) => events.list?.(ref, { pageSize: 20, ...query });
  const costs: Record<string, (i: number) => Promise<unknown> | undefined> = {
    append,
    'last 20 events': () => page({ order: 'desc' }),
    '20 events of the middle': () => page({ afterEventId: middle }),
    search_events: (i) =>
      events.search?.({ ...owner, text: `${words[i % 10]} topic${i}`, limit: 10, around: 0 }),
  };
  return { costs, close: () => store.close() };
}

/** What an append, a page and a search cost in a session of 1,000 events and in one of very many, in turns. */
async function growth(url: string, most: number): Promise<void> {
  heading(`One session on Postgres at 1,000 and at ${most.toLocaleString('en')} events`);
  const begin = performance.now();
  const small = await grown(url, 'small', 1000);
  const large = await grown(url, 'large', most);
  const seconds = (performance.now() - begin) / 1000;
  row('filled', `${whole(seconds)} s, ${whole(most / seconds)} events a second with 256 in flight`);
  for (const name of Object.keys(small.costs)) {
    const took: [number[], number[]] = [[], []];
    for (let round = 0; round < 5; round++)
      for (const [which, { costs }] of [small, large].entries())
        took[which]?.push(...(await times(40, (i) => Promise.resolve(costs[name]?.(round * 40 + i)))));
    const [few = 0, many = 0] = took.map((all) =>
      quantile(
        all.sort((a, b) => a - b),
        0.5,
      ),
    );
    row(`${name}, p50`, `${fixed(few)} ms, ${fixed(many)} ms: ${fixed(many / few)} ×`);
  }
  await small.close();
  await large.close();
}

interface Saver {
  setup(): Promise<void>;
  put(
    config: object,
    checkpoint: object,
    metadata: object,
    versions: object,
  ): Promise<{ configurable: object }>;
}

/** The same conversation, event by event, beside LangGraph's checkpoints on the same Postgres. */
async function conversation(url: string): Promise<void> {
  heading('One conversation on Postgres, event by event, beside @langchain/langgraph-checkpoint-postgres');
  const folder = scratch();
  execFileSync(
    'npm',
    [
      'install',
      '--silent',
      '--no-audit',
      '--no-fund',
      '@langchain/langgraph-checkpoint-postgres@1.0.5',
      '@langchain/core',
      '@langchain/langgraph-checkpoint',
    ],
    { cwd: folder },
  );
  const module = path.join(folder, 'node_modules/@langchain/langgraph-checkpoint-postgres/dist/index.js');
  const { PostgresSaver } = (await import(pathToFileURL(module).href)) as {
    PostgresSaver: new (pool: pg.Pool) => Saver;
  };
  const pool = new pg.Pool({ connectionString: url });
  // The server ends what is still open.
  pool.on('error', () => {});
  const saver = new PostgresSaver(pool);
  await saver.setup();
  const store = await openStore({ url, durability: 'full', dataDir: '' });
  const { sessions, events } = openLocal({ store }) as Required<Backend>;
  for (const total of [1000, 20_000].map((n) => (n === 1000 ? n : size(n)))) {
    const session = { ...ref, sessionId: `talk-${total}` };
    await sessions.create?.({ app: ref.app, userId: ref.userId }, { sessionId: session.sessionId });
    const messages: object[] = [];
    let config: { configurable: object } = {
      configurable: { thread_id: `talk-${total}`, checkpoint_ns: '' },
    };
    const ours = async (i: number) =>
      events.append?.(session, { author: 'ada', content: { role: 'user', parts: [{ text: said(i) }] } });
    const theirs = async (i: number) => {
      messages.push({ type: 'human', content: said(i) });
      const id = `1f0${String(i).padStart(5, '0')}-0000-6000-8000-000000000000`;
      const channels = { messages: i };
      config = await saver.put(
        config,
        {
          v: 4,
          id,
          ts: new Date().toISOString(),
          channel_values: { messages },
          channel_versions: channels,
          versions_seen: {},
        },
        { source: 'loop', step: i, parents: {} },
        channels,
      );
    };
    const last = Math.min(200, total / 2);
    await rate(total - last, 64, ours);
    const mine = await rate(last, 1, ours);
    for (let i = 0; i < total - last; i += 1) messages.push({ type: 'human', content: said(i) });
    const other = await rate(last, 1, (i) => theirs(total - last + i));
    row(
      `events a second, the last ${last} of ${total.toLocaleString('en')}`,
      `${whole(mine)}/s, LangGraph ${whole(other)}/s: ${fixed(mine / other)} ×`,
    );
  }
  await pool.end();
  await store.close();
}
