import { Client, InMemoryTransport } from '@modelcontextprotocol/client';
import { expect, it } from 'vitest';
import { openAdk } from '../../src/backend/adk/index.ts';
import { serverBuilder } from '../../src/server/mcp/server.ts';
import { python } from '../fake/adk/python.ts';
import { startFake } from '../fake/adk/server.ts';
import { runManager, user } from '../tools/harness.ts';

const log = { debug() {}, info() {}, warn() {}, error() {} };

it('tells its client of tools that a backend gets while the client is connected', async () => {
  const fake = await startFake(python);
  fake.fail({ match: /GET/, times: 2, answer: { status: 503, body: 'starting' } });
  const backend = await openAdk({ baseUrl: fake.url });
  const build = serverBuilder({
    version: '0',
    backends: [backend],
    runs: runManager(),
    defaultApp: 'echo_agent',
    toolsets: undefined,
    readOnly: false,
    secret: Buffer.alloc(32, 7),
    log,
  });
  const [here, there] = InMemoryTransport.createLinkedPair();
  const server = build(user('ada'));
  await server.connect(there);
  const client = new Client({ name: 'test', version: '0' });
  let changes = 0;
  client.setNotificationHandler('notifications/tools/list_changed', () => {
    changes += 1;
  });
  await client.connect(here);
  const names = async () => (await client.listTools()).tools.map((tool) => tool.name);
  expect(await names()).not.toContain('update_session');
  const made = await client.callTool({ name: 'create_session', arguments: { sessionId: 'mine' } });
  expect(made.isError).not.toBe(true);
  await expect.poll(() => changes).toBeGreaterThan(0);
  expect(await names()).toEqual(expect.arrayContaining(['update_session', 'save_artifact']));
  const updated = await client.callTool({
    name: 'update_session',
    arguments: { sessionId: 'mine', state: { a: 1 } },
  });
  expect(updated.structuredContent).toMatchObject({ session: { state: { a: 1 } } });
  await client.close();
  await backend.close();
  await fake.close();
});
