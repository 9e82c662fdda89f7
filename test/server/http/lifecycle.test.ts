import { spawn } from 'node:child_process';
import http from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { createInterface } from 'node:readline';
import { afterEach, describe, expect, it } from 'vitest';
import { SessionError } from '../../../src/errors.ts';
import { createLog } from '../../../src/log.ts';
import type { Verdict } from '../../../src/server/auth/index.ts';
import { principalOf } from '../../../src/server/auth/scopes.ts';
import { send as sendResponse } from '../../../src/server/http/io.ts';
import { createLimits, defaultLimits } from '../../../src/server/http/limits.ts';
import { startTransport } from '../../../src/server/http/listener.ts';
import { conformanceFixture } from '../../conformance/fixture.ts';
import { bundle } from '../../e2e/bundle.ts';
import { scratch } from '../../e2e/clients.ts';
import {
  defaults,
  eventually,
  gauge,
  initialize,
  legacyRequest,
  modernRequest,
  openSession,
  pause,
  resultOf,
  send,
  startProduct,
  tokenOf,
  tokensFor,
} from './harness.ts';

const call = (name: string, args: Record<string, unknown>) =>
  modernRequest('tools/call', { name, arguments: args });
const settings = { metrics: true };

describe('the end of a server', () => {
  it('lets calls finish, ends streams in good order, and takes nothing new', async () => {
    const product = await startProduct({ settings });
    const { port } = product;
    await send(port, call('create_session', { sessionId: 's' }));
    const id = await openSession(port);
    const waits = [
      send(port, call('wait_for_events', { sessionId: 's', timeoutSeconds: 1 })),
      send(
        port,
        legacyRequest(id, 'tools/call', {
          name: 'wait_for_events',
          arguments: { sessionId: 's', timeoutSeconds: 1 },
        }),
      ),
    ];
    const uris = ['session://default/s'];
    const listen = send(
      port,
      modernRequest('subscriptions/listen', { notifications: { resourceSubscriptions: uris } }),
    );
    const stream = send(port, {
      method: 'GET',
      headers: { accept: 'text/event-stream', 'mcp-session-id': id },
    });
    await eventually(async () => (await gauge(product, 'streams_open')) === 2);
    await eventually(async () => (await gauge(product, 'tool_calls_under_way')) === 2);
    const kept = new http.Agent({ keepAlive: true });
    const probe = (path: string) =>
      new Promise<number>((resolve, reject) => {
        http
          .get({ port, host: '127.0.0.1', path, agent: kept }, (res) => {
            res.resume();
            res.on('end', () => resolve(res.statusCode ?? 0));
          })
          .on('error', reject);
      });
    expect(await probe('/readyz')).toBe(200);
    const began = performance.now();
    const ended = product.close(5000);
    await expect(send(port, call('list_sessions', {}))).rejects.toThrow();
    const answers = await Promise.all(waits);
    for (const answer of answers) expect(JSON.stringify(resultOf(answer))).toContain('"timedOut":true');
    expect((await listen).body).toMatch(/"resultType":"complete"/);
    expect((await stream).status).toBe(200);
    await ended;
    expect(performance.now() - began).toBeLessThan(4000);
    kept.destroy();
    await product.backend.close();
  });

  it('waits no longer than it was told', async () => {
    const product = await startProduct({ settings });
    await send(product.port, call('create_session', { sessionId: 's' }));
    const long = send(product.port, call('wait_for_events', { sessionId: 's', timeoutSeconds: 60 })).then(
      () => 'answered',
      () => 'broken off',
    );
    await eventually(async () => (await gauge(product, 'tool_calls_under_way')) === 1);
    const began = performance.now();
    await product.close(200);
    expect(performance.now() - began).toBeLessThan(2000);
    await long;
    await product.backend.close();
  });
});

