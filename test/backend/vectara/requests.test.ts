import { readFileSync } from 'node:fs';
import { expect, it, onTestFinished } from 'vitest';
import type { SessionRef } from '../../../src/backend/types.ts';
import { said } from '../../fake/vectara/interact.ts';
import { addArtifact } from '../../fake/vectara/store.ts';
import { costsIn, slowProxy, toolsWithoutCosts, tripsOf } from '../round-trips.ts';
import { open, type Whole, type World, world } from './setup.ts';

/** The cost of each verb on the network: its requests, and the number of round trips. */
const signal = new AbortController().signal;

interface Cost {
  requests: string[];
  roundTrips: number;
  /** Prepares what the verb needs, and returns the id of an event or artifact for the call. */
  before?: (world: World, ref: SessionRef) => unknown;
  call(backend: Whole, ref: SessionRef, id: string): unknown;
}

const event = ({ fake }: World, ref: SessionRef) => said(fake.session(ref.sessionId), 'hi').id;
const toolCall = async ({ fake, backend }: World, ref: SessionRef) => {
  fake.agents.set('support', () => [{ call: [{ tool: 'lookup', said: { q: 1 }, resolved: { q: 1 } }] }]);
  for await (const _event of backend.query.stream(
    ref,
    { message: { parts: [{ text: 'hi' }] }, invocationId: 'i' },
    signal,
  ));
};

const costs: Record<string, Cost> = {
  create_session: {
    requests: ['POST sessions'],
    roundTrips: 1,
    call: (b, { app, userId }) => b.sessions.create({ app, userId }, {}),
  },
  'create_session with an own id': {
    requests: ['GET sessions/KEY', 'GET sessions/KEY', 'POST sessions'],
    roundTrips: 2,
    call: (b, { app, userId }) => b.sessions.create({ app, userId }, { sessionId: 'own' }),
  },
  get_session: {
    requests: ['GET sessions/KEY'],
    roundTrips: 1,
    call: (b, ref) => b.sessions.get(ref),
  },
  'list_sessions, each hundred': {
    requests: ['GET sessions'],
    roundTrips: 1,
    call: (b, ref) => b.sessions.list({ ...ref, pageSize: 20 }),
  },
  update_session: {
    requests: ['GET sessions/KEY', 'PATCH sessions/KEY'],
    roundTrips: 2,
    call: (b, ref) => b.sessions.update(ref, { displayName: 'New', state: { a: 1 } }),
  },
  delete_session: {
    requests: ['DELETE sessions/KEY', 'GET sessions/KEY'],
    roundTrips: 2,
    call: (b, ref) => b.sessions.delete(ref),
  },
  fork_session: {
    requests: ['GET sessions/KEY', 'POST sessions'],
    roundTrips: 2,
    call: (b, ref) => b.sessions.fork(ref, {}),
  },
  list_events: {
    requests: ['GET sessions/KEY', 'GET sessions/KEY/events'],
    roundTrips: 1,
    before: event,
    call: (b, ref) => b.events.list(ref, { pageSize: 20 }),
  },
  get_event: {
    requests: ['GET sessions/KEY', 'GET sessions/KEY/events/ID'],
    roundTrips: 1,
    before: event,
    call: (b, ref, id) => b.events.get(ref, id),
  },
  'wait_for_events, each look': {
    requests: ['GET sessions/KEY', 'GET sessions/KEY/events'],
    roundTrips: 1,
    before: event,
    async call(b, ref, id) {
      await b.events.list(ref, { pageSize: 20 });
      await b.events.list(ref, { pageSize: 20, afterEventId: id });
      seen.length = 0;
      await b.events.list(ref, { pageSize: 20, afterEventId: id });
    },
  },
  set_event_visibility: {
    requests: ['GET sessions/KEY', 'POST sessions/KEY/events/ID/hide'],
    roundTrips: 2,
    before: event,
    call: (b, ref, id) => b.events.setVisibility(ref, id, true),
  },
  delete_event: {
    requests: ['DELETE sessions/KEY/events/ID', 'GET sessions/KEY'],
    roundTrips: 2,
    before: event,
    call: (b, ref, id) => b.events.delete(ref, id),
  },
  list_tool_calls: {
    requests: [
      'GET sessions/KEY',
      'GET sessions/KEY/events/ID',
      'GET sessions/KEY/outstanding_client_tool_calls',
    ],
    roundTrips: 2,
    before: toolCall,
    call: (b, ref) => b.toolCalls.list(ref),
  },
  submit_tool_outputs: {
    requests: [
      'GET sessions/KEY',
      'GET sessions/KEY/events/ID',
      'GET sessions/KEY/outstanding_client_tool_calls',
      'POST sessions/KEY/events',
    ],
    roundTrips: 3,
    before: toolCall,
    async call(b, ref) {
      const [open] = await b.toolCalls.list(ref);
      seen.length = 0;
      await b.toolCalls.submit(ref, [{ toolCallId: open?.id ?? '', output: {} }]);
    },
  },
  list_artifacts: {
    requests: ['GET sessions/KEY', 'GET sessions/KEY/artifacts'],
    roundTrips: 1,
    call: (b, ref) => b.artifacts.list(ref, { pageSize: 20 }),
  },
  get_artifact: {
    requests: ['GET sessions/KEY', 'GET sessions/KEY/artifacts', 'GET sessions/KEY/artifacts/ID'],
    roundTrips: 2,
    before: ({ fake }, ref) =>
      addArtifact(fake.session(ref.sessionId), 'a.txt', 'text/plain', Buffer.from('hi')).artifact_id,
    call: (b, ref, id) => b.artifacts.get(ref, id),
  },
  stream_query: {
    requests: ['GET sessions/KEY', 'POST sessions/KEY/events'],
    roundTrips: 2,
    async call(b, ref) {
      const input = { message: { parts: [{ text: 'hi' }] }, invocationId: 'i' };
      for await (const _event of b.query.stream(ref, input, signal));
    },
  },
  'query of the method input_message': {
    requests: ['GET sessions/KEY', 'POST sessions/KEY/events'],
    roundTrips: 2,
    call: (b, ref) =>
      b.query.call(
        ref,
        { classMethod: 'input_message', input: { sessionId: ref.sessionId, text: 'hi' } },
        signal,
      ),
  },
  list_apps: {
    requests: ['GET /v2/agents'],
    roundTrips: 1,
    call: (b) => b.apps.list({ pageSize: 20 }),
  },
};

