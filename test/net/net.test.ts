import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type AddressInfo, createServer as createTcp } from 'node:net';
import { constants, createGzip, gzipSync } from 'node:zlib';
import { Agent } from 'undici';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SessionError } from '../../src/errors.ts';
import { withDeadline } from '../../src/net/deadline.ts';
import { type HttpClientOptions, httpClient, retryAfterOf } from '../../src/net/http.ts';
import { lines } from '../../src/net/lines.ts';
import { ndjson } from '../../src/net/ndjson.ts';
import { sendThrough } from '../../src/net/send.ts';
import { sse } from '../../src/net/sse.ts';
import { checkBaseUrl, path, queryString } from '../../src/net/url.ts';

describe('paths', () => {
  it('keep their number of segments whatever a part holds', () => {
    for (const id of ['a/b', 'a?x=1', 'a#f', 'a\\b', '%2e%2e', '%252e', 'ü 😀', '...', '..a', "a'b"]) {
      const url = new URL(`http://host${path`/v1/sessions/${id}/events`}`);
      expect(url.pathname.split('/')).toHaveLength(5);
      expect(url.pathname.startsWith('/v1/sessions/')).toBe(true);
      expect([url.search, url.hash]).toEqual(['', '']);
      expect(decodeURIComponent(url.pathname.split('/')[3] ?? '')).toBe(id);
    }
  });

  it.each(['', '.', '..', 'a\u0000', 'a\r\nb', '\ud800'])('refuse %j as a part', (id) => {
    expect(() => path`/v1/${id}`).toThrow(SessionError);
  });

  it('queries leave out what is undefined', () => {
    expect(queryString({ a: 'x y&', b: undefined, c: 0 })).toBe('?a=x+y%26&c=0');
    expect(queryString({ a: undefined })).toBe('');
  });

  it('base URLs are https, or http on loopback', () => {
    expect(checkBaseUrl('X', 'https://h.example/v1/')).toBe('https://h.example/v1');
    expect(checkBaseUrl('X', 'http://127.0.0.1:8000')).toBe('http://127.0.0.1:8000');
    for (const bad of [
      'http://h.example',
      'ftp://h',
      'h.example',
      'https://u:p@h',
      'https://h?x=1',
      'http://localhost.evil.example',
    ])
      expect(() => checkBaseUrl('X', bad), bad).toThrow(SessionError);
  });
});

describe('streams', () => {
  const bytes = async function* (text: string, size: number) {
    const all = Buffer.from(text);
    for (let i = 0; i < all.length; i += size) yield all.subarray(i, i + size);
  };
  const collect = async <T>(items: AsyncIterable<T>): Promise<T[]> => {
    const all: T[] = [];
    for await (const item of items) all.push(item);
    return all;
  };

  it('come apart into lines wherever they are cut', async () => {
    for (const size of [1, 2, 3, 7, 1000])
      expect(await collect(lines(bytes('größe\r\n\n😀 end', size)))).toEqual(['größe', '', '😀 end']);
  });

  it('refuse a line without end', async () => {
    const endless = (async function* () {
      for (;;) yield Buffer.alloc(1000, 'x');
    })();
    await expect(collect(lines(endless, 10_000))).rejects.toMatchObject({ code: 'RESOURCE_EXHAUSTED' });
  });

  it('hold one JSON value per line, with or without data:', async () => {
    const text = '{"a":1}\n\ndata: {"b":"ü"}\r\n: comment\n[3]';
    for (const size of [1, 5, 100])
      expect(await collect(ndjson(bytes(text, size)))).toEqual([{ a: 1 }, { b: 'ü' }, [3]]);
    await expect(collect(ndjson(bytes('{"a":1}\n{"cut', 4)))).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  });

  it('hold server-sent events', async () => {
    const text = ': hi\n\ndata: {"x":\ndata:  1}\n\nevent: error\ndata\ndata: y\nid: 7\n\ndata: last';
    for (const size of [1, 4, 100])
      expect(await collect(sse(bytes(text, size)))).toEqual([
        { event: undefined, data: '{"x":\n 1}' },
        { event: 'error', data: '\ny' },
        { event: undefined, data: 'last' },
      ]);
  });
});

