import { TaskState } from '@a2a-js/sdk';
import { afterEach, describe, expect, it } from 'vitest';
import { openAgents } from '../../../src/agent/open.ts';
import { openLocal } from '../../../src/backend/local/index.ts';
import type { Backend } from '../../../src/backend/types.ts';
import { textOf } from '../../../src/model/event.ts';
import { startTurnRunner } from '../../../src/run/turn-runner.ts';
import { memoryStore, runs } from '../../run/support.ts';
import { startProduct } from '../http/harness.ts';
import { tokensFor } from '../http/requests.ts';
import { authorized, clientFor, message } from './client.ts';

const log = { info: () => {}, warn: () => {}, error: () => {} };
const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

/** A server whose app has an agent; it answers turns itself unless others are to. */
async function open(answers = true, publicUrl?: string) {
  const agents = openAgents({ default: { kind: 'echo', name: 'parrot', delayMs: 0 } });
  const backend = openLocal({ store: await memoryStore(), agents });
  const bound = [{ app: 'default', agent: 'parrot' }];
  const product = await startProduct({
    backend,
    agents: bound,
    settings: {
      a2a: true,
      publicUrl,
      allowedOrigins: ['https://app.example'],
      tokens: tokensFor({ ann: ['sessions:write'], bob: ['sessions:write'], eve: ['sessions:read'] }),
    },
  });
  ends.push(() => product.end());
  const runner = startTurnRunner({ backend, runs, log, agents: answers ? bound : [] });
  ends.push(() => runner.stop());
  return { backend, origin: new URL(product.url).origin };
}

async function saidIn(backend: Backend, userId: string, sessionId: string): Promise<string[]> {
  const ref = { app: 'default', userId, sessionId };
  const page = await backend.events?.list?.(ref, { pageSize: 100 });
  return (page?.items ?? []).map((event) => `${event.author}: ${textOf(event)}`);
}

