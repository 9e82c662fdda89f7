import { describe, expect, it } from 'vitest';
import type { Part } from '../../../src/model/event.ts';
import type { ClientCall, Script } from '../../fake/vectara/agent.ts';
import { status } from '../../fake/vectara/faults.ts';
import {
  collect,
  failure,
  message,
  never,
  open,
  requestsTo,
  textIn,
  until,
  type World,
  world,
} from './setup.ts';

const canary = 'canary-xoxp-4711';

const slack: ClientCall = {
  tool: 'notify_slack',
  said: { channel: 'support', options: { urgent: true, tags: ['a', 'b'] } },
  resolved: {
    channel: 'support',
    options: { urgent: true, tags: ['a', 'b'], auth: { token: canary } },
    items: [canary, { key: canary }],
    headline: `Bearer ${canary}`,
  },
  overrides: ['options.auth.token', 'items[0]', 'items[1].key', 'headline'],
};

const parks =
  (...calls: ClientCall[]): Script =>
  (input) =>
    input.type === 'tool_output' ? [{ say: 'Done.' }] : [{ say: 'One moment.' }, { call: calls }];

async function parked({ fake, backend, make }: World, ...calls: ClientCall[]) {
  fake.agents.set('support', parks(...calls));
  const ref = await make();
  const run = await collect(backend.query.stream(ref, message('tell them'), never));
  return { ref, run };
}

