import { readFileSync } from 'node:fs';
import { expect, it, onTestFinished } from 'vitest';
import { openAdk } from '../../../src/backend/adk/index.ts';
import { type Backend, required, type SessionRef } from '../../../src/backend/types.ts';
import { python } from '../../fake/adk/python.ts';
import { type FakeAdk, startFake } from '../../fake/adk/server.ts';
import { costsIn, slowProxy, toolsWithoutCosts, tripsOf } from '../round-trips.ts';

/**
 * The cost of each verb on the network, on a server in Python, which has all verbs. A new backend asks once for the
 * server's version, which does not count.
 */
const owner = { app: 'echo_agent', userId: 'ada' };
const signal = new AbortController().signal;

interface World {
  fake: FakeAdk;
  ref: SessionRef;
}

interface Cost {
  requests: string[];
  roundTrips: number;
  /** Prepares what the verb needs. */
  before?: (world: World) => void;
  call(backend: Backend, ref: SessionRef): unknown;
}

const say = ({ fake, ref }: World, text: string) => {
  const session = fake.core.find(ref, ref.sessionId);
  if (session !== undefined)
    fake.core.append(session, { id: text, author: 'user', content: { role: 'user', parts: [{ text }] } });
};
const file = (world: World) =>
  void world.fake.core.artifacts(owner, 's').set('a.txt', [{ text: 'one' }, { text: 'two' }]);
const verb = <T>(of: T | undefined, backend: Backend): T => required(of, backend, 'do this');

const costs: Record<string, Cost> = {
  'create_session, the first on its app in half a minute': {
    requests: ['GET /list-apps', 'POST sessions'],
    roundTrips: 2,
    call: (b) => b.sessions?.create?.(owner, {}),
  },
  get_session: {
    requests: ['GET sessions/S'],
    roundTrips: 1,
    call: (b, ref) => b.sessions?.get?.(ref),
  },
  list_sessions: {
    requests: ['GET sessions'],
    roundTrips: 1,
    call: (b) => b.sessions?.list?.({ ...owner, pageSize: 20 }),
  },
  update_session: {
    requests: ['GET sessions/S', 'PATCH sessions/S'],
    roundTrips: 2,
    call: (b, ref) =>
      b.sessions?.update?.(ref, { displayName: 'New', state: { kept: 1, a: 1, 'user:b': 2 } }),
  },
  delete_session: {
    requests: ['DELETE sessions/S', 'GET sessions/S'],
    roundTrips: 2,
    call: (b, ref) => b.sessions?.delete?.(ref),
  },
  list_events: {
    requests: ['GET sessions/S'],
    roundTrips: 1,
    call: (b, ref) => b.events?.list?.(ref, { pageSize: 20 }),
  },
  get_event: {
    requests: ['GET sessions/S'],
    roundTrips: 1,
    before: (world) => say(world, 'e1'),
    call: (b, ref) => b.events?.get?.(ref, 'e1'),
  },
  'wait_for_events, each look': {
    requests: ['GET sessions/S'],
    roundTrips: 1,
    before: (world) => say(world, 'e1'),
    call: (b, ref) => b.events?.list?.(ref, { pageSize: 20, afterEventId: 'e1' }),
  },
  list_tool_calls: {
    requests: ['GET sessions/S'],
    roundTrips: 1,
    call: (b, ref) => b.toolCalls?.list?.(ref),
  },
  'list_artifacts of one': {
    requests: [
      'GET sessions/S',
      'GET sessions/S/artifacts',
      'GET sessions/S/artifacts/N/versions',
      'GET sessions/S/artifacts/N/versions/1',
    ],
    roundTrips: 3,
    before: file,
    call: (b, ref) => b.artifacts?.list?.(ref, { pageSize: 20 }),
  },
  'get_artifact, a version': {
    requests: ['GET sessions/S', 'GET sessions/S/artifacts/N/versions/0'],
    roundTrips: 1,
    before: file,
    call: (b, ref) => b.artifacts?.get?.(ref, 'a.txt', 0),
  },
  save_artifact: {
    requests: ['GET sessions/S', 'POST sessions/S/artifacts'],
    roundTrips: 2,
    call: (b, ref) =>
      b.artifacts?.save?.(ref, { name: 'a.txt', mimeType: 'text/plain', data: Buffer.from('hi') }),
  },
  add_session_to_memory: {
    requests: ['GET sessions/S', 'PATCH memory'],
    roundTrips: 2,
    call: (b, ref) => b.memory?.addSession?.(ref, {}),
  },
  stream_query: {
    requests: ['POST /run_sse'],
    roundTrips: 1,
    async call(b, ref) {
      const input = { message: { parts: [{ text: 'hi' }] }, invocationId: 'i' };
      for await (const _event of verb(b.query?.stream, b)(ref, input, signal));
    },
  },
  'query of the method run': {
    requests: ['POST /run'],
    roundTrips: 1,
    call: (b, ref) =>
      b.query?.call?.(
        owner,
        { classMethod: 'run', input: { sessionId: ref.sessionId, message: 'hi' } },
        signal,
      ),
  },
  'a run by its id, after a restart': {
    requests: ['GET sessions/S'],
    roundTrips: 1,
    call: (b, ref) => b.runMarks?.find(ref, 'own'),
  },
  list_apps: {
    requests: ['GET /list-apps'],
    roundTrips: 1,
    call: (b) => b.apps?.list?.({ pageSize: 20 }),
  },
};

