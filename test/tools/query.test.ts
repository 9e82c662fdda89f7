import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Agents } from '../../src/agent/types.ts';
import { type Backend, type RunInput, required } from '../../src/backend/types.ts';
import { answerBytes } from '../../src/model/budget.ts';
import type { Event } from '../../src/model/event.ts';
import { jsonBytes } from '../../src/model/json.ts';
import { catalogue } from '../../src/tools/index.ts';
import { agentOf, localBackend, runs, said } from '../run/support.ts';
import { caller, user } from './harness.ts';

type Json = Record<string, unknown>;

let backend: Backend;
let call: ReturnType<typeof caller>;

async function open(agents?: Agents): Promise<void> {
  backend = await localBackend(agents === undefined ? {} : { agents });
  call = caller([backend], user('ada'), runs);
}
beforeEach(() => open());
afterEach(async () => {
  await runs.endAll(backend);
  await backend.close();
});

const reopen = async (agents: Agents) => {
  await backend.close();
  await open(agents);
};
const listed = async (sessionId: unknown) => (await call('list_events', { sessionId })).events as Event[];

describe.each(['query', 'stream_query'])('%s', (tool) => {
  it('runs the agent in a new session, and then in that one', async () => {
    const first = await call(tool, { message: 'hi there' });
    expect(first).toMatchObject({
      status: 'completed',
      text: 'Echo agent (no model): hi there',
      events: [{ author: 'echo', invocationId: first.invocationId }],
    });
    const { sessionId } = first;
    expect(await call(tool, { sessionId, message: 'again' })).toMatchObject({ sessionId });
    expect((await listed(sessionId)).map((event) => event.author)).toEqual(['user', 'echo', 'user', 'echo']);
  });

  it('holds no text twice', async () => {
    await reopen(
      agentOf(async function* () {
        yield said('First thought of the matter');
        yield { content: { parts: [{ text: 'I ask' }, { functionCall: { name: 'f', args: {} } }] } };
        yield said('so', { turnComplete: true, customMetadata: { kept: true } });
      }),
    );
    const answer = await call(tool, { message: 'What of it?' });
    expect(answer.text).toBe('First thought of the matter\nI ask\nso');
    for (const text of ['First thought', 'I ask', 'so"'])
      expect(JSON.stringify(answer).split(text).length - 1).toBe(1);
    const [first, second, third] = answer.events as Event[];
    expect(first).toMatchObject({ id: expect.any(String), timestamp: expect.any(String) });
    expect(first?.content).toBeUndefined();
    expect(second?.content?.parts).toMatchObject([{ functionCall: { name: 'f' } }]);
    expect(third).toMatchObject({ turnComplete: true, customMetadata: { kept: true } });
    // The events themselves are whole.
    expect((await listed(answer.sessionId))[1]?.content?.parts).toEqual([
      { text: 'First thought of the matter' },
    ]);
  });

  it('takes content, and state beside it', async () => {
    const content = {
      parts: [{ text: 'look' }, { inlineData: { mimeType: 'image/png', data: 'iVBORw0KGgo=' } }],
    };
    const answer = await call(tool, { content, stateDelta: { seen: true, 'user:name': 'Ada' } });
    expect(answer.text).toBe('Echo agent (no model): look\n[and 1 part other than text]');
    const { session } = await call('get_session', { sessionId: answer.sessionId });
    expect((session as Json).state).toEqual({ seen: true, 'user:name': 'Ada' });
  });

  it.each([
    [{}, 'INVALID_ARGUMENT'],
    [{ message: 'a', content: { parts: [{ text: 'b' }] } }, 'INVALID_ARGUMENT'],
    [{ content: { parts: [] } }, 'INVALID_ARGUMENT'],
    [{ content: { parts: [{}] } }, 'INVALID_ARGUMENT'],
    [{ message: 'a', sessionId: 'nope' }, 'NOT_FOUND'],
    [{ message: 'a', waitSeconds: 601 }, 'INVALID_ARGUMENT'],
    [{ message: 'a', classMethod: 'b' }, 'INVALID_ARGUMENT'],
  ])('refuses %j', async (args, code) => {
    await expect(call(tool, args)).rejects.toMatchObject({ code });
    expect((await call('list_sessions')).sessions).toEqual([]);
  });

  it('leaves no session behind where nothing could begin', async () => {
    await backend.close();
    backend = await localBackend({ configs: { other: { kind: 'echo', name: 'echo', delayMs: 0 } } });
    call = caller([backend], user('ada'), runs);
    await expect(call(tool, { message: 'hi' })).rejects.toMatchObject({ code: 'FAILED_PRECONDITION' });
    expect((await call('list_sessions')).sessions).toEqual([]);
  });

  it('gives a handle when the time is up, and by it the result', async () => {
    let finish: () => void = () => {};
    await reopen(
      agentOf(async function* () {
        yield said('thinking', { partial: true });
        await new Promise<void>((resolve) => {
          finish = resolve;
        });
        yield said('done', { turnComplete: true });
      }),
    );
    const running = await call(tool, { message: 'hi', waitSeconds: 0 });
    const { sessionId, invocationId } = running;
    expect(running).toMatchObject({ status: 'running', events: [] });
    await expect(call(tool, { sessionId, message: 'more' })).rejects.toMatchObject({
      code: 'ABORTED',
      details: { invocationId },
    });
    expect(await call(tool, { sessionId, invocationId, waitSeconds: 0 })).toMatchObject({
      status: 'running',
      text: 'thinking',
    });
    const known = (await listed(sessionId)).at(-1)?.id;
    finish();
    const news = await call('wait_for_events', { sessionId, afterEventId: known });
    expect(news.events).toMatchObject([{ invocationId, turnComplete: true }]);
    expect(await call(tool, { sessionId, invocationId })).toMatchObject({
      status: 'completed',
      text: 'done',
    });
  });

  it('keeps its answer within the budget, and says that it was cut', async () => {
    await reopen(
      agentOf(async function* () {
        for (let i = 0; i < 30; i += 1) yield said(`${i} ${'wörter '.repeat(300)}`);
        yield said('last', { turnComplete: true });
      }),
    );
    const answer = await call(tool, { message: 'hi' });
    expect(jsonBytes(answer)).toBeLessThanOrEqual(answerBytes);
    expect(answer.truncated).toBe(true);
    expect((answer.events as Event[]).at(-1)?.content?.parts).toEqual([{ text: 'last' }]);
    expect(answer.text).toContain('list_events has all');
  });

  it('fails with the agent’s error, and names the session in which its story is', async () => {
    await reopen(
      agentOf(async function* () {
        yield said('half', { partial: true });
        throw new Error('boom');
      }),
    );
    await expect(call(tool, { message: 'hi' })).rejects.toThrow('boom');
    const { sessions } = await call('list_sessions');
    const [session] = sessions as Json[];
    expect((await listed(session?.id))[1]).toMatchObject({ errorCode: 'INTERNAL' });
    const { invocationId } = (await listed(session?.id))[1] as Event;
    await expect(call(tool, { sessionId: session?.id, invocationId })).rejects.toMatchObject({
      code: 'INTERNAL',
      details: { sessionId: session?.id, invocationId },
    });
  });

  it('goes on after tool outputs', async () => {
    await reopen(
      agentOf(async function* (turn) {
        const { functionResponse } = turn.message.parts[0] ?? {};
        if (functionResponse === undefined)
          yield {
            content: { role: 'model', parts: [{ functionCall: { id: 'c1', name: 'add', args: { a: 1 } } }] },
            turnComplete: true,
          };
        else yield said(`It is ${JSON.stringify(functionResponse.response)}`, { turnComplete: true });
      }),
    );
    const { sessionId, events } = await call(tool, { message: 'add' });
    expect(events).toMatchObject([{ content: { parts: [{ functionCall: { id: 'c1' } }] } }]);
    await expect(call(tool, { sessionId })).rejects.toMatchObject({ code: 'FAILED_PRECONDITION' });
    await call('submit_tool_outputs', { sessionId, outputs: [{ toolCallId: 'c1', output: { sum: 2 } }] });
    expect(await call(tool, { sessionId })).toMatchObject({ status: 'completed', text: 'It is {"sum":2}' });
  });
});

