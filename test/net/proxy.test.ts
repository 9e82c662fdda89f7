import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect, createServer as createTcp, type Server } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SessionError } from '../../src/errors.ts';
import { httpClient } from '../../src/net/http.ts';
import { useProxyFromEnvironment } from '../../src/net/proxy.ts';

const portOf = (server: Server): number => (server.address() as AddressInfo).port;
const client = (baseUrl: string) =>
  httpClient({
    service: 'test service',
    baseUrl,
    headers: async () => ({}),
    toError: (status) => new SessionError('UNAVAILABLE', `status ${status}`),
    timeoutMs: 3000,
    maxBytes: 10_000,
    attempts: 1,
  });
const get = (url: string) => client(url).json({ method: 'GET', path: '/x', retry: 'none' });

describe('a proxy from the environment', () => {
  const seen: string[] = [];
  let firstByte: number | undefined;
  const service = createServer((request, response) => response.end(JSON.stringify({ at: request.url })));
  // Behind the tunnel: takes what TLS says first, and hangs up.
  const tls = createTcp((socket) => {
    socket.on('data', (data) => {
      firstByte ??= data[0];
      socket.destroy();
    });
  });
  const proxy = createServer((request, response) => {
    seen.push(`${request.method} ${request.url}`);
    response.end('{"from":"proxy"}');
  }).on('connect', (request, socket) => {
    seen.push(`CONNECT ${request.url}`);
    if (request.url === 'closed.test:443') return void socket.destroy();
    if (request.url === 'denied.test:443') return void socket.end('HTTP/1.1 407 No\r\n\r\n');
    const up = connect(portOf(tls), '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 Connection Established\r\n\r\n');
      up.pipe(socket).pipe(up);
    });
    for (const end of [up, socket]) end.on('error', () => {});
  });

  beforeAll(async () => {
    for (const server of [service, tls, proxy]) await once(server.listen(0, '127.0.0.1'), 'listening');
    const url = `http://127.0.0.1:${portOf(proxy)}`;
    await useProxyFromEnvironment({ HTTPS_PROXY: url, http_proxy: url, NO_PROXY: 'direct.test' });
  });
  afterAll(() => {
    for (const server of [service, tls, proxy]) server.close();
  });

  it('carries requests by a tunnel to https, and whole to http', async () => {
    await expect(get('https://api.service.test')).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(seen).toContain('CONNECT api.service.test:443');
    // A TLS handshake: the proxy sees no more than the name.
    expect(firstByte).toBe(0x16);
    expect(await get('http://plain.service.test')).toEqual({ from: 'proxy' });
  });

  it.each(['denied', 'closed'])('a tunnel that is %s carried nothing', async (name) => {
    const write = client(`https://${name}.test`).json({
      method: 'POST',
      path: '/x',
      body: {},
      retry: 'quota',
    });
    await expect(write).rejects.toMatchObject({ code: 'UNAVAILABLE', details: undefined });
    expect(seen).toContain(`CONNECT ${name}.test:443`);
  });

  it('sees nothing for this machine and for the hosts of NO_PROXY', async () => {
    seen.length = 0;
    expect(await get(`http://127.0.0.1:${portOf(service)}`)).toEqual({ at: '/x' });
    await expect(get('https://direct.test')).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(seen).toEqual([]);
  });

  it('is refused when it is no address, without showing it', async () => {
    const refused = useProxyFromEnvironment({ HTTPS_PROXY: 'proxy:pass-4711' });
    await expect(refused).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    await expect(refused).rejects.not.toThrow('4711');
  });
});
