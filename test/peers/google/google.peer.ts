import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openAgentEngine } from '../../../src/backend/agent-engine/index.ts';
import type { Backend } from '../../../src/backend/types.ts';
import { type FakeAgentEngine, metadataToken, startAgentEngine } from '../../fake/agent-engine/server.ts';
import { build, file } from './descriptors.mjs';

/**
 * The fake judged by clients that nobody here wrote, and our backend by what these clients see of its work:
 * `@google/adk`, `@google-cloud/vertexai` and `@google-cloud/aiplatform` (docs/protocols/agent-engine.md).
 */
const require = createRequire(import.meta.url);
const project = 'my-proj';
const location = 'us-central1';

let fake: FakeAgentEngine;
let backend: Backend;
const kept = { ...process.env };

beforeAll(async () => {
  fake = await startAgentEngine();
  fake.token = metadataToken;
  for (const name of [
    'GOOGLE_APPLICATION_CREDENTIALS',
    'GOOGLE_CLOUD_PROJECT',
    'GCLOUD_PROJECT',
    'GOOGLE_API_KEY',
  ])
    delete process.env[name];
  Object.assign(process.env, {
    GCE_METADATA_HOST: `127.0.0.1:${fake.port}`,
    METADATA_SERVER_DETECTION: 'assume-present',
    HOME: '/nonexistent',
  });
  backend = await openAgentEngine({
    project,
    location,
    engineId: fake.engine.id,
    baseUrl: fake.url,
    auth: 'adc',
  });
});
afterAll(async () => {
  process.env = kept;
  await fake.close();
});
beforeEach(() => {
  fake.notes.length = 0;
  fake.operations.polls = 0;
});

it('the vendored descriptors are what the installed package says', () => {
  expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual(build());
});

async function adk() {
  const { VertexAiMemoryBankService, VertexAiSessionService, createEvent } = await import('@google/adk');
  const { Client } = await import('@google-cloud/vertexai/build/src/genai/client.js');
  const client = new Client({ project, location, apiEndpoint: fake.url });
  const agentEngineId = fake.engine.id;
  return {
    client,
    createEvent,
    sessions: new VertexAiSessionService({
      projectId: project,
      location,
      agentEngineId,
      sessions: client.agentEnginesInternal.sessions,
    }),
    memory: new VertexAiMemoryBankService({ projectId: project, location, agentEngineId, client }),
  };
}

