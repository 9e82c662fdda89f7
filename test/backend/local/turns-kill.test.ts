import path from 'node:path';
import { test } from 'vitest';
import { scratch } from '../../scratch.ts';
import { turnsUnderKills } from './turns-under-kills.ts';

/**
 * TURN_HAND_OVERS and TURN_SESSIONS make it long, and say how long turns waited; TURN_STORE is another store than a
 * new SQLite file: `TURN_HAND_OVERS=1000 TURN_SESSIONS=100 npx vitest run test/backend/local/turns-kill.test.ts`.
 */
test('four workers that are killed again and again answer every turn once', async () => {
  const handOvers = Number(process.env.TURN_HAND_OVERS ?? 60);
  const sessions = Number(process.env.TURN_SESSIONS ?? 6);
  const url = process.env.TURN_STORE ?? `sqlite:${path.join(scratch(), 'sessions.db')}`;
  await turnsUnderKills(url, handOvers, sessions);
}, 600_000);
