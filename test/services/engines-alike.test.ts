import { afterAll } from 'vitest';
import { openPostgres } from '../../src/store/postgres/index.ts';
import { openRedis } from '../../src/store/redis/index.ts';
import { openSqlite } from '../../src/store/sqlite/index.ts';
import { enginesAlike } from '../contract/engines-alike.ts';
import { freshPlace } from './postgres.ts';
import { forget, redisUrl } from './redis.ts';

const left: (() => Promise<void>)[] = [];
afterAll(async () => {
  for (const remove of left) await remove();
});

enginesAlike({
  sqlite: (now) => openSqlite({ path: ':memory:', durability: 'normal', now }),
  async postgres(now) {
    const { url, drop } = await freshPlace();
    left.push(drop);
    return openPostgres({ url, now });
  },
  redis(now) {
    const url = redisUrl();
    left.push(() => forget(url));
    return openRedis({ url, now });
  },
});
