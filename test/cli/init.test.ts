import { execFile, spawn } from 'node:child_process';
import { copyFileSync, existsSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { describe, expect, it } from 'vitest';
import { bundle } from '../e2e/bundle.ts';
import { run } from '../e2e/run.ts';
import { freePort } from '../free-port.ts';
import { scratch } from '../scratch.ts';

interface Entry {
  command?: string;
  args?: string[];
  env?: Record<string, string>;
  type?: string;
  url?: string;
  httpUrl?: string;
  headers?: Record<string, string>;
}

const env = () => ({ PATH: process.env.PATH ?? '', HOME: scratch() });

/** What init has printed, by the title above it. */
function printed(stdout: string): Map<string, string> {
  const parts = stdout.split(/^# (?!or open$)/m).slice(1);
  return new Map(
    parts.map((part) => {
      const [head = '', ...text] = part.trimEnd().split('\n');
      return [head.split(':')[0] ?? '', text.join('\n').split('\n# or open\n')[0] ?? ''];
    }),
  );
}

function entryOf(stdout: string, host: string, key = 'mcpServers'): Entry {
  const file = JSON.parse(printed(stdout).get(host) ?? '{}') as Record<string, Record<string, Entry>>;
  return file[key]?.['agent-sessions'] ?? {};
}

/** The words of a command line, as a shell reads them. */
async function wordsOf(line: string): Promise<string[]> {
  const { stdout } = await promisify(execFile)('sh', ['-c', `printf '%s\\n' ${line}`]);
  return stdout.trimEnd().split('\n');
}

const contentOf = (file: string): unknown => JSON.parse(readFileSync(file, 'utf8'));

describe('init', () => {
  it('writes a configuration, and an entry that starts the server with it', async () => {
    const folder = scratch();
    const file = path.join(folder, 'sessions.json');
    const store = `sqlite:${path.join(folder, 'data.db')}`;
    const { code, stdout, stderr } = await run(['init', '--yes', file, '--user', 'ada', '--store', store]);
    expect([code, stderr]).toEqual([0, `Wrote ${file}.\n`]);
    expect(contentOf(file)).toEqual({ user: 'ada', store });
    expect([...printed(stdout).keys()]).toEqual([
      ...['Claude Code', 'Claude Desktop', 'Cursor', 'VS Code', 'Gemini CLI', 'Codex CLI'],
    ]);

    const { command = '', args = [] } = entryOf(stdout, 'Claude Desktop');
    const client = new Client({ name: 'host', version: '1' });
    // A host has a folder and an environment of its own.
    await client.connect(
      new StdioClientTransport({ command, args, cwd: scratch(), env: env(), stderr: 'ignore' }),
    );
    const { structuredContent } = await client.callTool({ name: 'create_session', arguments: {} });
    expect(structuredContent).toMatchObject({ session: { userId: 'ada' } });
    await client.close();
    expect(existsSync(path.join(folder, 'data.db'))).toBe(true);

    const started = { command, args };
    expect(entryOf(stdout, 'Cursor')).toEqual(started);
    expect(entryOf(stdout, 'Gemini CLI')).toEqual(started);
    expect(entryOf(stdout, 'VS Code', 'servers')).toEqual({ type: 'stdio', ...started });
    expect(await wordsOf(printed(stdout).get('Claude Code') ?? '')).toEqual([
      ...['claude', 'mcp', 'add', 'agent-sessions', '--', command],
      ...args,
    ]);
    expect(printed(stdout).get('Codex CLI')).toBe(
      `[mcp_servers.agent-sessions]\ncommand = ${JSON.stringify(command)}\nargs = ${JSON.stringify(args)}`,
    );
  });

  it('for HTTP makes a token, with which a host is let in', async () => {
    const file = path.join(scratch(), 'team.json');
    const tokens = file.replace('.json', '.tokens.json');
    const port = String(await freePort());
    const store = ['--store', 'memory:', '--user', 'ada'];
    const made = await run(['init', '-y', file, '--transport', 'http', '--port', port, ...store]);
    expect(made.code).toBe(0);
    const { stdout, stderr } = made;
    expect(stderr).toContain(`Wrote ${file} and ${tokens}.`);
    expect(contentOf(file)).toMatchObject({ http: { port: Number(port), authTokens: tokens } });
    expect(statSync(tokens).mode & 0o077).toBe(0);

    const { url = '', headers = {} } = entryOf(stdout, 'Cursor');
    const token = headers.Authorization?.replace('Bearer ', '') ?? '';
    expect(token.length).toBeGreaterThan(40);
    expect(readFileSync(file, 'utf8') + readFileSync(tokens, 'utf8')).not.toContain(token);
    expect(entryOf(stdout, 'VS Code', 'servers')).toEqual({ type: 'http', url, headers });
    expect(entryOf(stdout, 'Gemini CLI')).toEqual({ httpUrl: url, headers });
    expect(entryOf(stdout, 'Claude Desktop')).toMatchObject({
      command: 'npx',
      env: { AUTH_HEADER: `Bearer ${token}` },
    });
    expect(await wordsOf(printed(stdout).get('Claude Code') ?? '')).toEqual([
      ...['claude', 'mcp', 'add', '--transport', 'http', 'agent-sessions', url],
      ...['--header', `Authorization: Bearer ${token}`],
    ]);
    expect(printed(stdout).get('Codex CLI')).toContain(
      `http_headers = { "Authorization" = "Bearer ${token}" }`,
    );

    const [command = '', ...args] = await wordsOf(printed(stdout).get('Start the server') ?? '');
    const server = spawn(command, args, { env: env(), cwd: scratch(), stdio: ['ignore', 'ignore', 'pipe'] });
    try {
      for await (const line of createInterface(server.stderr)) if (line.includes('"Listening."')) break;
      const client = new Client({ name: 'host', version: '1' });
      await client.connect(new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers } }));
      const { structuredContent } = await client.callTool({ name: 'create_session', arguments: {} });
      expect(structuredContent).toMatchObject({ session: { userId: 'ada' } });
      await client.close();
      expect((await fetch(url, { method: 'POST', body: '{}' })).status).toBe(401);
    } finally {
      server.kill('SIGTERM');
    }
  });

  it('asks on stderr, asks again where an answer cannot be, and prints only the host that was named', async () => {
    const folder = scratch();
    const file = path.join(folder, 'asked.json');
    const answers = ['carrier pigeon', '', 'ada', 'mongodb:x', `sqlite:${folder}/my.db`, 'gemini-cli', ''];
    const { code, stdout, stderr } = await run(['init', file], { stdin: answers.join('\n') });
    expect([code, stderr.split('\n').at(-2)]).toEqual([0, expect.stringContaining(`Wrote ${file}.`)]);
    expect(stderr.match(/Transport, stdio or http \[stdio\]: /g)).toHaveLength(2);
    expect(stderr).toContain('Unknown kind of store: "mongodb".');
    expect(contentOf(file)).toEqual({ user: 'ada', store: `sqlite:${folder}/my.db` });
    expect([...printed(stdout).keys()]).toEqual(['Gemini CLI']);
  });

  it('writes nothing when the answers end early', async () => {
    const file = path.join(scratch(), 'asked.json');
    const ended = await run(['init', file], { stdin: 'http\n' });
    expect(ended).toMatchObject({ code: 1, stdout: '' });
    expect(ended.stderr).toContain('nothing was written. Answer every question, or');
    expect(existsSync(file)).toBe(false);
  });

  it('overwrites nothing, and leaves nothing half done', async () => {
    const folder = scratch();
    const file = path.join(folder, 'mine.json');
    writeFileSync(file, 'mine');
    const ended = await run(['init', '--yes', file]);
    expect(ended).toMatchObject({ code: 1, stdout: '' });
    expect(ended.stderr).toContain('init overwrites nothing');
    expect(readFileSync(file, 'utf8')).toBe('mine');

    const other = path.join(folder, 'other.json');
    writeFileSync(path.join(folder, 'other.tokens.json'), '[]');
    expect((await run(['init', '--yes', other, '--transport', 'http'])).stderr).toContain(
      'other.tokens.json',
    );
    expect(existsSync(other)).toBe(false);
    expect(readFileSync(path.join(folder, 'other.tokens.json'), 'utf8')).toBe('[]');

    // A name that has no room for the longer one of the tokens.
    const long = path.join(folder, `${'x'.repeat(245)}.json`);
    const failed = await run(['init', '--yes', '--transport', 'http', long]);
    expect(failed.stderr).toMatch(/^The token file cannot be written\./);
    expect(existsSync(long)).toBe(false);

    const nowhere = await run(['init', '--yes', path.join(folder, 'no', 'where.json')]);
    expect(nowhere.stderr).toMatch(/^The configuration cannot be written\./);
  });

  it('names the launcher of the published package, which any Node.js can start', async () => {
    const dist = scratch();
    const launcher = path.join(dist, 'launcher.cjs');
    copyFileSync('src/launcher.cjs', launcher);
    symlinkSync(bundle, path.join(dist, 'main.js'));
    const file = path.join(dist, 'c.json');
    const { stdout } = await promisify(execFile)(
      process.execPath,
      [launcher, 'init', '--yes', file, '--client', 'cursor'],
      { env: env() },
    );
    expect(entryOf(stdout, 'Cursor')).toEqual({ command: 'node', args: [launcher, '--config', file] });
  });
});
