import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { RunInput } from '../../../src/backend/types.ts';
import type { Event } from '../../../src/model/event.ts';
import type { Step } from '../../fake/vectara/agent.ts';
import { html, status } from '../../fake/vectara/faults.ts';
import { said } from '../../fake/vectara/interact.ts';
import { collect, failure, message, never, open, requestsTo, textIn, until, world } from './setup.ts';

const typeOf = (event: Event | undefined) =>
  (event?.customMetadata as { vectara?: { type?: string } } | undefined)?.vectara?.type;

function gate() {
  let release = () => {};
  const closed = new Promise<void>((resolve) => {
    release = resolve;
  });
  return { closed, release };
}

const text = (parts: { text: string }[], more: Partial<RunInput> = {}): RunInput => ({
  message: { role: 'user', parts },
  invocationId: 'turn-1',
  ...more,
});

describe('a streamed run', () => {
  it('says its text in pieces, and then what is stored', async () => {
    const { backend, fake, make } = await world();
    const ref = await make();
    const events = await collect(backend.query.stream(ref, message('hello there'), never));
    expect(textIn(events, true)).toBe('You said: hello there');
    expect(textIn(events, false)).toBe('You said: hello there');
    expect(events.every((e) => e.invocationId === 'turn-1')).toBe(true);
    const stored = (await backend.events.list(ref, { pageSize: 10 })).items;
    const final = events.filter((e) => e.partial !== true);
    expect(final.map((e) => e.id)).toEqual(stored.map((e) => e.id));
    expect(final.map((e) => e.author)).toEqual(['user', 'support']);
    expect(requestsTo(fake, 'POST', /events$/)[0]?.json).toEqual({
      type: 'input_message',
      messages: [{ type: 'text', content: 'hello there' }],
      stream_response: true,
    });
  });

  it.each([1, 2, 3, 5, 64])(
    'survives pieces of %i bytes, comments, folded lines and types of the future',
    async (slice) => {
      const { backend, fake, make } = await world({ slice });
      const answer = 'Größe 😀 "quoted" \\ and\nlines — 数据';
      fake.agents.set('support', () => [
        { raw: ': a comment\n\n: and another\r\n\r\n' },
        {
          raw: 'event: message\r\nid: 7\r\ndata: {"type":\r\ndata: "tool_activity_of_tomorrow",\r\ndata:"x":1}\r\n\r\n',
        },
        { raw: 'data: {"type":"constructor","id":"aev_odd","content":"odd"}\n\n' },
        { raw: 'data: 17\n\ndata: null\n\ndata: []\n\ndata: ping\n\n' },
        { say: answer },
      ]);
      const ref = await make();
      const events = await collect(backend.query.stream(ref, message('hi'), never));
      expect(textIn(events, true)).toBe(answer);
      expect(
        textIn(
          events.filter((e) => typeOf(e) !== 'constructor'),
          false,
        ),
      ).toBe(answer);
      expect(events.find((e) => e.id === 'aev_odd')?.content?.parts).toMatchObject([
        { text: 'odd', thought: true },
      ]);
    },
  );

  it('goes on after an answer that is not the last, and tells of everything between', async () => {
    const { backend, fake, make } = await world();
    const names = { tool_call_id: 'call_1', tool_configuration_name: 'c', tool_name: 'search' };
    const usage = {
      input_tokens: { count: 120, cached_tokens: 100 },
      output_tokens: { count: 9, reasoning_tokens: 4 },
      total_tokens: 129,
    };
    const inner = { id: 'aev_in', session_key: 'ase_sub', created_at: '2026-11-21T09:00:00Z' };
    fake.agents.set('support', () => [
      { live: 'streaming_thinking', fields: { content: 'Let me see' } },
      { live: 'streaming_thinking_end' },
      { say: 'First I look.' },
      { store: 'tool_input', fields: { ...names, tool_input: { q: 'tea' } } },
      { live: 'tool_activity', fields: { ...names, activity_type: 'generic', message: 'half way' } },
      {
        live: 'tool_activity',
        fields: {
          ...names,
          activity_type: 'sub_agent',
          agent_event: { ...inner, type: 'agent_output', content: 'inner words' },
        },
      },
      { store: 'tool_output', fields: { ...names, tool_output: { hits: 2 }, error: false } },
      { live: 'context_consumed', fields: { session_context_usage: usage } },
      { live: 'compaction_started' },
      { store: 'structured_output', fields: { schema_name: 'order', content: { id: 7 } } },
    ]);
    const ref = await make();
    const events = await collect(backend.query.stream(ref, message('go'), never));
    const stored = (await backend.events.list(ref, { pageSize: 20 })).items;
    expect(events.filter((e) => e.partial !== true).map((e) => e.id)).toEqual(stored.map((e) => e.id));
    expect(stored.map(typeOf)).toEqual([
      'input_message',
      'agent_output',
      'tool_input',
      'tool_output',
      'structured_output',
    ]);
    // Reasoning and the text of sub-agents are not part of the answer.
    expect(textIn(events, true)).toBe('First I look.');
    const thoughts = events.flatMap((e) => e.content?.parts ?? []).filter((p) => p.thought === true);
    expect(thoughts.map((p) => p.text)).toEqual(['Let me see', 'half way', 'inner words']);
    expect(events.find((e) => e.usageMetadata !== undefined)?.usageMetadata).toEqual({
      promptTokenCount: 120,
      cachedContentTokenCount: 100,
      candidatesTokenCount: 9,
      thoughtsTokenCount: 4,
      totalTokenCount: 129,
    });
  });

  it('that cannot be streamed comes whole', async () => {
    const { backend, fake, make } = await world();
    const ref = await make();
    const event = { id: 'aev_1', session_key: ref.sessionId, created_at: '2026-11-21T09:00:00Z' };
    const answer = {
      events: [{ ...event, type: 'agent_output', content: 'whole' }],
      session_key: ref.sessionId,
    };
    fake.fail({ method: 'POST', path: /events$/, respond: status(201, answer) });
    const events = await collect(backend.query.stream(ref, message('hi'), never));
    expect(events).toMatchObject([{ id: 'aev_1', content: { parts: [{ text: 'whole' }] } }]);
  });

  it.each([
    [
      'an error and a close',
      [{ live: 'error', fields: { messages: ['upstream-text: no model'] } }, { cut: true }],
    ],
    ['an error and an end', [{ live: 'error', fields: { messages: ['upstream-text: no model'] } }]],
  ] as [string, Step[]][])('that ends by %s has failed, after what it said before', async (_name, steps) => {
    const { backend, fake, make } = await world();
    fake.agents.set('support', () => [{ say: 'So far.' }, ...steps]);
    const ref = await make();
    const got: Event[] = [];
    const error = await failure(
      (async () => {
        for await (const event of backend.query.stream(ref, message('hi'), never)) got.push(event);
      })(),
    );
    expect(error).toMatchObject({ code: 'UNAVAILABLE', message: 'The agent ended its work with an error.' });
    expect(textIn(got, false)).toBe('So far.');
    expect(requestsTo(fake, 'POST', /events$/)).toHaveLength(1);
  });

  it.each([
    ['closed without an end', [{ say: 'So far.' }, { close: true }]],
    ['broken off between two events', [{ say: 'So far.' }, { cut: true }]],
    ['closed inside an event', [{ say: 'So far.' }, { raw: 'data: {"type":"end' }, { close: true }]],
    [
      'cut inside an event',
      [{ say: 'So far.' }, { raw: 'data: {"type":"streaming_agent_ou' }, { cut: true }],
    ],
  ] as [string, Step[]][])('that is %s offers the way back and stops nobody', async (_name, steps) => {
    const { backend, fake, make } = await world();
    fake.agents.set('support', () => steps);
    const ref = await make();
    const error = await failure(collect(backend.query.stream(ref, message('hi'), never)));
    expect(error.code).toBe('UNAVAILABLE');
    expect(error.message).toContain('broke off');
    expect(error.hint).toMatch(/list_events.*list_tool_calls/);
    // No second message, and no interrupt: the run may go on.
    expect(requestsTo(fake, 'POST', /events$/)).toHaveLength(1);
    const { items } = await backend.events.list(ref, { pageSize: 10 });
    expect(textIn(items, false)).toBe('So far.');
  });

  it('of a page instead of a stream is an error, not an empty answer', async () => {
    const { backend, fake, make } = await world();
    const ref = await make();
    fake.fail({ method: 'POST', path: /events$/, respond: html(200, 'Sign in') });
    expect((await failure(collect(backend.query.stream(ref, message('hi'), never)))).code).toBe(
      'UNAVAILABLE',
    );
  });

  it('tells of limits that it hit, and of an interruption by others', async () => {
    const { backend, fake, make } = await world();
    fake.agents.set('support', () => [
      {
        live: 'context_limit_exceeded',
        fields: { message: 'too long', context_limit: 10, actual_tokens: 12 },
      },
      { live: 'step_transition_limit_exceeded', fields: { message: 'loop', transition_limit: 500 } },
      { live: 'session_interrupted' },
    ]);
    const ref = await make();
    const events: Event[] = [];
    const run = async () => {
      for await (const event of backend.query.stream(ref, message('hi'), never)) events.push(event);
    };
    const error = await failure(run());
    expect(error).toMatchObject({ code: 'FAILED_PRECONDITION', message: expect.stringContaining('step') });
    expect(events.slice(1)).toMatchObject([
      { errorCode: 'CONTEXT_LIMIT_EXCEEDED', errorMessage: 'too long' },
      { errorCode: 'STEP_TRANSITION_LIMIT_EXCEEDED', errorMessage: 'loop' },
      { interrupted: true },
    ]);
  });

  it('end at a limit as a failure that says so, unless an answer came after it', async () => {
    const { backend, fake, make } = await world();
    const limit = { live: 'context_limit_exceeded', fields: { message: 'too long' } };
    fake.agents.set('support', () => [{ say: 'I begin.' }, limit]);
    const ref = await make();
    const error = await failure(collect(backend.query.stream(ref, message('hi'), never)));
    expect(error.message).toContain('context');
    expect(error.hint).toContain('compact');
    const input = { classMethod: 'input_message', input: { sessionId: ref.sessionId, text: 'hi' } };
    expect((await failure(backend.query.call(ref, input, never))).code).toBe('FAILED_PRECONDITION');
    fake.agents.set('support', () => [limit, { say: 'Compacted, and done.' }]);
    const events = await collect(backend.query.stream(ref, message('again'), never));
    expect(textIn(events, false)).toBe('Compacted, and done.');
  });

  it('count as text only what the agent itself says', async () => {
    const { backend, fake, make } = await world();
    fake.agents.set('support', () => [
      { store: 'skill_load', fields: { skill_name: 'review', content: 'You review.' } },
      { store: 'step_transition', fields: { from_step: 'a', to_step: 'b', content: 'Now the other.' } },
      { store: 'compaction', fields: { summary_text: 'They spoke.' } },
      { store: 'x_unheard_of', fields: { content: 'Anything.' } },
      { say: 'The answer.' },
    ]);
    const ref = await make();
    expect(textIn(await collect(backend.query.stream(ref, message('hi'), never)), false)).toBe('The answer.');
    const { items } = await backend.events.list(ref, { pageSize: 10 });
    expect(items.slice(1).map((event) => event.content?.parts[0]?.partMetadata?.type)).toEqual([
      'skill_load',
      'step_transition',
      'compaction',
      'unknown',
      undefined,
    ]);
  });
});