describe('@google/adk VertexAiSessionService', () => {
  it.each([0, 2])(
    'keeps sessions and events in the fake, with operations done after %i polls',
    async (polls) => {
      fake.operations.polls = polls;
      const { sessions, createEvent } = await adk();
      const appName = fake.engine.id;
      const session = await sessions.createSession({ appName, userId: 'ada', state: { a: 1, 'temp:t': 1 } });
      const key = { appName, userId: 'ada', sessionId: session.id };
      const event = createEvent({
        author: 'agent',
        invocationId: 'e-1',
        content: {
          role: 'model',
          parts: [{ text: 'hello' }, { functionCall: { id: 'c', name: 'f', args: { x: 1 } } }],
        },
        actions: {
          stateDelta: { b: 2 },
          artifactDelta: {},
          requestedAuthConfigs: {},
          requestedToolConfirmations: {},
          transferToAgent: 'other',
        },
        usageMetadata: { totalTokenCount: 5 },
        longRunningToolIds: ['c'],
      });
      await sessions.appendEvent({ session, event });
      const read = await sessions.getSession(key);
      expect(read?.state).toEqual({ a: 1, b: 2 });
      expect(read?.events).toMatchObject([
        { author: 'agent', content: event.content, usageMetadata: { totalTokenCount: 5 } },
      ]);
      expect((await sessions.listSessions({ appName, userId: 'ada' })).sessions.map((s) => s.id)).toContain(
        session.id,
      );
      await expect(sessions.getSession({ ...key, userId: 'eve' })).rejects.toThrow('does not belong');
      // What ADK stored, our backend reads, and the other way round.
      const ref = { app: appName, userId: 'ada', sessionId: session.id };
      const ours = await backend.events?.list?.(ref, { pageSize: 10 });
      expect(ours?.items).toMatchObject([
        {
          author: 'agent',
          invocationId: 'e-1',
          content: event.content,
          actions: { stateDelta: { b: 2 }, transferAgent: 'other' },
          usageMetadata: { totalTokenCount: 5 },
          longRunningToolIds: ['c'],
        },
      ]);
      // Its id is known to both: the service's, and the one that the agent gave.
      expect(await backend.events?.get?.(ref, event.id)).toEqual(ours?.items[0]);
      await sessions.deleteSession(key);
      expect(await sessions.getSession(key)).toBeUndefined();
      // The one field of it that no descriptor has.
      expect(new Set(fake.notes)).toEqual(
        new Set([
          'EventActions.requestedToolConfirmations is not in the descriptors',
          'DeleteSession has a body',
        ]),
      );
    },
  );

  it('reads what our backend stored', async () => {
    const { sessions } = await adk();
    const owner = { app: fake.engine.id, userId: 'ada' };
    const made = await backend.sessions?.create?.(owner, { state: { topic: 'tea', 'user:u': 1 } });
    const ref = { ...owner, sessionId: made?.id ?? '' };
    const append = backend.events?.append;
    await append?.(ref, {
      author: 'user',
      content: { role: 'user', parts: [{ text: 'plain' }] },
      actions: { stateDelta: { n: 1 } },
    });
    await append?.(ref, {
      id: 'own-1',
      author: 'agent',
      content: { role: 'model', parts: [{ text: 'rich', partMetadata: { a: 1 } }] },
      actions: { transferAgent: 'b' },
      usageMetadata: { totalTokenCount: 9 },
      turnComplete: true,
    });
    const session = await sessions.getSession({
      appName: owner.app,
      userId: 'ada',
      sessionId: ref.sessionId,
    });
    expect(session?.state).toMatchObject({ topic: 'tea', 'user:u': 1, n: 1 });
    expect(session?.events).toMatchObject([
      { author: 'user', content: { role: 'user', parts: [{ text: 'plain' }] } },
      {
        author: 'agent',
        content: { role: 'model', parts: [{ text: 'rich', partMetadata: { a: 1 } }] },
        actions: { transferToAgent: 'b' },
        usageMetadata: { totalTokenCount: 9 },
        turnComplete: true,
      },
    ]);
    expect(session?.events.every((event) => Number.isFinite(event.timestamp))).toBe(true);
    expect(fake.notes).toEqual([]);
  });
});

describe('@google/adk VertexAiMemoryBankService', () => {
  it('and our backend find each other’s memories', async () => {
    const { memory } = await adk();
    const appName = fake.engine.id;
    const owner = { app: appName, userId: 'mem-user' };
    await backend.memory?.create?.(owner, { fact: 'Likes oolong tea.' });
    await memory.addMemory({
      appName,
      userId: 'mem-user',
      memories: [{ content: { role: 'user', parts: [{ text: 'Has a cat.' }] } }],
    });
    const found = await memory.searchMemory({ appName, userId: 'mem-user', query: 'tea cat' });
    expect(
      found.memories.flatMap((entry) => entry.content.parts?.map((part) => part.text)).toSorted(),
    ).toEqual(['Has a cat.', 'Likes oolong tea.']);
    const ours = await backend.memory?.search?.(owner, { text: 'tea cat', limit: 10 });
    expect(ours?.map((one) => one.fact).toSorted()).toEqual(['Has a cat.', 'Likes oolong tea.']);
    expect(await memory.searchMemory({ appName, userId: 'eve', query: 'tea' })).toEqual({ memories: [] });
  });

  it('makes memories of a session’s events', async () => {
    const { memory } = await adk();
    const appName = fake.engine.id;
    await memory.addSessionToMemory({
      id: 's',
      appName,
      userId: 'mem-2',
      state: {},
      lastUpdateTime: 0,
      events: [{ author: 'user', content: { role: 'user', parts: [{ text: 'Lives in Bergen.' }] } }],
    } as unknown as Parameters<typeof memory.addSessionToMemory>[0]);
    const found = await memory.searchMemory({ appName, userId: 'mem-2', query: 'Bergen' });
    expect(found.memories).toHaveLength(1);
  });
});

