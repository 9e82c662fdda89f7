import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { clientKinds, connect, type Json, type TestClient } from '../e2e/clients.ts';
import { type FakeChat, fakeChat } from '../fake/chat/server.ts';
import { agentsFile } from './config.ts';

/** Runs over real stdio, with each official client and a chat-completions endpoint on this machine. */
describe.each(clientKinds)('agents over stdio, client %s', (kind) => {
  let chat: FakeChat;
  let client: TestClient;
  beforeAll(async () => {
    chat = await fakeChat({ key: 'k3y' });
    const config = agentsFile({
      default: {
        kind: 'chat',
        baseUrl: chat.url,
        model: 'small',
        apiKeyEnv: 'TEST_KEY',
        instruction: 'Be brief.',
      },
    });
    client = await connect(kind, {
      args: ['--store', 'memory:', '--config', config],
      env: { TEST_KEY: 'k3y' },
    });
  });
  beforeEach(() => void chat.requests.splice(0));
  afterEach(() => expect(chat.requests.every((r) => r.headers.authorization === 'Bearer k3y')).toBe(true));
  afterAll(async () => {
    await client.close();
    await chat.close();
  });

  it('stream_query sends the words as progress, gathered, and then the whole', async () => {
    const words = Array.from({ length: 60 }, (_, i) => `w${i} `);
    chat.script({ text: words, delayMs: 5 });
    const heard: string[] = [];
    const answer = await client.call(
      'stream_query',
      { message: 'hi' },
      { onProgress: (text) => heard.push(text) },
    );
    expect(answer.structured).toMatchObject({ status: 'completed', text: words.join('') });
    expect(answer.text).toEqual(answer.structured);
    const whole = words.join('');
    // Clients drop progress that arrives in one piece with the result; the result itself is whole.
    expect(whole.startsWith(heard.join(''))).toBe(true);
    expect(heard.length).toBeGreaterThan(2);
    expect(heard.length).toBeLessThan(20);
    expect(heard[0]).toBe('w0 ');
  });

  it('and without a progress token just the whole', async () => {
    chat.script({ text: ['all ', 'of it'] });
    expect(await client.ok('stream_query', { message: 'hi' })).toMatchObject({ text: 'all of it' });
    const heard: string[] = [];
    chat.script({ text: ['all ', 'of it'] });
    await client.call('query', { message: 'hi' }, { onProgress: (text) => heard.push(text) });
    expect(heard).toEqual([]);
  });

  // It measures time, and a busy machine may be slow for a moment.
  it('cancelling a call ends its run: the endpoint hears of it within 100 ms, and it is stored', {
    retry: 2,
  }, async () => {
    chat.script({ text: ['so far'], fault: 'hang' });
    const { session } = await client.ok('create_session');
    const sessionId = (session as Json).id;
    const controller = new AbortController();
    let at = Number.POSITIVE_INFINITY;
    const call = client.call(
      'stream_query',
      { sessionId, message: 'hi', invocationId: 'run-1' },
      {
        signal: controller.signal,
        onProgress: () => {
          at = performance.now();
          controller.abort();
        },
      },
    );
    await expect(call).rejects.toThrow();
    while (chat.requests[0]?.closedAt === undefined && performance.now() < at + 2000) await sleep(2);
    expect((chat.requests[0]?.closedAt ?? Number.POSITIVE_INFINITY) - at).toBeLessThan(100);
    expect(await client.ok('query', { sessionId, invocationId: 'run-1' })).toMatchObject({
      status: 'cancelled',
    });
    expect((await client.ok('list_events', { sessionId })).events).toMatchObject([
      { author: 'user' },
      {
        author: 'default',
        interrupted: true,
        errorCode: 'CANCELLED',
        content: { parts: [{ text: 'so far' }] },
      },
    ]);
  });

  it('a call whose time is up leaves its run going on', async () => {
    chat.script({ text: ['slow'], waitMs: 1500 });
    const running = await client.ok('query', { message: 'hi', waitSeconds: 1 });
    expect(running).toMatchObject({ status: 'running' });
    const { sessionId, invocationId } = running;
    expect(await client.error('query', { sessionId, message: 'more' })).toMatchObject({
      code: 'ABORTED',
      invocationId,
    });
    const found = await client.ok('query', { sessionId, invocationId });
    expect(found).toMatchObject({ status: 'completed', text: 'slow', invocationId });
  });

  it('an endpoint’s failure is an error that names the session, and hides what the endpoint said', async () => {
    chat.script({ status: 400 });
    const error = await client.error('query', { message: 'hi' });
    expect(error).toMatchObject({
      code: 'FAILED_PRECONDITION',
      sessionId: expect.any(String),
      invocationId: expect.any(String),
    });
    expect(JSON.stringify(error)).not.toContain('secret');
  });

  it('feedback comes with its event', async () => {
    const { sessionId, invocationId, events } = await client.ok('query', { message: 'hi' });
    await client.ok('register_feedback', { sessionId, invocationId, score: 1, text: 'good' });
    const [answer] = events as Json[];
    const { event } = await client.ok('get_event', { sessionId, eventId: answer?.id });
    expect((event as Json).feedback).toMatchObject([{ score: 1, text: 'good' }]);
  });
});

describe('the configuration of agents', () => {
  const starts = async (agents: Json, env: Record<string, string> = {}) => {
    const client = await connect('v2-modern', {
      args: ['--store', 'memory:', '--config', agentsFile(agents)],
      env,
    });
    const answer = await client.ok('query', { message: 'hi', app: 'any' });
    await client.close();
    return answer;
  };

  it('may have one agent for every app', async () => {
    expect(await starts({ '*': { kind: 'echo', name: 'parrot' } })).toMatchObject({
      events: [{ author: 'parrot' }],
    });
  });

  it.each([
    [{ default: { kind: 'oracle' } }],
    [{ default: { kind: 'echo', colour: 'red' } }],
    [{ default: { kind: 'echo', name: 'user' } }],
    [{ default: { kind: 'chat', model: 'small' } }],
    [{ default: { kind: 'chat', model: 'small', baseUrl: 'file:///etc/passwd' } }],
    [{ default: { kind: 'chat', model: 'small', baseUrl: 'https://a.example', apiKeyEnv: 'NOT_SET' } }],
    [{ default: { kind: 'chat', model: 'small', baseUrl: 'http://a.example', apiKeyEnv: 'TEST_KEY' } }],
    [{ default: { kind: 'a2a', url: 'nonsense' } }],
  ])('refuses %j at the start', async (agents) => {
    await expect(starts(agents, { TEST_KEY: 'k' })).rejects.toThrow();
  });
});