describe('secrets in client tool calls', () => {
  it('reach no output, whichever way one looks', async () => {
    const here = await world();
    const { ref, run } = await parked(here, slack);
    const { backend, fake } = here;
    const calls = await backend.toolCalls.list(ref);
    const events = await backend.events.list(ref, { pageSize: 50, includeHidden: true });
    const one = await backend.events.get(ref, calls[0]?.eventId ?? '');
    const submitted = await backend.toolCalls.submit(ref, [{ toolCallId: calls[0]?.id ?? '', output: {} }]);
    const info = await backend.describe();
    const seen = JSON.stringify([run, calls, events, one, submitted, info]);
    expect(seen).not.toContain('canary');
    // The service did send the secret.
    expect(JSON.stringify(fake.sessions)).toContain('headline');
    expect(calls).toEqual([
      {
        id: one.content?.parts[0]?.functionCall?.id,
        name: 'notify_slack',
        args: {
          channel: 'support',
          options: { urgent: true, tags: ['a', 'b'], auth: { token: '****' } },
          items: ['****', { key: '****' }],
          headline: '****',
        },
        eventId: one.id,
        author: 'support',
        invocationId: ref.sessionId,
        createTime: one.timestamp,
        longRunning: true,
        masked: true,
      },
    ]);
  });

  it('are shown when the operator switched that on, and only then', async () => {
    const here = await world({}, { unmaskToolCalls: true });
    const { ref, run } = await parked(here, slack);
    const [call] = await here.backend.toolCalls.list(ref);
    expect(call?.args).toEqual(slack.resolved);
    expect(call).not.toHaveProperty('masked');
    expect(JSON.stringify(run)).toContain(canary);
    expect((await here.backend.describe()).notes.join(' ')).toContain('with their secrets');
  });

  it('stay hidden when the event of the call says nothing of overrides', async () => {
    const here = await world();
    const { ref, run } = await parked(here, { ...slack, overrides: undefined });
    const calls = await here.backend.toolCalls.list(ref);
    expect(JSON.stringify([run, calls])).not.toContain('canary');
    // Values that the agent wrote itself are in its stored events anyway.
    expect(calls[0]?.args).toMatchObject({ channel: 'support', options: { urgent: true } });
  });

  it('stay hidden when paths are written in a way nobody knows', async () => {
    const here = await world();
    const { ref } = await parked(here, { ...slack, overrides: ['$["headline"]', '/items/0'] });
    expect(JSON.stringify(await here.backend.toolCalls.list(ref))).not.toContain('canary');
  });

  it('hide every value when the event of the call cannot be read', async () => {
    const here = await world();
    const { ref } = await parked(here, slack);
    here.fake.fail({ method: 'GET', path: /events\/aev_/, times: 50, respond: status(403, {}) });
    const [call] = await here.backend.toolCalls.list(ref);
    expect(call?.args).toEqual({
      channel: '****',
      options: { urgent: '****', tags: ['****', '****'], auth: { token: '****' } },
      items: ['****', { key: '****' }],
      headline: '****',
    });
    expect(call?.id).toBe(call?.eventId);
  });

  it('hide every value from a key that may talk to the agent but not read events', async () => {
    const here = await world();
    const { ref } = await parked(here, slack);
    const user = await open(here.fake, { credentials: { apiKey: 'zut_user-key' } });
    const calls = await user.toolCalls.list(ref);
    expect(JSON.stringify(calls)).not.toMatch(/canary|urgent":true/);
    const { event } = await user.toolCalls.submit(ref, [{ toolCallId: calls[0]?.id ?? '', output: {} }]);
    expect(event.content?.parts[0]?.functionResponse?.name).toBe('notify_slack');
  });

  it('are hidden in events too, where Vectara did not hide them itself', async () => {
    const here = await world();
    const ref = await here.make();
    const { addEvent } = await import('../../fake/vectara/store.ts');
    const names = { tool_call_id: 'call_1', tool_configuration_name: 'c', tool_name: 'crm' };
    addEvent(ref.wire, 'tool_input', {
      ...names,
      tool_input: { q: 'tea', config: { auth: { token: canary } }, list: [canary] },
      argument_override_paths: ['config.auth', 'list[0]'],
    });
    addEvent(ref.wire, 'tool_output', {
      ...names,
      tool_output: { rows: 2 },
      error: false,
      resolved_argument_overrides: { 'config.auth.token': canary },
    });
    const { items } = await here.backend.events.list(ref, { pageSize: 5 });
    expect(JSON.stringify(items)).not.toContain('canary');
    expect(items[0]?.content?.parts[0]?.functionCall).toEqual({
      id: 'call_1',
      name: 'crm',
      args: { q: 'tea', config: { auth: { token: '****' } }, list: ['****'] },
    });
    expect(items[1]?.customMetadata).toEqual({
      vectara: {
        type: 'tool_output',
        toolConfigurationName: 'c',
        overriddenArguments: ['config.auth.token'],
      },
    });
  });
});

describe('answers to client tool calls', () => {
  const two: ClientCall[] = [
    { tool: 'first', said: { a: 1 }, resolved: { a: 1 }, overrides: [] },
    { tool: 'second', said: {}, resolved: {}, overrides: [] },
  ];

  it('go out together, one for every call, and set the agent to work', async () => {
    const here = await world();
    const { backend, fake } = here;
    const { ref, run } = await parked(here, ...two);
    const pending = run.at(-1);
    const calls = await backend.toolCalls.list(ref);
    expect(calls.map((c) => [c.name, c.masked])).toEqual([
      ['first', undefined],
      ['second', undefined],
    ]);
    expect(pending?.longRunningToolIds).toEqual(calls.map((c) => c.id));
    const { event, session } = await backend.toolCalls.submit(ref, [
      { toolCallId: calls[1]?.id ?? '', error: 'no such channel' },
      // The id of the event is accepted as well.
      { toolCallId: calls[0]?.eventId ?? '', output: { ok: true } },
    ]);
    expect(requestsTo(fake, 'POST', /events$/).at(-1)?.json).toEqual({
      type: 'tool_output',
      stream_response: false,
      tool_outputs: [
        { event_id: calls[1]?.eventId, type: 'error', error: 'no such channel' },
        { event_id: calls[0]?.eventId, type: 'success', output: { ok: true } },
      ],
    });
    expect(event.content?.parts).toEqual([
      { functionResponse: { id: calls[0]?.id, name: 'first', response: { ok: true } } },
    ]);
    expect(session).toEqual({ id: ref.sessionId, updateTime: event.timestamp });
    expect(await backend.toolCalls.list(ref)).toEqual([]);
    const last = (await backend.events.list(ref, { pageSize: 1, order: 'desc' })).items[0];
    expect(last?.content?.parts).toEqual([{ text: 'Done.' }]);
    const again = backend.toolCalls.submit(ref, [{ toolCallId: calls[0]?.id ?? '', output: {} }]);
    expect((await failure(again)).code).toBe('NOT_FOUND');
  });

  it('go out as function responses of a message, too, and the run streams on', async () => {
    const here = await world();
    const { backend, fake } = here;
    const { ref } = await parked(here, ...two);
    const [first, second] = await backend.toolCalls.list(ref);
    const answer = (...parts: Part[]) => ({ message: { parts }, invocationId: 'turn-2' });
    const failed = { functionResponse: { name: 'second', response: { error: 'no' } } };
    const one = backend.query.stream(ref, answer(failed), never).next();
    expect((await failure(one)).code).toBe('FAILED_PRECONDITION');
    const done = { functionResponse: { id: first?.id, name: 'first', response: { n: 1, error: 'none' } } };
    const events = await collect(backend.query.stream(ref, answer(failed, { ...done } as Part), never));
    expect(textIn(events, true)).toBe('Done.');
    expect(requestsTo(fake, 'POST', /events$/).at(-1)?.json).toEqual({
      type: 'tool_output',
      stream_response: true,
      tool_outputs: [
        { event_id: second?.eventId, type: 'error', error: 'no' },
        { event_id: first?.eventId, type: 'success', output: { n: 1, error: 'none' } },
      ],
    });
  });

  it('are refused here when one is missing, unknown or given twice', async () => {
    const here = await world();
    const { backend, fake } = here;
    const { ref } = await parked(here, ...two);
    const [first, second] = await backend.toolCalls.list(ref);
    const posts = requestsTo(fake, 'POST', /events$/).length;
    const output = (toolCallId: string | undefined) => ({ toolCallId: toolCallId ?? '', output: {} });
    const missing = await failure(backend.toolCalls.submit(ref, [output(first?.id)]));
    expect(missing).toMatchObject({
      code: 'FAILED_PRECONDITION',
      message: expect.stringContaining('2 tool calls are open'),
    });
    const unknown = await failure(backend.toolCalls.submit(ref, [output(first?.id), output('call_x')]));
    expect(unknown.code).toBe('NOT_FOUND');
    const twice = [output(first?.id), output(second?.id), output(first?.eventId)];
    expect((await failure(backend.toolCalls.submit(ref, twice))).code).toBe('INVALID_ARGUMENT');
    expect(requestsTo(fake, 'POST', /events$/)).toHaveLength(posts);
  });

  it('are not sent twice when the service stumbles', async () => {
    const here = await world();
    const { backend, fake } = here;
    const { ref } = await parked(here, ...two);
    const calls = await backend.toolCalls.list(ref);
    const outputs = calls.map(({ id }) => ({ toolCallId: id, output: {} }));
    const before = requestsTo(fake, 'POST', /events$/).length;
    fake.fail({ method: 'POST', path: /events$/, times: 5, respond: status(502, {}) });
    expect((await failure(backend.toolCalls.submit(ref, outputs))).code).toBe('UNAVAILABLE');
    expect(requestsTo(fake, 'POST', /events$/)).toHaveLength(before + 1);
  });

  it('do not wait for a long turn, once they are stored', async () => {
    const here = await world({}, { submitWaitMs: 50 });
    const { backend, fake } = here;
    const { ref } = await parked(here, two[0] as ClientCall);
    let release = () => {};
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    fake.agents.set('support', () => [{ gate }, { say: 'At last.' }]);
    const [call] = await backend.toolCalls.list(ref);
    const { event } = await backend.toolCalls.submit(ref, [{ toolCallId: call?.id ?? '', output: { n: 1 } }]);
    expect(event.content?.parts[0]?.functionResponse?.response).toEqual({ n: 1 });
    expect(ref.wire.running).toBe(true);
    release();
    await until(() => ref.wire.events.at(-1)?.content === 'At last.');
  });

  it('that make the agent fail say so, and are stored all the same', async () => {
    const here = await world();
    const { backend, fake } = here;
    const { ref } = await parked(here, two[0] as ClientCall);
    fake.agents.set('support', () => [
      { live: 'error', fields: { messages: ['upstream-text: model down'] } },
    ]);
    const [call] = await backend.toolCalls.list(ref);
    const error = await failure(backend.toolCalls.submit(ref, [{ toolCallId: call?.id ?? '', output: {} }]));
    expect(error.code).toBe('UNAVAILABLE');
    expect(await backend.toolCalls.list(ref)).toEqual([]);
  });
});
