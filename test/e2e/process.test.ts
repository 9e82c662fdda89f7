import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { scratch } from '../scratch.ts';
import { bundle } from './bundle.ts';
import { connect, type Json } from './clients.ts';
import { type RunOptions, run } from './run.ts';

const meta = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientInfo': { name: 'raw', version: '1' },
  'io.modelcontextprotocol/clientCapabilities': {},
};
const request = (id: number, name: string, args: Json = {}) =>
  `${JSON.stringify({ jsonrpc: '2.0', id, method: 'tools/call', params: { name, arguments: args, _meta: meta } })}\n`;

const memory = ['--store', 'memory:'];

describe('the process', () => {
  it('writes nothing but the protocol to stdout, whatever it is sent', async () => {
    const garbage = [
      'not json',
      '{"jsonrpc":"2.0"}',
      '[]',
      '\u0000',
      '{"jsonrpc":"2.0","id":9,"method":"no/such"}',
      '',
    ];
    const stdin = `${request(1, 'create_session')}${garbage.join('\n')}\n${request(2, 'list_sessions')}${request(3, 'nope')}`;
    const ended = await run(memory, { stdin, hold: 1200 });
    const lines = ended.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Json);
    expect(lines.every((line) => line.jsonrpc === '2.0')).toBe(true);
    expect(lines.find((line) => line.id === 2)).toMatchObject({
      result: { structuredContent: { sessions: expect.any(Array) } },
    });
    expect(ended.code).toBe(0);
  });

  it('goes on when nobody reads its log any more', async () => {
    const { code, stdout } = await run(memory, {
      stdin: `garbage that is logged\n${request(1, 'create_session', { sessionId: 's' })}`,
      hold: 1200,
      deaf: true,
    });
    expect([code, stdout]).toEqual([0, expect.stringContaining('"id":1')]);
  });

  it('ends within a second of its stdin: idle, with a wait under way, and before it was ever asked', async () => {
    const { code, took } = await run(memory, { hold: 800 });
    expect([code, took < 1000]).toEqual([0, true]);
    const made = request(1, 'create_session', { sessionId: 's' });
    const waiting = await run(memory, {
      stdin: made + request(2, 'wait_for_events', { sessionId: 's', timeoutSeconds: 60 }),
      hold: 1200,
    });
    expect([waiting.code, waiting.took < 1000]).toEqual([0, true]);
    expect((await run(memory)).code).toBe(0);
  });

  it('ends on SIGTERM with what it acknowledged in the store', async () => {
    const store = ['--store', `sqlite:${path.join(scratch(), 'data.db')}`];
    const client = await connect('v2-modern', { args: store });
    await client.ok('create_session', { sessionId: 'kept' });
    process.kill(client.pid, 'SIGTERM');
    await client.close().catch(() => {});
    const again = await connect('v2-modern', { args: store });
    expect(await again.ok('get_session', { sessionId: 'kept' })).toMatchObject({ session: { id: 'kept' } });
    await again.close();
  });

  it('answers what waits on SIGTERM, and ends', async () => {
    const child = spawn(process.execPath, [bundle, ...memory], { stdio: ['pipe', 'pipe', 'ignore'] });
    const exit = once(child, 'exit');
    let stdout = '';
    const until = async (text: string) => {
      while (!stdout.includes(text)) stdout += String((await once(child.stdout, 'data'))[0]);
    };
    child.stdin.write(request(1, 'create_session', { sessionId: 's' }));
    await until('"id":1');
    child.stdin.write(request(2, 'wait_for_events', { sessionId: 's', timeoutSeconds: 60 }));
    child.stdin.write(request(3, 'list_sessions'));
    // The waiting call was read before this one.
    await until('"id":3');
    child.kill('SIGTERM');
    await until('"id":2');
    expect(await exit).toEqual([0, null]);
    const answers = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Json);
    expect(answers.map(({ id }) => id)).toEqual([1, 3, 2]);
    expect(answers[2]).toMatchObject({ error: { message: expect.stringContaining('shutting down') } });
  });

  it.each<[string, string[], RunOptions, RegExp]>([
    ['an unknown flag', ['--nope'], {}, /"--nope"/],
    ['a flag without its value', ['--store'], {}, /"--store/],
    ['an unknown command', ['serve'], {}, /"serve".*stdio/],
    ['an argument too many', ['stdio', 'now'], {}, /"now"/],
    ['an unknown backend', ['--backend', 'cloud'], {}, /"cloud".*local/],
    ['an unknown toolset', ['--toolsets', 'sessions,all'], {}, /"all".*memory/],
    ['an unknown durability', ['--durability', 'half'], {}, /"half".*full, normal/],
    ['an unknown store', ['--store', 'mongodb://x'], {}, /store|URL/i],
    ['an empty user', ['--user', ''], {}, /--user is empty/],
    [
      'a bad variable',
      [],
      { env: { AGENT_SESSIONS_READ_ONLY: 'maybe' } },
      /AGENT_SESSIONS_READ_ONLY.*"maybe"/,
    ],
    ['a config file that is not there', ['--config', 'nope.json'], {}, /no file at the path of --config/],
    ['an export of nothing', ['export'], {}, /needs the id/],
  ])('stops with one sentence and exit code 2 at %s', async (_what, args, options, words) => {
    const ended = await run(args, options);
    expect(ended.code).toBe(2);
    expect(ended.stdout).toBe('');
    expect(ended.stderr.split('\n')[0]).toMatch(words);
    expect(ended.stderr).not.toMatch(/\n\s+at /);
  });

  it('takes its settings from flags before variables before the file', async () => {
    const file = path.join(scratch(), 'config.json');
    writeFileSync(
      file,
      JSON.stringify({ store: 'memory:', user: 'of-file', app: 'of-file', readOnly: true }),
    );
    const env = { AGENT_SESSIONS_CONFIG: file, AGENT_SESSIONS_USER: 'of-env' };
    const client = await connect('v2-modern', { args: ['--app', 'of-flag'], env });
    expect(await client.ok('describe_server')).toMatchObject({ userId: 'of-env', defaultApp: 'of-flag' });
    const names = (await client.listTools()).map((tool) => tool.name);
    expect(names).not.toContain('append_event');
    expect(names).toContain('list_events');
    await client.close();
    writeFileSync(file, JSON.stringify({ stores: 'memory:' }));
    const ended = await run([], { env });
    expect([ended.code, ended.stderr.split('\n')[0]]).toEqual([2, expect.stringContaining('"stores"')]);
  });

  it('prints its usage and version', async () => {
    const help = await run(['--help']);
    expect([help.code, help.stdout]).toEqual([0, expect.stringContaining('--durability full|normal')]);
    const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
    expect(await run(['--version'])).toMatchObject({ code: 0, stdout: `${version}\n` });
  });

  it('keeps its data in the user’s folder and says where, in an empty home and with a space in the path', async () => {
    const home = scratch();
    const ended = await run([], { stdin: request(1, 'create_session'), hold: 1200, env: { HOME: home } });
    const file = path.join(home, '.local', 'share', 'agent-sessions-mcp', 'sessions.db');
    expect(existsSync(file)).toBe(true);
    expect(ended.stderr).toContain(JSON.stringify(file).slice(1, -1));
    expect(ended.stdout).toContain('"structuredContent"');
  });

  it('says in a sentence that the home cannot be written', async () => {
    // A file in the place of the folder: what permissions would do, but for root too.
    const home = path.join(scratch(), 'home');
    writeFileSync(home, '');
    const ended = await run([], { env: { HOME: home } });
    expect(ended.code).toBe(2);
    expect(ended.stdout).toBe('');
    expect(ended.stderr.split('\n')[0]).toMatch(/^[A-Z][^{]+\.$/);
  });

  it('refuses a file that is no database and leaves it as it is', async () => {
    const file = path.join(scratch(), 'notes.txt');
    writeFileSync(file, 'these are my notes\n'.repeat(1000));
    const ended = await run(['--store', `sqlite:${file}`]);
    expect(ended.code).toBe(2);
    expect(readFileSync(file, 'utf8')).toBe('these are my notes\n'.repeat(1000));
  });

  it('reaches its services through the proxy that the environment names', async () => {
    const seen: string[] = [];
    const proxy = createServer().on('connect', (request, socket) => {
      seen.push(request.url ?? '');
      socket.end('HTTP/1.1 502 Bad Gateway\r\n\r\n');
    });
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
    const { port } = proxy.address() as AddressInfo;
    const env = { VECTARA_API_KEY: 'zut_test', HTTPS_PROXY: `http://127.0.0.1:${port}` };
    const ended = await run(['doctor', '--backend', 'vectara', '--app', 'support'], { env });
    proxy.close();
    expect(seen).toContain('api.vectara.io:443');
    expect(ended.code).toBe(1);
    const refused = await run(['doctor', ...memory], { env: { HTTPS_PROXY: 'proxy:pass-4711' } });
    expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining('HTTPS_PROXY') });
    expect(refused.stderr).not.toContain('4711');
  });

  it('checks itself as doctor, and says what is wrong', async () => {
    const well = await run(['doctor', ...memory, '--user', 'ada']);
    expect(well).toMatchObject({ code: 0, stdout: expect.stringContaining('All is well.') });
    const dir = path.join(scratch(), 'dir.db');
    mkdirSync(dir);
    const ill = await run(['doctor', '--store', `sqlite:${dir}`]);
    expect(ill.code).toBe(1);
    expect(ill.stdout).toContain('FAIL');
  });

  it('carries a session from one store to another by export and import', async () => {
    const from = ['--store', `sqlite:${path.join(scratch(), 'a.db')}`];
    const to = ['--store', `sqlite:${path.join(scratch(), 'b.db')}`];
    const source = await connect('v2-modern', { args: from });
    const sessionId = 'carried';
    await source.ok('create_session', {
      sessionId,
      displayName: 'Trip',
      labels: { a: 'b' },
      state: { k: 1, 'user:u': 2 },
    });
    for (let i = 0; i < 150; i += 1)
      await source.ok('append_event', {
        sessionId,
        author: i % 2 ? 'bot' : 'user',
        text: `m${i}`,
        eventId: `e${i}`,
        stateDelta: { k: i },
      });
    await source.ok('set_event_visibility', { sessionId, eventId: 'e7', hidden: true });
    await source.ok('save_artifact', { sessionId, name: 'f.txt', text: 'one' });
    await source.ok('save_artifact', { sessionId, name: 'f.txt', text: 'two' });
    await source.close();
    const exported = await run(['export', sessionId, ...from]);
    expect(exported.code).toBe(0);
    expect(await run(['import', ...to], { stdin: exported.stdout })).toMatchObject({
      code: 0,
      stdout: `${sessionId}\n`,
    });
    expect(await run(['export', sessionId, ...to])).toMatchObject({ code: 0 });
    const again = await run(['export', sessionId, ...to]);
    expect(withoutClocks(again.stdout)).toEqual(withoutClocks(exported.stdout));
    const taken = await run(['import', ...to], { stdin: exported.stdout });
    expect([taken.code, taken.stdout]).toEqual([1, '']);
    const broken = await run(['import', 'other', ...to], { stdin: `${exported.stdout}nonsense\n` });
    expect(broken.code).toBe(1);
    expect((await run(['export', 'other', ...to])).stderr).toContain('There is no such session.');
  });
});

