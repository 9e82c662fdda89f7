import { describe, expect, it } from 'vitest';
import type { RunInput, SessionRef } from '../../../src/backend/types.ts';
import type { Event } from '../../../src/model/event.ts';
import { feedback, remembered } from '../../fake/agent-engine/agent.ts';
import { fails, rpcsOf, said, textsOf, type World, world } from './setup.ts';

const ask = (text: string, more: Partial<RunInput> = {}): RunInput => ({
  message: { role: 'user', parts: [{ text }] },
  invocationId: 'i-1',
  ...more,
});

async function run(
  it: World,
  ref: SessionRef,
  input: RunInput,
  signal = new AbortController().signal,
): Promise<Event[]> {
  const events: Event[] = [];
  for await (const event of it.backend.query.stream(ref, input, signal)) events.push(event);
  return events;
}

/** The objects that the reader of the stream finds in these bytes. */
async function read(it: World, chunks: readonly (string | Buffer)[], cut = false): Promise<Event[]> {
  const ref = await it.make();
  it.fake.agent = async function* () {
    for (const chunk of chunks) {
      yield chunk;
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    if (cut) throw new Error('cut');
  };
  return run(it, ref, ask('hi'));
}

const line = (text: string): string =>
  `${JSON.stringify({ id: `id-${text}`, author: 'agent', invocation_id: 'e-1', content: { role: 'model', parts: [{ text }] }, timestamp: 1763712000.5 })}\n`;

describe('streamed queries', () => {
  it.each(['async_stream_query', 'stream_query', 'streaming_agent_run_with_events'])(
    '%s yields partial events and then whole ones',
    async (classMethod) => {
      const it = await world();
      const ref = await it.make();
      const events = await run(it, ref, ask('hello there', { classMethod }));
      expect(textsOf(events)).toEqual(['hello ', 'there', 'hello there']);
      expect(events.map((event) => event.partial ?? false)).toEqual([true, true, false]);
      expect(events[2]).not.toHaveProperty('actions');
      expect(events[2]?.timestamp).toMatch(/^\d{4}-.*Z$/);
      // The session contains the event, and the id of the stream finds it.
      const stored = await it.backend.events.get(ref, events[2]?.id ?? '');
      expect(stored).toMatchObject({ author: 'echo_agent', invocationId: events[2]?.invocationId });
      expect(it.fake.requests.at(-1)?.rpc).toBe('ListEvents');
      const call = it.fake.requests.find((request) => request.rpc === 'StreamQueryReasoningEngine');
      expect(call?.url).toMatch(/:streamQuery\?alt=sse$/);
      const { input } = (call?.body ?? {}) as { input: Record<string, string> };
      const sent =
        classMethod === 'streaming_agent_run_with_events' ? JSON.parse(input.request_json ?? '') : input;
      expect(sent).toMatchObject({ user_id: 'ada', session_id: ref.sessionId });
      expect(it.fake.engine.sessions.size).toBe(1);
    },
  );

  it('a content with more than a text is sent as it is', async () => {
    const it = await world();
    const ref = await it.make();
    const parts = [{ text: 'see ' }, { inlineData: { mimeType: 'image/png', data: 'iVBORw0K' } }];
    await run(it, ref, { message: { parts }, invocationId: 'i-1' });
    const call = it.fake.requests.find((request) => request.rpc === 'StreamQueryReasoningEngine');
    expect(call?.body).toMatchObject({ input: { message: { role: 'user', parts } } });
  });

  it('a custom method is called if the engine lists it as a stream', async () => {
    const it = await world();
    const ref = await it.make();
    expect(textsOf(await run(it, ref, ask('go', { classMethod: 'countdown' })))).toEqual([
      '{"output":3}',
      '{"output":2}',
      '{"output":1}',
    ]);
    for (const classMethod of ['lookup', 'nothing', 'async_get_session', 'a b', '../x'])
      await fails(run(it, ref, ask('go', { classMethod })), 'INVALID_ARGUMENT');
    await fails(run(it, ref, ask('go', { classMethod: 'bidi_stream_query' })), 'UNIMPLEMENTED');
  });

  it('somebody else’s session is refused before the agent hears of it', async () => {
    const it = await world();
    const ref = await it.make();
    const rpcs = await rpcsOf(it.fake, () =>
      fails(run(it, { ...ref, userId: 'eve' }, ask('hi')), 'NOT_FOUND'),
    );
    expect(rpcs.toSorted()).toEqual(['GetReasoningEngine', 'GetSession']);
  });

  it('further arguments reach the method', async () => {
    const it = await world();
    const ref = await it.make();
    const sent = async (input: RunInput['input'], classMethod: string) => {
      await run(it, ref, ask('hi', { classMethod, input }));
      const calls = it.fake.requests.filter((request) => request.rpc === 'StreamQueryReasoningEngine');
      const { input: body } = (calls.at(-1)?.body ?? {}) as { input: Record<string, unknown> };
      return body;
    };
    const own = { user_id: 'ada', session_id: ref.sessionId };
    const config = { run_config: { max_llm_calls: 3 } };
    expect(await sent(config, 'async_stream_query')).toEqual({ ...own, ...config, message: 'hi' });
    const further = {
      events: [{ author: 'user', content: { role: 'user', parts: [{ text: 'before' }] } }],
      artifacts: [{ file_name: 'a.txt', versions: [{ version: '1', data: { text: 'a' } }] }],
      authorizations: { github: { access_token: 'token' } },
    };
    const message = { role: 'user', parts: [{ text: 'hi' }] };
    const withEvents = 'streaming_agent_run_with_events';
    const plain = await sent(further, withEvents);
    expect(Object.keys(plain)).toEqual(['request_json']);
    expect(JSON.parse(String(plain.request_json))).toEqual({ ...further, ...own, message });
    const asText = await sent({ request_json: JSON.stringify({ ...further, user_id: 'ada' }) }, withEvents);
    expect(JSON.parse(String(asText.request_json))).toEqual({ ...further, ...own, message });
    const { length } = it.fake.requests;
    for (const [input, classMethod] of [
      [{ user_id: 'eve' }, 'async_stream_query'],
      [{ sessionId: 'another' }, 'async_stream_query'],
      [{ userId: 'eve' }, withEvents],
      [{ request_json: '{"user_id":"eve"}' }, withEvents],
      [{ request_json: 'no JSON' }, withEvents],
      [{ request_json: '[]' }, withEvents],
    ] as const)
      await fails(run(it, ref, ask('hi', { classMethod, input })), 'INVALID_ARGUMENT');
    expect(it.fake.requests.slice(length).some(({ url }) => url.includes(':streamQuery'))).toBe(false);
  });

  it('an engine is asked by the streaming method that it has', async () => {
    const it = await world();
    const asked = async (methods: object[]) => {
      const { name } = await it.backend.apps.create({ name: 'other' });
      const engine = it.fake.engines.get(name);
      if (engine !== undefined) engine.classMethods = methods as typeof engine.classMethods;
      const owner = { app: name, userId: 'ada' };
      const ref = { ...owner, sessionId: (await it.backend.sessions.create(owner, {})).id };
      it.fake.agent = () => [line('answer')];
      expect(textsOf(await run(it, ref, ask('hi')))).toEqual(['answer']);
      return it.fake.requests.at(-1)?.body as { classMethod: string; input: Record<string, unknown> };
    };
    const stream = { name: 'stream_query', api_mode: 'stream' };
    expect((await asked([{ name: 'query', api_mode: '' }, stream])).classMethod).toBe('stream_query');
    const all = [stream, { name: 'async_stream_query', api_mode: 'async_stream' }];
    expect((await asked(all)).classMethod).toBe('async_stream_query');
    expect((await asked([])).classMethod).toBe('async_stream_query');
    const chat = { name: 'chat', api_mode: 'stream', parameters: { properties: { message: {} } } };
    expect(await asked([chat])).toEqual({ classMethod: 'chat', input: { message: 'hi' } });
    const chain = { ...stream, parameters: { properties: { input: {}, config: {} } } };
    expect((await asked([chain])).input).toEqual({ input: 'hi' });
    const error = await fails(asked([{ name: 'query', api_mode: '' }]), 'FAILED_PRECONDITION');
    expect(error.hint).toContain('query');
  });

  it('the state of a run is set by an event of its own', async () => {
    const it = await world();
    const ref = await it.make();
    await run(it, ref, ask('hi', { stateDelta: { topic: 'tea' } }));
    expect((await it.backend.sessions.get(ref)).state).toEqual({ topic: 'tea' });
  });

  it('bytes may be cut anywhere, lines may have data: before them, and the last may lack its end', async () => {
    const it = await world();
    const bytes = Buffer.from(
      `${line('größe 🍵')}\r\ndata: ${line('zwei')}data:${line('drei')}\n: keep-alive\n${line('vier').trimEnd()}`,
    );
    const pieces = Array.from({ length: Math.ceil(bytes.length / 3) }, (_, i) =>
      bytes.subarray(i * 3, i * 3 + 3),
    );
    expect(textsOf(await read(it, pieces))).toEqual(['größe 🍵', 'zwei', 'drei', 'vier']);
  });

  it('camelCase events and times in milliseconds are read, too', async () => {
    const it = await world();
    const [event] = await read(it, [
      `${JSON.stringify({ id: 'x', author: 'a', invocationId: 'e', content: { parts: [{ functionCall: { id: 'c', name: 'f', args: { user_id: 1 } } }] }, longRunningToolIds: ['c'], usageMetadata: { totalTokenCount: 3 }, timestamp: 1763712000500 })}\n`,
    ]);
    expect(event).toEqual({
      id: 'x',
      author: 'a',
      invocationId: 'e',
      timestamp: '2025-11-21T08:00:00.500Z',
      content: { parts: [{ functionCall: { id: 'c', name: 'f', args: { user_id: 1 } } }] },
      longRunningToolIds: ['c'],
      usageMetadata: { totalTokenCount: 3 },
    });
  });

  it('several events may come in one line, and empty ones are no events', async () => {
    const it = await world();
    const two = `[${line('a').trim()},${line('b').trim()}]\n`;
    expect(textsOf(await read(it, ['\n', '{}\n', two, '{"session_id":"s"}\n', 'null\n']))).toEqual([
      'a',
      'b',
    ]);
  });

  it('an empty stream is an error', async () => {
    const error = await fails(read(await world(), []), 'FAILED_PRECONDITION');
    expect(error.message).toBe('The agent ended without producing an event.');
    await fails(read(await world(), ['\n\n', '{"session_id":"s","events":[]}\n']), 'FAILED_PRECONDITION');
  });

  it.each([
    ['a text', { error: 'boom: secret-detail' }, 'FAILED_PRECONDITION'],
    [
      'an object',
      { error: { code: 500, message: 'secret-detail', status: 'INTERNAL' } },
      'FAILED_PRECONDITION',
    ],
    ['a bare code', { code: 500, message: 'secret-detail' }, 'FAILED_PRECONDITION'],
    ['a quota', { error: { code: 429, message: 'secret-detail' } }, 'RESOURCE_EXHAUSTED'],
    [
      'a quota in words',
      { error: 'Error 429, Status: RESOURCE_EXHAUSTED, secret-detail' },
      'RESOURCE_EXHAUSTED',
    ],
    ['an inner status', { error: 'Exception: 404 NOT_FOUND. secret-detail' }, 'NOT_FOUND'],
  ])('an error after the start as %s is thrown, without its text', async (_name, error, code) => {
    const it = await world();
    const thrown = await fails(read(it, [line('before'), `${JSON.stringify(error)}\n`, line('after')]), code);
    expect(thrown.message + thrown.hint).not.toContain('secret-detail');
  });

  it('an event with an error code of the model’s is an event', async () => {
    const events = await read(await world(), [
      `${JSON.stringify({ author: 'a', error_code: 'SAFETY', error_message: 'blocked' })}\n`,
    ]);
    expect(events).toMatchObject([{ errorCode: 'SAFETY', errorMessage: 'blocked' }]);
  });

  it('a stream that is cut throws after what came', async () => {
    await fails(read(await world(), [line('a'), line('b')], true), 'UNAVAILABLE');
    await fails(read(await world(), [line('a'), '{"content":']), 'UNAVAILABLE');
    // A proxy may end it properly after any line; the whole text never came.
    await fails(read(await world(), [line('a'), line('b').replace('{', '{"partial":true,')]), 'UNAVAILABLE');
  });

  it('an early failure answers like a plain query', async () => {
    const it = await world();
    const ref = await it.make();
    it.fake.fail({ match: /:streamQuery/, status: 429, headers: { 'retry-after': '0' } });
    expect(await run(it, ref, ask('hi'))).toHaveLength(3);
    it.fake.fail({ match: /:streamQuery/, status: 503 });
    await fails(run(it, ref, ask('hi')), 'UNAVAILABLE');
  });

  it('cancelling and leaving both end the request upstream', async () => {
    const it = await world();
    const ref = await it.make();
    it.fake.agent = async function* () {
      for (let i = 0; i < 500; i += 1) {
        yield line(`m${i}`);
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    };
    const end = new AbortController();
    const cancelled = fails(
      (async () => {
        for await (const _event of it.backend.query.stream(ref, ask('hi'), end.signal)) end.abort();
      })(),
      'CANCELLED',
    );
    await cancelled;
    for await (const _event of it.backend.query.stream(ref, ask('hi'), new AbortController().signal)) break;
    await expect.poll(() => it.fake.abandoned).toBe(2);
  });
});

describe('class methods that answer one value', () => {
  const signal = new AbortController().signal;

  it('sessions come as the agent gave them, with our names beside, and only the caller’s', async () => {
    const it = await world();
    const owner = { app: it.fake.engine.id, userId: 'ada' };
    const made = await it.backend.query.call(
      owner,
      { classMethod: 'async_create_session', input: { state: { a: 1 } } },
      signal,
    );
    expect(made).toMatchObject({ userId: 'ada', app: owner.app, state: { a: 1 }, events: [] });
    expect(made).toMatchObject({ user_id: 'ada', app_name: owner.app });
    const { last_update_time: seconds, updateTime } = made as {
      last_update_time: number;
      updateTime: string;
    };
    expect(Date.parse(updateTime)).toBe(Math.round(seconds * 1000));
    const sessionId = (made as { id: string }).id;
    await it.backend.events.append({ ...owner, sessionId }, said('hi'));
    const read = await it.backend.query.call(
      owner,
      { classMethod: 'get_session', input: { session_id: sessionId } },
      signal,
    );
    expect(read).toMatchObject({
      id: sessionId,
      events: [{ author: 'user', content: { parts: [{ text: 'hi' }] } }],
    });
    // The session of an answer can be passed back, in the form that the agent expects.
    const session = read as Record<string, unknown>;
    const add = { classMethod: 'async_add_session_to_memory', input: { session } };
    await it.backend.query.call(owner, add, signal);
    const taken = remembered.get(it.fake.engine)?.at(-1) ?? {};
    expect(Object.keys(taken).toSorted()).toEqual(
      ['app_name', 'events', 'id', 'last_update_time', 'state', 'user_id'].toSorted(),
    );
    const listed = await it.backend.query.call(
      owner,
      { classMethod: 'async_list_sessions', input: {} },
      signal,
    );
    expect(listed).toMatchObject({ sessions: [{ id: sessionId }] });
    expect(
      await it.backend.query.call(
        owner,
        { classMethod: 'async_delete_session', input: { session_id: sessionId } },
        signal,
      ),
    ).toBeNull();
  });

  it('another user, or another’s session, is refused before the engine hears of it', async () => {
    const it = await world();
    const theirs = await it.make({}, 'eve');
    const owner = { app: it.fake.engine.id, userId: 'ada' };
    const call = (classMethod: string, input: Record<string, unknown>) =>
      it.backend.query.call(owner, { classMethod, input }, signal);
    await fails(call('async_list_sessions', { user_id: 'eve' }), 'INVALID_ARGUMENT');
    await fails(call('lookup', { userId: 'eve' }), 'INVALID_ARGUMENT');
    await fails(call('async_get_session', { session_id: theirs.sessionId }), 'NOT_FOUND');
    await fails(call('lookup', { sessionId: theirs.sessionId }), 'NOT_FOUND');
    await fails(call('lookup', { session_id: 7 }), 'INVALID_ARGUMENT');
    await fails(call('async_add_session_to_memory', { session: { id: theirs.sessionId } }), 'NOT_FOUND');
    await fails(call('async_add_session_to_memory', { session: { user_id: 'eve' } }), 'INVALID_ARGUMENT');
    await fails(call('register_feedback', { feedback: { user_id: 'eve' } }), 'INVALID_ARGUMENT');
    expect(it.fake.requests.some((request) => request.rpc === 'QueryReasoningEngine')).toBe(false);
  });

  it('a custom method gets the user if it takes one', async () => {
    const it = await world();
    const owner = { app: it.fake.engine.id, userId: 'ada' };
    expect(
      await it.backend.query.call(owner, { classMethod: 'lookup', input: { topic: 'tea' } }, signal),
    ).toEqual({
      asked: { topic: 'tea', user_id: 'ada' },
    });
    for (const classMethod of ['countdown', 'stream_query', 'nothing', '__proto__/x'])
      await fails(it.backend.query.call(owner, { classMethod, input: {} }, signal), 'INVALID_ARGUMENT');
  });

  it('an engine without a list of methods is asked all the same, and refuses', async () => {
    const it = await world();
    const { name } = await it.backend.apps.create({ name: 'bare' });
    const error = await fails(
      it.backend.query.call({ app: name, userId: 'ada' }, { classMethod: 'anything', input: {} }, signal),
      'FAILED_PRECONDITION',
    );
    expect(error.message).not.toContain('Reasoning Engine');
  });

  it('what a service inside the agent answered is read out of the failure', async () => {
    const it = await world();
    const ref = await it.make();
    // The session is deleted between this server's check and the agent's read.
    it.fake.fail({
      match: /POST .*:query/,
      status: 400,
      raw: JSON.stringify({
        error: {
          code: 400,
          status: 'FAILED_PRECONDITION',
          message: `Error Details: {"detail":"Exception: 404 NOT_FOUND. {'error': secret-detail}"}`,
        },
      }),
    });
    const error = await fails(
      it.backend.query.call(
        ref,
        { classMethod: 'async_get_session', input: { session_id: ref.sessionId } },
        signal,
      ),
      'NOT_FOUND',
    );
    expect(error.message + error.hint).not.toContain('secret-detail');
  });

  it('feedback names the turn of the event it speaks of', async () => {
    const it = await world();
    const ref = await it.make();
    const { event } = await it.backend.events.append(ref, said('hi', { invocationId: 'turn-9' }));
    await it.backend.feedback.register(ref, { eventId: event.id, score: 1, text: 'good' });
    expect(feedback.get(it.fake.engine)).toEqual([
      { score: 1, text: 'good', invocation_id: 'turn-9', user_id: 'ada', session_id: ref.sessionId },
    ]);
    await fails(it.backend.feedback.register({ ...ref, userId: 'eve' }, { score: 1 }), 'NOT_FOUND');
  });
});
