import { test } from 'vitest';
import { turnsUnderKills } from '../backend/local/turns-under-kills.ts';
import { freshPlace } from './postgres.ts';

test('on Postgres four workers that are killed again and again answer every turn once', async () => {
  const { url, drop } = await freshPlace();
  await turnsUnderKills(
    url,
    Number(process.env.TURN_HAND_OVERS ?? 60),
    Number(process.env.TURN_SESSIONS ?? 6),
  );
  await drop();
}, 600_000);
