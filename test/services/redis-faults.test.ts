import { createClient } from 'redis';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { openRedis } from '../../src/store/redis/index.ts';
import type { Store } from '../../src/store/types.ts';
import { type Cut, startCuttingProxy } from './cutting-proxy.ts';
import { forget, redisUrl } from './redis.ts';
import { startRedis } from './redis-server.ts';
import { expectExact, expectExactCounts, startWriters } from './writers.ts';

const rounds = Number(process.env.KILL_ROUNDS ?? 10);

function place(): string {
  const url = redisUrl();
  onTestFinished(() => forget(url));
  return url;
}

async function opened(url: string): Promise<Store> {
  const store = await openRedis({ url });
  onTestFinished(() => store.close());
  return store;
}

/** The same store, through a proxy that cuts when it is told to. */
async function proxied(url: string) {
  const { hostname, port } = new URL(url);
  const proxy = await startCuttingProxy({ host: hostname, port: Number(port) });
  const through = new URL(url);
  through.port = String(proxy.port);
  const store = await openRedis({ url: through.href });
  onTestFinished(async () => {
    await store.close();
    await proxy.close();
  });
  return { proxy, store };
}

const increment = (store: Store) =>
  store.update(['n'], ([n]) => {
    const next = Number(n ?? 0) + 1;
    return { result: next, writes: [{ key: 'n', value: String(next) }] };
  });

test.each([
  ['one list', 1],
  ['many lists', 50],
])('8 processes with 32 updates in flight each lose and double nothing: %s', async (_, lists) => {
  const url = place();
  await expectExactCounts(await opened(url), url, lists);
});

test('kill -9 of servers at any moment loses nothing acknowledged and tears no update', async () => {
  const url = place();
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
  expect(writers.acknowledged.size).toBeGreaterThan(rounds);
  expect([...writers.failed]).toEqual([]);
  await expectExact(await opened(url), writers);
}, 1_800_000);

const cuts = (['to server', 'to client'] as const).flatMap((direction) =>
  [1, 2, 3].flatMap((packet) =>
    (['before it', 'in the middle of it', 'after it'] as const).map(
      (how): Cut => ({ direction, packet, how }),
    ),
  ),
);

test('a connection that is cut at any step of a commit loses and doubles nothing', async () => {
  const url = place();
  const direct = await opened(url);
  const { proxy, store } = await proxied(url);
  let expected = await increment(store);
  let happened = 0;
  for (const [i, cut] of [...cuts, ...cuts].entries()) {
    // What this server wrote last it knows, and commits in one round trip; after another's write it takes two.
    if (i >= cuts.length) expected = await increment(direct);
    proxy.arm(cut);
    expect(await increment(store), JSON.stringify(cut)).toBe(++expected);
    if (proxy.hasCut()) happened += 1;
    expect(await direct.get(['n'])).toEqual([String(expected)]);
  }
  // Cuts at a packet that a commit does not have come to nothing.
  expect(happened).toBeGreaterThanOrEqual(cuts.length);
});

test('reads through a connection that is cut are answered', async () => {
  const url = place();
  const { proxy, store } = await proxied(url);
  await store.update([], () => ({
    result: 0,
    writes: [{ key: 'k', value: 'v', text: { scope: 's', body: 'tea' } }],
  }));
  for (const cut of cuts.filter(({ packet }) => packet === 1)) {
    for (const read of [
      () => store.get(['k']),
      () => store.range({ prefix: 'k', limit: 1 }),
      () => store.search({ scope: 's', text: 'tea', limit: 1 }),
    ]) {
      proxy.arm(cut);
      expect(await read()).toHaveLength(1);
    }
    expect(await store.sweep()).toBe(false);
  }
});

test('what is sent but answered by nobody ends with UNAVAILABLE that says so, and is never there twice', async () => {
  const url = place();
  const direct = await opened(url);
  const { proxy, store } = await proxied(url);
  await increment(store);
  // The commit is sent, its answer does not come, and Redis does not come back.
  proxy.arm({ direction: 'to client', packet: 1, how: 'before it', forGood: true });
  await expect(increment(store)).rejects.toMatchObject({
    code: 'UNAVAILABLE',
    hint: expect.stringContaining('may have happened'),
  });
  expect(await direct.get(['n'])).toEqual(['2']);
}, 60_000);

test('a watcher hears of what was written while its connection was down', async () => {
  const url = place();
  const direct = await opened(url);
  const { proxy, store } = await proxied(url);
  let calls = 0;
  store.watch('n', () => {
    calls += 1;
  });
  await vi.waitFor(async () => {
    await increment(direct);
    expect(calls).toBeGreaterThan(0);
  });
  const before = calls;
  // The next message to the subscriber is cut off, together with its connection.
  proxy.arm({ direction: 'to client', packet: 1, how: 'before it' });
  await increment(direct);
  await vi.waitFor(() => expect(calls).toBeGreaterThan(before), { timeout: 10_000 });
});

