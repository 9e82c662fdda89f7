import { describe, expect, it } from 'vitest';
import { isObject, type JsonObject } from '../../../src/model/json.ts';
import { toErrorResult } from '../../../src/server/mcp/results.ts';
import { html, status } from '../../fake/vectara/faults.ts';
import { said } from '../../fake/vectara/interact.ts';
import { caller, user } from '../../tools/harness.ts';
import { failure, requestsTo, until, world } from './setup.ts';

// Faults of Vectara's own MCP server (https://github.com/vectara/vectara-mcp), tried with our tools over this backend:
// each of these tests would fail on that server.

const silent = { debug() {}, info() {}, warn() {}, error() {} } as unknown as Parameters<
  typeof toErrorResult
>[1];
const app = 'support';

async function tools(options = {}, config = {}) {
  const here = await world(options, config);
  return { ...here, call: caller([here.backend], user('ada')) };
}

const idOf = (result: JsonObject): string => String(isObject(result.session) ? result.session.id : undefined);

describe('what the vendor’s server gets wrong', () => {
  it('1: a delete is answered by 204 without a body, and the second one by 404', async () => {
    const { call, fake } = await tools();
    const sessionId = idOf(await call('create_session', { app }));
    expect(await call('delete_session', { app, sessionId, confirm: true })).toMatchObject({ deleted: true });
    expect(fake.sessions).toEqual([]);
    const error = await failure(call('delete_session', { app, sessionId, confirm: true }));
    expect(error.code).toBe('NOT_FOUND');
  });

  it('2: every refusal says what was missing or wrong, and not what something else lacks', async () => {
    const { call, fake, make } = await tools();
    const { sessionId } = await make();
    const messages = await Promise.all(
      [
        call('create_session', { app: 'nobody' }),
        call('get_session', { app, sessionId: 'ase_none' }),
        call('get_event', { app, sessionId, eventId: 'aev_none' }),
        call('get_artifact', { app, sessionId, name: 'none.txt' }),
      ].map(async (attempt) => (await failure(attempt)).message),
    );
    expect(messages).toEqual([
      'The agent does not exist at Vectara.',
      'There is no such session.',
      'There is no such event in this session.',
      'There is no such artifact or version.',
    ]);
    fake.fail({ method: 'POST', path: /events$/, respond: status(422, { messages: ['upstream-text'] }) });
    const run = await failure(call('query', { app, sessionId, message: 'hi' }));
    expect(run).toMatchObject({
      code: 'FAILED_PRECONDITION',
      message: expect.stringContaining('configuration'),
    });
    expect([run.message, run.hint].join(' ')).not.toMatch(/corpus|language/i);
  });

  it('3: tool calls come back with their arguments and results', async () => {
    const { call, fake } = await tools();
    const names = { tool_call_id: 'call_1', tool_configuration_name: 'c', tool_name: 'search' };
    fake.agents.set(app, () => [
      { store: 'tool_input', fields: { ...names, tool_input: { q: 'tea' } } },
      { store: 'tool_output', fields: { ...names, tool_output: { hits: ['oolong'] }, error: false } },
      { say: 'Oolong.' },
    ]);
    const run = await call('query', { app, message: 'which tea?' });
    expect(run).toMatchObject({ status: 'completed', text: 'Oolong.' });
    const shown = JSON.stringify(await call('list_events', { app, sessionId: run.sessionId }));
    for (const detail of ['"args":{"q":"tea"}', '"response":{"hits":["oolong"]}', 'which tea?'])
      expect(shown).toContain(detail);
  });

  it('4: what fails is an error, and never a result that looks like a success', async () => {
    const { call, fake } = await tools();
    for (const respond of [status(403, {}), status(404, {}), status(400, {}), html(200, 'Sign in')]) {
      fake.fail({ path: /sessions/, times: 9, respond });
      const error = await failure(call('create_session', { app }));
      const result = toErrorResult(error, silent, 'create_session');
      expect(result.isError).toBe(true);
      fake.faults.length = 0;
    }
  });

  it('5: no id rewrites the path of a request', async () => {
    const { call, fake } = await tools();
    for (const bad of ['../corpora', 'x/../../users', 'x%2f..', 'x?limit=1', 'x#']) {
      expect((await failure(call('list_sessions', { app: bad }))).code).toBe('INVALID_ARGUMENT');
      expect((await failure(call('get_session', { app, sessionId: bad }))).code).toBe('INVALID_ARGUMENT');
    }
    expect(fake.requests).toEqual([]);
  });

  it('6: a request without credentials is refused by the service, and ours all have them', async () => {
    const { call, fake } = await tools();
    const bare = await fetch(`${fake.url}/v2/agents/support/sessions`);
    expect(bare.status).toBe(401);
    fake.requests.length = 0;
    await call('create_session', { app });
    expect(fake.requests.every((r) => r.headers['x-api-key'] !== undefined)).toBe(true);
  });

  it('7: no tool takes a credential, and none gives one away', async () => {
    const { backend, call } = await tools();
    const { catalogue } = await import('../../../src/tools/index.ts');
    const listed = catalogue({ backends: [backend], toolsets: undefined, readOnly: false, admin: true });
    const names = listed.flatMap(({ tool }) => [tool.name, ...Object.keys(tool.input())]);
    expect(names.filter((name) => /key|secret|credential|password|auth(?!or)/i.test(name))).toEqual([]);
    expect(JSON.stringify(await call('describe_server'))).not.toMatch(/zut_/);
  });

  it('8: a turn may take longer than a request, and its text arrives while it grows', async () => {
    const { call, fake } = await tools({}, { timeoutMs: 1000 });
    fake.agents.set(app, () => [
      { say: 'One moment. ' },
      { gate: new Promise((resolve) => setTimeout(resolve, 1500)) },
      { say: 'Here it is.' },
    ]);
    expect(await call('stream_query', { app, message: 'slowly' })).toMatchObject({
      status: 'completed',
      text: 'One moment. \nHere it is.',
    });
    expect(requestsTo(fake, 'POST', /events$/)[0]?.json?.stream_response).toBe(true);
  });
});

