/**
 * A session whose agent is somewhere else: the server is told of a remote agent by its configuration file, and
 * `stream_query` runs it. The remote agent keeps its own memory of the talk; the id of that stays in the
 * session's state, so that a server started later goes on with it.
 *
 *   npx tsx examples/a2a/index.ts
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { Client } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { serveAgent } from './agent.ts';

type Json = Record<string, unknown>;

const here = path.dirname(fileURLToPath(import.meta.url));
const folder = mkdtempSync(path.join(tmpdir(), 'agent-sessions-a2a-'));
const tell = (text: string) => process.stdout.write(`${text}\n`);

const agent = await serveAgent();
tell(`A remote agent listens at ${agent.url}`);
const config = path.join(folder, 'config.json');
writeFileSync(
  config,
  JSON.stringify({ agents: { default: { kind: 'a2a', name: 'counter', url: agent.url } } }),
);

async function ask(message: string, sessionId?: string): Promise<Json> {
  const client = new Client(
    { name: 'a2a', version: '1' },
    { versionNegotiation: { mode: { pin: '2026-07-28' } } },
  );
  const store = `sqlite:${path.join(folder, 'store.db')}`;
  const args = [
    '--import',
    'tsx',
    path.join(here, '..', '..', 'src', 'main.ts'),
    '--store',
    store,
    '--config',
    config,
  ];
  await client.connect(new StdioClientTransport({ command: process.execPath, args, stderr: 'ignore' }));
  tell(`user     ${message}`);
  const result = await client.callTool(
    { name: 'stream_query', arguments: { message, sessionId } },
    { onprogress: (progress) => tell(`  …      ${progress.message ?? ''}`) },
  );
  if (result.isError === true) throw new Error(JSON.stringify(result.content));
  const answer = result.structuredContent as Json;
  tell(`counter  ${String(answer.text)}`);
  const { structuredContent } = await client.callTool({
    name: 'get_session',
    arguments: { sessionId: answer.sessionId },
  });
  tell(`state    ${JSON.stringify((structuredContent as { session: Json }).session.state)}`);
  await client.close();
  return answer;
}

const first = await ask('Hello there');
const second = await ask('Do you remember me?', String(first.sessionId));
if (!String(second.text).startsWith('This is message 2')) throw new Error('It does not remember.');
agent.close();
rmSync(folder, { recursive: true });
