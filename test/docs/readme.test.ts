import { execFile, spawn } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { describe, expect, it } from 'vitest';
import { connect, scratch } from '../e2e/clients.ts';

const readme = readFileSync('README.md', 'utf8');
const blocks = (language: string): string[] =>
  [...readme.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, 'gms'))].map(([, text = '']) => text);
const only = <T>(found: T[]): T => {
  expect(found).toHaveLength(1);
  return found[0] as T;
};
const json = (holds: string) =>
  JSON.parse(only(blocks('json').filter((text) => text.includes(holds)))) as Record<string, unknown>;

/** A home without anything in it, and this repository’s programs on the path. */
const home = scratch();
const env = {
  PATH: `${path.resolve('node_modules/.bin')}:${process.env.PATH}`,
  HOME: home,
  AGENT_SESSIONS_PORT: '0',
};

describe('README', () => {
  it('names scripts that there are', () => {
    const { scripts } = JSON.parse(readFileSync('package.json', 'utf8')) as { scripts: object };
    const named = [...readme.matchAll(/npm run (?:--silent )?([\w:]+)/g)].map(([, name]) => name);
    expect(named.length).toBeGreaterThan(5);
    for (const name of named) expect(scripts).toHaveProperty([name as string]);
  });

  it('links to pages that there are', () => {
    const links = [...readme.matchAll(/\]\((?!https?:|#)([^)#]+)/g)].map(([, file = '']) => file);
    expect(links.length).toBeGreaterThan(3);
    for (const file of links) expect([file, existsSync(file)]).toEqual([file, true]);
  });

  it('names every tool, and none that there is not', async () => {
    const client = await connect('v2-modern', { args: ['--store', 'memory:'] });
    const tools = (await client.listTools()).map((tool) => tool.name);
    await client.close();
    const [, table = ''] = /## Tools\n(.*?)\n\n`--toolsets/s.exec(readme) ?? [];
    const named = [...table.matchAll(/`([a-z_]+)`/g)].map(([, name]) => name);
    expect(named.sort()).toEqual([...tools, 'create_app', 'delete_app'].sort());
  });

  it('shows mcp.json as it is', () => {
    const shown = json('"command": "node_modules/.bin/node"');
    const file = JSON.parse(readFileSync('mcp.json', 'utf8')) as Record<string, unknown>;
    expect(file).toMatchObject(shown);
  });

  it('shows entries for hosts that are JSON', () => {
    const entries = [...readme.matchAll(/`(\{"(?:mcpServers|servers)".*?\})`/g)].map(([, text = '']) => text);
    expect(entries.length).toBeGreaterThan(1);
    for (const entry of entries) expect(JSON.stringify(JSON.parse(entry))).toContain('dist/launcher.cjs');
  });

  it('shows a configuration file that a server starts with', async () => {
    const file = path.join(scratch(), 'config.json');
    writeFileSync(file, JSON.stringify(json('"agents"')));
    const client = await connect('v2-modern', { args: ['--store', 'memory:', '--config', file] });
    await client.ok('create_session', { sessionId: 's' });
    expect(await client.ok('query', { sessionId: 's', message: 'hello' })).toMatchObject({
      status: 'completed',
    });
    await client.close();
  });

  it('shows how a host connects over HTTP, with a token', async () => {
    const [make = '', serve = ''] = only(blocks('sh').filter((text) => text.includes('add-token')))
      .trim()
      .split('\n');
    const folder = scratch();
    // The commands are run in this repository, and their files are kept out of it.
    const placed = (line: string) =>
      line.replaceAll(/\b(tokens\.json|ada\.token)\b/g, (name) => `"${path.join(folder, name)}"`);
    await promisify(execFile)('sh', ['-c', placed(make)], { env });
    const token = readFileSync(path.join(folder, 'ada.token'), 'utf8').trim();
    const server = spawn('sh', ['-c', `exec ${placed(serve)}`], {
      env,
      stdio: ['ignore', 'ignore', 'pipe'],
      detached: true,
    });
    try {
      let url = '';
      for await (const line of createInterface(server.stderr)) {
        url = /"url":"([^"]+)"/.exec(line)?.[1] ?? '';
        if (url !== '') break;
      }
      const entry = JSON.stringify(json('"type": "http"')).replace('TOKEN', token);
      const { headers } = (
        JSON.parse(entry) as { mcpServers: Record<string, { headers: Record<string, string> }> }
      ).mcpServers['agent-sessions'] as { headers: Record<string, string> };
      const client = new Client({ name: 'readme', version: '1' });
      await client.connect(new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers } }));
      const { structuredContent } = await client.callTool({ name: 'create_session', arguments: {} });
      expect(structuredContent).toMatchObject({ session: { userId: 'ada' } });
      await client.close();
    } finally {
      process.kill(-(server.pid as number), 'SIGTERM');
    }
  });

  it('has no command that no test runs', () => {
    // What is run elsewhere: by .ci/run, by test/run/examples.test.ts, and by hosts that cannot be had here.
    const elsewhere = [
      /^npm install && npm (run demo|test)$/,
      /^npm run build$/,
      /^claude mcp add /,
      /^npx tsx examples\//,
    ];
    const here = [/ add-token /, / http --auth-tokens /];
    for (const line of blocks('sh').join('').trim().split('\n'))
      expect([line, [...elsewhere, ...here].some((known) => known.test(line))]).toEqual([line, true]);
  });
});
