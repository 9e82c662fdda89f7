import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';
import { openLocal } from '../../src/backend/local/index.ts';
import { headKey } from '../../src/backend/local/keys.ts';
import { openSqlite } from '../../src/store/sqlite/index.ts';
import { scratch } from '../scratch.ts';
import { connect } from './clients.ts';

it('a server with --read-only leaves the turns of its agents to others', async () => {
  const folder = scratch();
  const config = path.join(folder, 'config.json');
  const agents = { default: [{ kind: 'echo', name: 'parrot' }] };
  writeFileSync(config, JSON.stringify({ store: `sqlite:${path.join(folder, 'sessions.db')}`, agents }));

  const writer = await connect('v2-modern', {
    args: ['--store', `sqlite:${path.join(folder, 'sessions.db')}`],
  });
  await writer.ok('create_session', { sessionId: 's' });
  const handedOver = { sessionId: 's', eventId: 'e', text: 'Say it.', handOver: { agent: 'parrot' } };
  await writer.ok('append_event', handedOver);

  const wait = { sessionId: 's', afterEventId: 'e' };
  const reader = await connect('v2-modern', { args: ['--read-only', '--config', config] });
  expect(await reader.ok('wait_for_events', { ...wait, timeoutSeconds: 1 })).toMatchObject({
    timedOut: true,
  });
  const { session } = await reader.ok('get_session', { sessionId: 's' });
  expect(session).toMatchObject({ turn: { agent: 'parrot' } });
  expect(session).not.toHaveProperty('turn.claimedUntil');
  await reader.close();

  const runner = await connect('v2-modern', { args: ['--config', config] });
  const { events } = await runner.ok('wait_for_events', { ...wait, timeoutSeconds: 25 });
  expect(events).toMatchObject([{ author: 'parrot' }]);
  await runner.close();
  await writer.close();
});

it('a server with --read-only leaves what has expired to others', async () => {
  const file = path.join(scratch(), 'sessions.db');
  const user = 'ada';
  const owner = { app: 'default', userId: user };
  const open = () => openSqlite({ path: file, durability: 'normal' });
  const now = () => Date.parse('2026-01-01T00:00:00Z');
  const earlier = openLocal({ store: await open(), now, maintains: false });
  await earlier.sessions?.create?.(owner, { sessionId: 'stays' });
  await earlier.sessions?.create?.(owner, { sessionId: 'old', expireTime: '2026-01-02T00:00:00Z' });
  await earlier.close();
  const isStored = async () => {
    const store = await open();
    const [head] = await store.get([headKey({ ...owner, sessionId: 'old' })]);
    await store.close();
    return head !== undefined;
  };
  const args = ['--store', `sqlite:${file}`, '--user', user];
  const wait = { sessionId: 'stays', timeoutSeconds: 1 };
  const reader = await connect('v2-modern', { args: ['--read-only', ...args] });
  expect(await reader.ok('wait_for_events', wait)).toMatchObject({ timedOut: true });
  await reader.close();
  expect(await isStored()).toBe(true);

  const keeper = await connect('v2-modern', { args });
  await expect.poll(isStored, { timeout: 10_000 }).toBe(false);
  await keeper.close();
});
