import { openLocal } from '../../src/backend/local/index.ts';
import { openRedis } from '../../src/store/redis/index.ts';
import { backendContract } from '../contract/backend.ts';
import { forget, redisUrl } from './redis.ts';

backendContract('local on redis', {
  async open() {
    const url = redisUrl();
    const backend = openLocal({ store: await openRedis({ url }) });
    return {
      backend,
      app: 'contract',
      async close() {
        await backend.close();
        await forget(url);
      },
    };
  },
});
