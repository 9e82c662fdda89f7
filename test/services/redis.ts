import { randomBytes } from 'node:crypto';
import { createClient } from 'redis';
import { openRedis } from '../../src/store/redis/index.ts';
import type { Subject } from '../contract/store.ts';

/** The Redis that `run.mjs` started, or the one that the caller gave. */
export function redisUrl(prefix = `test-${randomBytes(6).toString('hex')}`): string {
  const url = process.env.TEST_REDIS_URL;
  if (url === undefined) throw new Error('TEST_REDIS_URL is not set: run npm run test:services.');
  return `${url}${url.includes('?') ? '&' : '?'}prefix=${prefix}`;
}

async function command(...args: string[]): Promise<unknown> {
  const client = createClient({ url: process.env.TEST_REDIS_URL ?? '' });
  await client.connect();
  try {
    return await client.sendCommand(args);
  } finally {
    await client.close();
  }
}

/** The keys of Redis that a store has. */
export async function keysOf(url: string): Promise<string[]> {
  const keys = await command('KEYS', `{${new URL(url).searchParams.get('prefix')}}:*`);
  return Array.isArray(keys) ? keys.map(String) : [];
}

/** Deletes the keys of a store. */
export async function forget(url: string): Promise<void> {
  const keys = await keysOf(url);
  if (keys.length > 0) await command('UNLINK', ...keys);
}

/** Two connections to one new store. */
export async function redisSubject(now: () => number): Promise<Subject> {
  const url = redisUrl();
  const [store, other] = await Promise.all([openRedis({ url, now }), openRedis({ url, now })]);
  return {
    store,
    other,
    async dispose() {
      await Promise.all([store.close(), other.close()]);
      await forget(url);
    },
  };
}