it('takes answers to tool calls in its message, as on every backend', async () => {
  await reopen(
    agentOf(async function* (turn) {
      const { functionResponse } = turn.message.parts[0] ?? {};
      const functionCall = { id: 'c1', name: 'add', args: {} };
      if (functionResponse === undefined)
        yield { content: { role: 'model', parts: [{ functionCall }] }, turnComplete: true };
      else yield said(`It is ${JSON.stringify(functionResponse.response)}`, { turnComplete: true });
    }),
  );
  const { sessionId } = await call('query', { message: 'add' });
  const content = { parts: [{ functionResponse: { id: 'c1', name: 'add', response: { sum: 2 } } }] };
  expect(await call('query', { sessionId, content })).toMatchObject({ text: 'It is {"sum":2}' });
  expect((await call('list_tool_calls', { sessionId })).toolCalls).toEqual([]);
});

it('query ends a run on request, and only with both its names', async () => {
  const aborted: boolean[] = [];
  await reopen(
    agentOf(async function* (_turn, signal) {
      yield said('so far', { partial: true });
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
      aborted.push(signal.aborted);
    }),
  );
  const { sessionId, invocationId } = await call('query', { message: 'hi', waitSeconds: 1 });
  await expect(call('query', { sessionId, cancel: true })).rejects.toMatchObject({
    code: 'INVALID_ARGUMENT',
  });
  await expect(call('query', { sessionId, invocationId: 'x', cancel: true })).rejects.toMatchObject({
    code: 'NOT_FOUND',
  });
  expect(await call('query', { sessionId, invocationId, cancel: true })).toMatchObject({
    status: 'cancelled',
    text: 'so far',
  });
  expect(aborted).toEqual([true]);
  expect((await listed(sessionId))[1]).toMatchObject({
    interrupted: true,
    content: { parts: [{ text: 'so far' }] },
  });
  expect(await call('query', { sessionId, invocationId, cancel: true })).toMatchObject({
    status: 'cancelled',
  });
});

