import { rmSync } from 'node:fs';
import { createClient } from 'redis';
import { expect, onTestFinished, test } from 'vitest';
import { openRedis } from '../../src/store/redis/index.ts';
import type { Store } from '../../src/store/types.ts';
import { run } from '../e2e/run.ts';
import { freePort } from '../free-port.ts';
import { makeCertificates } from './certificates.ts';
import { startMovingProxy } from './moving-proxy.ts';

import { type RedisServer, startRedis } from './redis-server.ts';

const portOf = ({ url }: RedisServer) => Number(new URL(url).port);

async function started(settings: Record<string, string> = {}): Promise<RedisServer> {
  const server = await startRedis(settings);
  onTestFinished(() => server.stop());
  return server;
}

async function opened(url: string): Promise<Store> {
  const store = await openRedis({ url });
  onTestFinished(() => store.close());
  return store;
}

async function command({ url }: RedisServer, ...args: string[]): Promise<unknown> {
  const client = createClient({ url });
  await client.connect();
  try {
    return await client.sendCommand(args);
  } finally {
    await client.close();
  }
}

const add = (store: Store) =>
  store.update(['n'], ([n]) => {
    const next = Number(n ?? 0) + 1;
    return {
      result: next,
      writes: [
        { key: 'n', value: String(next) },
        { key: `k/${next}`, value: '', text: { scope: 's', body: `every ${next}` } },
      ],
    };
  });

/** A primary and its replica, behind an address that leads to the primary. */
async function pair() {
  const primary = await started();
  const replica = await started({ replicaof: `127.0.0.1 ${portOf(primary)}` });
  const proxy = await startMovingProxy(portOf(primary));
  onTestFinished(proxy.close);
  return { primary, replica, proxy, store: await opened(`redis://127.0.0.1:${proxy.port}`) };
}

test('a replica takes over behind an address that moves: what it has is there, and the server goes on', async () => {
  const { primary, replica, proxy, store } = await pair();
  for (let i = 1; i <= 20; i++) expect(await add(store)).toBe(i);
  expect(await command(primary, 'WAIT', '1', '10000')).toBe(1);
  const heard = new Promise<void>((resolve) => store.watch('n', resolve));
  await primary.stop();
  proxy.moveTo(portOf(replica));
  // It takes no writes yet.
  const waiting = add(store);
  await new Promise((resolve) => setTimeout(resolve, 300));
  await command(replica, 'REPLICAOF', 'NO', 'ONE');
  expect(await waiting).toBe(21);
  await heard;
  expect(await store.range({ prefix: 'k/', limit: 100 })).toHaveLength(21);
  expect(await store.search({ scope: 's', text: '20', limit: 5 })).toMatchObject([{ key: 'k/20' }]);
});

test('a primary that becomes a replica and lets nobody in again: calls are answered when their patience ends', async () => {
  const primary = await started();
  const proxy = await startMovingProxy(portOf(primary));
  onTestFinished(proxy.close);
  const store = await opened(`redis://127.0.0.1:${proxy.port}`);
  expect(await add(store)).toBe(1);
  await command(primary, 'REPLICAOF', '127.0.0.1', String(await freePort()));
  proxy.refuse();
  await expect(add(store)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
});

test('a replica that lacks the last writes takes over: what is left is whole, and the server goes on from there', async () => {
  const { primary, replica, proxy, store } = await pair();
  for (let i = 1; i <= 10; i++) await add(store);
  await command(primary, 'WAIT', '1', '10000');
  await command(replica, 'REPLICAOF', 'NO', 'ONE');
  for (let i = 11; i <= 15; i++) expect(await add(store)).toBe(i);
  await primary.stop();
  proxy.moveTo(portOf(replica));
  expect(await add(store)).toBe(11);
  expect(await store.range({ prefix: 'k/', limit: 100 })).toHaveLength(11);
  expect(await store.search({ scope: 's', text: 'every', limit: 100 })).toHaveLength(11);
  expect(store.limits?.join()).toContain('a failover to a replica may lose');
});

test('a server that is gone without a word is noticed', async () => {
  const { proxy, store } = await pair();
  expect(await add(store)).toBe(1);
  proxy.freeze();
  expect(await add(store)).toBe(2);
}, 60_000);

test('the scripts are sent again when Redis has forgotten them', async () => {
  const { primary, store } = await pair();
  expect(await add(store)).toBe(1);
  await command(primary, 'SCRIPT', 'FLUSH');
  expect(await add(store)).toBe(2);
  expect(await store.range({ prefix: 'k/', limit: 9 })).toHaveLength(2);
});

test('a server that begins to delete what it holds is refused, and named where it is in use', async () => {
  const { primary, proxy, store } = await pair();
  expect(await add(store)).toBe(1);
  await command(primary, 'CONFIG', 'SET', 'maxmemory', '100mb');
  await command(primary, 'CONFIG', 'SET', 'maxmemory-policy', 'allkeys-lru');
  await expect(openRedis({ url: primary.url })).rejects.toMatchObject({
    code: 'FAILED_PRECONDITION',
    message: expect.stringContaining('deletes data'),
  });
  proxy.moveTo(portOf(primary));
  await expect.poll(() => store.limits?.join(), { timeout: 10_000 }).toContain('allkeys-lru');
});

test('rediss:// trusts the authorities that Node.js is told of, and nobody else', async () => {
  const files = await makeCertificates();
  onTestFinished(() => rmSync(files.folder, { recursive: true }));
  const port = await freePort();
  await started({
    'tls-port': String(port),
    'tls-cert-file': files.certificate,
    'tls-key-file': files.key,
    'tls-ca-cert-file': files.authority,
    'tls-auth-clients': 'no',
  });
  const url = `rediss://127.0.0.1:${port}`;
  await expect(openRedis({ url })).rejects.toMatchObject({
    code: 'FAILED_PRECONDITION',
    message: expect.stringContaining('certificate'),
    hint: expect.stringContaining('NODE_EXTRA_CA_CERTS'),
  });
  const env = { NODE_EXTRA_CA_CERTS: files.authority };
  const list = await run(['list', '--store', url, '--user', 'ada'], { env });
  expect(list).toMatchObject({ code: 0 });
});

test.each(['redis+sentinel://127.0.0.1:26379/primary', 'redis://127.0.0.1:6379,127.0.0.1:6380'])(
  'several hosts are refused in a sentence: %s',
  async (url) => {
    await expect(async () => openRedis({ url })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringContaining('one host'),
      hint: expect.stringContaining('follows the primary'),
    });
  },
);