describe('@google-cloud/vertexai Client', () => {
  it('creates, lists and updates sessions, and queries', async () => {
    const { client } = await adk();
    const internal = client.agentEnginesInternal;
    const name = `reasoningEngines/${fake.engine.id}`;
    const operation = await internal.sessions.createInternal({
      name,
      userId: 'vtx',
      config: { displayName: 'From the client', sessionId: 'vtx-1' },
    });
    expect(operation.done).toBe(true);
    const listed = await internal.sessions.listInternal({ name, config: { filter: 'user_id="vtx"' } });
    expect(listed.sessions).toMatchObject([{ displayName: 'From the client', userId: 'vtx' }]);
    await internal.sessions.updateInternal({
      name: `${name}/sessions/vtx-1`,
      config: { displayName: 'Renamed', updateMask: 'displayName' },
    });
    expect(
      await backend.sessions?.get?.({ app: fake.engine.id, userId: 'vtx', sessionId: 'vtx-1' }),
    ).toMatchObject({ displayName: 'Renamed' });
    await expect(internal.sessions.get({ name: `${name}/sessions/nope` })).rejects.toMatchObject({
      status: 404,
    });
    const answer = await internal.queryInternal({
      name,
      config: { classMethod: 'async_list_sessions', input: { user_id: 'vtx' } },
    });
    expect(answer.output).toMatchObject({ sessions: [{ id: 'vtx-1', user_id: 'vtx' }] });
  });
});

describe('@google-cloud/aiplatform SessionServiceClient', () => {
  it('creates, reads, appends, lists and deletes through its own transport', async () => {
    const { v1beta1 } = require('@google-cloud/aiplatform') as typeof import('@google-cloud/aiplatform');
    const options = { fallback: true, protocol: 'http', apiEndpoint: '127.0.0.1', port: fake.port };
    const client = new v1beta1.SessionServiceClient(options);
    const parent = `projects/${project}/locations/${location}/reasoningEngines/${fake.engine.id}`;
    const state = { fields: { topic: { stringValue: 'tea' } } };
    const [operation] = await client.createSession({
      parent,
      sessionId: 'gapic-1',
      session: { userId: 'gapic', sessionState: state },
    });
    const [made] = await operation.promise();
    expect(made.name).toMatch(/sessions\/gapic-1$/);
    const name = `${parent}/sessions/gapic-1`;
    const [session] = await client.getSession({ name });
    expect(session.sessionState).toMatchObject(state);
    await client.appendEvent({
      name,
      event: { author: 'user', invocationId: 'i', timestamp: { seconds: 1700000000, nanos: 5000 } },
    });
    const [events] = await client.listEvents({ parent: name });
    expect(events).toHaveLength(1);
    const [ours] =
      (
        await backend.events?.list?.(
          { app: fake.engine.id, userId: 'gapic', sessionId: 'gapic-1' },
          { pageSize: 5 },
        )
      )?.items ?? [];
    expect(ours).toMatchObject({ author: 'user', invocationId: 'i', timestamp: '2023-11-14T22:13:20.000Z' });
    await expect(client.getSession({ name: `${parent}/sessions/none` })).rejects.toMatchObject({ code: 5 });
    const [gone] = await client.deleteSession({ name });
    await gone.promise();
    await expect(client.getSession({ name })).rejects.toMatchObject({ code: 5 });
    await client.close();
  });
});