it('a burst of questions without a session makes no more sessions than runs may begin', async () => {
  await reopen(
    agentOf(async function* (_turn, signal) {
      yield said('so far', { partial: true });
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
    }),
  );
  let made = 0;
  const { sessions } = backend;
  const counted: Backend = {
    ...backend,
    sessions: {
      ...sessions,
      async create(owner, session) {
        made += 1;
        return required(sessions?.create, backend, 'create sessions')(owner, session);
      },
    },
  };
  const ask = caller([counted], user('ada'), runs);
  const asked = Array.from({ length: 100 }, () => ask('query', { message: 'hi', waitSeconds: 0 }));
  const outcomes = await Promise.allSettled(asked);
  expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(20);
  expect(made).toBe(20);
  await runs.endAll(counted);
});

describe('cancelling a call', () => {
  const hanging = () =>
    agentOf(async function* (_turn, signal) {
      yield said('so far', { partial: true });
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
    });
  const cancelling = () => {
    const controller = new AbortController();
    const { signal } = controller;
    return { controller, more: { signal, cancelled: () => signal.aborted } };
  };

  it.each(['query', 'stream_query'])('%s: ends the run that the call began', async (tool) => {
    await reopen(hanging());
    const { controller, more } = cancelling();
    const { session } = await call('create_session');
    const sessionId = (session as Json).id;
    const asking = call(tool, { sessionId, message: 'hi', invocationId: 'one' }, more);
    await expect
      .poll(async () => (await call('query', { sessionId, invocationId: 'one', waitSeconds: 0 })).text)
      .toBe('so far');
    controller.abort();
    expect(await asking).toMatchObject({ status: 'cancelled' });
  });

  it.each([
    ['looks at it', {}],
    ['was the second to begin it', { message: 'hi' }],
  ])('ends no run where the call only %s', async (_how, args) => {
    await reopen(hanging());
    const { sessionId } = await call('query', { message: 'hi', invocationId: 'one', waitSeconds: 0 });
    const { controller, more } = cancelling();
    const looking = call('query', { sessionId, invocationId: 'one', ...args }, more);
    setTimeout(() => controller.abort(), 50);
    expect(await looking).toMatchObject({ status: 'running' });
    const look = { sessionId, invocationId: 'one', waitSeconds: 0 };
    expect(await call('query', look)).toMatchObject({ status: 'running' });
  });
});

describe('methods of an agent', () => {
  const surface = { toolsets: undefined, readOnly: false, admin: true };
  const argsOf = (backends: Backend[], name: string) =>
    Object.keys(
      catalogue({ ...surface, backends })
        .find(({ tool }) => tool.name === name)
        ?.input().shape ?? {},
    );

  it('are offered only where a backend has them', async () => {
    const classes: Backend = { ...backend, query: { ...backend.query, call: async () => null } };
    expect(argsOf([backend], 'query')).not.toContain('classMethod');
    expect(argsOf([classes], 'query')).toEqual(expect.arrayContaining(['classMethod', 'input']));
  });

  it('are called with their input, and answer one value', async () => {
    const calls: unknown[] = [];
    const classes: Backend = {
      ...backend,
      query: {
        ...backend.query,
        call: async (owner, given) => {
          calls.push(owner, given);
          return { sessions: ['x'.repeat(50_000)] };
        },
      },
    };
    const ask = caller([classes], user('ada'));
    const answer = await ask('query', { classMethod: 'list_sessions', input: { user_id: 'ada' } });
    expect(calls).toEqual([
      { app: 'default', userId: 'ada' },
      { classMethod: 'list_sessions', input: { user_id: 'ada' } },
    ]);
    expect(answer).toMatchObject({ status: 'completed', truncated: true });
    expect(jsonBytes(answer)).toBeLessThanOrEqual(answerBytes);
    await expect(ask('query', { classMethod: 'a', message: 'b' })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
    });
  });
});

