import { type ChildProcess, spawn } from 'node:child_process';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, describe, expect, it } from 'vitest';
import { bundle } from '../../e2e/bundle.ts';
import { scratch } from '../../scratch.ts';
import { eventually, pause, type ServerProcess, startServerProcess } from './harness.ts';
import { initialize, send, tokenOf, tokensFor, toolCall } from './requests.ts';

describe('the http command', () => {
  const started: ChildProcess[] = [];
  afterEach(() => {
    for (const child of started.splice(0)) child.kill('SIGKILL');
  });

  function start(args: readonly string[] = [], env: Record<string, string> = {}): ServerProcess {
    const server = startServerProcess(args, env);
    started.push(server.child);
    return server;
  }

  it('drains on SIGTERM and exits with 0, with nothing on stdout', async () => {
    const server = start(['--metrics']);
    const port = await server.port;
    await send(port, toolCall('create_session', { sessionId: 's' }));
    const wait = send(port, toolCall('wait_for_events', { sessionId: 's', timeoutSeconds: 1 }));
    await pause(200);
    server.child.kill('SIGTERM');
    expect((await wait).status).toBe(200);
    expect(await server.exit).toBe(0);
    expect(server.said().stdout).toBe('');
    for (const line of server.said().stderr.trim().split('\n')) expect(() => JSON.parse(line)).not.toThrow();
  });

  it('is ready only while a write can succeed', async () => {
    const file = path.join(scratch(), 's.db');
    const port = await start(['--store', `sqlite:${file}`]).port;
    const ready = async () => (await send(port, { method: 'GET', path: '/readyz' })).status;
    expect(await ready()).toBe(200);
    // Another program locks the store, which can then be read but not written.
    const other = new DatabaseSync(file, { timeout: 5000 });
    other.exec('BEGIN IMMEDIATE');
    await eventually(async () => (await ready()) === 503, 10_000);
    other.exec('ROLLBACK');
    await eventually(async () => (await ready()) === 200, 10_000);
    other.close();
  });

  it('stays reachable for a while after SIGTERM, and says when to come again', async () => {
    const server = start();
    const port = await server.port;
    server.child.kill('SIGTERM');
    await eventually(async () => (await send(port, initialize)).status === 503);
    const answer = await send(port, initialize);
    expect([answer.status, answer.headers['retry-after']]).toEqual([503, '1']);
    expect((await send(port, { method: 'GET', path: '/readyz' })).status).toBe(503);
    expect((await send(port, { method: 'GET', path: '/healthz' })).status).toBe(200);
    expect(await server.exit).toBe(0);
  });

  it('does not start for the network with an issuer and no address that its tokens are for', async () => {
    const server = start([
      '--host',
      '0.0.0.0',
      '--oauth-issuer',
      'https://id.example',
      '--oauth-audience',
      'x',
    ]);
    expect(await server.exit).toBe(2);
    const { stderr } = server.said();
    expect(stderr).toContain('--public-url');
    expect(stderr.split('\n').filter((line) => line !== '' && !line.startsWith('{'))).toHaveLength(1);
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
    const port = await server.port;
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
