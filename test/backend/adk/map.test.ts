import { describe, expect, it } from 'vitest';
import { toEvent } from '../../../src/backend/adk/map-event.ts';
import {
  nameState,
  shows,
  stateOf,
  toArtifact,
  toListedSession,
  toSession,
} from '../../../src/backend/adk/map-session.ts';
import { msOf, timeOf } from '../../../src/backend/adk/map-time.ts';
import { toolCallsOf } from '../../../src/backend/adk/tool-calls.ts';
import { toWireSession } from '../../../src/backend/adk/wire.ts';
import { eventSchema } from '../../../src/model/event.ts';
import { sessionSchema } from '../../../src/model/session.ts';

const fallback = { id: '#0', timestamp: '2026-01-01T00:00:00.000Z' };
const owner = { app: 'echo_agent', userId: 'u' };
const read = (text: string): Record<string, unknown> => JSON.parse(text) as Record<string, unknown>;

describe('events of the wire', () => {
  it('TypeScript: milliseconds, empty actions', () => {
    // Recorded from @google/adk-devtools 2.0.0.
    const event = toEvent(
      read(
        '{"invocationId":"e-d9368bb1","author":"echo_agent","content":{"role":"user","parts":[{"functionResponse":{"id":"call-1","name":"echo","response":{"result":"HI THERE"}}}]},"actions":{"stateDelta":{"turn":1,"user:last":"hi there","app:total":1},"artifactDelta":{},"requestedAuthConfigs":{},"requestedToolConfirmations":{}},"id":"9giRaMh5","longRunningToolIds":[],"timestamp":1795254387240}',
      ),
      fallback,
    );
    expect(event).toEqual({
      id: '9giRaMh5',
      author: 'echo_agent',
      invocationId: 'e-d9368bb1',
      timestamp: '2026-11-21T09:46:27.240Z',
      content: {
        role: 'user',
        parts: [{ functionResponse: { id: 'call-1', name: 'echo', response: { result: 'HI THERE' } } }],
      },
      actions: { stateDelta: { turn: 1, 'user:last': 'hi there', 'app:total': 1 } },
    });
    expect(eventSchema().parse(event)).toEqual(event);
  });

  it('Python: seconds with fractions, URL-safe base64', () => {
    // The first event of the answer to /run in https://google.github.io/adk-docs/runtime/api-server/, and a file as
    // pydantic writes it.
    const event = toEvent(
      read(
        '{"content":{"parts":[{"functionCall":{"id":"af-e75e","args":{"city":"new york"},"name":"get_weather"}},{"inlineData":{"data":"-_-_AAE=","mimeType":"image/png"}}],"role":"model"},"invocationId":"e-71353f1e","author":"weather_time_agent","actions":{"stateDelta":{},"artifactDelta":{},"requestedAuthConfigs":{}},"longRunningToolIds":[],"id":"2Btee6zW","timestamp":1743712220.385936}',
      ),
      fallback,
    );
    expect(event.timestamp).toBe('2025-04-03T20:30:20.385Z');
    expect(event.content?.parts).toEqual([
      { functionCall: { id: 'af-e75e', name: 'get_weather', args: { city: 'new york' } } },
      { inlineData: { mimeType: 'image/png', data: '+/+/AAE=' } },
    ]);
    expect(event).not.toHaveProperty('actions');
    expect(event).not.toHaveProperty('longRunningToolIds');
  });

  it('Go: nulls and no time', () => {
    const event = toEvent(
      read(
        '{"id":"0f","invocationId":"e-1","author":"a","longRunningToolIds":["c1"],"content":null,"groundingMetadata":null,"usageMetadata":null,"errorCode":"429","errorMessage":"quota","actions":{"stateDelta":null,"artifactDelta":{"a.txt":3},"escalate":true,"transferToAgent":"b"}}',
      ),
      fallback,
    );
    expect(event).toEqual({
      id: '0f',
      invocationId: 'e-1',
      author: 'a',
      timestamp: fallback.timestamp,
      longRunningToolIds: ['c1'],
      errorCode: '429',
      errorMessage: 'quota',
      actions: { artifactDelta: { 'a.txt': 3 }, escalate: true, transferAgent: 'b' },
    });
  });

  it('reads anything without failing', () => {
    const odd: Record<string, unknown>[] = [
      {},
      { id: 7, author: null, content: 'text', actions: [], timestamp: 'soon' },
      { content: { parts: 'x' } },
      {
        content: {
          role: 'tool',
          parts: [null, 3, {}, { thoughtSignature: 'abc' }, { futureKind: {} }, { text: 'a' }],
        },
      },
      { timestamp: 1e300, partial: 'yes', longRunningToolIds: [null, 1, ''], customMetadata: [] },
      {
        actions: {
          artifactDelta: { a: 'x', b: '2', c: null, d: '', e: true },
          stateDelta: 'no',
          escalate: 1,
        },
      },
      read(
        '{"content":{"parts":[{"functionCall":{"args":[1]}},{"functionResponse":{"response":"x"}}]},"__proto__":{"partial":true}}',
      ),
    ];
    for (const wire of odd) {
      const event = toEvent(wire, fallback);
      expect(eventSchema().parse(event)).toEqual(event);
    }
    expect(toEvent(odd[3] ?? {}, fallback).content).toEqual({ parts: [{ text: 'a' }] });
    expect(toEvent(odd[1] ?? {}, fallback)).toMatchObject({ id: '7', timestamp: fallback.timestamp });
    expect(toEvent(odd[5] ?? {}, fallback).actions).toEqual({ artifactDelta: { b: 2 } });
  });

  it('keeps a state key called __proto__ as a key', () => {
    const event = toEvent(read('{"actions":{"stateDelta":{"__proto__":{"admin":true}}}}'), fallback);
    expect(Object.keys(event.actions?.stateDelta ?? {})).toEqual(['__proto__']);
    expect(({} as Record<string, unknown>).admin).toBeUndefined();
  });
});

