import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { afterEach, expect, it } from 'vitest';
import type { Backend } from '../../../src/backend/types.ts';
import { createA2aFace } from '../../../src/server/a2a/index.ts';
import { principalOf } from '../../../src/server/auth/scopes.ts';
import { openExchange } from '../../../src/server/http/exchange.ts';
import { memoryBackend } from '../../tools/harness.ts';

const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

/** The face alone, on a backend that counts who watches its sessions. */
async function open() {
  const backend = (await memoryBackend()) as Required<Backend>;
  const watching = new Set<object>();
  const counted: Backend = {
    ...backend,
    sessions: {
      ...backend.sessions,
      watch(ref, onChange) {
        const one = {};
        watching.add(one);
        const unwatch = backend.sessions.watch?.(ref, onChange);
        return () => {
          watching.delete(one);
          unwatch?.();
        };
      },
    },
  };
  const face = createA2aFace({
    backend: counted,
    agents: [{ app: 'default', agent: 'parrot' }],
    version: '1',
    secured: false,
    log: { info: () => {}, warn: () => {}, error: () => {} },
    keepAliveMs: 20,
    base: () => 'http://127.0.0.1',
  });
  const server = createServer(async (req, res) => {
    const end = new AbortController();
    res.once('close', () => end.abort());
    const principal = principalOf('ann', ['sessions:write']);
    void face.answer({ exchange: openExchange(req, res), principal, end }, await json(req));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  ends.push(async () => {
    server.closeAllConnections();
    server.close();
    await backend.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/a2a/default`, watching };
}

const request = (method: string) => ({
  method: 'POST',
  headers: { 'content-type': 'application/json', 'a2a-version': '1.0' },
  body: JSON.stringify({
    jsonrpc: '2.0',
    id: 1,
    method,
    params: { message: { messageId: 'm1', role: 'ROLE_USER', parts: [{ text: 'Tea?' }] } },
  }),
});

/** Waits until as many watch as wanted. */
async function until(watching: Set<object>, count: number): Promise<void> {
  while (watching.size !== count) await new Promise((resolve) => setTimeout(resolve, 5));
}

it('a stream that has nothing to tell shows that it lives, and ends with its client', async () => {
  const { url, watching } = await open();
  const gone = new AbortController();
  const answer = await fetch(url, { ...request('SendStreamingMessage'), signal: gone.signal });
  let text = '';
  const decoder = new TextDecoder();
  for await (const chunk of answer.body ?? []) {
    text += decoder.decode(chunk as Uint8Array, { stream: true });
    if (text.includes('"task"') && text.split(': keepalive\n\n').length > 2) break;
  }
  expect(text).toContain('"task"');
  gone.abort();
  await until(watching, 0);
});

it('a caller that waits for its answer and goes away is waited for no longer', async () => {
  const { url, watching } = await open();
  const gone = new AbortController();
  const waiting = fetch(url, { ...request('SendMessage'), signal: gone.signal }).catch(() => 'gone');
  await until(watching, 1);
  gone.abort();
  expect(await waiting).toBe('gone');
  await until(watching, 0);
});