it('docs/protocols/adk.md shows this table', () => {
  const page = readFileSync(new URL('../../../docs/protocols/adk.md', import.meta.url), 'utf8');
  expect(costsIn(page)).toEqual(
    Object.entries(costs).map(([name, cost]) => [name, cost.requests.join(', '), String(cost.roundTrips)]),
  );
});

it('every tool of this backend has a row', async () => {
  const backend = await openAdk({ baseUrl: 'http://127.0.0.1:9', dialect: 'python' });
  onTestFinished(() => backend.close());
  expect(toolsWithoutCosts(backend, Object.keys(costs))).toEqual([]);
});

it.each(Object.entries(costs))('%s', async (_name, { requests, roundTrips, before, call }) => {
  const fake = await startFake(python);
  onTestFinished(() => fake.close());
  fake.core.create(owner, 's', { kept: 1 });
  const ref = { ...owner, sessionId: 's' };
  before?.({ fake, ref });
  const { url, seen } = await slowProxy(fake.url);
  const backend = await openAdk({ baseUrl: url });
  onTestFinished(() => backend.close());
  seen.length = 0;
  await call(backend, ref);
  const shown = seen.map(({ line }) => line.replace(' /apps/echo_agent/users/ada/', ' '));
  const named = shown.map((line) => line.replace('sessions/s', 'sessions/S').replace('a.txt', 'N'));
  expect(named.toSorted()).toEqual(requests);
  expect(tripsOf(seen)).toBe(roundTrips);
});

it('a look at a long session costs a list of sessions, once two looks have found nothing new', async () => {
  const fake = await startFake(python);
  onTestFinished(() => fake.close());
  fake.core.create(owner, 's', {});
  const ref = { ...owner, sessionId: 's' };
  for (let i = 0; i < 300; i += 1) say({ fake, ref }, `e${i}`);
  const backend = await openAdk({ baseUrl: fake.url });
  onTestFinished(() => backend.close());
  const look = () => backend.events?.list?.(ref, { pageSize: 20, afterEventId: 'e299' });
  await look();
  await new Promise((resolve) => setTimeout(resolve, 2_050));
  await look();
  fake.requests.length = 0;
  await look();
  expect(fake.requests).toEqual(['GET /apps/echo_agent/users/ada/sessions']);
});