describe('times of the wire', () => {
  it('tells seconds from milliseconds', () => {
    expect(timeOf(1795254387240)).toBe('2026-11-21T09:46:27.240Z');
    expect(timeOf(1795254387.24)).toBe('2026-11-21T09:46:27.240Z');
    expect(timeOf(1795254387)).toBe('2026-11-21T09:46:27.000Z');
    expect(timeOf('2026-11-21T10:46:27.240+01:00')).toBe('2026-11-21T09:46:27.240Z');
    for (const none of [0, -5, Number.NaN, 1e300, '', 'soon', null, undefined, {}])
      expect(msOf(none)).toBeUndefined();
  });
});

describe('sessions of the wire', () => {
  const wire = toWireSession(
    read(
      '{"id":"s1","appName":"x","userId":"u","state":{"a":1,"temp:t":1,"__session_metadata__":{"displayName":"Tea","pinned":true}},"events":[{"id":"e1","author":"user","timestamp":1795254387000,"content":{"parts":[{"text":"hello"}]}},{"id":"e2","author":"a","timestamp":1795254388000}],"lastUpdateTime":1795254388}',
    ),
  );

  it('has its name, its own state, its first and last event', () => {
    const session = toSession(wire, owner);
    expect(session).toEqual({
      id: 's1',
      ...owner,
      displayName: 'Tea',
      state: { a: 1 },
      createTime: '2026-11-21T09:46:27.000Z',
      updateTime: '2026-11-21T09:46:28.000Z',
      eventCount: 2,
      lastEvent: { id: 'e2', author: 'a', timestamp: '2026-11-21T09:46:28.000Z' },
    });
    expect(sessionSchema().parse(session)).toEqual(session);
  });

  it('of a list without state has none rather than an empty one', () => {
    const listed = toWireSession({ id: 5, userId: 'u', state: {}, events: [], lastUpdateTime: 1795254388 });
    expect(toListedSession(listed, owner)).toEqual({
      id: '5',
      ...owner,
      createTime: '2026-11-21T09:46:28.000Z',
      updateTime: '2026-11-21T09:46:28.000Z',
    });
  });

  it('is renamed beside what else is kept with the name', () => {
    const sent = nameState('Coffee', wire);
    expect(sent).toEqual({ __session_metadata__: { displayName: 'Coffee', pinned: true } });
    expect(shows(wire, sent)).toBe(false);
    expect(shows({ state: { ...stateOf(wire), ...sent } }, sent)).toBe(true);
  });

  it('is no session without an id', () => {
    for (const value of [null, [], 'x', {}, { id: null }])
      expect(() => toWireSession(value)).toThrow(/ADK API server/);
  });
});

describe('artifacts of the wire', () => {
  it('are bytes, text or an address', () => {
    const blob = toArtifact({ inlineData: { mimeType: 'image/png', data: '-_-_AAE=' } }, 'a.png', 2);
    expect(blob?.data).toEqual(Buffer.from([0xfb, 0xff, 0xbf, 0, 1]));
    expect(blob?.artifact).toMatchObject({ name: 'a.png', version: 2, mimeType: 'image/png', sizeBytes: 5 });
    expect(toArtifact({ text: 'größer' }, 'a', 0)?.artifact).toMatchObject({
      mimeType: 'text/plain',
      sizeBytes: 8,
    });
    const link = toArtifact({ fileData: { fileUri: 'gs://b/f', mimeType: 'video/mp4' } }, 'a', 0);
    expect([link?.artifact.mimeType, link?.data.toString()]).toEqual(['text/uri-list', 'gs://b/f']);
    for (const none of [null, {}, 'text', { functionCall: { name: 'x' } }])
      expect(toArtifact(none, 'a', 0)).toBeUndefined();
  });
});

describe('open calls', () => {
  const call = (id: string | undefined, more = {}) => ({
    id: `of ${id}`,
    author: 'a',
    content: { parts: [{ functionCall: { id, name: 'f' } }] },
    ...more,
  });
  const answer = (id: string, author = 'a') => ({
    author,
    content: { parts: [{ functionResponse: { id, name: 'f' } }] },
  });
  const open = (...events: object[]) => toolCallsOf(toWireSession({ id: 's', events })).map((c) => c.id);

  it('are those without an answer, oldest first', () => {
    expect(open(call('1'), call('2'), answer('1'), call('3'))).toEqual(['2', '3']);
    expect(open(call('1', { partial: true }), call(undefined))).toEqual([]);
  });

  it('stay open when a long-running tool only says that it has begun', () => {
    const long = call('1', { longRunningToolIds: ['1'] });
    expect(open(long, answer('1'))).toEqual(['1']);
    expect(open(long, answer('1'), answer('1', 'user'))).toEqual([]);
  });
});
