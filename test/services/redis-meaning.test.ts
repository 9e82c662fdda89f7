import { afterAll } from 'vitest';
import { openRedis } from '../../src/store/redis/index.ts';
import { meaningContract } from '../contract/meaning.ts';
import { forget, redisUrl } from './redis.ts';

const urls: string[] = [];
afterAll(async () => {
  for (const url of urls) await forget(url);
});

meaningContract('redis', () => {
  const url = redisUrl();
  urls.push(url);
  return openRedis({ url });
});
