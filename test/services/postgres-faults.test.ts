import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { SessionError } from '../../src/errors.ts';
import { openPostgres } from '../../src/store/postgres/index.ts';
import type { Store } from '../../src/store/types.ts';
import { type Cut, startCuttingProxy } from './cutting-proxy.ts';
import { freshPlace, serverUrl, sql } from './postgres.ts';
import { type PostgresServer, startPostgres } from './postgres-server.ts';
import { expectExact, expectExactCounts, startWriters } from './writers.ts';

const rounds = Number(process.env.KILL_ROUNDS ?? 10);

async function place(): Promise<string> {
  const { url, drop } = await freshPlace();
  onTestFinished(drop);
  return url;
}

async function opened(url: string): Promise<Store> {
  const store = await openPostgres({ url });
  onTestFinished(() => store.close());
  return store;
}

test.each([
  ['one list', 1],
  ['many lists', 50],
])('8 processes with 32 updates in flight each lose and double nothing: %s', async (_, lists) => {
  const url = await place();
  await expectExactCounts(await opened(url), url, lists);
});

test('20 servers that start at once on an empty database make one store', async () => {
  const url = await place();
  const stores = await Promise.all(Array.from({ length: 20 }, () => openPostgres({ url: `${url}&max=2` })));
  await Promise.all(
    stores.map((store) =>
      store.update(['n'], ([n]) => ({
        result: 0,
        writes: [{ key: 'n', value: String(Number(n ?? 0) + 1) }],
      })),
    ),
  );
  expect(await stores[0]?.get(['n'])).toEqual(['20']);
  await Promise.all(stores.map((store) => store.close()));
});

test('20 servers that start at once on a store of an older version bring it up to date, and it is in use meanwhile', async () => {
  const url = await place();
  const first = await opened(url);
  const add = (on: Store) =>
    on.update(['n'], ([n]) => ({ result: 0, writes: [{ key: 'n', value: String(Number(n ?? 0) + 1) }] }));
  await add(first);
  await sql('update agent_sessions_meta set version = 1', url);
  const opening = Array.from({ length: 20 }, () => openPostgres({ url: `${url}&max=2` }));
  for (let i = 0; i < 20; i++) await add(first);
  const stores = await Promise.all(opening);
  await Promise.all(stores.map(add));
  expect(await first.get(['n'])).toEqual(['41']);
  expect(await sql('select version > 1 as current from agent_sessions_meta', url)).toEqual([
    { current: true },
  ]);
  await Promise.all(stores.map((store) => store.close()));
});

test('kill -9 of servers at any moment loses nothing acknowledged and tears no update', async () => {
  const url = await place();
  const writers = startWriters(url, 3, 4);
  await vi.waitFor(() => expect(writers.acknowledged.size).toBeGreaterThan(0), {
    timeout: 30_000,
    interval: 5,
  });
  for (let round = 0; round < rounds; round++) {
    await new Promise((resolve) => setTimeout(resolve, 100 + Math.random() * 400));
    writers.replace(round % 3);
  }
  await writers.killAll();
  // What a killed server had sent may still be under way in the database.
  await vi.waitFor(
    async () =>
      expect(
        await sql(
          `select from pg_stat_activity where state <> 'idle' and query like '%agent_sessions_commit%' and pid <> pg_backend_pid()`,
        ),
      ).toEqual([]),
    { timeout: 30_000 },
  );
  expect(writers.acknowledged.size).toBeGreaterThan(rounds);
  expect([...writers.failed]).toEqual([]);
  await expectExact(await opened(url), writers);
}, 1_800_000);

test('a store of a newer version is refused, and so is a user who may not make the tables', async () => {
  const url = await place();
  const store = await openPostgres({ url });
  await store.close();
  await sql('update agent_sessions_meta set version = 99', url);
  await expect(openPostgres({ url })).rejects.toMatchObject({
    code: 'FAILED_PRECONDITION',
    message: expect.stringContaining('newer version'),
  });
  const empty = new URL(await place());
  await sql(`drop role if exists nobody_special; create role nobody_special login password 'hunter2'`);
  empty.username = 'nobody_special';
  empty.password = 'hunter2';
  const refused = await openPostgres({ url: empty.href }).catch((error: unknown) => error);
  await sql('drop role nobody_special');
  expect(refused).toMatchObject({ code: 'FAILED_PRECONDITION', hint: expect.stringContaining('CREATE') });
  expect(JSON.stringify(refused)).not.toContain('hunter2');
});

test.each([
  ['nobody there', 'postgres://ada:hunter2@127.0.0.1:1/db', 'UNAVAILABLE'],
  ['no such database', () => serverUrl().replace(/\/[^/]*$/, '/no_such_database'), 'FAILED_PRECONDITION'],
])('says what is wrong when it cannot be opened: %s', async (_, address, code) => {
  const url = typeof address === 'string' ? address : address();
  const error = await openPostgres({ url, patience: 100 }).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ code, hint: expect.any(String) });
  expect(error).toBeInstanceOf(SessionError);
  expect(String(error)).not.toContain('hunter2');
});

