import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startServices } from '../fake/services.ts';
import { ownerKey } from '../fake/vectara/server.ts';
import { scratch } from '../scratch.ts';
import { connect, type Json, type TestClient } from './clients.ts';
import { run } from './run.ts';

/** The shipped server over stdio with every backend at once, each configured by its environment. */
describe('a server with four backends', () => {
  let services: Awaited<ReturnType<typeof startServices>>;
  let client: TestClient;
  beforeAll(async () => {
    services = await startServices();
    client = await connect('v2-modern', {
      args: [
        '--backend',
        'local,agent-engine,adk,vectara',
        '--store',
        `sqlite:${path.join(scratch(), 'd.db')}`,
        '--user',
        'ada',
      ],
      env: services.env,
    });
  });
  afterAll(() => Promise.all([client.close(), services.close()]));

  it('describes all of them, and offers every backend as an argument', async () => {
    const described = (await client.ok('describe_server')) as { backends: Json[] };
    expect(described.backends.map((backend) => backend.name)).toEqual([
      'local',
      'agent-engine',
      'adk',
      'vectara',
    ]);
    expect(JSON.stringify(described)).not.toContain(ownerKey);
    const tools = (await client.listTools()) as { name: string; inputSchema: { properties: Json } }[];
    const list = tools.find((tool) => tool.name === 'list_sessions');
    expect(list?.inputSchema.properties.backend).toMatchObject({
      enum: ['local', 'agent-engine', 'adk', 'vectara'],
    });
  });

  it.each(['local', 'agent-engine', 'adk', 'vectara'])(
    'creates, lists and reads a session on %s, in its default app',
    async (backend) => {
      const { session } = (await client.ok('create_session', { backend, state: { topic: 'tea' } })) as {
        session: Json;
      };
      expect(session).toMatchObject({ userId: 'ada', state: { topic: 'tea' } });
      const { sessions } = (await client.ok('list_sessions', { backend })) as { sessions: Json[] };
      expect(sessions.map((s) => s.id)).toContain(session.id);
      expect(await client.ok('list_events', { backend, sessionId: session.id })).toMatchObject({
        events: [],
      });
      const stranger = await client.error('get_session', { backend, sessionId: session.id, userId: 'bob' });
      const random = await client.error('get_session', {
        backend,
        sessionId: `${String(session.id).slice(0, -1)}0`,
        userId: 'bob',
      });
      expect(stranger).toEqual(random);
      expect(stranger.code).toBe('NOT_FOUND');
    },
  );

  it('promotes a session that was made offline to Agent Engine', async () => {
    const { session } = (await client.ok('create_session', { displayName: 'Draft', state: { step: 1 } })) as {
      session: Json;
    };
    for (let i = 0; i < 5; i += 1)
      await client.ok('append_event', {
        sessionId: session.id,
        text: `m${i}`,
        author: i % 2 ? 'bot' : 'user',
        stateDelta: { step: i },
      });
    const fork = await client.ok('fork_session', { sessionId: session.id, toBackend: 'agent-engine' });
    const promoted = fork.session as Json;
    expect(promoted).toMatchObject({
      app: services.google.engine.id,
      displayName: 'Draft',
      state: { step: 4 },
    });
    const there = await client.ok('list_events', { backend: 'agent-engine', sessionId: promoted.id });
    expect((there.events as { content: { parts: Json[] } }[]).map((e) => e.content.parts[0]?.text)).toEqual([
      'm0',
      'm1',
      'm2',
      'm3',
      'm4',
    ]);
  });

  it('runs an agent on ADK and says what ADK has not', async () => {
    const { session } = (await client.ok('create_session', { backend: 'adk' })) as { session: Json };
    const run = await client.ok('query', { backend: 'adk', sessionId: session.id, message: 'hello' });
    expect(run).toMatchObject({ status: 'completed', text: expect.stringContaining('hello') });
    const error = await client.error('append_event', { backend: 'adk', sessionId: session.id, text: 'x' });
    expect(error).toMatchObject({
      code: 'UNIMPLEMENTED',
      hint: expect.stringMatching(/local, agent-engine.*query/),
    });
  });
});

it.each([
  ['agent-engine', {}, /project|gcloud/i],
  ['vectara', {}, /VECTARA_API_KEY/],
  ['adk', { ADK_DIALECT: 'cobol' }, /ADK_DIALECT.*python/],
])('%s without what it needs stops the start with one sentence', async (backend, env, words) => {
  const ended = await run(['--backend', backend], { env: { METADATA_SERVER_DETECTION: 'none', ...env } });
  expect(ended.code).toBe(2);
  expect(ended.stdout).toBe('');
  expect(ended.stderr.split('\n')[0]).toMatch(words);
});