describe('giving a run up', () => {
  it.each(['abort', 'leave'] as const)('by %s stops the agent at Vectara', async (how) => {
    const { backend, fake, make } = await world();
    const { closed } = gate();
    fake.agents.set('support', () => [{ say: 'Working.' }, { gate: closed }, { say: 'never said' }]);
    const ref = await make();
    const abort = new AbortController();
    const run = backend.query.stream(ref, message('hi'), abort.signal);
    while (!textIn([(await run.next()).value as Event], false).includes('Working.'));
    expect(ref.wire.running).toBe(true);
    if (how === 'abort') {
      const next = run.next();
      abort.abort();
      expect((await failure(next)).code).toBe('CANCELLED');
    } else await run.return();
    expect(requestsTo(fake, 'POST', /events$/).map((r) => r.json?.type)).toEqual([
      'input_message',
      'interrupt',
    ]);
    await until(() => !ref.wire.running);
    expect(JSON.stringify(ref.wire.events)).not.toContain('never said');
  });

  it('stops the agent though nobody asks for the next event any more', async () => {
    const { backend, fake, make } = await world();
    const { closed } = gate();
    fake.agents.set('support', () => [{ say: 'Working.' }, { gate: closed }]);
    const ref = await make();
    const abort = new AbortController();
    const run = backend.query.stream(ref, message('hi'), abort.signal);
    await run.next();
    abort.abort();
    await until(() => !ref.wire.running);
    expect(requestsTo(fake, 'POST', /events$/)).toHaveLength(2);
    expect((await failure(collect(run))).code).toBe('CANCELLED');
  });

  it('before the first answer stops the agent too', async () => {
    const { backend, fake, make } = await world();
    const ref = await make();
    fake.fail({ method: 'POST', path: /events$/, delayMs: 300 });
    const abort = new AbortController();
    const next = backend.query.stream(ref, message('hi'), abort.signal).next();
    await until(() => requestsTo(fake, 'POST', /events$/).length === 1);
    abort.abort();
    expect((await failure(next)).code).toBe('CANCELLED');
    expect(requestsTo(fake, 'POST', /events$/).at(-1)?.json?.type).toBe('interrupt');
  });

  it('before it began sends nothing', async () => {
    const { backend, fake, make } = await world();
    const ref = await make();
    const before = fake.requests.length;
    const next = backend.query.stream(ref, message('hi'), AbortSignal.abort()).next();
    expect((await failure(next)).code).toBe('CANCELLED');
    expect(fake.requests.slice(before)).toEqual([]);
  });

  it('ends within seconds when Vectara does not answer the interrupt', { timeout: 15_000 }, async () => {
    const { backend, fake, make } = await world();
    const { closed } = gate();
    fake.agents.set('support', () => [{ say: 'Working.' }, { gate: closed }]);
    const ref = await make();
    const run = backend.query.stream(ref, message('hi'), never);
    await run.next();
    fake.fail({ method: 'POST', path: /events$/, delayMs: 60_000 });
    const started = Date.now();
    await run.return();
    expect(Date.now() - started).toBeLessThan(8000);
  });

  it("leaves somebody else's run alone", async () => {
    const { backend, fake, make } = await world();
    const first = gate();
    fake.agents.set('support', () => [{ say: 'Working.' }, { gate: first.closed }, { say: 'Finished.' }]);
    const ref = await make();
    const theirs = collect(backend.query.stream(ref, message('theirs'), never));
    await until(() => ref.wire.running && ref.wire.events.length === 2);
    const mine = backend.query.stream(ref, message('mine'), never);
    expect((await failure(mine.next())).code).toBe('ABORTED');
    const joining = new AbortController();
    const joined = backend.query.stream(ref, { ...message('joined'), classMethod: 'steer' }, joining.signal);
    const next = joined.next();
    await until(() => requestsTo(fake, 'POST', /events$/).length === 3);
    joining.abort();
    expect((await failure(next)).code).toBe('CANCELLED');
    first.release();
    expect(textIn(await theirs, false)).toContain('Finished.');
    expect(requestsTo(fake, 'POST', /events$/).every((r) => r.json?.type === 'input_message')).toBe(true);
  });
});

