import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, it } from 'vitest';
import { startServerProcess } from '../server/http/harness.ts';
import { type Json, officialClient } from '../server/http/requests.ts';

it('a server answers the turns of its agents, those of "*" in every app without agents of its own', async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'any app '));
  const config = path.join(folder, 'config.json');
  const agents = { '*': { kind: 'echo', name: 'parrot' }, own: { kind: 'echo', name: 'other' } };
  writeFileSync(config, JSON.stringify({ agents }));
  const server = startServerProcess(['--config', config]);
  const client = await officialClient(await server.url, 'modern');
  const call = async (name: string, args: Json): Promise<Json> => {
    const result = await client.callTool({ name, arguments: args });
    if (result.isError === true) throw new Error(JSON.stringify(result.content));
    return result.structuredContent as Json;
  };
  const turnIn = async (app: string) =>
    ((await call('get_session', { app, sessionId: 's' })).session as { turn?: Json }).turn;
  const handOver = async (app: string, agent: string) => {
    await call('create_session', { app, sessionId: 's' });
    return (
      await call('append_event', { app, sessionId: 's', author: 'ann', text: 'Hi.', handOver: { agent } })
    ).event as { id: string };
  };
  await handOver('own', 'parrot');
  for (const [app, agent] of [
    ['default', 'parrot'],
    ['another', 'parrot'],
    ['own', 'other'],
  ] as const) {
    if (app === 'own') expect(await turnIn('own')).toMatchObject({ agent: 'parrot', tries: 0 });
    const given =
      app === 'own'
        ? await call('append_event', { app, sessionId: 's', author: 'ann', text: 'Hi.', handOver: { agent } })
        : { event: await handOver(app, agent) };
    const { id } = given.event as { id: string };
    const { events } = await call('wait_for_events', {
      app,
      sessionId: 's',
      afterEventId: id,
      timeoutSeconds: 20,
    });
    expect(events).toMatchObject([{ author: agent }]);
    expect(await turnIn(app)).toBeUndefined();
  }
  await client.close();
  server.child.kill('SIGTERM');
  await server.exit;
  rmSync(folder, { recursive: true });
});
