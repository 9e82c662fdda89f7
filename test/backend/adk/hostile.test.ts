import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { type AdkConfig, openAdk } from '../../../src/backend/adk/index.ts';
import type { Backend, SessionRef } from '../../../src/backend/types.ts';
import { withDeadline } from '../../../src/net/deadline.ts';
import { fails } from '../../fake/adk/behaviour.ts';
import { python } from '../../fake/adk/python.ts';
import { startFake } from '../../fake/adk/server.ts';
import { typescript } from '../../fake/adk/typescript.ts';

const stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

type Handler = (request: IncomingMessage, response: ServerResponse) => unknown;

async function serve(handler: Handler, port = 0): Promise<string> {
  const server = createServer(handler);
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  stops.push(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function open(handler: Handler, more: Partial<AdkConfig> = {}): Promise<Backend> {
  return openAdk({ baseUrl: await serve(handler), dialect: 'typescript', ...more });
}

const ref: SessionRef = { app: 'a', userId: 'u', sessionId: 's' };
const owner = { app: 'a', userId: 'u' };
const get = (backend: Backend) => backend.sessions?.get?.(ref);

async function run(backend: Backend, signal = new AbortController().signal): Promise<string[]> {
  const input = { message: { role: 'user' as const, parts: [{ text: 'hi' }] }, invocationId: 'unused' };
  const ids: string[] = [];
  for await (const event of backend.query?.stream?.(ref, input, signal) ?? []) ids.push(event.id);
  return ids;
}

const answer =
  (status: number, body: string, type = 'application/json', headers: Record<string, string> = {}): Handler =>
  (_request, response) =>
    response.writeHead(status, { 'content-type': type, ...headers }).end(body);

const stream =
  (...frames: string[]): Handler =>
  (_request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    for (const frame of frames) response.write(frame);
    response.end();
  };

const event = (id: string, more: object = {}) =>
  `data: ${JSON.stringify({ id, author: 'a', content: { parts: [{ text: id }] }, ...more })}\n\n`;

describe('a server that is not one', () => {
  it.each([
    [
      'a web page',
      answer(404, '<!DOCTYPE html><h1>Not here</h1>', 'text/html; charset=utf-8'),
      'UNAVAILABLE',
    ],
    ['a web page that is fine', answer(200, '<h1>Welcome</h1>', 'text/html'), 'UNAVAILABLE'],
    ['another JSON service', answer(200, '{"hello":"world"}'), 'UNAVAILABLE'],
    ['another FastAPI service', answer(404, '{"detail":"Not Found"}'), 'UNAVAILABLE'],
    ['a Go server above its /api', answer(404, '404 page not found\n', 'text/plain'), 'UNAVAILABLE'],
    ['a redirect', answer(302, '', 'text/plain', { location: 'http://evil.example/' }), 'UNAVAILABLE'],
    [
      'a stack trace',
      answer(400, '<pre>SyntaxError at /srv/app/node_modules/x.js:1</pre>', 'text/html'),
      'INVALID_ARGUMENT',
    ],
    ['a crash', answer(500, '{"error":"boom at /srv/secret-4711"}'), 'INTERNAL'],
    ['no credentials', answer(401, 'Unauthorized', 'text/plain'), 'UNAUTHENTICATED'],
    ['a wall', answer(403, 'Forbidden: origin not allowed', 'text/plain'), 'PERMISSION_DENIED'],
    [
      'too many requests',
      answer(429, 'slow down', 'text/plain', { 'retry-after': '60' }),
      'RESOURCE_EXHAUSTED',
    ],
    ['a proxy without a server', answer(502, '<html>Bad Gateway</html>', 'text/html'), 'UNAVAILABLE'],
    [
      'half an answer',
      (_request: IncomingMessage, response: ServerResponse) => {
        response.writeHead(200, { 'content-type': 'application/json', 'content-length': '500' });
        response.write('{"id":"s","us');
        setTimeout(() => response.destroy(), 20);
      },
      'UNAVAILABLE',
    ],
    ['an answer about another user', answer(200, '{"id":"s","userId":"somebody","events":[]}'), 'NOT_FOUND'],
    ['an answer about another session', answer(200, '{"id":"t","userId":"u","events":[]}'), 'NOT_FOUND'],
  ] as const)('is told apart: %s', async (_what, handler, code) => {
    const started = Date.now();
    const error = await fails(get(await open(handler)), code);
    expect(`${error.message} ${error.hint}`).not.toMatch(/4711|evil|SyntaxError|origin|somebody/);
    expect(Date.now() - started).toBeLessThan(5000);
  });

  it('is not there at all: opens, says so, and fails quickly', async () => {
    const started = Date.now();
    const backend = await openAdk({ baseUrl: 'http://127.0.0.1:1' });
    const info = await backend.describe();
    expect(info.notes.join(' ')).toContain('No ADK API server answers');
    expect(info.capabilities).not.toContain('sessions.update');
    await fails(get(backend), 'UNAVAILABLE');
    await fails(backend.apps?.list?.({ pageSize: 5 }), 'UNAVAILABLE');
    await fails(run(backend), 'UNAVAILABLE');
    expect(Date.now() - started).toBeLessThan(8000);
  });

  it('never answers: opens, and each call ends in time', async () => {
    const started = Date.now();
    const backend = await openAdk({
      baseUrl: await serve(() => {}),
      detectMs: 100,
      timeoutMs: 150,
      runIdleMs: 150,
    });
    await fails(get(backend), 'DEADLINE_EXCEEDED');
    await fails(run(backend), 'UNAVAILABLE');
    expect(Date.now() - started).toBeLessThan(6000);
  });

  it('trickles: the time is that of the whole answer', async () => {
    const backend = await open(
      (_request, response) => {
        response.writeHead(200, { 'content-type': 'application/json' });
        const drip = setInterval(() => response.write(' '), 20);
        response.once('close', () => clearInterval(drip));
      },
      { timeoutMs: 200 },
    );
    const started = Date.now();
    await fails(get(backend), 'DEADLINE_EXCEEDED');
    expect(Date.now() - started).toBeLessThan(4000);
  });

  it('answers more than is read', async () => {
    let sent = 0;
    const backend = await open(
      (_request, response) => {
        response.writeHead(200, { 'content-type': 'application/json' });
        response.write('{"id":"s","userId":"u","events":["');
        const flood = () => {
          while (!response.destroyed && response.write('x'.repeat(65_536))) sent += 65_536;
        };
        response.on('drain', flood).on('error', () => {});
        flood();
      },
      { maxAnswerBytes: 1_000_000 },
    );
    await fails(get(backend), 'RESOURCE_EXHAUSTED');
    await fails(backend.events?.list?.(ref, { pageSize: 5 }), 'RESOURCE_EXHAUSTED');
    const stopped = sent;
    await sleep(100);
    expect(sent).toBe(stopped);
  });

  it('lists what is not of the user', async () => {
    const body = [
      { id: 'mine', userId: 'u', lastUpdateTime: 2 },
      { id: 'theirs', userId: 'v', lastUpdateTime: 3 },
    ];
    const backend = await open(answer(200, JSON.stringify(body)));
    expect((await backend.sessions?.list?.({ ...owner, pageSize: 10 }))?.items.map((s) => s.id)).toEqual([
      'mine',
    ]);
  });
});

describe('a session that comes out wrong', () => {
  const wrong = (made: object) => {
    const requests: string[] = [];
    const handler: Handler = (request, response) => {
      requests.push(`${request.method} ${request.url}`);
      if (request.method === 'DELETE') return response.writeHead(204).end();
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(made));
    };
    return { requests, handler };
  };

  it.each([
    ['its state dropped', { id: 'mine', userId: 'u', state: {}, events: [] }, 1],
    ['its state changed', { id: 'mine', userId: 'u', state: { a: 2 }, events: [] }, 1],
    ['another id', { id: 'made-up', userId: 'u', state: { a: 1 }, events: [] }, 1],
    [
      'the session of somebody else’s making',
      { id: 'mine', userId: 'u', state: {}, events: [{ id: 'e' }] },
      0,
    ],
  ])('is refused and cleaned up: %s', async (_what, made, deletes) => {
    const { requests, handler } = wrong(made);
    const backend = await open(handler);
    await fails(
      backend.sessions?.create?.(owner, { sessionId: 'mine', state: { a: 1 } }),
      'FAILED_PRECONDITION',
    );
    expect(requests.filter((line) => line.startsWith('DELETE'))).toEqual(
      deletes === 0 ? [] : [`DELETE /apps/a/users/u/sessions/${made.id}`],
    );
  });

  it('a dialect that is wrong is noticed', async () => {
    const fake = await startFake(typescript);
    stops.push(() => fake.close());
    const backend = await openAdk({ baseUrl: fake.url, dialect: 'python' });
    const app = { app: 'echo_agent', userId: 'u' };
    await fails(
      backend.sessions?.create?.(app, { sessionId: 'mine', state: { a: 1 } }),
      'FAILED_PRECONDITION',
    );
    expect((await backend.sessions?.list?.({ ...app, pageSize: 5 }))?.items).toEqual([]);
  });
});

describe('a stream that goes wrong', () => {
  it.each([
    ['empty', stream(), [], 'UNAVAILABLE'],
    ['nothing but comments', stream(': ping\n\n', ': ping\n\n'), [], 'UNAVAILABLE'],
    ['cut in a frame', stream(event('e1'), 'data: {"id":"e2","au'), ['e1'], 'UNAVAILABLE'],
    ['cut in a text', stream(event('e1'), event('p1', { partial: true })), ['e1', 'p1'], 'UNAVAILABLE'],
    ['an error as data', stream(event('e1'), 'data: {"error":"boom secret-4711"}\n\n'), ['e1'], 'INTERNAL'],
    ['an error as an event', stream('event: error\ndata: {"error":"boom"}\n\n', event('e1')), [], 'INTERNAL'],
    ['an error that is no JSON', stream('event: error\ndata: boom\n\n'), [], 'INTERNAL'],
    ['values that are no events', stream('data: [1,2]\n\n'), [], 'UNAVAILABLE'],
    ['no stream at all', answer(200, '[]'), [], 'UNAVAILABLE'],
  ] as const)('is told apart: %s', async (_what, handler, before, code) => {
    const backend = await open(handler);
    const input = { message: { role: 'user' as const, parts: [{ text: 'hi' }] }, invocationId: 'unused' };
    const seen: string[] = [];
    const reading = (async () => {
      for await (const { id } of backend.query?.stream?.(ref, input, new AbortController().signal) ?? [])
        seen.push(id);
    })();
    const error = await fails(reading, code);
    expect(error.message).not.toContain('4711');
    expect(seen).toEqual(before);
  });

  it('is never sent twice, since a run is not', async () => {
    let requests = 0;
    const backend = await open((_request, response) => {
      requests += 1;
      response.destroy();
    });
    await fails(run(backend), 'UNAVAILABLE');
    expect(requests).toBe(1);
  });

  it('falls silent', async () => {
    const backend = await open(
      (_request, response) => {
        response.writeHead(200, { 'content-type': 'text/event-stream' });
        response.write(event('e1'));
      },
      { runIdleMs: 150 },
    );
    await fails(run(backend), 'DEADLINE_EXCEEDED');
  });

  it('is cancelled before and while it is silent', async () => {
    const backend = await open((_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.flushHeaders();
    });
    await fails(run(backend, AbortSignal.abort()), 'CANCELLED');
    const stop = new AbortController();
    setTimeout(() => stop.abort(), 50);
    await fails(run(backend, stop.signal), 'CANCELLED');
  });

  it('is left by its reader while a Python server is silent', async () => {
    let gone = false;
    const backend = await open(
      (_request, response) => {
        response.writeHead(200, { 'content-type': 'text/event-stream' });
        response.write(event('e1'));
        response.once('close', () => {
          gone = true;
        });
      },
      { dialect: 'python' },
    );
    const input = { message: { role: 'user' as const, parts: [{ text: 'hi' }] }, invocationId: 'unused' };
    const started = Date.now();
    for await (const { id } of backend.query?.stream?.(ref, input, new AbortController().signal) ?? []) {
      expect(id).toBe('e1');
      break;
    }
    expect(Date.now() - started).toBeLessThan(2000);
    await sleep(50);
    expect(gone).toBe(true);
  });
});

describe('an answer that is lost', () => {
  it('leaves a write in doubt, and says where to look; a delete that was done is done', async () => {
    const fake = await startFake(python);
    stops.push(() => fake.close());
    const backend = await openAdk({ baseUrl: fake.url });
    const mine = { app: 'echo_agent', userId: 'u', sessionId: 'mine' };
    await backend.sessions?.create?.(mine, { sessionId: 'mine', state: { a: 1 } });
    const lost = { status: 502, body: 'Bad Gateway' };
    const writes: [RegExp, () => Promise<unknown> | undefined, string][] = [
      [/^POST .*sessions$/, () => backend.sessions?.create?.(mine, {}), 'list_sessions'],
      [/^PATCH .*sessions/, () => backend.sessions?.update?.(mine, { state: { a: 2 } }), 'get_session'],
      [
        /^POST .*artifacts$/,
        () => backend.artifacts?.save?.(mine, { name: 'n', mimeType: 'text/plain', data: Buffer.from('x') }),
        'list_artifacts',
      ],
    ];
    for (const [match, write, tool] of writes) {
      fake.fail({ match, answer: lost, afterWork: true });
      const error = await fails(write(), 'UNAVAILABLE');
      expect(error.message).toContain('may have been made');
      expect(error.hint).toContain(tool);
    }
    expect((await backend.sessions?.get?.(mine))?.state).toEqual({ a: 2 });
    const typed = await startFake(typescript);
    stops.push(() => typed.close());
    const other = await openAdk({ baseUrl: typed.url });
    await other.sessions?.create?.(mine, { sessionId: 'mine' });
    typed.fail({ match: /^DELETE/, answer: { status: 503, body: 'busy' }, afterWork: true });
    await other.sessions?.delete?.(mine);
    await fails(other.sessions?.get?.(mine), 'NOT_FOUND');
  });

  it('of a read after a stored change does not undo the change', async () => {
    const fake = await startFake(python);
    stops.push(() => fake.close());
    const backend = await openAdk({ baseUrl: fake.url });
    const mine = { app: 'echo_agent', userId: 'u', sessionId: 'mine' };
    await backend.sessions?.create?.(mine, { sessionId: 'mine', state: { a: 1 } });
    const update = backend.sessions?.update?.(mine, { state: { a: 2 } });
    await expect
      .poll(() => fake.requests.some((line) => line.startsWith('GET') && line.endsWith('/mine')))
      .toBe(true);
    fake.fail({ match: /^GET .*mine$/, times: 9, answer: { status: 500, body: 'down' } });
    expect((await update)?.state).toEqual({ a: 2 });
  });
});

describe('many at once', () => {
  it('reads no more than four answers of unknown size at a time', async () => {
    let now = 0;
    let most = 0;
    const backend = await open((_request, response) => {
      now += 1;
      most = Math.max(most, now);
      setTimeout(() => {
        now -= 1;
        response
          .writeHead(200, { 'content-type': 'application/json' })
          .end('{"id":"s","userId":"u","events":[]}');
      }, 20);
    });
    await Promise.all(Array.from({ length: 20 }, () => get(backend)));
    expect(most).toBe(4);
  });

  it('a read that waits for others waits no longer than its call may take, and takes nobody’s place', async () => {
    let hangs = true;
    const backend = await open((_request, response) => {
      if (hangs) return;
      response
        .writeHead(200, { 'content-type': 'application/json' })
        .end('{"id":"s","userId":"u","events":[]}');
    });
    const caller = new AbortController();
    const hanging = Array.from({ length: 4 }, () =>
      withDeadline({ ms: Number.POSITIVE_INFINITY, signal: caller.signal }, async () => get(backend)),
    );
    const late = withDeadline({ ms: 100 }, async () => get(backend));
    await expect(late).rejects.toMatchObject({ code: 'DEADLINE_EXCEEDED' });
    caller.abort();
    for (const read of hanging) await expect(read).rejects.toMatchObject({ code: 'CANCELLED' });
    hangs = false;
    await Promise.all(Array.from({ length: 20 }, () => get(backend)));
  });
});
