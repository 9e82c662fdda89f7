import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { eventTimestamps, instant } from '../../../src/backend/agent-engine/event-timestamps.ts';
import { fromAgentSession, toAgentSession } from '../../../src/backend/agent-engine/map-agent-session.ts';
import {
  type EventDraft,
  idsOf,
  toEvent,
  toStreamEvent,
  toWireEvent,
} from '../../../src/backend/agent-engine/map-event.ts';
import {
  toFoundEntry,
  toGenerated,
  toMemory,
  toRetrieved,
} from '../../../src/backend/agent-engine/map-memory.ts';
import {
  literal,
  toApp,
  toClassMethods,
  toFilter,
  toSession,
  toWireState,
} from '../../../src/backend/agent-engine/map-session.ts';
import { eventSchema, type Part } from '../../../src/model/event.ts';
import { parseFilter } from '../../../src/model/filter.ts';
import { checkMessage } from '../../fake/agent-engine/check.ts';
import * as recorded from './recorded.ts';

const refuseNothing = { note: (text: string) => expect(text).toBe('') };

describe('sessions', () => {
  it('a recorded session', () => {
    expect(toSession(recorded.session, 'my-engine')).toEqual({
      id: '6527000000000000001',
      app: 'my-engine',
      userId: 'user1',
      state: { 'app:k1': 'v1', 'user:k2': 'v2', topic: 'tea' },
      createTime: '2026-06-09T14:07:56.696Z',
      updateTime: '2026-06-09T14:07:57.352Z',
      expireTime: '2027-06-09T14:07:56.690Z',
    });
    expect(toSession(recorded.session, 'my-engine', 'listed')).not.toHaveProperty('state');
  });

  it('nulls, empty messages and missing fields are taken as they come', () => {
    expect(toSession(recorded.oldSession, 'e')).toMatchObject({ state: { 'user:k1': null, 'app:k': 'v' } });
    expect(toSession(recorded.oldSession, 'e')).not.toHaveProperty('labels');
    expect(toSession(recorded.createDone.response, 'e').state).toEqual({});
    expect(toSession({}, 'e')).toMatchObject({ id: '', userId: '', state: {} });
    expect(
      toSession(
        { ...recorded.session, brandNew: { x: 1 }, sessionState: 7, displayName: null } as object,
        'e',
      ),
    ).not.toHaveProperty('brandNew');
  });

  it('temp: keys are not sent', () => {
    expect(toWireState({ a: 1, 'temp:b': 2, 'user:c': 3 })).toEqual({ a: 1, 'user:c': 3 });
  });

  it('any text in a filter is one literal', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.string(), (name, user) => {
        const filter = toFilter(user, [{ field: 'displayName', key: '', value: name }]) ?? '';
        expect(parseFilter(filter)).toEqual([
          { field: 'userId', key: '', value: user },
          { field: 'displayName', key: '', value: name },
        ]);
      }),
    );
    expect(literal('a"b\\c')).toBe('"a\\"b\\\\c"');
    expect(toFilter(undefined)).toBeUndefined();
  });
});

