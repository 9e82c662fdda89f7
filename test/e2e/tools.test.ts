import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { allTools } from '../../src/tools/index.ts';
import { scratch } from '../scratch.ts';
import { type ClientKind, clientKinds, connect, type Json, type TestClient } from './clients.ts';

/**
 * Every tool of the local server over real stdio, by each official client. The same script runs for all of
 * them, and what it saw, with ids and times taken out, must be the same.
 */
const seen = new Map<ClientKind, Json[]>();

describe.each(clientKinds)('every tool over stdio, client %s', (kind) => {
  let client: TestClient;
  const log: Json[] = [];
  const used = new Set<string>();
  const dir = scratch();

  const ok = async (name: string, args: Json = {}): Promise<Json> => {
    used.add(name);
    const answer = await client.call(name, args);
    expect(answer.isError, JSON.stringify(answer.text)).toBe(false);
    // Hosts feed one or the other to the model: neither may know more.
    expect(answer.text).toEqual(answer.structured);
    log.push({ name, structured: answer.structured });
    return answer.structured;
  };
  const fails = async (name: string, args: Json, code: string): Promise<Json> => {
    used.add(name);
    const error = await client.error(name, args);
    log.push({ name, error });
    expect(error.code).toBe(code);
    expect(error.hint).toEqual(expect.any(String));
    return error;
  };

  beforeAll(async () => {
    client = await connect(kind, {
      args: ['--store', `sqlite:${path.join(dir, 'data.db')}`, '--user', 'ada', '--toolsets', allToolsets],
    });
  });
  afterAll(() => client.close());

  it('plays a session through', async () => {
    const described = await ok('describe_server');
    expect(described).toMatchObject({ userId: 'ada', defaultApp: 'default', backends: [{ name: 'local' }] });

    const { session } = (await ok('create_session', {
      displayName: 'Trip',
      labels: { env: 'test' },
      state: { step: 1, 'user:lang': 'en', 'app:motd': 'hello', 'temp:x': 1 },
    })) as { session: Json };
    const sessionId = session.id as string;
    expect(session.state).toEqual({ step: 1, 'user:lang': 'en', 'app:motd': 'hello' });
    await fails('create_session', { sessionId }, 'ALREADY_EXISTS');
    await fails('get_session', { sessionId: 'nope' }, 'NOT_FOUND');

    const first = await ok('append_event', { sessionId, text: 'Where is Ada?', eventId: 'first' });
    expect(first).toEqual({
      event: { id: 'first', invocationId: expect.any(String), timestamp: expect.any(String) },
      session: { revision: 2 },
    });
    expect(await ok('append_event', { sessionId, text: 'Where is Ada?', eventId: 'first' })).toEqual(first);
    await fails('append_event', { sessionId, text: 'Other', eventId: 'first' }, 'ALREADY_EXISTS');
    const stale = await fails('append_event', { sessionId, text: 'late', expectedRevision: 1 }, 'ABORTED');
    expect(stale.currentRevision).toBe(2);
    await fails('append_event', { sessionId }, 'INVALID_ARGUMENT');
    await fails(
      'append_event',
      { sessionId, text: 'a', content: { parts: [{ text: 'b' }] } },
      'INVALID_ARGUMENT',
    );
    await fails(
      'append_event',
      { sessionId, content: { parts: [{ text: 'b', fileData: { fileUri: 'x' } }] } },
      'INVALID_ARGUMENT',
    );

    const call = await ok('append_event', {
      sessionId,
      author: 'guide',
      content: {
        role: 'model',
        parts: [{ functionCall: { id: 'call-1', name: 'locate', args: { who: 'Ada' } } }],
      },
      stateDelta: { step: 2 },
      fields: { actions: { transferAgent: 'worker' }, customMetadata: { k: 1 } },
    });
    const stored = await ok('get_event', { sessionId, eventId: (call.event as Json).id });
    expect(stored.event).toMatchObject({ actions: { transferAgent: 'worker', stateDelta: { step: 2 } } });
    const open = await ok('list_tool_calls', { sessionId });
    expect(open.toolCalls).toMatchObject([{ id: 'call-1', name: 'locate', args: { who: 'Ada' } }]);
    await fails(
      'submit_tool_outputs',
      { sessionId, outputs: [{ toolCallId: 'call-1' }] },
      'INVALID_ARGUMENT',
    );
    await ok('submit_tool_outputs', {
      sessionId,
      outputs: [{ toolCallId: 'call-1', output: { city: 'Bergen' } }],
    });
    await fails(
      'submit_tool_outputs',
      { sessionId, outputs: [{ toolCallId: 'call-1', output: {} }] },
      'NOT_FOUND',
    );
    await ok('append_event', { sessionId, author: 'guide', text: 'Ada is in Bergen.', eventId: 'last' });

    const listed = await ok('list_events', { sessionId, pageSize: 3 });
    expect(
      (await ok('rewind_session', { sessionId, toEventId: (listed.events as Json[])[2]?.id })).events,
    ).toBeGreaterThan(0);
    expect((await ok('rewind_session', { sessionId, undo: true })).events).toBeGreaterThan(0);
    const spoken = await ok('search_events', { query: 'Where is Ada?', sessionId, around: 0 });
    expect((spoken.hits as Json[]).map((hit) => hit.text)).toContain('Where is Ada?');
    expect((await ok('list_events', { sessionId, view: 'text' })).text).toContain('1 user: Where is Ada?');
    expect(listed.events).toHaveLength(3);
    const rest = await ok('list_events', { sessionId, pageSize: 3, pageToken: listed.nextPageToken });
    expect(rest.events).toMatchObject([{ id: 'last' }]);
    expect(rest.nextPageToken).toBeUndefined();
    await fails(
      'list_events',
      { sessionId, pageSize: 3, order: 'desc', pageToken: listed.nextPageToken },
      'INVALID_ARGUMENT',
    );
    await ok('get_event', { sessionId, eventId: 'last' });
    await ok('set_event_visibility', { sessionId, eventId: 'last', hidden: true });
    expect((await ok('list_events', { sessionId, order: 'desc', pageSize: 1 })).events).not.toMatchObject([
      { id: 'last' },
    ]);
    await ok('set_event_visibility', { sessionId, eventId: 'last', hidden: false });
    const waited = await ok('wait_for_events', { sessionId, afterEventId: 'first', timeoutSeconds: 5 });
    expect(waited).toMatchObject({ timedOut: false, lastEventId: 'last' });
    expect(await ok('wait_for_events', { sessionId, afterEventId: 'last', timeoutSeconds: 0 })).toMatchObject(
      { timedOut: true, events: [] },
    );
    const heard = await ok('search_events', { query: 'Bergen', sessionId, author: 'guide', limit: 1 });
    expect(heard.hits).toMatchObject([{ sessionId, eventId: 'last', text: 'Ada is in Bergen.' }]);
    const errand = ((await ok('create_session')) as { session: { id: string } }).session.id;
    await ok('append_event', {
      sessionId: errand,
      author: 'helper',
      handOver: { agent: 'porter', note: 'Pack.' },
    });
    const turn = await ok('take_turn', { agent: 'porter', waitSeconds: 5 });
    expect(turn).toMatchObject({ turn: { agent: 'porter', note: 'Pack.', tries: 1 }, timedOut: false });
    await ok('delete_session', { sessionId: errand, confirm: true });

    expect(await ok('get_session', { sessionId })).toMatchObject({
      session: { eventCount: 4, state: { step: 2 } },
    });
    await ok('update_session', {
      sessionId,
      displayName: 'Trip to Bergen',
      state: { step: 3 },
      ttlSeconds: 100_000,
    });
    await fails('update_session', { sessionId }, 'INVALID_ARGUMENT');
    await fails('update_session', { sessionId, displayName: 'x', expectedRevision: 1 }, 'ABORTED');
    const found = await ok('list_sessions', { filter: 'labels.env="test" AND displayName="Trip to Bergen"' });
    expect(found.sessions).toMatchObject([{ id: sessionId, lastEvent: { text: 'Ada is in Bergen.' } }]);
    await fails('list_sessions', { filter: 'nonsense' }, 'INVALID_ARGUMENT');
    const fork = await ok('fork_session', { sessionId, upToEventId: 'first', displayName: 'Before' });
    expect(fork).toMatchObject({ session: { displayName: 'Before', eventCount: 1, state: { step: 1 } } });

    const text = 'Grüße, 世界\n'.repeat(2000);
    const saved = await ok('save_artifact', { sessionId, name: 'notes/log.txt', text });
    expect(saved.artifact).toMatchObject({
      version: 0,
      mimeType: 'text/plain',
      sizeBytes: Buffer.byteLength(text),
    });
    await ok('save_artifact', {
      sessionId,
      name: 'user:logo.png',
      data: 'iVBORw0KGgo=',
      mimeType: 'image/png',
    });
    await fails('save_artifact', { sessionId, name: 'x', data: 'not base64!' }, 'INVALID_ARGUMENT');
    expect((await ok('list_artifacts', { sessionId })).artifacts).toHaveLength(2);
    let whole = '';
    let offset: number | undefined = 0;
    while (offset !== undefined) {
      const piece: Json = await ok('get_artifact', {
        sessionId,
        name: 'notes/log.txt',
        offset,
        maxBytes: 9001,
      });
      whole += piece.text as string;
      offset = piece.nextOffset as number | undefined;
    }
    expect(whole).toBe(text);
    expect(await ok('get_artifact', { sessionId, name: 'user:logo.png' })).toMatchObject({
      data: 'iVBORw0KGgo=',
    });
    await fails('get_artifact', { sessionId, name: 'notes/log.txt', version: 7 }, 'NOT_FOUND');

    expect(await ok('add_session_to_memory', { sessionId })).toMatchObject({ count: 2 });
    expect(await ok('add_session_to_memory', { sessionId })).toMatchObject({ count: 0 });
    const made = (await ok('create_memory', { fact: 'Ada drinks 煎茶 every day.' })) as { memory: Json };
    const hits = await ok('search_memory', { query: 'What does Ada drink?', limit: 1 });
    expect(hits.memories).toMatchObject([{ id: made.memory.id }]);
    expect((await ok('search_memory', { query: '煎茶' })).memories).toMatchObject([{ id: made.memory.id }]);
    expect((await ok('list_memories', {})).memories).toHaveLength(3);

    await ok('create_app', { name: 'other' });
    expect((await ok('list_apps')).apps).toMatchObject([{ name: 'default' }, { name: 'other' }]);

    for (const [name, args] of [
      ['delete_event', { sessionId, eventId: 'first' }],
      ['delete_memory', { memoryId: made.memory.id }],
      ['delete_session', { sessionId }],
      ['delete_app', { name: 'other' }],
    ] as const) {
      await fails(name, args, 'FAILED_PRECONDITION');
      expect(await ok(name, { ...args, confirm: true })).toMatchObject({ deleted: true });
      await fails(name, { ...args, confirm: true }, 'NOT_FOUND');
    }
    seen.set(kind, log);
  });

  it('left no local tool out', async () => {
    const listed = (await client.listTools()).map((tool) => tool.name as string);
    const elsewhere = ['query', 'stream_query', 'register_feedback'];
    expect(listed.filter((name) => !elsewhere.includes(name)).sort()).toEqual([...used].sort());
    expect(
      allTools
        .map((tool) => tool.name)
        .filter((name) => !elsewhere.includes(name))
        .sort(),
    ).toEqual([...used].sort());
  });

  it('gave what the other clients get', () => {
    const [reference] = clientKinds;
    expect(anonymous(seen.get(kind))).toEqual(anonymous(seen.get(reference)));
  });
});

const allToolsets = 'sessions,events,tool-calls,artifacts,memory,query,apps';

/** Without what differs from run to run: minted ids, times, tokens, and where the store is. */
function anonymous(log: Json[] | undefined): unknown {
  return JSON.parse(JSON.stringify(log), (key, value: unknown) => {
    if (key === 'nextPageToken' || key === 'location' || key === 'score') return '·';
    if (typeof value !== 'string') return value;
    return value
      .replace(/\b(?:[simct]\d{18,21}|[ei]\d+-\d{9})\b/g, 'ID')
      .replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'TIME');
  });
}