describe('input of a streaming method', () => {
  const runConfig = { run_config: { response_modalities: ['TEXT'] } };

  it('reaches a backend whose agents have methods, and makes two calls differ', async () => {
    const given: RunInput[] = [];
    const { runs: _ledger, ...withoutLedger } = backend;
    const classes: Backend = {
      ...withoutLedger,
      query: {
        call: async () => null,
        async *stream(_ref, input) {
          given.push(input);
          yield { id: 'e', author: 'agent', invocationId: 'i', timestamp: '', ...said('done') };
        },
      },
    };
    const ask = caller([classes], user('ada'));
    const classMethod = 'streaming_agent_run_with_events';
    const { session } = await ask('create_session');
    const same = { sessionId: (session as Json).id, message: 'hi', invocationId: 'mine', classMethod };
    await ask('stream_query', { ...same, input: runConfig });
    expect(given).toMatchObject([{ classMethod, input: runConfig, message: { parts: [{ text: 'hi' }] } }]);
    // As the vendor's examples write it: everything in the input.
    const input = { message: 'from the input', ...runConfig };
    expect(await ask('stream_query', { classMethod, input })).toMatchObject({ status: 'completed' });
    expect(given[1]).toMatchObject({ message: { parts: [{ text: 'from the input' }] } });
    expect(given[1]?.input).toEqual(runConfig);
    await expect(ask('stream_query', { ...same, input: {} })).rejects.toMatchObject({
      code: 'ALREADY_EXISTS',
    });
  });

  it.each([{ input: runConfig }, { classMethod: 'stream_query' }])(
    '%j is refused by a backend whose agents have none, and nothing is stored',
    async (args) => {
      const remote: Backend = { ...backend, name: 'remote', query: { call: async () => null } };
      const ask = caller([backend, remote], user('ada'));
      await expect(ask('stream_query', { message: 'hi', ...args })).rejects.toMatchObject({
        code: 'INVALID_ARGUMENT',
      });
      expect((await ask('list_sessions')).sessions).toEqual([]);
    },
  );
});

describe('register_feedback', () => {
  it('is stored with the event that it speaks of, once, and comes with it', async () => {
    const { sessionId, invocationId, events } = await call('query', { message: 'hi' });
    const [answer] = events as Event[];
    await call('register_feedback', { sessionId, invocationId, score: 0.5, text: 'fair' });
    await call('register_feedback', { sessionId, invocationId, score: 0.5, text: 'fair' });
    await call('register_feedback', { sessionId, eventId: answer?.id, score: 1 });
    const { event } = await call('get_event', { sessionId, eventId: answer?.id });
    expect((event as Event).feedback).toMatchObject([{ score: 0.5, text: 'fair' }, { score: 1 }]);
    expect((await listed(sessionId))[0]?.feedback).toBeUndefined();
  });

  it('needs something that it speaks of', async () => {
    const { sessionId, invocationId } = await call('query', { message: 'hi' });
    const [message] = await listed(sessionId);
    const other = await call('query', { sessionId, message: 'again' });
    const cases: [Json, string][] = [
      [{}, 'INVALID_ARGUMENT'],
      [{ eventId: 'nope' }, 'NOT_FOUND'],
      [{ invocationId: 'nope' }, 'NOT_FOUND'],
      [{ eventId: message?.id, invocationId: other.invocationId }, 'INVALID_ARGUMENT'],
      [{ invocationId, text: 'x'.repeat(4001) }, 'INVALID_ARGUMENT'],
    ];
    for (const [args, code] of cases)
      await expect(call('register_feedback', { sessionId, score: 1, ...args })).rejects.toMatchObject({
        code,
      });
  });

  it('has room for 50 opinions', async () => {
    const { sessionId, invocationId } = await call('query', { message: 'hi' });
    for (let score = 0; score < 50; score += 1)
      await call('register_feedback', { sessionId, invocationId, score });
    await expect(call('register_feedback', { sessionId, invocationId, score: 50 })).rejects.toMatchObject({
      code: 'RESOURCE_EXHAUSTED',
    });
  });
});
