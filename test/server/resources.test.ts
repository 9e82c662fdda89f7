import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SessionError } from '../../src/errors.ts';
import { createLog } from '../../src/log.ts';
import { currentDeadline } from '../../src/net/deadline.ts';
import { watchResources } from '../../src/server/mcp/subscriptions.ts';
import { memoryBackend, runManager, user } from '../tools/harness.ts';
import { type Product, startProduct } from './http/harness.ts';
import { type Json, modernRequest, resultOf, send, toolCall } from './http/requests.ts';

const tag = '\u{e0041}\u{e007f}';
const unseen = /[\u00ad\u061c\u200b\u202e]|[\u{e0000}-\u{e007f}]/u;

const asked = [
  ['resources/read', { uri: 'session://default/s' }],
  ['resources/list', {}],
  [
    'completion/complete',
    { ref: { type: 'ref/prompt', name: 'resume_session' }, argument: { name: 'sessionId', value: '' } },
  ],
] as const;

describe('resources', () => {
  let product: Product;
  const call = async (name: string, args: Json) => {
    const { result } = resultOf(await send(product.port, toolCall(name, args)));
    expect(result).not.toMatchObject({ isError: true });
  };
  const read = async (uri: string) => {
    const { result } = resultOf(await send(product.port, modernRequest('resources/read', { uri })));
    return (result as { contents: { text?: string; blob?: string }[] }).contents[0] ?? {};
  };

  beforeAll(async () => {
    product = await startProduct();
    const hidden = `a${tag}b\u00adc\u061cd\u202ee`;
    await call('create_session', {
      sessionId: 's',
      displayName: 'Trip to Bergen',
      state: { hidden, big: 'x'.repeat(500_000) },
    });
    await call('append_event', { sessionId: 's', text: hidden });
    for (let i = 0; i < 12; i += 1)
      await call('append_event', { sessionId: 's', text: `${i} ${'y'.repeat(60_000)}` });
    await call('save_artifact', { sessionId: 's', name: 'plain.txt', text: 'grüße 👩🏽‍🚀\n' });
    await call('save_artifact', { sessionId: 's', name: 'hidden.txt', text: hidden });
  });
  afterAll(() => product.end());

  it('show in JSON what a reader could not see, and keep to their size', async () => {
    for (const uri of ['session://default/s', 'session://default/s/events']) {
      const { text = '' } = await read(uri);
      expect(text).not.toMatch(unseen);
      expect(Buffer.byteLength(text)).toBeLessThanOrEqual(201_000);
      expect(JSON.parse(text)).toMatchObject({ truncated: true });
    }
    expect((await read('session://default/s')).text).toContain('a\\udb40\\udc41\\udb40\\udc7fb\\u00adc');
    const events = JSON.parse((await read('session://default/s/events')).text ?? '') as { events: Json[] };
    expect(JSON.stringify(events.events.at(-1))).toContain('11 yyy');
  });

  it('give a text file as text, and as bytes if it holds what a reader could not see', async () => {
    expect(await read('session://default/s/artifacts/plain.txt')).toMatchObject({ text: 'grüße 👩🏽‍🚀\n' });
    const { text, blob = '' } = await read('session://default/s/artifacts/hidden.txt');
    expect([text, Buffer.from(blob, 'base64').toString()]).toEqual([undefined, expect.stringContaining(tag)]);
  });

  it('are listed with the name that people gave the session', async () => {
    const { result } = resultOf(await send(product.port, modernRequest('resources/list', {})));
    expect(result).toMatchObject({ resources: [{ name: 's', title: 'Trip to Bergen' }] });
  });
});

it('an unforeseen failure is told by an incident, never by its own words', async () => {
  const backend = await memoryBackend();
  const breaks = async () => {
    throw new Error('EACCES: /home/ada/secret');
  };
  const product = await startProduct({
    backend: { ...backend, sessions: { ...backend.sessions, get: breaks, list: breaks } },
  });
  for (const [method, params] of asked) {
    const { error } = resultOf(await send(product.port, modernRequest(method, params)));
    expect(error, method).toMatchObject({ message: expect.stringContaining('INTERNAL') });
    expect(JSON.stringify(error), method).not.toContain('secret');
  }
  await product.end();
});

it('a resource of a service that hangs is given up like a call', async () => {
  const backend = await memoryBackend();
  const hangs = () =>
    new Promise<never>((_, reject) => {
      const signal = currentDeadline()?.signal();
      signal?.addEventListener('abort', () => reject(signal.reason));
    });
  const product = await startProduct({
    callMs: 100,
    backend: { ...backend, sessions: { ...backend.sessions, get: hangs, list: hangs } },
  });
  for (const [method, params] of asked) {
    const { error } = resultOf(await send(product.port, modernRequest(method, params)));
    expect(error, method).toMatchObject({ message: expect.stringContaining('DEADLINE_EXCEEDED') });
  }
  await product.end();
});

it('a session that cannot be watched is told to be read, and harms nothing else', async () => {
  const backend = await memoryBackend();
  const watch = () => {
    throw new SessionError('FAILED_PRECONDITION', 'The file was moved.');
  };
  const logged: string[] = [];
  const deps = {
    version: '0',
    backends: [{ ...backend, sessions: { ...backend.sessions, watch } }],
    runs: runManager(),
    defaultApp: 'default',
    secret: Buffer.alloc(32),
    toolsets: undefined,
    readOnly: false,
    log: createLog((line) => logged.push(line)),
  };
  const told = await new Promise((resolve) => {
    watchResources(deps, user('ada'), resolve).hold('k', ['session://default/s']);
  });
  expect(told).toBe('session://default/s');
  expect(logged).toEqual([expect.stringContaining('cannot be watched')]);
});
