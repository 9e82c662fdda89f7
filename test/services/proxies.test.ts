import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { Agent, fetch as fetchWith } from 'undici';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { textsOf } from '../docs/markdown.ts';
import { bundle } from '../e2e/bundle.ts';
import { run } from '../e2e/run.ts';
import { freePort } from '../free-port.ts';
import { scratch } from '../scratch.ts';
import { ended, installDebian, programIn, startServer, untilUp } from './process.ts';

/** The proxies of docs/http.md, as they stand there, before the real server; only addresses and keys are others. */
const page = readFileSync('docs/http.md', 'utf8');
const name = 'sessions.example.com';

interface Place {
  folder: string;
  upstream: string;
  port: number;
  certificate: string;
  key: string;
}

async function program(of: string): Promise<string> {
  const find = () => programIn('/usr/sbin').find(of) ?? programIn('/usr/bin').find(of);
  if (find() === undefined) await installDebian(of === 'nginx' ? 'nginx-light' : of);
  const found = find();
  if (found === undefined) throw new Error(`There is no ${of}.`);
  return found;
}

const proxies: Record<string, (place: Place) => Promise<string[]>> = {
  async nginx({ folder, upstream, port, certificate, key }) {
    const [server = ''] = textsOf(page, 'nginx');
    const placed = server
      .replace('listen 443 ssl', `listen 127.0.0.1:${port} ssl`)
      .replaceAll('127.0.0.1:8080', upstream)
      .replace(`/etc/ssl/${name}.crt`, certificate)
      .replace(`/etc/ssl/${name}.key`, key);
    const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
      (kind) => `${kind}_temp_path ${folder}/${kind};`,
    );
    writeFileSync(
      path.join(folder, 'nginx.conf'),
      `pid ${folder}/nginx.pid; error_log stderr; events {} http { access_log off; ${temporary.join(' ')}\n${placed}}`,
    );
    const options = ['-p', folder, '-c', path.join(folder, 'nginx.conf'), '-g', 'daemon off;'];
    return [await program('nginx'), ...options];
  },
  async caddy({ folder, upstream, port, certificate, key }) {
    const [site = ''] = textsOf(page, 'caddyfile');
    const placed = site
      // It would ask for a certificate.
      .replace(`${name} {`, `https://${name}:${port} {\n\tbind 127.0.0.1\n\ttls ${certificate} ${key}`)
      .replaceAll('127.0.0.1:8080', upstream);
    writeFileSync(path.join(folder, 'Caddyfile'), `{\n\tadmin off\n\tauto_https off\n}\n${placed}`);
    return [
      await program('caddy'),
      'run',
      '--adapter',
      'caddyfile',
      '--config',
      path.join(folder, 'Caddyfile'),
    ];
  },
};

describe.each(Object.keys(proxies))('%s in front, as docs/http.md has it', (proxy) => {
  let url: string;
  let token: string;
  let through: typeof fetch;
  const stop: (() => Promise<unknown>)[] = [];

  beforeAll(async () => {
    const folder = scratch().replaceAll(' ', '-');
    mkdirSync(folder);
    const [certificate, key] = ['tls.crt', 'tls.key'].map((file) => path.join(folder, file)) as [
      string,
      string,
    ];
    const subject = ['-subj', `/CN=${name}`, '-addext', `subjectAltName=DNS:${name}`];
    const request = [
      'req',
      '-x509',
      '-newkey',
      'rsa:2048',
      '-nodes',
      '-days',
      '2',
      '-keyout',
      key,
      '-out',
      certificate,
    ];
    execFileSync(await program('openssl'), [...request, ...subject], { stdio: 'ignore' });
    const tokens = path.join(folder, 'tokens.json');
    token = (await run(['add-token', tokens, '--user', 'ada'])).stdout.trim();
    const args = [
      'http',
      '--port',
      '0',
      '--auth-tokens',
      tokens,
      '--public-url',
      `https://${name}/mcp`,
      '--metrics',
    ];
    const server = spawn(process.execPath, [bundle, ...args, '--store', 'memory:'], {
      env: { PATH: process.env.PATH, HOME: folder },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    stop.push(() => ended(server, 'SIGTERM'));
    let upstream = '';
    for await (const line of createInterface(server.stderr)) {
      upstream = /"url":"http:\/\/([^/"]+)/.exec(line)?.[1] ?? '';
      if (upstream !== '') break;
    }
    server.stderr.resume();
    const port = await freePort();
    const [command = '', ...options] =
      (await proxies[proxy]?.({ folder, upstream, port, certificate, key })) ?? [];
    const child = startServer(command, options);
    stop.push(() => ended(child, 'SIGTERM'));
    url = `https://${name}:${port}`;
    const dispatcher = new Agent({
      connect: {
        ca: readFileSync(certificate, 'utf8'),
        lookup: (_host, _options, found) => found(null, [{ address: '127.0.0.1', family: 4 }]),
      },
    });
    stop.push(() => dispatcher.destroy());
    through = ((to: string | URL, init?: object) =>
      fetchWith(to, { ...init, dispatcher })) as unknown as typeof fetch;
    await untilUp(child, () => through(url));
  });
  afterAll(() => Promise.all(stop.map((end) => end())));

  const connected = async (mode: 'legacy' | { pin: string }) => {
    const client = new Client({ name: 'behind', version: '1' }, { versionNegotiation: { mode } });
    const headers = { Authorization: `Bearer ${token}` };
    const transport = new StreamableHTTPClientTransport(new URL('/mcp', url), {
      fetch: through,
      requestInit: { headers },
    });
    await client.connect(transport);
    return client;
  };

  it.each(['legacy', { pin: '2026-07-28' }] as const)(
    'passes calls, streams and long waits: %o',
    async (mode) => {
      const client = await connected(mode);
      const call = async (tool: string, given: object, onprogress?: () => void) => {
        const answer = await client.callTool(
          { name: tool, arguments: { ...given } },
          onprogress ? { onprogress } : {},
        );
        return answer.structuredContent as Record<string, { id: string; userId: string }>;
      };
      const { session } = await call('create_session', {});
      expect(session?.userId).toBe('ada');
      let pieces = 0;
      const sessionId = session?.id;
      await call('stream_query', { sessionId, message: 'one two three' }, () => {
        pieces += 1;
      });
      expect(pieces).toBeGreaterThan(0);
      const waited = await call('wait_for_events', { sessionId, timeoutSeconds: 5 });
      expect(waited.events).toHaveLength(2);
      await client.close();
    },
  );

  it('lets nobody in without a token, and shows no more than clients need', async () => {
    const refused = await through(`${url}/mcp`, { method: 'POST', body: '{}' });
    expect([refused.status, refused.headers.get('www-authenticate')]).toEqual([
      401,
      expect.stringMatching(/^Bearer/),
    ]);
    for (const hidden of ['/metrics', '/healthz', '/readyz', '/'])
      expect([hidden, (await through(url + hidden)).status]).toEqual([hidden, 404]);
  });
});