describe('the HTTP client', () => {
  type Handler = (req: IncomingMessage, res: ServerResponse, count: number) => void;
  let handler: Handler;
  let seen: { method: string; url: string; token: string }[];
  let server: ReturnType<typeof createServer>;
  let baseUrl: string;
  beforeEach(async () => {
    seen = [];
    server = createServer((req, res) => {
      seen.push({ method: req.method ?? '', url: req.url ?? '', token: req.headers.authorization ?? '' });
      req.resume().on('end', () => handler(req, res, seen.length));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterEach(() => {
    server.closeAllConnections();
    server.close();
  });
  const client = (more: Partial<HttpClientOptions> = {}) =>
    httpClient({
      service: 'test service',
      baseUrl,
      headers: async (fresh) => ({ authorization: fresh ? 'fresh' : 'old' }),
      toError: (status, _body, headers) =>
        new SessionError('UNAVAILABLE', `status ${status}`, { retryAfter: retryAfterOf(headers) }),
      timeoutMs: 2000,
      maxBytes: 100_000,
      ...more,
    });
  const answer =
    (status: number, body = '{}', headers: Record<string, string> = {}): Handler =>
    (_req, res) => {
      res.writeHead(status, headers).end(body);
    };

  it('repeats what may be repeated, and only that', async () => {
    const attempts = async (status: number, retry: 'read' | 'idempotent' | 'quota' | 'none') => {
      seen = [];
      handler = answer(status, '{}', { 'retry-after': '0' });
      await client()
        .json({ method: 'POST', path: '/x', retry })
        .catch(() => {});
      return seen.length;
    };
    expect(await attempts(503, 'read')).toBe(4);
    expect(await attempts(500, 'read')).toBe(4);
    expect(await attempts(500, 'idempotent')).toBe(1);
    expect(await attempts(503, 'idempotent')).toBe(4);
    expect(await attempts(503, 'quota')).toBe(1);
    expect(await attempts(429, 'quota')).toBe(4);
    expect(await attempts(429, 'none')).toBe(1);
    expect(await attempts(400, 'read')).toBe(1);
  });

  it('asks for fresh credentials once after a 401', async () => {
    handler = (_req, res, count) => res.writeHead(count === 1 ? 401 : 200).end('{"ok":true}');
    expect(await client().json({ method: 'GET', path: '/x', retry: 'none' })).toEqual({ ok: true });
    expect(seen.map((s) => s.token)).toEqual(['old', 'fresh']);
    handler = answer(401);
    seen = [];
    await expect(client().json({ method: 'GET', path: '/x', retry: 'read' })).rejects.toThrow('status 401');
    expect(seen).toHaveLength(2);
  });

  it('does not follow redirects', async () => {
    handler = answer(302, '', { location: 'http://127.0.0.1:1/steal' });
    await expect(client().json({ method: 'GET', path: '/x', retry: 'none' })).rejects.toThrow('status 302');
    expect(seen).toHaveLength(1);
  });

  it('reads no more than it may', async () => {
    handler = answer(200, JSON.stringify('x'.repeat(200_000)));
    await expect(client().json({ method: 'GET', path: '/x', retry: 'none' })).rejects.toMatchObject({
      code: 'RESOURCE_EXHAUSTED',
    });
  });

  it('gives up on an answer that does not come, or trickles past its time', async () => {
    handler = (_req, res) => {
      res.writeHead(200);
      const timer = setInterval(() => res.write(' '), 20);
      res.on('close', () => clearInterval(timer));
    };
    const slow = client({ timeoutMs: 150 }).json({ method: 'GET', path: '/x', retry: 'none' });
    await expect(slow).rejects.toMatchObject({ code: 'DEADLINE_EXCEEDED' });
    handler = () => {};
    await expect(
      client({ timeoutMs: 150 }).json({ method: 'GET', path: '/x', retry: 'none' }),
    ).rejects.toMatchObject({ code: 'DEADLINE_EXCEEDED' });
  });

  it('says when an answer is no JSON, is empty, or breaks off', async () => {
    handler = answer(200, '<html>login</html>');
    await expect(client().json({ method: 'GET', path: '/x', retry: 'none' })).rejects.toMatchObject({
      code: 'UNAVAILABLE',
    });
    handler = answer(204, '');
    expect(await client().json({ method: 'DELETE', path: '/x', retry: 'none' })).toBeUndefined();
    handler = (_req, res) => {
      res.writeHead(200, { 'content-length': '100' });
      res.write('{"a":');
      setTimeout(() => res.destroy(), 20);
    };
    await expect(client().json({ method: 'GET', path: '/x', retry: 'none' })).rejects.toMatchObject({
      code: 'UNAVAILABLE',
    });
    for (const attempts of [1, 2]) {
      seen = [];
      const broken = client({ attempts }).json({ method: 'GET', path: '/x', retry: 'read' });
      await expect(broken).rejects.toMatchObject({ code: 'UNAVAILABLE' });
      expect(seen).toHaveLength(attempts);
    }
    await expect(
      client({ baseUrl: 'http://127.0.0.1:1' }).json({ method: 'GET', path: '/x', retry: 'none' }),
    ).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  });

  it('unpacks what came packed, piece by piece, within the limit', async () => {
    handler = (req, res) => {
      expect(req.headers['accept-encoding']).toBe('gzip');
      res.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync('{"größe":1}'));
    };
    expect(await client().json({ method: 'GET', path: '/x', retry: 'none' })).toEqual({ größe: 1 });
    handler = (_req, res) => {
      res.writeHead(400, { 'content-encoding': 'GZIP' }).end(gzipSync('{"why":"packed"}'));
    };
    const toError = (_status: number, body: unknown) =>
      new SessionError('INVALID_ARGUMENT', JSON.stringify(body));
    await expect(client({ toError }).json({ method: 'GET', path: '/x', retry: 'none' })).rejects.toThrow(
      '{"why":"packed"}',
    );
    handler = (_req, res) => {
      res.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(JSON.stringify('x'.repeat(200_000))));
    };
    await expect(client().json({ method: 'GET', path: '/x', retry: 'none' })).rejects.toMatchObject({
      code: 'RESOURCE_EXHAUSTED',
    });
    let next: () => void = () => {};
    handler = (_req, res) => {
      const packed = createGzip({ flush: constants.Z_SYNC_FLUSH });
      packed.pipe(res.writeHead(200, { 'content-encoding': 'gzip' }));
      packed.write('one\n');
      next = () => packed.end('two\n');
    };
    const { chunks } = await client().stream({ method: 'GET', path: '/x', retry: 'none' });
    const got: string[] = [];
    for await (const line of lines(chunks)) {
      got.push(line);
      next();
    }
    expect(got).toEqual(['one', 'two']);
  });

  it('takes an answer without a body as such, also when it is said to be packed', async () => {
    handler = answer(204, '', { 'content-encoding': 'gzip' });
    expect(await client().json({ method: 'DELETE', path: '/x', retry: 'none' })).toBeUndefined();
    expect(await client().json({ method: 'POST', path: '/x', retry: 'none' })).toBeUndefined();
    // Whoever asks for something is not answered by nothing.
    await expect(client().json({ method: 'GET', path: '/x', retry: 'none' })).rejects.toMatchObject({
      code: 'UNAVAILABLE',
    });
    // Without a length only its end says that there is none.
    handler = (_req, res) => {
      res.writeHead(200, { 'content-encoding': 'gzip' }).flushHeaders();
      res.end();
    };
    expect(await client().json({ method: 'DELETE', path: '/x', retry: 'none' })).toBeUndefined();
  });

  it('waits for nothing that a service wants to have in an hour, however long the caller may wait', async () => {
    handler = answer(503, '{}', { 'retry-after': '3600' });
    const waiting = withDeadline({ ms: Number.POSITIVE_INFINITY }, () =>
      client().json({ method: 'GET', path: '/x', retry: 'read' }),
    );
    await expect(waiting).rejects.toMatchObject({ retryAfter: 3600 });
    expect(seen).toHaveLength(1);
  });

  it.each([
    ['cut off', gzipSync('{"a":1}').subarray(0, 20)],
    ['not packed at all', Buffer.from('{"a":1}')],
  ])('an answer that is said to be packed and is %s, is none', async (_name, body) => {
    handler = (_req, res) => res.writeHead(200, { 'content-encoding': 'gzip' }).end(body);
    await expect(client().json({ method: 'GET', path: '/x', retry: 'none' })).rejects.toMatchObject({
      code: 'UNAVAILABLE',
    });
  });

  it('sends forms with their type, and says who asks', async () => {
    const got: (string | undefined)[] = [];
    handler = (req, res) => {
      got.push(req.headers['content-type'], req.headers['user-agent']);
      res.end('{}');
    };
    const form = new FormData();
    form.set('file', new Blob(['data'], { type: 'text/plain' }), 'größe.txt');
    for (const body of [form, new URLSearchParams({ a: 'b c' }), { a: 1 }, undefined])
      await client().json({ method: 'POST', path: '/x', body, retry: 'none' });
    expect(got.filter((_value, i) => i % 2 === 0)).toEqual([
      expect.stringMatching(/^multipart\/form-data; boundary=/),
      expect.stringMatching(/^application\/x-www-form-urlencoded/),
      'application/json',
      undefined,
    ]);
    expect(new Set(got.filter((_value, i) => i % 2 === 1))).toEqual(
      new Set([expect.stringMatching(/^agent-sessions-mcp\/\d/)]),
    );
  });

  it('has no time limit but the request’s own', async () => {
    const limits: unknown[] = [];
    const agent = new Agent();
    sendThrough(
      agent.compose((dispatch) => (options, handler) => {
        limits.push(options.headersTimeout, options.bodyTimeout);
        return dispatch(options, handler);
      }),
    );
    handler = answer(200);
    await client().json({ method: 'GET', path: '/x', retry: 'none' });
    expect(limits).toEqual([0, 0]);
    sendThrough(agent);
  });

  it('ends with its signal also while a connection is made', async () => {
    // Takes connections, and never answers what TLS says first.
    const silent = createTcp((socket) => socket.on('error', () => {}));
    await once(silent.listen(0, '127.0.0.1'), 'listening');
    const { port } = silent.address() as AddressInfo;
    const caller = new AbortController();
    const request = { method: 'GET', path: '/x', retry: 'read', signal: caller.signal } as const;
    const waiting = client({ baseUrl: `https://127.0.0.1:${port}`, timeoutMs: 60_000 }).json(request);
    silent.once('connection', () => caller.abort());
    await expect(waiting).rejects.toMatchObject({ code: 'CANCELLED' });
    silent.close();
  });

  it('says that a header cannot be sent, and not that the service cannot be reached', async () => {
    const headers = async () => ({ authorization: 'Bearer “quoted”' });
    const refused = client({ headers }).json({ method: 'POST', path: '/x', body: {}, retry: 'quota' });
    await expect(refused).rejects.toMatchObject({ code: 'FAILED_PRECONDITION', details: undefined });
    expect(seen).toEqual([]);
  });

  it('closes the connection when the caller cancels, while waiting and while streaming', async () => {
    let closed = 0;
    handler = (req, res) => {
      req.socket.on('close', () => {
        closed += 1;
      });
      if (req.url === '/stream') {
        res.writeHead(200);
        const timer = setInterval(() => res.write('tick\n'), 10);
        res.on('close', () => clearInterval(timer));
      }
    };
    const one = new AbortController();
    const waiting = client().json({ method: 'GET', path: '/wait', retry: 'read', signal: one.signal });
    await expect.poll(() => seen.length).toBe(1);
    one.abort();
    await expect(waiting).rejects.toMatchObject({ code: 'CANCELLED' });
    await expect.poll(() => closed).toBe(1);
    const two = new AbortController();
    const { chunks } = await client().stream({
      method: 'GET',
      path: '/stream',
      retry: 'none',
      signal: two.signal,
    });
    let got = 0;
    await expect(
      (async () => {
        for await (const _chunk of chunks) if (++got === 3) two.abort();
      })(),
    ).rejects.toMatchObject({ code: 'CANCELLED' });
    await expect.poll(() => closed).toBe(2);
    const { chunks: left } = await client().stream({ method: 'GET', path: '/stream', retry: 'none' });
    for await (const _chunk of left) break;
    await expect.poll(() => closed).toBe(3);
  });

  it('reads Retry-After as seconds and as a date', () => {
    const now = Date.parse('2026-11-21T09:00:00Z');
    expect(retryAfterOf(new Headers({ 'retry-after': '7' }))).toBe(7);
    expect(retryAfterOf(new Headers({ 'retry-after': 'Sat, 21 Nov 2026 09:00:05 GMT' }), now)).toBe(5);
    expect(retryAfterOf(new Headers({ 'retry-after': 'soon' }))).toBeUndefined();
    expect(retryAfterOf(new Headers())).toBeUndefined();
  });
});
