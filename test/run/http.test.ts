import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from '@modelcontextprotocol/client';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Backend } from '../../src/backend/types.ts';
import { type FakeChat, fakeChat } from '../fake/chat/server.ts';
import { type Product, startProduct } from '../server/http/harness.ts';
import { type Json, modernRequest, officialClient, send } from '../server/http/requests.ts';
import { eventsOf, localBackend, runs } from './support.ts';

let chat: FakeChat;
let backend: Backend;
let server: Product;

beforeEach(async () => {
  chat = await fakeChat();
  const common = { model: 'small', historyTokens: 1000, memories: 0, tools: [], timeoutMs: 5000 };
  backend = await localBackend({
    configs: { '*': { kind: 'chat', name: 'helper', baseUrl: chat.url, ...common } },
  });
  server = await startProduct({ backend, runs });
});
afterEach(async () => {
  await runs.endAll(backend);
  await server.end();
  await chat.close();
});

const connect = (era: 'modern' | 'legacy'): Promise<Client> => officialClient(server.url, era);

interface CallOptions {
  signal?: AbortSignal;
  onprogress?: (progress: { message?: string | undefined }) => void;
}
async function call(client: Client, name: string, args: Json, options?: CallOptions): Promise<Json> {
  const result = await client.callTool({ name, arguments: args }, options);
  if (result.isError === true) throw new Error(JSON.stringify(result.content));
  return result.structuredContent as Json;
}

/** A hanging run, at the moment when its first words have reached the client. */
async function hangingRun(client: Client) {
  chat.script({ text: ['so far'], fault: 'hang' });
  const { session } = (await call(client, 'create_session', {})) as { session: Json };
  const sessionId = session.id as string;
  const controller = new AbortController();
  let heard: () => void = () => {};
  const begun = new Promise<void>((resolve) => {
    heard = resolve;
  });
  const ended = call(
    client,
    'stream_query',
    { sessionId, message: 'hi', invocationId: 'run-1' },
    { signal: controller.signal, onprogress: () => heard() },
  ).catch((error: unknown) => error);
  await begun;
  return { sessionId, ended, cancel: () => controller.abort() };
}

const statusOf = async (client: Client, sessionId: string) =>
  (await call(client, 'query', { sessionId, invocationId: 'run-1', waitSeconds: 0 })).status;

describe.each(['modern', 'legacy'] as const)('agents over HTTP, %s era', (era) => {
  it('stream, with the words as progress', async () => {
    const client = await connect(era);
    chat.script({ text: ['one ', 'two ', 'three'], delayMs: 60 });
    const heard: string[] = [];
    const answer = await call(
      client,
      'stream_query',
      { message: 'hi' },
      { onprogress: (p) => heard.push(p.message ?? '') },
    );
    expect(answer).toMatchObject({ status: 'completed', text: 'one two three' });
    expect(heard.length).toBeGreaterThan(1);
    expect('one two three'.startsWith(heard.join(''))).toBe(true);
    await client.close();
  });

  // It measures time, and a busy machine may be slow for a moment.
  it('end when the call is cancelled: the endpoint hears of it within 100 ms', { retry: 2 }, async () => {
    const client = await connect(era);
    const run = await hangingRun(client);
    const at = performance.now();
    run.cancel();
    await run.ended;
    while (chat.requests[0]?.closedAt === undefined && performance.now() < at + 2000) await sleep(2);
    expect((chat.requests[0]?.closedAt ?? Number.POSITIVE_INFINITY) - at).toBeLessThan(100);
    expect(await statusOf(client, run.sessionId)).toBe('cancelled');
    const ref = { app: 'default', userId: 'local', sessionId: run.sessionId };
    expect((await eventsOf(backend, ref))[1]).toMatchObject({
      interrupted: true,
      content: { parts: [{ text: 'so far' }] },
    });
    await client.close();
  });

  it('go on after a call that only began them', async () => {
    const client = await connect(era);
    chat.script({ text: ['done'], waitMs: 200 });
    const { sessionId, status } = await call(client, 'query', {
      message: 'hi',
      invocationId: 'run-1',
      waitSeconds: 0,
    });
    expect(status).toBe('running');
    await client.close();
    const other = await connect(era);
    await expect.poll(() => statusOf(other, sessionId as string)).toBe('completed');
    await other.close();
  });
});

describe('a lost connection of the era of 2026', () => {
  const progress = { progressToken: 'p' };
  const raw = (args: Json) =>
    send(server.port, {
      ...modernRequest('tools/call', { name: 'stream_query', arguments: args, _meta: progress }),
      until: /so far/,
    });
  const begin = async (client: Client, waitSeconds: number) => {
    chat.script({ text: ['so far'], fault: 'hang' });
    const { session } = (await call(client, 'create_session', {})) as { session: Json };
    const sessionId = session.id as string;
    const args = { sessionId, message: 'hi', invocationId: 'run-1', waitSeconds };
    if (waitSeconds === 0) await call(client, 'query', args);
    else await raw(args);
    return sessionId;
  };

  it('is a cancellation, by the specification: the run that the call began ends', async () => {
    const client = await connect('modern');
    const sessionId = await begin(client, 50);
    await expect.poll(() => statusOf(client, sessionId)).toBe('cancelled');
    await client.close();
  });

  it('ends no run that a call with waitSeconds 0 began, nor one that the call only looked at', async () => {
    const client = await connect('modern');
    const sessionId = await begin(client, 0);
    await raw({ sessionId, invocationId: 'run-1' });
    await sleep(200);
    expect(await statusOf(client, sessionId)).toBe('running');
    await client.close();
  });
});

it('a lost connection of the older era ends no run: another client finds its result', async () => {
  const client = await connect('legacy');
  chat.script({ text: ['late ', 'answer'], delayMs: 300 });
  const { session } = (await call(client, 'create_session', {})) as { session: Json };
  const sessionId = session.id as string;
  const lost = call(client, 'stream_query', { sessionId, message: 'hi', invocationId: 'run-1' }).catch(
    () => 'lost',
  );
  await expect.poll(() => chat.requests.length).toBe(1);
  // Without a word of goodbye: the sockets just break.
  await client.close();
  expect(await lost).toBe('lost');
  const other = await connect('modern');
  expect(await call(other, 'query', { sessionId, invocationId: 'run-1' })).toMatchObject({
    status: 'completed',
    text: 'late answer',
  });
  await other.close();
});