describe('a session that is running', () => {
  it('refuses a second message, and takes one that joins', async () => {
    const { backend, fake, make } = await world();
    const { closed, release } = gate();
    fake.agents.set('support', (input) => [
      { say: `re ${JSON.stringify(input.behavior ?? null)}` },
      ...(input.since === undefined ? [{ gate: closed }] : []),
    ]);
    const ref = await make();
    const first = collect(backend.query.stream(ref, message('one'), never));
    await until(() => ref.wire.events.length === 2);
    const refused = await failure(collect(backend.query.stream(ref, message('two'), never)));
    expect(refused).toMatchObject({
      code: 'ABORTED',
      hint: expect.stringMatching(/since.*steer.*follow_up.*interrupt/),
    });
    const joined = collect(
      backend.query.stream(ref, { ...message('three'), classMethod: 'follow_up' }, never),
    );
    await until(() => requestsTo(fake, 'POST', /events$/).length === 3);
    expect(requestsTo(fake, 'POST', /events$/).at(-1)?.json).toMatchObject({
      since: ref.wire.events[1]?.id,
      behavior: 'follow_up',
    });
    release();
    await first;
    expect(textIn(await joined, false)).toBe('re "follow_up"');
  });

  it('is interrupted, compacted and talked to through query', async () => {
    const { backend, fake, make } = await world();
    const { closed } = gate();
    const ref = await make();
    fake.agents.set('support', () => [{ say: 'Working.' }, { gate: closed }]);
    const run = collect(backend.query.stream(ref, message('one'), never));
    await until(() => ref.wire.events.length === 2);
    const call = (classMethod: string, input: Record<string, unknown> = {}) =>
      backend.query.call(ref, { classMethod, input: { sessionId: ref.sessionId, ...input } }, never);
    await call('interrupt');
    await until(() => !ref.wire.running);
    expect((await run).at(-1)?.interrupted).toBe(true);
    fake.agents.set('support', (input) => [{ say: `I heard ${JSON.stringify(input.messages)}` }]);
    const answer = await call('input_message', { skill: 'code_review', text: 'this' });
    expect(answer).toMatchObject({
      sessionId: ref.sessionId,
      text: 'I heard [{"type":"skill","skill_name":"code_review"},{"type":"text","content":"this"}]',
    });
    const compacted = await call('compact', { compactionMessage: 'Short!' });
    expect(compacted).toMatchObject({ events: [{ content: { parts: [{ text: 'They spoke.' }] } }] });
    expect(requestsTo(fake, 'POST', /events$/).at(-1)?.json).toEqual({
      type: 'compact',
      stream_response: false,
      compaction_message: 'Short!',
    });
  });

  it('has too little to compact: an error inside a good answer is an error', async () => {
    const { backend, make } = await world();
    const ref = await make();
    const call = { classMethod: 'compact', input: { sessionId: ref.sessionId } };
    expect((await failure(backend.query.call(ref, call, never))).code).toBe('UNAVAILABLE');
  });

  it('takes no methods and inputs that there are not', async () => {
    const { backend, fake, make } = await world();
    const ref = await make();
    const { sessionId } = ref;
    const before = fake.requests.length;
    for (const [classMethod, input] of [
      ['tool_output', { sessionId }],
      ['constructor', { sessionId }],
      ['interrupt', {}],
      ['interrupt', { sessionId, more: 1 }],
      ['input_message', { sessionId }],
      ['input_message', { sessionId, text: 'x', since: '../x' }],
      ['input_message', { sessionId, text: 'x', behavior: 'other' }],
      ['compact', { sessionId, compactUpToEventId: 7 }],
    ] as const)
      expect((await failure(backend.query.call(ref, { classMethod, input }, never))).code).toBe(
        'INVALID_ARGUMENT',
      );
    const stream = backend.query.stream(ref, { ...message('x'), classMethod: 'other' }, never);
    expect((await failure(stream.next())).code).toBe('INVALID_ARGUMENT');
    expect(fake.requests.slice(before)).toEqual([]);
  });

  it('is stopped when a call that talks to it is given up', async () => {
    const { backend, fake, make } = await world();
    const { closed } = gate();
    fake.agents.set('support', () => [{ gate: closed }]);
    const ref = await make();
    const abort = new AbortController();
    const call = { classMethod: 'input_message', input: { sessionId: ref.sessionId, text: 'hi' } };
    const answer = failure(backend.query.call(ref, call, abort.signal));
    await until(() => ref.wire.running);
    abort.abort();
    expect((await answer).code).toBe('CANCELLED');
    await until(() => !ref.wire.running);
  });
});

