import { afterAll, beforeAll } from 'vitest';
import { linearizable } from './history/record.ts';
import { type RedisServer, startRedis } from './redis-server.ts';

let server: RedisServer;
beforeAll(async () => {
  // Only so does Redis keep what it has acknowledged when it is killed.
  server = await startRedis({ appendonly: 'yes', appendfsync: 'always' });
});
afterAll(() => server.stop());

linearizable('Redis that is killed meanwhile', () => server);
