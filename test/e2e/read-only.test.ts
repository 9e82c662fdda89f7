import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';
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