describe('the http command', () => {
  const started: { kill(): void }[] = [];
  afterEach(() => {
    for (const child of started.splice(0)) child.kill();
  });

  function start(args: readonly string[], env: Record<string, string> = {}) {
    const child = spawn(process.execPath, [bundle, 'http', '--port', '0', '--store', 'memory:', ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { PATH: process.env.PATH ?? '', HOME: scratch(), ...env },
    });
    started.push({ kill: () => void child.kill('SIGKILL') });
    let [stdout, stderr] = ['', ''];
    child.stdout.on('data', (chunk) => {
      stdout += chunk;
    });
    const exit = new Promise<number | null>((resolve) => child.on('exit', resolve));
    const url = new Promise<string>((resolve) => {
      createInterface({ input: child.stderr }).on('line', (line) => {
        stderr += `${line}\n`;
        const found = /"url":"([^"]+)"/.exec(line)?.[1];
        if (found) resolve(found);
      });
    });
    return { child, exit, url, said: () => ({ stdout, stderr }) };
  }

  it('drains on SIGTERM and exits with 0, with nothing on stdout', async () => {
    const server = start(['--metrics']);
    const port = Number(new URL(await server.url).port);
    await send(port, call('create_session', { sessionId: 's' }));
    const wait = send(port, call('wait_for_events', { sessionId: 's', timeoutSeconds: 1 }));
    await pause(200);
    server.child.kill('SIGTERM');
    expect((await wait).status).toBe(200);
    expect(await server.exit).toBe(0);
    expect(server.said().stdout).toBe('');
    for (const line of server.said().stderr.trim().split('\n')) expect(() => JSON.parse(line)).not.toThrow();
  });

  it('does not start for the network without authentication', async () => {
    const server = start(['--host', '0.0.0.0']);
    expect(await server.exit).toBe(2);
    expect(server.said().stderr).toContain('--auth-tokens');
  });

  it('does not start on a port that is taken', async () => {
    const taken = http.createServer();
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
    const server = start(['--port', String((taken.address() as AddressInfo).port)]);
    expect(await server.exit).toBe(2);
    expect(server.said().stderr).toContain('another --port');
    taken.close();
  });

  it('takes its tokens from the environment, and shows none', async () => {
    const server = start([], { AGENT_SESSIONS_AUTH_TOKENS: tokensFor({ ann: ['sessions:read'] }) });
    const port = Number(new URL(await server.url).port);
    expect((await send(port, initialize)).status).toBe(401);
    const headers = { ...initialize.headers, authorization: `Bearer ${tokenOf('ann')}` };
    expect((await send(port, { ...initialize, headers })).status).toBe(200);
    server.child.kill('SIGTERM');
    expect(await server.exit).toBe(0);
    expect(JSON.stringify(server.said())).not.toContain(tokenOf('ann'));
  });

  it('makes an entry of a token', async () => {
    const token = 'a-token-that-is-long-enough';
    const child = spawn(process.execPath, [bundle, 'hash-token', '--user', 'ann'], { stdio: 'pipe' });
    let text = '';
    child.stdout.on('data', (chunk) => {
      text += chunk;
    });
    child.stdin.end(`${token}\n`);
    expect(await new Promise((resolve) => child.on('exit', resolve))).toBe(0);
    expect(JSON.parse(text)).toMatchObject({ user: 'ann', scopes: ['sessions:read', 'sessions:write'] });
    expect(text).not.toContain(token);
  });
});

describe('clients that are slow or gone', () => {
  it('that take nothing of a stream are cut off', async () => {
    let cancelled = false;
    const server = http.createServer((_req, res) => {
      const body = new ReadableStream({
        pull: (controller) => controller.enqueue(new Uint8Array(65_536)),
        cancel() {
          cancelled = true;
        },
      });
      void sendResponse(
        res,
        new Response(body, { headers: { 'content-type': 'text/event-stream' } }),
        {},
        100,
      );
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
    socket.pause();
    socket.on('error', () => {});
    socket.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n');
    await eventually(() => cancelled);
    await eventually(
      async () => (await new Promise<number>((r) => server.getConnections((_e, n) => r(n)))) === 0,
    );
    socket.destroy();
    server.close();
  });

  it('that leave while they are asked for who they are leave nothing behind', async () => {
    const product = await startProduct({ settings });
    await send(product.port, call('create_session', { sessionId: 's' }));
    for (let i = 0; i < 50; i += 1) {
      const { headers, body } = call('wait_for_events', { sessionId: 's', timeoutSeconds: 60 });
      const req = http.request({
        port: product.port,
        host: '127.0.0.1',
        path: '/mcp',
        method: 'POST',
        headers,
      });
      req.on('error', () => {});
      req.end(JSON.stringify(body));
      setTimeout(() => req.destroy(), i % 7);
    }
    await pause(100);
    await eventually(async () => (await gauge(product, 'tool_calls_under_way')) === 0);
    await eventually(async () => (await gauge(product, 'requests_under_way')) === 0);
    await product.end();
  });

  it('whose token is taken back lose their streams, and keep them while that cannot be told', async () => {
    const ann = principalOf('ann', ['sessions:write']);
    let verdict: Verdict | Error = { kind: 'caller', principal: ann };
    const server = await startTransport({
      settings: defaults(),
      served: conformanceFixture(),
      log: createLog(() => {}),
      limits: createLimits(defaultLimits),
      authenticate: async () => {
        if (verdict instanceof Error) throw verdict;
        return verdict;
      },
      anonymous: ann,
      roundMs: 20,
      ready: async () => {},
    });
    const port = Number(new URL(server.url).port);
    const open = async () => {
      const state = { ended: 0 };
      const id = await openSession(port);
      const headers = { accept: 'text/event-stream', 'mcp-session-id': id };
      const notifications = { toolsListChanged: true };
      for (const sent of [
        { method: 'GET', headers },
        modernRequest('subscriptions/listen', { notifications }),
      ])
        void send(port, sent).then(() => {
          state.ended += 1;
        });
      await pause(100);
      return state;
    };
    const streams = await open();
    verdict = new SessionError('UNAVAILABLE', 'The issuer is down.');
    await pause(100);
    expect(streams.ended).toBe(0);
    verdict = { kind: 'refused', presented: true };
    await eventually(() => streams.ended === 2);
    verdict = { kind: 'caller', principal: ann };
    const others = await open();
    verdict = { kind: 'caller', principal: principalOf('ann', ['sessions:admin']) };
    await eventually(() => others.ended === 2);
    await server.close(0);
  });
});