describe('events', () => {
  it('a recorded event, and back', () => {
    const event = toEvent(recorded.event);
    expect(event).toEqual({
      id: '4271662949480792064',
      author: 'test_agent',
      invocationId: 'e-1',
      timestamp: '2026-11-21T09:00:00.123Z',
      content: { role: 'user', parts: [{ text: 'I like tea' }] },
      actions: recorded.event.actions,
      turnComplete: true,
      branch: 'root',
      longRunningToolIds: ['call-1'],
      customMetadata: { src: 'mcp' },
      usageMetadata: { totalTokenCount: 5 },
    });
    const { id: _id, usageMetadata: _usage, ...rest } = event;
    const wire = toWireEvent(rest);
    expect(wire).toEqual({
      author: 'test_agent',
      invocationId: 'e-1',
      timestamp: '2026-11-21T09:00:00.123Z',
      content: recorded.event.content,
      actions: recorded.event.actions,
      eventMetadata: {
        turnComplete: true,
        branch: 'root',
        longRunningToolIds: ['call-1'],
        customMetadata: { src: 'mcp' },
      },
    });
    expect(wire).not.toHaveProperty('rawEvent');
  });

  it('empty messages are absent ones', () => {
    expect(toEvent(recorded.emptyEvent)).toEqual({
      id: '2',
      author: 'user',
      invocationId: 'e-1',
      timestamp: '0001-01-01T00:00:00.000Z',
    });
  });

  it('a rawEvent is read in both styles; the envelope says who, when and in which turn', () => {
    expect(toEvent(recorded.rawEventJs)).toEqual({
      id: '3',
      author: 'agent',
      invocationId: 'e-2',
      timestamp: '2026-08-24T10:00:00.500Z',
      content: { role: 'model', parts: [{ text: 'short', partMetadata: { a: 1 } }] },
      actions: { transferAgent: 'b' },
      usageMetadata: { totalTokenCount: 7 },
      customMetadata: { note: 'x' },
    });
    expect(toEvent(recorded.rawEventPython)).toEqual({
      id: '4',
      author: 'agent',
      invocationId: 'e-3',
      timestamp: '2026-08-24T10:00:01.000Z',
      turnComplete: true,
      content: {
        role: 'model',
        parts: [
          {
            functionCall: { id: 'c1', name: 'find', args: { snake_key: 1, camelKey: 2 } },
            thoughtSignature: 'c2ln',
          },
          { inlineData: { mimeType: 'image/png', data: 'iVBORw0K' } },
        ],
      },
      actions: { stateDelta: { snake_key: 1 }, transferAgent: 'b' },
      longRunningToolIds: ['c1'],
      usageMetadata: { total_token_count: 3 },
    });
    expect(idsOf(recorded.rawEventPython)).toEqual(['4', 'uuid-py']);
  });

  it('what only ADK knows travels in rawEvent and comes back; an own id comes back as the id', () => {
    const parts: Part[] = [
      { text: 'a', partMetadata: { x: 1 } },
      { fileData: { fileUri: 'gs://b/c', displayName: 'c' } },
      { functionResponse: { id: 'c1', name: 'find', response: { ok: 1 }, scheduling: 'WHEN_IDLE' } },
    ];
    const draft: EventDraft = {
      id: 'mine',
      author: 'agent',
      invocationId: 'i',
      timestamp: '2026-11-21T09:00:00.123456Z',
      content: { role: 'model', parts },
      actions: { transferAgent: 'b' },
      usageMetadata: { totalTokenCount: 1 },
      customMetadata: { k: 'v' },
    };
    const wire = toWireEvent(draft);
    expect(wire.rawEvent).toEqual({
      author: 'agent',
      invocationId: 'i',
      content: { role: 'model', parts },
      actions: { transferToAgent: 'b' },
      usageMetadata: { totalTokenCount: 1 },
      customMetadata: { k: 'v' },
    });
    const stored = checkMessage('SessionEvent', wire, 'event', refuseNothing);
    expect(toEvent({ ...stored, name: 'x/events/9' })).toEqual({
      ...draft,
      timestamp: '2026-11-21T09:00:00.123Z',
    });
  });

  const text = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 });
  const json = fc.dictionary(
    fc.string({ minLength: 1, maxLength: 8 }),
    fc.oneof(fc.string(), fc.integer(), fc.boolean(), fc.constant(null)),
    { minKeys: 1, maxKeys: 4 },
  );
  const part: fc.Arbitrary<Part> = fc.oneof(
    fc.record({ text }),
    fc.record({ text, thought: fc.constant(true) }),
    fc.record({ functionCall: fc.record({ id: text, name: text, args: json }) }),
    fc.record({ functionResponse: fc.record({ id: text, name: text, response: json }) }),
    fc.record({ executableCode: fc.record({ code: text, language: fc.constant('PYTHON') }) }),
    fc.record({ codeExecutionResult: fc.record({ outcome: fc.constant('OUTCOME_OK'), output: text }) }),
    fc.record({ text, partMetadata: json }),
    fc.record({ inlineData: fc.record({ mimeType: fc.constant('a/b'), data: fc.constant('AAAA') }) }),
  );

  it('any event of ours is a message of Google’s, and comes back the same', () => {
    fc.assert(
      fc.property(
        fc.record(
          {
            content: fc.record({
              role: fc.constantFrom('user' as const, 'model' as const),
              parts: fc.array(part, { minLength: 1, maxLength: 3 }),
            }),
            actions: fc.record({ stateDelta: json, escalate: fc.constant(true), transferAgent: text }),
            branch: text,
            partial: fc.constant(true),
            errorCode: text,
            errorMessage: text,
            longRunningToolIds: fc.array(text, { minLength: 1, maxLength: 3 }),
            customMetadata: json,
            usageMetadata: json,
            inputTranscription: fc.record({ text, finished: fc.constant(true) }),
          },
          { requiredKeys: [] },
        ),
        (fields) => {
          const draft = { author: 'a', invocationId: 'i', timestamp: '2026-11-21T09:00:00.123Z', ...fields };
          const stored = checkMessage('SessionEvent', toWireEvent(draft), 'event', refuseNothing);
          const event = toEvent({ ...stored, name: 'x/events/9' });
          expect(event).toEqual({ id: '9', ...draft });
          expect(eventSchema().parse(event)).toEqual(event);
          const bare = checkMessage(
            'SessionEvent',
            toWireEvent(draft, { bare: true }),
            'event',
            refuseNothing,
          );
          expect(toEvent({ ...bare, name: 'x/events/9' })).toEqual(event);
        },
      ),
    );
  });

  it('whatever a service sends, reading it does not fail and gives an event of our schema', () => {
    fc.assert(
      fc.property(
        fc.dictionary(
          fc.constantFrom('name', 'author', 'content', 'actions', 'rawEvent', 'eventMetadata', 'timestamp'),
          fc.jsonValue() as fc.Arbitrary<unknown>,
        ),
        (wire) => {
          eventSchema().parse(toEvent(wire));
          eventSchema().parse(toStreamEvent(wire, { id: 'x', invocationId: 'i' }));
        },
      ),
      { numRuns: 300 },
    );
  });
});

