/**
 * Hosts, and the bridges between them, on the built server: each gets the entry that `init` prints and README shows,
 * over stdio and over HTTP with a token. No host has a model or a login here, so a host says whether it is
 * connected; what can be called without a model, is. Also judged: the bundle for Claude Desktop.
 */
import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync, realpathSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { hostEntry } from '../../../src/cli/host-entries.ts';
import { answerOf, emptyHome, expect, judge, openStand, root, visit } from '../stand.mjs';

const programs = path.join(import.meta.dirname, 'node_modules', '.bin');
const stand = await openStand();
const connections = { stdio: stand.stdio, http: stand.http };
const exec = promisify(execFile);

/** A folder that a host works in, with a home of its own. */
function place(name) {
  const { home, env } = emptyHome(stand.scratch, name, programs);
  // Hosts look for trust under the real path.
  const folder = path.join(realpathSync(home), 'work');
  mkdirSync(folder);
  const write = (file, text) => {
    mkdirSync(path.dirname(path.join(home, file)), { recursive: true });
    writeFileSync(path.join(home, file), text);
  };
  const run = async (line) => {
    const { stdout, stderr } = await exec('sh', ['-c', line], {
      cwd: folder,
      env: { ...env, CI: '1', NO_COLOR: '1' },
      timeout: 120_000,
      maxBuffer: 16 * 1024 * 1024,
    });
    return stdout + stderr;
  };
  return { folder, env, write, run };
}

async function visitWith(transport) {
  const client = new Client({ name: 'judge', version: '1' });
  await client.connect(transport);
  try {
    await visit(
      async () => (await client.listTools()).tools.map(({ name }) => name),
      async (name, args) => answerOf(await client.callTool({ name, arguments: args })),
    );
  } finally {
    await client.close();
  }
}

/** What a host does with an entry that it takes as JSON. */
function transportOf(entry, env) {
  const url = entry.httpUrl ?? entry.url;
  if (url !== undefined)
    return new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers: entry.headers } });
  const { command, args } = entry;
  // npx would fetch what is installed here.
  const [program, ...rest] = command === 'npx' ? args.filter((arg) => arg !== '-y') : [command, ...args];
  return new StdioClientTransport({
    command: program,
    args: rest,
    env: { ...env, ...entry.env },
    stderr: 'ignore',
  });
}

for (const [transport, to] of Object.entries(connections)) {
  const textFor = (host) => hostEntry(host, to, 'linux').text;

  await judge(`Claude Code over ${transport}: mcp add, and mcp list says Connected`, async () => {
    const { run } = place(`claude-code-${transport}`);
    await run(textFor('claude-code'));
    const listed = await run('claude mcp list');
    expect(/agent-sessions: .*Connected/.test(listed), listed);
  });

  await judge(`Gemini CLI over ${transport}: mcp list says Connected`, async () => {
    const { folder, write, run } = place(`gemini-${transport}`);
    write('.gemini/trustedFolders.json', JSON.stringify({ [folder]: 'TRUST_FOLDER' }));
    write('work/.gemini/settings.json', textFor('gemini-cli'));
    const listed = await run('gemini mcp list');
    expect(/agent-sessions: .*Connected/.test(listed), listed);
  });

  await judge(`Codex CLI over ${transport}: takes the entry`, async () => {
    const { write, run } = place(`codex-${transport}`);
    write('.codex/config.toml', textFor('codex'));
    const listed = await run('codex mcp list --json 2>/dev/null');
    const [entry] = JSON.parse(listed);
    const { type, command, args, url, http_headers: headers } = entry.transport;
    expect(entry.name === 'agent-sessions' && entry.enabled, listed);
    if (transport === 'stdio') expect(command === to.command && args.join() === to.args.join(), listed);
    else expect(type === 'streamable_http' && url === to.url && headers?.Authorization !== undefined, listed);
  });

  await judge(`mcporter over ${transport}: lists and calls`, async () => {
    const { write, run } = place(`mcporter-${transport}`);
    write('work/mcporter.json', textFor('cursor'));
    await visit(
      async () => {
        const listed = JSON.parse(
          await run('mcporter --config mcporter.json list agent-sessions --json 2>/dev/null'),
        );
        return (listed.tools ?? listed.servers[0].tools).map(({ name }) => name);
      },
      async (name, args) => {
        const line = `mcporter --config mcporter.json call agent-sessions.${name} --args '${JSON.stringify(args)}' --output json 2>/dev/null`;
        return JSON.parse(await run(line));
      },
    );
  });

  for (const host of ['vscode', 'cursor', 'claude-desktop'])
    await judge(`the entry of ${host} over ${transport} leads to the tools`, async () => {
      const { env } = place(`${host}-${transport}`);
      const content = JSON.parse(textFor(host));
      const entry = content[host === 'vscode' ? 'servers' : 'mcpServers']['agent-sessions'];
      await visitWith(transportOf(entry, env));
    });
}

await judge('the bundle is packed, is valid, and serves from its unpacked folder', async () => {
  await exec('npm', ['run', '--silent', 'bundle'], { cwd: root, maxBuffer: 16 * 1024 * 1024 });
  const { folder, env, run } = place('mcpb');
  const packed = path.join(root, 'packaging/mcpb/agent-sessions-mcp.mcpb');
  await run(`mcpb unpack '${packed}' bundle`);
  expect((await run('mcpb validate bundle/manifest.json')).includes('passes'), 'mcpb validate');
  const { server, user_config: fields } = JSON.parse(
    readFileSync(path.join(folder, 'bundle/manifest.json'), 'utf8'),
  );
  const filled = (text) =>
    text
      .replaceAll(/\$\{__dirname\}/g, path.join(folder, 'bundle'))
      .replaceAll(/\$\{user_config\.(\w+)\}/g, (_, name) => String(fields[name].default));
  const variables = Object.entries(server.mcp_config.env).map(([name, value]) => [name, filled(value)]);
  const args = server.mcp_config.args.map(filled);
  await visitWith(transportOf({ command: 'node', args, env: Object.fromEntries(variables) }, env));
});

await stand.close();
process.exit();
