import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { openAdk } from '../../../src/backend/adk/index.ts';
import { fails } from '../../fake/adk/behaviour.ts';
import { go, goWithPatch } from '../../fake/adk/go.ts';
import { java } from '../../fake/adk/java.ts';
import { python, python2025 } from '../../fake/adk/python.ts';
import { type FakeAdk, startFake, type Voice } from '../../fake/adk/server.ts';
import { typescript } from '../../fake/adk/typescript.ts';
import { freePort } from '../../free-port.ts';

const fakes: FakeAdk[] = [];
afterEach(async () => {
  vi.useRealTimers();
  for (const fake of fakes.splice(0)) await fake.close();
});

async function start(voice: Voice, port = 0): Promise<FakeAdk> {
  const fake = await startFake(voice, port);
  fakes.push(fake);
  return fake;
}

describe('detection', () => {
  it.each([
    ['TypeScript', typescript, 'TypeScript dialect, version 2.0.0'],
    ['TypeScript without /version', { ...typescript, version: undefined }, 'TypeScript dialect.'],
    ['Python', python, 'Python dialect, version 2.6.0'],
    ['Python of 2025', python2025, 'Python dialect.'],
    ['Go', go, 'Go dialect.'],
    ['Go with /version', goWithPatch, 'Go dialect, version 2.1.0'],
    ['Java', java, 'Java dialect.'],
  ])('knows %s, and changes nothing', async (_name, voice, note) => {
    const fake = await start(voice);
    const backend = await openAdk({ baseUrl: fake.url });
    expect((await backend.describe()).notes[0]).toContain(note);
    expect(fake.requests.length).toBeLessThanOrEqual(2);
    expect(fake.requests.every((line) => line.startsWith('GET '))).toBe(true);
    expect(fake.core.list({ app: 'agent-sessions-mcp-probe', userId: 'agent-sessions-mcp-probe' })).toEqual(
      [],
    );
    expect(backend.sessions?.update !== undefined).toBe(voice.patch !== undefined);
  });

  it('asks nothing when it is told', async () => {
    const fake = await start(python);
    const backend = await openAdk({ baseUrl: fake.url, dialect: 'python' });
    expect(fake.requests).toEqual([]);
    expect(backend.memory?.addSession).toBeTypeOf('function');
  });

  it('finds out at a later call when the server was down at first', async () => {
    const port = await freePort();
    const backend = await openAdk({ baseUrl: `http://127.0.0.1:${port}` });
    expect((await backend.describe()).notes.join(' ')).toContain('only reads work');
    await start(python, port);
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 6000 });
    const owner = { app: 'echo_agent', userId: 'u' };
    const made = await backend.sessions?.create?.(owner, { sessionId: 'mine', state: { a: 1 } });
    expect(made).toMatchObject({ id: 'mine', state: { a: 1 } });
    const { notes, capabilities } = await backend.describe();
    expect(notes.join(' ')).toContain('Python dialect');
    expect(capabilities).toContain('sessions.update');
  });

  it('asks again after one failure, tells of the new verbs, and shows them to clients', async () => {
    const fake = await start(python);
    const down = { status: 503, body: 'starting' };
    fake.fail({ match: /GET/, times: 4, answer: down });
    const backend = await openAdk({ baseUrl: fake.url });
    let told = 0;
    backend.onCapabilitiesChanged?.(() => {
      told += 1;
    });
    expect(backend.sessions?.update).toBeUndefined();
    const owner = { app: 'echo_agent', userId: 'u' };
    // The second attempt to detect the server fails as well: nothing is written while the dialect is unknown.
    await fails(backend.sessions?.create?.(owner, { sessionId: 'mine' }), 'UNAVAILABLE');
    expect(fake.requests.filter((line) => !line.startsWith('GET'))).toEqual([]);
    await backend.sessions?.create?.(owner, { sessionId: 'mine', state: { a: 1 } });
    expect(told).toBe(1);
    const ref = { ...owner, sessionId: 'mine' };
    expect((await backend.sessions?.update?.(ref, { state: { a: 2 } }))?.state).toEqual({ a: 2 });
    expect(backend.artifacts?.save).toBeTypeOf('function');
    expect(backend.memory?.addSession).toBeTypeOf('function');
  });

  it('writes nothing to a server that answers and is none of the four', async () => {
    const lines: string[] = [];
    const server = createServer((request, response) => {
      lines.push(request.method ?? '');
      response.end(request.url === '/list-apps' ? '["a"]' : '[]');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const backend = await openAdk({ baseUrl: `http://127.0.0.1:${port}` });
    const ref = { app: 'a', userId: 'u', sessionId: 's' };
    const input = { message: { parts: [{ text: 'hi' }] }, invocationId: 'i' };
    const refused = await fails(backend.sessions?.create?.(ref, {}), 'FAILED_PRECONDITION');
    expect(refused.hint).toContain('ADK_DIALECT');
    await fails(backend.sessions?.delete?.(ref), 'FAILED_PRECONDITION');
    await fails(
      backend.query?.stream?.(ref, input, new AbortController().signal).next(),
      'FAILED_PRECONDITION',
    );
    expect(new Set(lines)).toEqual(new Set(['GET']));
    await backend.close();
    server.closeAllConnections();
    server.close();
  });

  it('sends the token, and refuses a configuration that is wrong', async () => {
    const seen: unknown[] = [];
    const server = createServer((request, response) => {
      seen.push(request.headers.authorization);
      response.writeHead(401).end();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const backend = await openAdk({ baseUrl: `http://127.0.0.1:${port}`, token: 'abc' });
    await fails(backend.apps?.list?.({ pageSize: 5 }), 'UNAUTHENTICATED');
    expect(new Set(seen)).toEqual(new Set(['Bearer abc']));
    server.closeAllConnections();
    server.close();
    await fails(openAdk({ baseUrl: 'ftp://127.0.0.1' }), 'INVALID_ARGUMENT');
    await fails(openAdk({ baseUrl: 'http://example.com:8000' }), 'INVALID_ARGUMENT');
    const odd = { baseUrl: 'http://127.0.0.1:1', dialect: 'cobol' as 'java' };
    await fails(openAdk(odd), 'INVALID_ARGUMENT');
  });
});
