import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SessionError } from '../../src/errors.ts';
import { currentDeadline, readAfterWrite, withDeadline, withoutDeadline } from '../../src/net/deadline.ts';
import { type HttpClient, type HttpRequest, httpClient } from '../../src/net/http.ts';
import { freePort } from '../free-port.ts';

type Handler = (request: IncomingMessage, response: ServerResponse, count: number) => void;

let handler: Handler;
let count: number;
let server: ReturnType<typeof createServer>;
let http: HttpClient;
let baseUrl: string;
beforeEach(async () => {
  count = 0;
  server = createServer((request, response) => {
    request.resume().on('end', () => {
      count += 1;
      handler(request, response, count);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  http = clientOf(baseUrl);
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
});

const clientOf = (at: string) =>
  httpClient({
    service: 'test service',
    baseUrl: at,
    headers: async () => ({}),
    toError: (status) =>
      new SessionError(
        status === 404 ? 'NOT_FOUND' : status === 400 ? 'INVALID_ARGUMENT' : 'UNAVAILABLE',
        `${status}`,
        {
          retryAfter: status === 503 || status === 429 ? 0 : undefined,
        },
      ),
    timeoutMs: 5000,
    maxBytes: 1000,
  });
const json = (more: Partial<HttpRequest> = {}) =>
  http.json({ method: 'GET', path: '/x', retry: 'read', ...more });
const ok: Handler = (_request, response) => response.end('{"ok":true}');
const never: Handler = () => {};
const status =
  (code: number, body = '{}'): Handler =>
  (_request, response) => {
    response.writeHead(code).end(body);
  };
/** An address where nobody listens. */
const closedUrl = async () => `http://127.0.0.1:${await freePort()}`;
const timed = async (work: Promise<unknown>) => {
  const started = performance.now();
  const error: unknown = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  return { error, ms: performance.now() - started };
};

describe('one deadline for all requests of a call', () => {
  it('ends a request that hangs, and none begins after it', async () => {
    handler = never;
    const { error, ms } = await timed(
      withDeadline({ ms: 1000 }, async () => {
        await json().catch(() => {});
        expect(currentDeadline()?.left()).toBeLessThanOrEqual(0);
        await json();
      }),
    );
    expect(error).toMatchObject({ code: 'DEADLINE_EXCEEDED' });
    expect((error as SessionError).hint).toContain('pageSize');
    expect(ms).toBeLessThan(4000);
    expect(count).toBe(1);
  });

  it('counts retries and what the service asks to wait for', async () => {
    handler = (_request, response) => response.writeHead(503).end();
    const slow = httpClient({
      service: 'test service',
      baseUrl,
      headers: async () => ({}),
      toError: () => new SessionError('UNAVAILABLE', 'busy', { retryAfter: 5 }),
      timeoutMs: 5000,
      maxBytes: 1000,
    });
    const request: HttpRequest = { method: 'GET', path: '/x', retry: 'read' };
    const { error, ms } = await timed(withDeadline({ ms: 1000 }, () => slow.json(request)));
    expect(error).toMatchObject({ code: 'UNAVAILABLE' });
    expect(ms).toBeLessThan(1000);
    expect(count).toBe(1);
  });

  it('ends with the caller', async () => {
    const caller = new AbortController();
    handler = () => caller.abort();
    const { error, ms } = await timed(withDeadline({ ms: 60_000, signal: caller.signal }, () => json()));
    expect(error).toMatchObject({ code: 'CANCELLED' });
    expect(ms).toBeLessThan(4000);
  });

  it('holds for a stream, however lively it is', async () => {
    handler = (_request, response) => {
      response.writeHead(200);
      const timer = setInterval(() => response.write('tick\n'), 10);
      response.on('close', () => clearInterval(timer));
    };
    const { error, ms } = await timed(
      withDeadline({ ms: 1000 }, async () => {
        const { chunks } = await http.stream({ method: 'GET', path: '/x', retry: 'none' });
        for await (const _chunk of chunks);
      }),
    );
    expect(error).toMatchObject({ code: 'DEADLINE_EXCEEDED' });
    expect(ms).toBeLessThan(4000);
  });

  it('the earlier of two counts, and what outlives the call has none', async () => {
    await withDeadline({ ms: 100 }, () =>
      withDeadline({ ms: 60_000 }, async () => expect(currentDeadline()?.left()).toBeLessThanOrEqual(100)),
    );
    handler = (_request, response) => setTimeout(() => response.end('{"late":true}'), 100);
    let background: Promise<unknown> | undefined;
    await withDeadline({ ms: 50 }, async () => {
      background = withoutDeadline(() => json());
    });
    expect(await background).toEqual({ late: true });
  });

  it('a read after a stored write neither outlives it nor fails it', async () => {
    handler = (request, response, n) => (request.method === 'POST' ? ok(request, response, n) : undefined);
    const { error, ms } = await timed(
      withDeadline({ ms: 1500 }, async () => {
        expect(await json({ method: 'POST', retry: 'quota' })).toEqual({ ok: true });
        expect(await readAfterWrite(() => json())).toBeUndefined();
      }),
    );
    expect(error).toBeUndefined();
    expect(ms).toBeLessThan(4000);
  });
});

describe('a write whose answer was lost', () => {
  const write: HttpRequest = { method: 'POST', path: '/x', retry: 'quota', lookWith: 'list_things' };
  const cut: Handler = (_request, response) => {
    response.writeHead(200, { 'content-length': '100' });
    response.write('{"a":');
    setTimeout(() => response.destroy(), 20);
  };
  const reset: Handler = (_request, response) => response.destroy();

  it.each<[string, Handler, Partial<HttpRequest>]>([
    ['a time-out', never, { timeoutMs: 800 }],
    ['a reset', reset, {}],
    ['503', status(503), {}],
    ['500', status(500), {}],
    ['a web page', status(200, '<html></html>'), {}],
    ['nothing', status(200, ''), {}],
    ['half an answer', cut, {}],
    ['more than is read', status(200, JSON.stringify('x'.repeat(2000))), {}],
    ['a cancellation', (request) => request.socket.emit('caller gone'), {}],
  ])('says that it may have happened, and where to look: %s', async (_what, how, more) => {
    const caller = new AbortController();
    handler = (request, response, n) => {
      request.socket.once('caller gone', () => caller.abort());
      how(request, response, n);
    };
    const sent = http.json({ ...write, signal: caller.signal, ...more });
    const error = (await timed(sent)).error as SessionError;
    expect(error.message).toContain('may have been made');
    expect(error.hint).toContain('list_things');
    expect(error.details).toEqual({ outcome: 'unknown' });
    expect(count).toBe(1);
  });

  it('is not one that was refused or never sent, nor a read', async () => {
    for (const code of [400, 404, 429]) {
      handler = status(code);
      const error = (await timed(http.json({ ...write, retry: 'none' }))).error as SessionError;
      expect(error.details?.outcome, String(code)).toBeUndefined();
    }
    const nowhere = clientOf(await closedUrl());
    const unsent = (await timed(nowhere.json({ ...write, retry: 'none' }))).error as SessionError;
    expect(unsent.details?.outcome).toBeUndefined();
    const early = (await timed(http.json({ ...write, signal: AbortSignal.abort() }))).error as SessionError;
    expect(early).toMatchObject({ code: 'CANCELLED', details: undefined });
    handler = status(500);
    const read = (await timed(json({ retry: 'none' }))).error as SessionError;
    expect(read.details?.outcome).toBeUndefined();
  });

  it('a delete that finds nothing the second time has worked', async () => {
    handler = (request, response, n) => status(n === 1 ? 503 : 404)(request, response, n);
    expect(await http.json({ method: 'DELETE', path: '/x', retry: 'idempotent' })).toBeUndefined();
    handler = status(404);
    await expect(http.json({ method: 'DELETE', path: '/x', retry: 'idempotent' })).rejects.toMatchObject({
      code: 'NOT_FOUND',
    });
  });

  it('one that never left is sent again', async () => {
    let tries = 0;
    const nowhere = httpClient({
      service: 'test service',
      baseUrl: await closedUrl(),
      headers: async () => ({}),
      toError: (code) => new SessionError('UNAVAILABLE', `${code}`),
      timeoutMs: 1000,
      maxBytes: 1000,
      attempts: 2,
      admit: async () => {
        tries += 1;
      },
    });
    await expect(nowhere.json(write)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(tries).toBe(2);
  });
});

describe('an empty answer', () => {
  it('is an error where something was to come, and read again once', async () => {
    handler = status(200, '');
    await expect(json()).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(count).toBe(2);
    handler = (request, response, n) =>
      n === 3 ? status(200, '')(request, response, n) : ok(request, response, n);
    expect(await json()).toEqual({ ok: true });
  });

  it('is none where nothing is to come', async () => {
    handler = status(204, '');
    expect(await json({ method: 'POST', retry: 'quota' })).toBeUndefined();
    handler = status(200, '');
    expect(await json({ method: 'DELETE', retry: 'quota' })).toBeUndefined();
  });
});