describe('the A2A face', () => {
  it('shows a card for an app with an agent, and for no other', async () => {
    const { origin } = await open();
    const answer = await fetch(`${origin}/a2a/default/.well-known/agent-card.json`);
    expect(await answer.json()).toMatchObject({ name: 'parrot', capabilities: { streaming: true } });
    expect((await fetch(`${origin}/a2a/other/.well-known/agent-card.json`)).status).toBe(404);
    expect((await fetch(`${origin}/a2a/default`, { method: 'POST', body: '{}' })).status).toBe(401);
    const eve = await authorized('eve')(`${origin}/a2a/default`, { method: 'POST', body: '{}' });
    expect(eve.status).toBe(403);
    expect(eve.headers.get('www-authenticate')).toContain('scope="sessions:write"');
  });

  it('names in its card the address behind a proxy, which may serve it under a path', async () => {
    const { origin } = await open(true, 'https://team.example/sessions/mcp');
    const answer = await fetch(`${origin}/a2a/default/.well-known/agent-card.json`);
    const url = 'https://team.example/sessions/a2a/default';
    expect(await answer.json()).toMatchObject({ url, supportedInterfaces: [{ url }, { url }] });
  });

  it('answers pages of allowed origins before they have a token to show', async () => {
    const { origin } = await open();
    for (const path of ['/a2a/default', '/a2a/default/.well-known/agent-card.json']) {
      const asked = {
        origin: 'https://app.example',
        'access-control-request-method': 'POST',
        'access-control-request-headers': 'a2a-version, authorization',
      };
      const { status, headers } = await fetch(origin + path, { method: 'OPTIONS', headers: asked });
      expect([status, headers.get('access-control-allow-origin')]).toEqual([204, 'https://app.example']);
      expect(headers.get('access-control-allow-headers')).toContain('a2a-version');
    }
  });

  it('makes an event of a message, a turn of a task, and a session of a context', async () => {
    const { origin, backend } = await open();
    const client = await clientFor(origin, 'ann');
    const first = await client.sendMessage(message('Hello'));
    if (!('status' in first)) throw new Error('A task was expected.');
    expect(first.status?.state).toBe(TaskState.TASK_STATE_COMPLETED);
    expect(first.artifacts).toMatchObject([
      { name: 'parrot', parts: [{ content: { value: 'Echo agent (no model): Hello' } }] },
    ]);
    await client.sendMessage(message('Again', first.contextId));
    expect(await saidIn(backend, 'ann', first.contextId)).toEqual([
      'user: Hello',
      'parrot: Echo agent (no model): Hello',
      'user: Again',
      'parrot: Echo agent (no model): Again',
    ]);
    const found = await client.getTask({ tenant: '', id: first.id, historyLength: 0 });
    expect(found.status?.state).toBe(TaskState.TASK_STATE_COMPLETED);
  });

  it('streams what the agents say until the turn is over, whoever takes it', async () => {
    const { origin, backend } = await open(false);
    const client = await clientFor(origin, 'ann');
    const stream = client.sendMessageStream(message('Is it so?'));
    const worker = (async () => {
      const signal = new AbortController().signal;
      const owner = { app: 'default', userId: 'ann' };
      const want = { agent: 'parrot', leaseMs: 60_000, waitMs: 60_000 };
      const taken = await backend.turns?.take?.(owner, want, signal);
      if (taken === undefined) throw new Error('There is no turn.');
      const say = (text: string, more: object) =>
        backend.events?.append?.(
          taken.ref,
          { author: 'parrot', content: { role: 'model', parts: [{ text }] }, ...more },
          { claim: taken.claim },
        );
      await say('I look.', { turnComplete: false });
      await say('Which one?', { actions: { transferAgent: 'user' } });
    })();
    const states: unknown[] = [];
    const texts: unknown[] = [];
    for await (const { payload } of stream) {
      if (payload?.$case === 'statusUpdate') states.push(payload.value.status?.state);
      if (payload?.$case === 'artifactUpdate')
        texts.push(...(payload.value.artifact?.parts ?? []).map((part) => part.content?.value));
    }
    await worker;
    expect(states).toEqual([TaskState.TASK_STATE_WORKING, TaskState.TASK_STATE_INPUT_REQUIRED]);
    expect(texts).toEqual(['I look.', 'Which one?']);
  });

  it('keeps users apart', async () => {
    const { origin, backend } = await open();
    const [ann, bob] = [await clientFor(origin, 'ann'), await clientFor(origin, 'bob')];
    const hers = await ann.sendMessage(message('Secret'));
    if (!('status' in hers)) throw new Error('A task was expected.');
    await expect(bob.getTask({ tenant: '', id: hers.id, historyLength: 0 })).rejects.toThrow();
    await bob.sendMessage(message('Mine', hers.contextId));
    expect(await saidIn(backend, 'bob', hers.contextId)).toHaveLength(2);
    expect((await saidIn(backend, 'ann', hers.contextId)).join()).not.toContain('Mine');
  });

  it('answers clients of A2A 0.3', async () => {
    const { origin } = await open();
    const answer = await authorized('ann')(`${origin}/a2a/default`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        jsonrpc: '2.0',
        id: 1,
        method: 'message/send',
        params: {
          message: { kind: 'message', role: 'user', messageId: 'm1', parts: [{ kind: 'text', text: 'Old' }] },
        },
      }),
    });
    expect(await answer.json()).toMatchObject({
      result: {
        kind: 'task',
        status: { state: 'completed' },
        artifacts: [{ parts: [{ kind: 'text', text: 'Echo agent (no model): Old' }] }],
      },
    });
  });

  it('refuses what it cannot store or does not do, in words, and stores nothing of it', async () => {
    const { origin, backend } = await open();
    const good = { messageId: 'm', role: 'ROLE_USER', parts: [{ text: 'hi' }] };
    const ask = async (params: unknown, version = '1.0') => {
      const answer = await authorized('ann')(`${origin}/a2a/default`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'a2a-version': version },
        body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'SendMessage', params }),
      });
      return ((await answer.json()) as { error?: { code: number; message: string } }).error;
    };
    const push = { taskPushNotificationConfig: { url: 'https://elsewhere.example' } };
    const deep = JSON.parse(`${'['.repeat(200)}${']'.repeat(200)}`) as unknown;
    for (const [params, code, words] of [
      [{ message: { ...good, parts: [] } }, -32602, /parts holds nothing/],
      [{ message: { ...good, parts: [{}] } }, -32602, /parts holds nothing/],
      [{ message: { ...good, parts: [null] } }, -32602, /params of the request are malformed/],
      [{ message: { ...good, parts: [{ text: '\ud83d' }] } }, -32602, /parts\[0\]\.text.*broken Unicode/],
      [{ message: { ...good, parts: [{ data: deep }] } }, -32602, /nested more than/],
      [{ message: { ...good, messageId: 'm'.repeat(300) } }, -32602, /^messageId is longer/],
      [{ message: { ...good, contextId: 'c'.repeat(300) } }, -32602, /^contextId is longer/],
      [{ message: good, configuration: push }, -32003, /no push notifications/],
    ] as const)
      expect(await ask(params)).toMatchObject({ code, message: expect.stringMatching(words) });
    expect(await ask({ message: good }, '2.0')).toMatchObject({ code: -32009 });
    const sessions = await backend.sessions?.list?.({ app: 'default', userId: 'ann', pageSize: 1 });
    expect(sessions?.items).toEqual([]);
    expect(await ask({ message: { ...good, contextId: 'c' } })).toBeUndefined();
    const other = { ...good, contextId: 'c', parts: [{ text: 'other' }] };
    expect(await ask({ message: other })).toMatchObject({
      code: -32602,
      message: expect.stringContaining('messageId'),
    });
  });
});