test('a key that is too long for its index is refused with a sentence, and harms nobody beside it', async () => {
  const store = await opened(await place());
  const random = Array.from({ length: 4000 }, () => Math.random().toString(36).slice(2)).join('');
  const write = (key: string) => store.update([], () => ({ result: key, writes: [{ key, value: 'v' }] }));
  const [long, short] = await Promise.allSettled([write(random), write('short')]);
  expect(long).toMatchObject({ status: 'rejected', reason: { code: 'INVALID_ARGUMENT' } });
  expect(short).toMatchObject({ status: 'fulfilled' });
  expect(await store.range({ prefix: '', limit: 10 })).toEqual([{ key: 'short', value: 'v' }]);
});

test('statements that take too long end all who wait for them in their time, and not one after another', async () => {
  const url = await place();
  const store = await openPostgres({ url: `${url}&statement_timeout=300`, patience: 600 });
  onTestFinished(() => store.close());
  const add = () =>
    store.update(['k'], ([n]) => ({ result: 0, writes: [{ key: 'k', value: String(Number(n ?? 0) + 1) }] }));
  await add();
  const other = new Client({ connectionString: url });
  await other.connect();
  await other.query(`begin; select from agent_sessions_kv where key = 'k' for update`);
  const refused = await Promise.allSettled(Array.from({ length: 200 }, add));
  for (const outcome of refused)
    expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'UNAVAILABLE' } });
  await other.query('rollback');
  await other.end();
  await add();
  expect(await store.get(['k'])).toEqual(['2']);
}, 20_000);

test('the tokens of old commits are swept, however many there are; young ones stay', async () => {
  const url = await place();
  const store = await opened(url);
  await store.update([], () => ({ result: 0, writes: [{ key: 'k', value: 'v' }] }));
  await sql(
    `insert into agent_sessions_commits (token)
     select ('00000000-0001-7000-8000-' || lpad(i::text, 12, '0'))::uuid from generate_series(1, 1300) i`,
    url,
  );
  while (await store.sweep());
  expect(await sql('select count(*)::int as count from agent_sessions_commits', url)).toEqual([{ count: 1 }]);
});

const cuts = (['to server', 'to client'] as const).flatMap((direction) =>
  [1, 2, 3].flatMap((packet) =>
    (['before it', 'in the middle of it', 'after it'] as const).map(
      (how): Cut => ({ direction, packet, how }),
    ),
  ),
);

test('a connection that is cut at any step of a commit loses and doubles nothing', async () => {
  const url = await place();
  const direct = await opened(url);
  const { hostname, port } = new URL(url);
  const proxy = await startCuttingProxy({ host: hostname, port: Number(port) });
  onTestFinished(proxy.close);
  const through = new URL(url);
  through.port = String(proxy.port);
  const store = await opened(through.href);
  const add = (on = store) =>
    on.update(['n'], ([n]) => {
      const next = Number(n ?? 0) + 1;
      return { result: next, writes: [{ key: 'n', value: String(next) }] };
    });
  await add();
  let expected = 1;
  let happened = 0;
  // A commit has one round trip after one's own, and two after another server's.
  for (const before of [store, direct])
    for (const cut of cuts) {
      expect(await add(before)).toBe(++expected);
      proxy.arm(cut);
      expect(await add(), JSON.stringify(cut)).toBe(++expected);
      if (proxy.hasCut()) happened += 1;
      expect(await direct.get(['n'])).toEqual([String(expected)]);
    }
  // Those of a third packet come to nothing.
  expect(happened).toBeGreaterThanOrEqual(cuts.length);
});

test('what is sent but answered by nobody ends with UNAVAILABLE that says so, and is never there twice', async () => {
  const url = await place();
  const direct = await opened(url);
  const { hostname, port } = new URL(url);
  const proxy = await startCuttingProxy({ host: hostname, port: Number(port) });
  onTestFinished(proxy.close);
  const through = new URL(url);
  through.port = String(proxy.port);
  const store = await openPostgres({ url: through.href, patience: 300 });
  onTestFinished(() => store.close());
  const put = () => store.update([], () => ({ result: 'done', writes: [{ key: 'k', value: 'v' }] }));
  await put();
  // The database does not come back.
  proxy.arm({ direction: 'to client', packet: 1, how: 'before it', forGood: true });
  const answer = put();
  await expect(answer).rejects.toMatchObject({
    code: 'UNAVAILABLE',
    hint: expect.stringContaining('may have happened'),
  });
  expect(await direct.get(['k'])).toEqual(['v']);
});

/** Tests that kill the database need one of their own. */
describe('a database of its own', () => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server.stop());

  test('kill -9 of the database loses nothing acknowledged, and the servers go on without a restart', async () => {
    const writers = startWriters(server.url, 3, 4);
    const some = (more: number) => {
      const before = writers.acknowledged.size;
      return vi.waitFor(() => expect(writers.acknowledged.size).toBeGreaterThan(before + more), {
        timeout: 60_000,
        interval: 20,
      });
    };
    await some(10);
    for (let crash = 0; crash < 2; crash++) {
      await server.crash();
      await some(20);
    }
    await writers.killAll();
    expect([...writers.failed.keys()].filter((code) => code !== 'UNAVAILABLE')).toEqual([]);
    await expectExact(await opened(server.url), writers);
  }, 180_000);
});