describe('a secret in a client tool call', () => {
  it('reaches no output of any tool', async () => {
    const { call, fake } = await tools();
    fake.agents.set(app, (input) =>
      input.type === 'tool_output'
        ? [{ say: 'Done.' }]
        : [
            {
              call: [
                {
                  tool: 'notify',
                  said: { channel: 'support' },
                  resolved: { channel: 'support', auth: { token: 'canary-1' } },
                  overrides: ['auth.token'],
                },
              ],
            },
          ],
    );
    const outputs: JsonObject[] = [await call('query', { app, message: 'go' })];
    const { sessionId } = outputs[0] as { sessionId: string };
    const calls = await call('list_tool_calls', { app, sessionId });
    const [first] = calls.toolCalls as { id: string; args: unknown; masked: boolean }[];
    expect(first).toMatchObject({ args: { channel: 'support', auth: { token: '****' } }, masked: true });
    outputs.push(calls, await call('list_events', { app, sessionId, view: 'full' }));
    outputs.push(await call('get_session', { app, sessionId }));
    outputs.push(
      await call('submit_tool_outputs', { app, sessionId, outputs: [{ toolCallId: first?.id, output: {} }] }),
    );
    outputs.push(await call('list_events', { app, sessionId, includeHidden: true }));
    expect(JSON.stringify(outputs)).not.toContain('canary');
  });
});

it('950 events are read by list_events with twelve requests, though each answer is cut to its budget', async () => {
  const { call, fake, make } = await tools();
  const { sessionId, wire } = await make();
  for (let i = 0; i < 950; i += 1) said(wire, `Message ${i}: ${'lorem ipsum '.repeat(8)}`);
  const before = fake.requests.length;
  let pageToken: string | undefined;
  let events = 0;
  let calls = 0;
  do {
    const page = await call('list_events', { app, sessionId, pageSize: 100, pageToken });
    events += Array.isArray(page.events) ? page.events.length : 0;
    calls += 1;
    pageToken = page.nextPageToken as string | undefined;
  } while (pageToken !== undefined);
  expect(events).toBe(950);
  expect(calls).toBeGreaterThan(12);
  expect(fake.requests.length - before).toBeLessThanOrEqual(12);
});

it('a call that is given up stops the agent, though no request of the call may follow', async () => {
  const { call, fake, make } = await tools();
  const { sessionId, wire } = await make();
  fake.agents.set('support', () => [{ gate: new Promise(() => {}) }, { say: 'never said' }]);
  const caller = new AbortController();
  const input = { sessionId, text: 'Hi' };
  const asked = call('query', { app, classMethod: 'input_message', input }, { signal: caller.signal });
  asked.catch(() => {});
  await until(() => wire.running);
  caller.abort();
  expect((await failure(asked)).code).toBe('CANCELLED');
  await until(() => !wire.running);
  expect(requestsTo(fake, 'POST', /events$/).map((r) => r.json?.type)).toEqual([
    'input_message',
    'interrupt',
  ]);
});