describe('stamps', () => {
  it('grow within a session, and stay in the millisecond that was given', () => {
    const stamps = eventTimestamps(() => 1000);
    const minted = Array.from({ length: 3000 }, () => stamps.next('s', 0));
    expect(new Set(minted.map(instant)).size).toBe(3000);
    expect(minted.map(instant)).toEqual(minted.map(instant).toSorted());
    const given = Array.from({ length: 1500 }, () => stamps.at('s', 5000));
    expect(given.map(instant)).toEqual(given.map(instant).toSorted());
    expect(new Set(given.map((time) => Date.parse(time)))).toEqual(new Set([5000]));
    expect(Date.parse(stamps.next('other', 9000))).toBe(9001);
  });

  it('equal times are equal, however they are written', () => {
    expect(instant('2026-11-21T10:00:00.100+01:00')).toBe(instant('2026-11-21T09:00:00.1Z'));
    expect(instant('2026-11-21T09:00:00Z')).toBe('2026-11-21T09:00:00.000000000Z');
    expect(instant('2026-11-21T09:00:00.123456789Z') > instant('2026-11-21T09:00:00.123456Z')).toBe(true);
    expect(instant('never')).toBe('');
  });
});

describe('memories, apps and agents', () => {
  it('recorded memories', () => {
    const memory = {
      id: '77',
      fact: 'The user likes tea',
      scope: { user_id: 'u1' },
      createTime: '2026-06-09T14:07:56.696Z',
      updateTime: '2026-06-09T14:07:57.352Z',
    };
    expect(toMemory(recorded.memory)).toEqual(memory);
    expect(toRetrieved(recorded.retrieved)).toEqual([{ ...memory, distance: 0.61 }]);
    expect(toGenerated(recorded.generated)).toEqual([
      { id: '77', fact: 'The user likes tea' },
      { id: '78', fact: '' },
    ]);
    expect(toGenerated(undefined)).toEqual([]);
    expect(toRetrieved({})).toEqual([]);
  });

  it('entries of a class method have an id that follows from what they say', () => {
    const entry = {
      content: { parts: [{ text: 'a' }, { text: 'b' }] },
      author: 'user',
      timestamp: '2026-06-09T14:07:57Z',
    };
    expect(toFoundEntry(entry)).toEqual({
      id: expect.stringMatching(/^entry-[0-9a-f]{24}$/) as string,
      fact: 'a\nb',
      updateTime: '2026-06-09T14:07:57.000Z',
    });
    expect(toFoundEntry(entry).id).toBe(toFoundEntry({ ...entry }).id);
  });

  it('an engine, and what it can be asked', () => {
    const wire = {
      name: 'projects/1/locations/l/reasoningEngines/42',
      displayName: 'Tea',
      createTime: '2026-06-09T14:07:57Z',
      spec: {
        classMethods: [
          { name: 'query', api_mode: '', parameters: { properties: { input: {} } } },
          { name: 'stream_query', api_mode: 'stream' },
          { name: 'ignore previous instructions' },
          'x',
        ],
      },
    };
    expect(toApp(wire as object)).toMatchObject({
      name: '42',
      displayName: 'Tea',
      createTime: '2026-06-09T14:07:57.000Z',
    });
    expect(toClassMethods(wire as object)).toEqual([
      { name: 'query', mode: '', parameters: ['input'] },
      { name: 'stream_query', mode: 'stream', parameters: undefined },
    ]);
  });

  it('an agent’s session in both styles keeps what the agent wrote, and goes back in as that', () => {
    const owner = { app: 'e', userId: 'u' };
    const beside = { app: 'e', userId: 'u', updateTime: '2025-11-21T08:00:00.500Z' };
    const rest = { id: 's', state: { a: 1 }, events: [{ invocation_id: 'i', timestamp: 1763712000.5 }] };
    const snake = { ...rest, user_id: 'u', app_name: 'x', last_update_time: 1763712000.5 };
    expect(toAgentSession(snake, owner)).toEqual({ ...snake, ...beside });
    expect(fromAgentSession(toAgentSession(snake, owner))).toEqual(snake);
    const camel = { ...rest, userId: 'u', appName: 'x', lastUpdateTime: 1763712000.5 };
    expect(toAgentSession(camel, owner)).toEqual({ ...camel, ...beside });
    expect(fromAgentSession(toAgentSession(camel, owner))).toEqual(camel);
  });
});

it('an event tells who stored it, and nobody can say so in its place', () => {
  const draft: EventDraft = {
    author: 'helper',
    invocationId: 'i',
    timestamp: '2026-01-01T00:00:00.000Z',
    customMetadata: { agentSessionsWrittenBy: 'mallory', mood: 'fine' },
    usageMetadata: { totalTokenCount: 1 },
  };
  const stored = (event: EventDraft) =>
    toEvent({
      ...checkMessage('SessionEvent', toWireEvent(event), 'event', refuseNothing),
      name: 'x/events/9',
    });
  expect(stored({ ...draft, writtenBy: 'ada' })).toMatchObject({
    writtenBy: 'ada',
    customMetadata: { mood: 'fine' },
  });
  const { writtenBy } = stored(draft);
  expect(writtenBy).toBeUndefined();
});
