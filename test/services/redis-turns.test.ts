import { test } from 'vitest';
import { turnsUnderKills } from '../backend/local/turns-under-kills.ts';
import { forget, redisUrl } from './redis.ts';

test('on Redis four workers that are killed again and again answer every turn once', async () => {
  const url = redisUrl();
  await turnsUnderKills(
    url,
    Number(process.env.TURN_HAND_OVERS ?? 60),
    Number(process.env.TURN_SESSIONS ?? 6),
  );
  await forget(url);
}, 600_000);