it('docs/protocols/vectara.md shows this table', () => {
  const page = readFileSync(new URL('../../../docs/protocols/vectara.md', import.meta.url), 'utf8');
  expect(costsIn(page)).toEqual(
    Object.entries(costs).map(([name, cost]) => [name, cost.requests.join(', '), String(cost.roundTrips)]),
  );
});

it('every tool of this backend has a row', async () => {
  const { backend } = await world();
  expect(toolsWithoutCosts(backend, Object.keys(costs))).toEqual([]);
});

let seen: Awaited<ReturnType<typeof slowProxy>>['seen'];

it.each(Object.entries(costs))('%s', async (_name, { requests, roundTrips, before, call }) => {
  const it = await world();
  const ref = await it.make();
  const id = String((await before?.(it, ref)) ?? '');
  const proxy = await slowProxy(it.fake.url);
  seen = proxy.seen;
  const backend = await open({ ...it.fake, url: proxy.url });
  onTestFinished(() => backend.close());
  await call(backend, ref, id);
  const named = seen.map(({ line }) =>
    line
      .replace(' /v2/agents/support/', ' ')
      .replace(/sessions\/[^/]+/, 'sessions/KEY')
      .replace(/(events|artifacts)\/[^/]+/, '$1/ID'),
  );
  expect(named.toSorted()).toEqual(requests);
  expect(tripsOf(seen)).toBe(roundTrips);
});
