import { describe, expect, it } from 'vitest';
import { commands } from '../../src/cli/commands.ts';
import { type Machine, readConfig } from '../../src/config/index.ts';

const machine = (env: Record<string, string> = {}, files: Record<string, string> = {}): Machine => ({
  env,
  platform: 'linux',
  homeDir: '/home/ann',
  userName: 'ann',
  readFile: (path) => files[path] ?? '',
});

function read(args: readonly string[], env: Record<string, string> = {}, file?: object) {
  const invocation = readConfig(
    ['http', ...(file === undefined ? [] : ['--config', 'f']), ...args],
    machine(env, { f: JSON.stringify(file) }),
    commands,
  );
  if (invocation.kind !== 'run') throw new Error('This was to run.');
  return invocation.config.http;
}

describe('settings of http', () => {
  it('are safe by default', () => {
    expect(read([])).toMatchObject({
      host: '127.0.0.1',
      port: 8080,
      path: '/mcp',
      allowedHosts: [],
      allowedOrigins: [],
      legacy: 'sessions',
      metrics: false,
      accessLog: true,
      limits: { requestsPerSecond: 200, burst: 1000, bodyBytes: 8 * 1024 * 1024 },
    });
    expect(read([]).tokens).toBeUndefined();
    expect(read([]).oauth).toBeUndefined();
  });

  it('come from flags, then the environment, then the file', () => {
    const file = {
      http: { port: 1, host: 'file', metrics: true, allowedHosts: ['f'], limits: { calls: 3 } },
    };
    const env = {
      AGENT_SESSIONS_PORT: '2',
      AGENT_SESSIONS_HOST: 'env',
      AGENT_SESSIONS_ALLOWED_HOSTS: 'a, b',
    };
    expect(read(['--port', '3'], env, file)).toMatchObject({
      port: 3,
      host: 'env',
      metrics: true,
      allowedHosts: ['a', 'b'],
      limits: { calls: 3, streams: 32 },
    });
    expect(read(['--access-log', 'off'], { AGENT_SESSIONS_METRICS: 'on' })).toMatchObject({
      accessLog: false,
      metrics: true,
    });
    expect(read(['--rate-limit', '10']).limits).toMatchObject({ requestsPerSecond: 10, burst: 50 });
    // A burst below one would refuse every request.
    expect(read(['--rate-limit', '0.1']).limits).toMatchObject({ requestsPerSecond: 0.1, burst: 1 });
    expect(read(['--rate-limit', '0']).limits.requestsPerSecond).toBe(0);
  });

  it('of JWTs need an audience, which may be the public URL', () => {
    const issuer = ['--oauth-issuer', 'https://login.example'];
    expect(() => read(issuer)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }));
    expect(read([...issuer, '--oauth-audience', 'a,b']).oauth).toEqual({
      issuer: 'https://login.example',
      audience: ['a', 'b'],
      jwksUrl: undefined,
      userClaim: 'sub',
      clockSkewSeconds: 30,
    });
    const url = 'https://sessions.example/mcp';
    expect(read([...issuer, '--public-url', url]).oauth?.audience).toEqual([url]);
  });

  it.each([
    ['--port', '80x'],
    ['--port', '70000'],
    ['--port', '-1'],
    ['--path', 'mcp'],
    ['--path', '/mcp?x'],
    ['--legacy', 'off'],
    ['--rate-limit', 'fast'],
    ['--access-log', 'maybe'],
    ['--public-url', 'http://sessions.example/mcp'],
    ['--public-url', 'sessions.example'],
    ['--oauth-issuer', 'http://login.example'],
    ['--oauth-issuer', 'ftp://login.example'],
    ['--allowed-origins', 'https://app.example/'],
    ['--allowed-origins', '*'],
    ['--allowed-origins', 'null'],
  ])('refuse %s %s in one sentence', (flag, value) => {
    expect(() => read([`${flag}=${value}`])).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }));
  });

  it('that the file misspells are refused', () => {
    for (const http of [{ prot: 1 }, { limits: { calls: 0 } }, { limits: { call: 1 } }, { port: '1' }])
      expect(() => read([], {}, { http })).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }));
  });
});
