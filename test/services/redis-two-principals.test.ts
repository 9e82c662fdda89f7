import { afterAll } from 'vitest';
import { openRedis } from '../../src/store/redis/index.ts';
import { twoPrincipals } from '../security/two-principals.ts';
import { forget, redisUrl } from './redis.ts';

const urls: string[] = [];
afterAll(async () => {
  for (const url of urls) await forget(url);
});

twoPrincipals(() => {
  const url = redisUrl();
  urls.push(url);
  return openRedis({ url });
});
