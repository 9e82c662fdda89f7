import { expect, it } from 'vitest';
import { createA2aFace } from '../../../src/server/a2a/index.ts';
import type { Verdict } from '../../../src/server/auth/index.ts';
import { principalOf } from '../../../src/server/auth/scopes.ts';
import { createLimits, defaultLimits } from '../../../src/server/http/limits.ts';
import { conformanceFixture } from '../../conformance/fixture.ts';
import { memoryBackend } from '../../tools/harness.ts';
import { eventually, startTransportOf } from '../http/harness.ts';
import { open, resultOf } from '../http/requests.ts';

/** A server with an agent that never answers, and a call and a stream that wait for it. */
async function waiting() {
  const backend = await memoryBackend();
  const log = { info: () => {}, warn: () => {}, error: () => {} };
  const agents = [{ app: 'default', agent: 'mute' }];
  const base = () => 'http://127.0.0.1';
  const state: { verdict: Verdict } = {
    verdict: { kind: 'caller', principal: principalOf('ann', ['sessions:write']) },
  };
  const limits = createLimits(defaultLimits);
  const server = await startTransportOf(conformanceFixture(), {
    a2a: createA2aFace({ backend, agents, version: '1', secured: true, log, base }),
    authenticate: async () => state.verdict,
    checkMs: 20,
    limits,
  });
  const ask = (method: string, id: number) =>
    open(Number(new URL(server.url).port), {
      path: '/a2a/default',
      headers: { 'content-type': 'application/json', 'a2a-version': '1.0' },
      body: {
        ...{ jsonrpc: '2.0', id, method },
        params: { message: { messageId: `m${id}`, role: 'ROLE_USER', parts: [{ text: 'Tea?' }] } },
      },
    });
  const [call, stream] = [ask('SendMessage', 7), ask('SendStreamingMessage', 8)];
  await eventually(() => stream.soFar().includes('TASK_STATE_WORKING') && limits.total('requests') === 2);
  return { server, state, call, stream, limits, backend };
}

const lastOf = (text: string): unknown =>
  JSON.parse(
    text
      .match(/^data: (.*)$/gm)
      ?.at(-1)
      ?.slice(6) ?? '',
  );

it('a token that is taken back ends the requests of remote agents, too, with an answer that says why', async () => {
  const { server, state, call, stream, limits, backend } = await waiting();
  state.verdict = { kind: 'refused', presented: true };
  const [called, streamed] = await Promise.all([call.answer, stream.answer]);
  const error = { message: 'The token is no longer valid.' };
  expect(called.status).toBe(401);
  expect(resultOf(called)).toMatchObject({ id: 7, error });
  expect(lastOf(streamed.body)).toMatchObject({ id: 8, error });
  await eventually(() => limits.total('requests') === 0);
  await server.close(0);
  await backend.close();
});

it('a server that shuts down answers the requests of remote agents, too', async () => {
  const { server, call, stream, backend } = await waiting();
  await server.close(50);
  const [called, streamed] = await Promise.all([call.answer, stream.answer]);
  const error = { data: { retryAfterSeconds: 1 } };
  expect([called.status, called.headers['retry-after']]).toEqual([503, '1']);
  expect(resultOf(called)).toMatchObject({ id: 7, error });
  expect(lastOf(streamed.body)).toMatchObject({ id: 8, error });
  await backend.close();
});