describe('messages', () => {
  it('take files with them, as a form', async () => {
    const { backend, fake, make } = await world();
    const ref = await make();
    const bytes = Buffer.from([0, 255, 13, 10, 45, 45, 128]);
    const events = await collect(
      backend.query.stream(
        ref,
        {
          invocationId: 'turn-1',
          message: {
            parts: [
              { text: 'read this — größer' },
              {
                inlineData: {
                  mimeType: 'image/png',
                  data: bytes.toString('base64'),
                  displayName: '../ä "b".png',
                },
              },
              { inlineData: { mimeType: 'text/plain', data: Buffer.from('hi').toString('base64') } },
            ],
          },
        },
        never,
      ),
    );
    const [post] = requestsTo(fake, 'POST', /events$/);
    expect(post?.headers['content-type']).toMatch(/^multipart\/form-data; boundary=/);
    const upload = events.find((e) => typeOf(e) === 'artifact_upload');
    const files = await backend.artifacts.list(ref, { pageSize: 10 });
    const names = upload?.content?.parts.map((p) => p.fileData?.displayName);
    expect(names).toEqual(['.._ä _b_.png', 'file-2']);
    expect(Object.keys(upload?.actions?.artifactDelta ?? {}).sort()).toEqual(
      files.items.map((f) => f.name).sort(),
    );
    const [image] = files.items.filter((f) => f.mimeType === 'image/png');
    expect((await backend.artifacts.get(ref, image?.name ?? '')).data).toEqual(bytes);
    expect(textIn(events, false)).toBe('You said: read this — größer');
  });

  it('that Vectara cannot take are refused before anything is sent', async () => {
    const { backend, fake, make } = await world({}, { maxArtifactBytes: 10 });
    const ref = await make();
    const file = (data: string) => ({ inlineData: { mimeType: 'text/plain', data } });
    for (const part of [
      { functionCall: { name: 'x' } },
      { fileData: { fileUri: 'gs://bucket/file' } },
      { executableCode: { code: '1' } },
      file('not base64!'),
      file(Buffer.from('x'.repeat(11)).toString('base64')),
    ]) {
      const input = { message: { parts: [part] }, invocationId: 'i', stateDelta: { touched: true } };
      expect((await failure(backend.query.stream(ref, input, never).next())).code).toBe('INVALID_ARGUMENT');
    }
    const mixed = [{ text: 'and' }, { functionResponse: { id: '1', name: 'x', response: {} } }];
    for (const parts of [[], mixed]) {
      const input = { message: { parts }, invocationId: 'i' };
      expect((await failure(backend.query.stream(ref, input, never).next())).code).toBe('INVALID_ARGUMENT');
    }
    expect(requestsTo(fake, 'POST', /events$/)).toEqual([]);
    expect(ref.wire.metadata).toEqual({ end_user_id: 'ada' });
  });

  it('set single keys of the state first', async () => {
    const { backend, make } = await world();
    const ref = await make({ state: { a: 1, b: 2 } });
    await collect(
      backend.query.stream(ref, text([{ text: 'hi' }], { stateDelta: { b: 3, 'temp:c': 4 } }), never),
    );
    expect(ref.wire.metadata).toEqual({ a: 1, b: 3, end_user_id: 'ada' });
    const owner = text([{ text: 'hi' }], { stateDelta: { end_user_id: 'bob' } });
    expect((await failure(backend.query.stream(ref, owner, never).next())).code).toBe('INVALID_ARGUMENT');
    expect(ref.wire.metadata.end_user_id).toBe('ada');
  });

  it('reach a session that other machines of Vectara have not heard of yet', async () => {
    const { backend, fake, make } = await world();
    const ref = await make();
    fake.fail({ method: 'POST', path: /events$/, respond: status(404, { id: ref.sessionId }) });
    expect(textIn(await collect(backend.query.stream(ref, message('hi'), never)), false)).toBe(
      'You said: hi',
    );
  });

  it('go through with a key that may talk and do nothing else', async () => {
    const { fake, make } = await world();
    const ref = await make();
    const user = await open(fake, { credentials: { apiKey: 'zut_user-key' } });
    expect(textIn(await collect(user.query.stream(ref, message('hi'), never)), false)).toBe('You said: hi');
  });

  it('are never sent again after they may have arrived', async () => {
    const { backend, fake, make } = await world();
    const ref = await make();
    for (const code of [500, 502, 503, 504, 408, 409, 422]) {
      fake.fail({ method: 'POST', path: /events$/, times: 9, respond: status(code, {}) });
      const before = requestsTo(fake, 'POST', /events$/).length;
      await failure(collect(backend.query.stream(ref, message('hi'), never)));
      expect(requestsTo(fake, 'POST', /events$/), String(code)).toHaveLength(before + 1);
      fake.faults.length = 0;
    }
    fake.fail({ method: 'POST', path: /events$/, times: 9, respond: (response) => void response.destroy() });
    const before = requestsTo(fake, 'POST', /events$/).length;
    await failure(collect(backend.query.stream(ref, message('hi'), never)));
    await sleep(50);
    expect(requestsTo(fake, 'POST', /events$/)).toHaveLength(before + 1);
    // A request that was refused with 429 did not run.
    fake.faults.length = 0;
    fake.fail({ method: 'POST', path: /events$/, respond: status(429, {}, { 'retry-after': '0' }) });
    expect(textIn(await collect(backend.query.stream(ref, message('hi'), never)), false)).toBe(
      'You said: hi',
    );
  });

  it('run longer than other requests may take', async () => {
    const { backend, fake, make } = await world({}, { timeoutMs: 150 });
    fake.agents.set('support', () => [{ gate: sleep(500) }, { say: 'At last.' }]);
    const ref = await make();
    expect(textIn(await collect(backend.query.stream(ref, message('hi'), never)), false)).toBe('At last.');
    const call = { classMethod: 'input_message', input: { sessionId: ref.sessionId, text: 'hi' } };
    expect(await backend.query.call(ref, call, never)).toMatchObject({ text: 'At last.' });
  });

  it('join no run of a session without events', async () => {
    const { backend, make } = await world();
    const ref = await make();
    const join = { ...message('x'), classMethod: 'steer' };
    expect((await failure(backend.query.stream(ref, join, never).next())).code).toBe('INVALID_ARGUMENT');
    said(ref.wire, 'now there is one');
    expect(textIn(await collect(backend.query.stream(ref, join, never)), false)).toBe('You said: x');
  });
});
