import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { type Connection, hostEntry } from '../../src/cli/host-entries.ts';
import { hostNames } from '../../src/cli/host-names.ts';
import { bundle } from '../e2e/bundle.ts';
import { connect } from '../e2e/clients.ts';
import { scratch } from '../scratch.ts';
import { pageText, textsOf } from './markdown.ts';

const readme = pageText('README.md');
const programs = textsOf(readme, 'js');

/** Runs a program of README, with a session's id where it wants one. Resolves to what it prints. */
async function output(program: string, env: Record<string, string>): Promise<string> {
  // In the repository, where its imports are found; what it starts is the bundle that the tests made.
  const folder = mkdtempSync(path.resolve('node_modules/.cache/readme-'));
  const file = path.join(folder, 'try.mjs');
  writeFileSync(file, program.replace("'dist/launcher.cjs'", JSON.stringify(bundle)));
  try {
    const { stdout } = await promisify(execFile)(process.execPath, [file], { env });
    return stdout;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const bare = () => ({ PATH: process.env.PATH ?? '', HOME: scratch() });

describe('README', () => {
  it('names scripts that there are', () => {
    const { scripts } = JSON.parse(readFileSync('package.json', 'utf8')) as { scripts: object };
    const named = [...readme.matchAll(/npm run (?:--silent )?([\w:]+)/g)].map(([, name]) => name);
    expect(named.length).toBeGreaterThan(5);
    for (const name of named) expect(scripts).toHaveProperty([name as string]);
  });

  it('names every tool, and none that there is not', async () => {
    const client = await connect('v2-modern', { args: ['--store', 'memory:'] });
    const tools = (await client.listTools()).map((tool) => tool.name);
    await client.close();
    const [, table = ''] = /## Tools\n(.*?)\n\n`--toolsets/s.exec(readme) ?? [];
    const named = [...table.matchAll(/`([a-z_]+)`/g)].map(([, name]) => name);
    expect(named.sort()).toEqual([...tools, 'create_app', 'delete_app'].sort());
  });

  it.each(hostNames)('shows the entry of %s as init prints it', (host) => {
    const stdio: Connection = { transport: 'stdio', command: 'node', args: ['/path/to/dist/launcher.cjs'] };
    const http: Connection = { transport: 'http', url: 'http://127.0.0.1:8080/mcp', token: 'TOKEN' };
    for (const to of [stdio, http]) {
      const { title, text, where } = hostEntry(host, to, 'linux');
      const blocks = ['sh', 'json', 'toml'].flatMap((language) => textsOf(readme, language));
      expect(blocks).toContain(`${text}\n`);
      expect(readme).toContain(`<b>${title}</b>: ${where}`);
    }
  });

  it('prints the entries by the command that it shows, when its questions are answered by Enter', async () => {
    expect(textsOf(readme, 'sh').join('')).toContain('node dist/launcher.cjs init\n');
    const child = spawn(process.execPath, [bundle, 'init'], { cwd: scratch(), env: bare() });
    let said = '';
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      said += chunk;
    });
    child.stdin.end('\n\n\n\n');
    expect(await once(child, 'close')).toEqual([0, null]);
    expect(said).toContain('claude mcp add agent-sessions --');
    expect(said).toContain('# or open\nvscode:mcp/install?');
  });

  it('has a client of ten lines that works', async () => {
    const [program = ''] = programs;
    expect(program.trim().split('\n')).toHaveLength(10);
    expect(await output(program, bare())).toContain('Where shall we eat?');
  });

  it('has a hand-over that works, between two processes', { timeout: 60_000 }, async () => {
    const [client = '', planner = '', worker = ''] = programs;
    const env = { ...bare(), AGENT_SESSIONS_USER: 'ada' };
    const { stdout } = await promisify(execFile)(
      process.execPath,
      [
        '--input-type=module',
        '--eval',
        withClient(client, "console.log((await call('create_session', {})).session.id);"),
      ],
      { env },
    );
    const open = `const sessionId = ${JSON.stringify(stdout.trim())};\n`;
    const [asked, done] = await Promise.all(
      [planner, worker].map((part) => output(withClient(client, open + part), env)),
    );
    expect(done).toContain('Book a table for seven.');
    expect(asked).toContain('Booked for eight o’clock.');
  });
});

/** A part of a program, with the connection that the whole one opens. */
function withClient(whole: string, part: string): string {
  const [opening = ''] = /^.*?(?=const \{ session \})/s.exec(whole) ?? [];
  return `${opening}${part}\nawait client.close();\n`.replace("'dist/launcher.cjs'", JSON.stringify(bundle));
}