describe('a Redis of its own', () => {
  test('kill -9 of Redis loses nothing acknowledged with appendfsync always, and the servers go on', async () => {
    const server = await startRedis({ appendonly: 'yes', appendfsync: 'always' });
    onTestFinished(() => server.stop());
    const writers = startWriters(server.url, 3, 4);
    const some = (more: number) => {
      const before = writers.acknowledged.size;
      return vi.waitFor(() => expect(writers.acknowledged.size).toBeGreaterThan(before + more), {
        timeout: 60_000,
        interval: 20,
      });
    };
    await some(10);
    for (let crash = 0; crash < 3; crash++) {
      await server.crash();
      await some(20);
    }
    await writers.killAll();
    expect([...writers.failed.keys()].filter((code) => code !== 'UNAVAILABLE')).toEqual([]);
    const store = await openRedis({ url: server.url });
    await expectExact(store, writers);
    expect(store.limits?.join(' ')).not.toContain('appendfsync');
    await store.close();
  }, 180_000);

  test.each([
    [{}, /keeps no append-only file/],
    [{ appendonly: 'yes', appendfsync: 'everysec' }, /every second \(appendfsync everysec\)/],
    [{ appendonly: 'yes', appendfsync: 'no' }, /appendfsync no/],
  ])('with %j it says what may be lost', async (settings, said) => {
    const server = await startRedis(settings);
    onTestFinished(() => server.stop());
    const store = await openRedis({ url: server.url });
    expect(store.limits).toContainEqual(expect.stringMatching(said));
    await store.close();
  });

  test('where CONFIG is forbidden it says that it cannot know', async () => {
    const server = await startRedis({ appendonly: 'yes', appendfsync: 'everysec' });
    onTestFinished(() => server.stop());
    const client = await createClient({ url: server.url })
      .on('error', () => {})
      .connect();
    await client.sendCommand(['ACL', 'SETUSER', 'ada', 'on', '>hunter2', '~*', '&*', '+@all', '-config']);
    await client.close();
    const store = await openRedis({ url: server.url.replace('//', '//ada:hunter2@') });
    expect(store.limits).toContainEqual(expect.stringContaining('does not say how often'));
    await store.close();
  });

  test('a user who may not publish or subscribe is told of changes later', async () => {
    const server = await startRedis();
    onTestFinished(() => server.stop());
    const client = await createClient({ url: server.url })
      .on('error', () => {})
      .connect();
    await client.sendCommand(['ACL', 'SETUSER', 'ada', 'on', '>hunter2', '~*', 'resetchannels', '+@all']);
    await client.close();
    const url = server.url.replace('//', '//ada:hunter2@');
    const [store, other] = await Promise.all([openRedis({ url }), openRedis({ url })]);
    let calls = 0;
    store.watch('n', () => {
      calls += 1;
    });
    await increment(other);
    await vi.waitFor(() => expect(calls).toBeGreaterThan(0), { timeout: 5000 });
    expect(await increment(store)).toBe(2);
    await Promise.all([store.close(), other.close()]);
  });

  test.each(['zadd', 'hincrby', 'zrem', 'hdel', 'zrangebylex'])(
    'a user who may not run %s is refused before a commit could stop halfway',
    async (name) => {
      const server = await startRedis();
      onTestFinished(() => server.stop());
      const client = await createClient({ url: server.url })
        .on('error', () => {})
        .connect();
      await client.sendCommand(['ACL', 'SETUSER', 'ada', 'on', '>hunter2', '~*', '&*', '+@all', `-${name}`]);
      const url = server.url.replace('//', '//ada:hunter2@');
      await expect(openRedis({ url })).rejects.toMatchObject({ code: 'FAILED_PRECONDITION' });
      expect(await client.keys('*values*')).toEqual([]);
      client.destroy();
    },
  );

  test.each([
    [{ 'cluster-enabled': 'yes' }, /is a cluster/],
    [{ maxmemory: '50mb', 'maxmemory-policy': 'allkeys-lru' }, /deletes data when its memory is full/],
    [{ replicaof: '127.0.0.1 1' }, /is a replica/],
  ])('with %j it is refused', async (settings, said) => {
    const server = await startRedis(settings);
    onTestFinished(() => server.stop());
    await expect(openRedis({ url: server.url })).rejects.toMatchObject({
      code: 'FAILED_PRECONDITION',
      message: expect.stringMatching(said),
      hint: expect.any(String),
    });
  });

  test('a full memory and a wrong password are told, and nothing is half written', async () => {
    const server = await startRedis({ requirepass: 'hunter2', maxmemory: '3mb' });
    onTestFinished(() => server.stop());
    const refused = await openRedis({ url: server.url.replace('//', '//:wrong@') }).catch(
      (error: unknown) => error,
    );
    expect(refused).toMatchObject({ code: 'FAILED_PRECONDITION', hint: expect.stringContaining('password') });
    const store = await openRedis({ url: server.url.replace('//', '//:hunter2@') });
    expect(store.location).not.toContain('hunter2');
    const fill = async () => {
      for (let i = 0; i < 200; i++)
        await store.update(['length'], ([length]) => ({
          result: 0,
          writes: [
            { key: 'length', value: String(Number(length ?? 0) + 1) },
            { key: `a/${Number(length ?? 0) + 1}`, value: 'x'.repeat(50_000) },
          ],
        }));
    };
    await expect(fill()).rejects.toMatchObject({ code: 'RESOURCE_EXHAUSTED' });
    const [length] = await store.get(['length']);
    expect(await store.range({ prefix: 'a/', limit: 1000 })).toHaveLength(Number(length));
    // What makes room is not refused.
    await store.update([], () => ({ result: 0, writes: [{ dropPrefix: 'a/' }] }));
    expect(await store.range({ prefix: 'a/', limit: 1 })).toEqual([]);
    await store.close();
  });
});

test('says what is wrong when nobody answers, without the password', async () => {
  const error = await openRedis({ url: 'redis://:hunter2@127.0.0.1:1' }).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ code: 'UNAVAILABLE', hint: expect.any(String) });
  expect(String(error)).not.toContain('hunter2');
});

test('a store of a newer version is refused', async () => {
  const url = place();
  const store = await opened(url);
  await store.close();
  const client = await createClient({ url: process.env.TEST_REDIS_URL ?? '' }).connect();
  await client.hSet(`{${new URL(url).searchParams.get('prefix')}}:meta`, 'format', '99');
  await client.close();
  await expect(openRedis({ url })).rejects.toMatchObject({
    message: expect.stringContaining('newer version'),
  });
});
