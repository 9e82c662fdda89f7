import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import type { SessionRef } from '../../../src/backend/types.ts';
import { costsIn, toolsWithoutCosts, tripsOf } from '../round-trips.ts';
import { open, said, type Whole, type World, world } from './setup.ts';

/**
 * The cost of each verb on the network: its requests, and the number of round trips. A round trip to a real region
 * takes 50 to 200 ms, so these numbers are what a caller waits for.
 */
const signal = new AbortController().signal;

interface Cost {
  requests: string[];
  roundTrips: number;
  /** Prepares what the verb needs, and returns the call. */
  call(it: World, ref: SessionRef): Promise<(backend: Whole) => Promise<unknown>>;
}

const eventId = async ({ backend }: World, ref: SessionRef) =>
  (await backend.events.append(ref, said('hi', { invocationId: 't' }))).event.id;

const toolCall = async ({ backend }: World, ref: SessionRef) => {
  const part = { functionCall: { id: 'call-1', name: 'weather', args: {} } };
  await backend.events.append(ref, said('', { author: 'agent', content: { role: 'model', parts: [part] } }));
};

const costs: Record<string, Cost> = {
  create_session: {
    requests: ['CreateSession', 'GetSession'],
    roundTrips: 2,
    call:
      async (_it, { app, userId }) =>
      (b) =>
        b.sessions.create({ app, userId }, {}),
  },
  get_session: {
    requests: ['GetSession'],
    roundTrips: 1,
    call: async (_it, ref) => (b) => b.sessions.get(ref),
  },
  list_sessions: {
    requests: ['ListSessions'],
    roundTrips: 1,
    call: async (_it, ref) => (b) => b.sessions.list({ ...ref, pageSize: 20 }),
  },
  update_session: {
    requests: ['GetSession', 'UpdateSession'],
    roundTrips: 2,
    call: async (_it, ref) => (b) =>
      b.sessions.update(ref, { displayName: 'New', state: { a: 1, 'user:b': 2 } }),
  },
  delete_session: {
    requests: ['DeleteSession', 'GetSession'],
    roundTrips: 2,
    call: async (_it, ref) => (b) => b.sessions.delete(ref),
  },
  list_events: {
    requests: ['GetSession', 'ListEvents'],
    roundTrips: 1,
    call: async (_it, ref) => (b) => b.events.list(ref, { pageSize: 20 }),
  },
  get_event: {
    requests: ['GetSession', 'ListEvents'],
    roundTrips: 1,
    async call(it, ref) {
      const id = await eventId(it, ref);
      return (b) => b.events.get(ref, id);
    },
  },
  'wait_for_events, each look': {
    requests: ['GetSession', 'ListEvents'],
    roundTrips: 1,
    async call(it, ref) {
      const id = await eventId(it, ref);
      await it.backend.events.list(ref, { pageSize: 20 });
      return () => it.backend.events.list(ref, { pageSize: 20, afterEventId: id });
    },
  },
  append_event: {
    requests: ['AppendEvent', 'GetSession'],
    roundTrips: 2,
    call: async (_it, ref) => (b) => b.events.append(ref, said('hi')),
  },
  'append_event of an agent, into the turn that runs': {
    requests: ['AppendEvent', 'GetSession', 'ListEvents'],
    roundTrips: 2,
    call: async (_it, ref) => (b) => b.events.append(ref, said('hi', { author: 'agent' })),
  },
  'append_event with an own id': {
    requests: ['AppendEvent', 'GetSession', 'ListEvents'],
    roundTrips: 2,
    call: async (_it, ref) => (b) => b.events.append(ref, said('hi', { id: 'own' })),
  },
  'fork_session and import, each event': {
    requests: ['AppendEvent'],
    roundTrips: 1,
    call: async (_it, ref) => (b) => b.transfer.append(ref, said('hi', { id: 'own' }), {}),
  },
  list_tool_calls: {
    requests: ['GetSession', 'ListEvents'],
    roundTrips: 1,
    async call(it, ref) {
      await toolCall(it, ref);
      return (b) => b.toolCalls.list(ref);
    },
  },
  submit_tool_outputs: {
    requests: ['AppendEvent', 'GetSession', 'ListEvents'],
    roundTrips: 2,
    async call(it, ref) {
      await toolCall(it, ref);
      return (b) => b.toolCalls.submit(ref, [{ toolCallId: 'call-1', output: { sky: 'grey' } }]);
    },
  },
  search_memory: {
    requests: ['RetrieveMemories'],
    roundTrips: 1,
    call: async (_it, ref) => (b) => b.memory.search(ref, { text: 'tea', limit: 3 }),
  },
  add_session_to_memory: {
    requests: ['GenerateMemories', 'GetSession'],
    roundTrips: 2,
    call: async (_it, ref) => (b) => b.memory.addSession(ref, {}),
  },
  create_memory: {
    requests: ['CreateMemory'],
    roundTrips: 1,
    call: async (_it, ref) => (b) => b.memory.create(ref, { fact: 'Likes tea.' }),
  },
  list_memories: {
    requests: ['ListMemories'],
    roundTrips: 1,
    call: async (_it, ref) => (b) => b.memory.list(ref, { pageSize: 20 }),
  },
  delete_memory: {
    requests: ['DeleteMemory', 'GetMemory'],
    roundTrips: 2,
    async call(it, ref) {
      const { id } = await it.backend.memory.create(ref, { fact: 'Likes tea.' });
      return (b) => b.memory.delete(ref, id);
    },
  },
  'stream_query, the first in a minute': {
    requests: ['GetReasoningEngine', 'GetSession', 'StreamQueryReasoningEngine'],
    roundTrips: 2,
    call: async (_it, ref) => async (b) => {
      const input = { message: { parts: [{ text: 'hi' }] }, invocationId: 'i' };
      for await (const _event of b.query.stream(ref, input, signal));
    },
  },
  'query of a class method': {
    requests: ['QueryReasoningEngine'],
    roundTrips: 1,
    call: async (_it, ref) => (b) =>
      b.query.call(ref, { classMethod: 'async_list_sessions', input: {} }, signal),
  },
  register_feedback: {
    requests: ['GetSession', 'QueryReasoningEngine'],
    roundTrips: 2,
    call: async (_it, ref) => (b) => b.feedback.register(ref, { score: 1 }),
  },
  list_apps: {
    requests: ['ListReasoningEngines'],
    roundTrips: 1,
    call: async () => (b) => b.apps.list({ pageSize: 20 }),
  },
  create_app: {
    requests: ['CreateReasoningEngine', 'GetReasoningEngine'],
    roundTrips: 2,
    call: async () => (b) => b.apps.create({ name: 'second' }),
  },
  delete_app: {
    requests: ['DeleteReasoningEngine'],
    roundTrips: 1,
    async call(it) {
      const { name } = await it.backend.apps.create({ name: 'second' });
      return (b) => b.apps.delete(name, { force: true });
    },
  },
};

it('docs/protocols/agent-engine.md shows this table', () => {
  const page = readFileSync(new URL('../../../docs/protocols/agent-engine.md', import.meta.url), 'utf8');
  expect(costsIn(page)).toEqual(
    Object.entries(costs).map(([name, cost]) => [name, cost.requests.join(', '), String(cost.roundTrips)]),
  );
});

it('every tool of this backend has a row', async () => {
  const { backend } = await world();
  expect(toolsWithoutCosts(backend, Object.keys(costs))).toEqual([]);
});

it.each(Object.entries(costs))('%s', async (_name, { requests, roundTrips, call }) => {
  const it = await world();
  const ref = await it.make();
  const work = await call(it, ref);
  // A new backend, as in another process: caches that a caller cannot count on are empty.
  const other = await open(it.fake);
  it.fake.requests.length = 0;
  it.fake.latencyMs = 40;
  await work(other);
  expect(it.fake.requests.map(({ rpc }) => rpc).toSorted()).toEqual(requests);
  expect(tripsOf(it.fake.requests)).toBe(roundTrips);
});