/** An export without what the new session has of its own. */
function withoutClocks(text: string): Json[] {
  return text
    .trim()
    .split('\n')
    .map(
      (line) =>
        JSON.parse(line, (key, value: unknown) =>
          // The last line's hash is of lines that hold these.
          ['updateTime', 'revision', 'sha256'].includes(key) ? undefined : value,
        ) as Json,
    );
}

describe('a store that several processes share', () => {
  it('gives an id to one of two creators', async () => {
    const args = ['--store', `sqlite:${path.join(scratch(), 'data.db')}`];
    const [a, b] = await Promise.all([connect('v2-modern', { args }), connect('v1', { args })]);
    try {
      for (let i = 0; i < 20; i += 1) {
        const answers = await Promise.all(
          [a, b].map((client) => client.call('create_session', { sessionId: `s${i}` })),
        );
        expect(answers.filter((answer) => !answer.isError)).toHaveLength(1);
        expect(answers.find((answer) => answer.isError)?.text).toMatchObject({
          error: { code: 'ALREADY_EXISTS' },
        });
      }
    } finally {
      await Promise.all([a.close(), b.close()]);
    }
  });

  it('takes 4 processes × 500 appends in one total order', { timeout: 120_000 }, async () => {
    const args = ['--store', `sqlite:${path.join(scratch(), 'data.db')}`];
    const sessionId = 'busy';
    const clients = await Promise.all(Array.from({ length: 4 }, () => connect('v2-modern', { args })));
    try {
      await clients[0]?.ok('create_session', { sessionId });
      const answers = await Promise.all(
        clients.flatMap((client, p) =>
          Array.from({ length: 10 }, async (_, lane) => {
            const mine: { id: string; text: string; revision: number }[] = [];
            for (let i = 0; i < 50; i += 1) {
              const text = `${p}-${lane}-${i}`;
              const { event, session } = await client.ok('append_event', { sessionId, text });
              mine.push({
                id: (event as Json).id as string,
                text,
                revision: (session as Json).revision as number,
              });
            }
            return mine;
          }),
        ),
      );
      const acknowledged = answers.flat();
      const stored: Json[] = [];
      let pageToken: unknown;
      do {
        const page: Json =
          (await clients[1]?.ok('list_events', { sessionId, pageSize: 100, pageToken })) ?? {};
        stored.push(...(page.events as Json[]));
        pageToken = page.nextPageToken;
      } while (pageToken !== undefined);
      expect(stored).toHaveLength(2000);
      const byRevision = acknowledged.sort((x, y) => x.revision - y.revision);
      expect(byRevision.map((a) => a.revision)).toEqual(Array.from({ length: 2000 }, (_, i) => i + 2));
      expect(stored.map((event) => event.id)).toEqual(byRevision.map((a) => a.id));
    } finally {
      await Promise.all(clients.map((client) => client.close()));
    }
  });

  it('loses nothing acknowledged to kill -9', { timeout: 600_000 }, async () => {
    const rounds = Number(process.env.KILL_ROUNDS ?? 50);
    const args = ['--store', `sqlite:${path.join(scratch(), 'data.db')}`];
    const sessionId = 'killed';
    const acknowledged = new Map<string, number>();
    const keeper = await connect('v2-modern', { args });
    await keeper.ok('create_session', { sessionId });
    for (let round = 0; round < rounds; round += 1) {
      const victim = await connect('v2-modern', { args });
      let answered = () => {};
      const firstAnswer = new Promise<void>((resolve) => {
        answered = resolve;
      });
      const writing = Array.from({ length: 8 }, async (_, lane) => {
        for (let i = 0; ; i += 1) {
          const eventId = `${round}-${lane}-${i}`;
          const { session } = await victim.ok('append_event', {
            sessionId,
            text: eventId,
            eventId,
            stateDelta: { last: eventId },
          });
          acknowledged.set(eventId, (session as Json).revision as number);
          answered();
        }
      });
      // Some die before their first answer, most in the middle of their work, however slow the machine is.
      if (round % 4 > 0) await firstAnswer;
      await sleep(Math.random() * 100);
      process.kill(victim.pid, 'SIGKILL');
      await Promise.allSettled(writing);
      await victim.close().catch(() => {});
    }
    const stored: string[] = [];
    let pageToken: unknown;
    do {
      const page: Json = await keeper.ok('list_events', { sessionId, pageSize: 100, pageToken });
      stored.push(...(page.events as Json[]).map((event) => event.id as string));
      pageToken = page.nextPageToken;
    } while (pageToken !== undefined);
    expect(new Set(stored).size).toBe(stored.length);
    expect([...acknowledged.keys()].filter((id) => !stored.includes(id))).toEqual([]);
    expect(acknowledged.size).toBeGreaterThan(rounds);
    // Head, events and state are one write: what is not acknowledged is there whole or not at all.
    const { session } = (await keeper.ok('get_session', { sessionId })) as { session: Json };
    expect(session).toMatchObject({
      eventCount: stored.length,
      revision: stored.length + 1,
      state: { last: stored.at(-1) },
    });
    for (const [id, revision] of acknowledged) expect(stored[revision - 2]).toBe(id);
    await keeper.close();
  });
});
