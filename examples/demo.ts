/**
 * The main job, to watch: two agents share one conversation through two server processes over one store.
 * Agent A is this process, with the current MCP client; agent B is another, with the client of the older
 * SDK. In the end the server is killed without warning, and everything is still there.
 *
 *   npm run demo
 *   npm run demo -- FILE     keeps the store in this file, with the fork, to be looked at afterwards
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { Client } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';

const here = path.dirname(fileURLToPath(import.meta.url));
const [kept] = process.argv.slice(2);
const folder = mkdtempSync(path.join(tmpdir(), 'agent-sessions-demo-'));
const store = kept === undefined ? path.join(folder, 'demo.db') : path.resolve(kept);
const server = [path.join(here, '..', 'src', 'main.ts'), '--store', `sqlite:${store}`, '--user', 'demo'];
const tell = (who: string, text: string) => process.stdout.write(`${who.padEnd(8)} ${text}\n`);

type Json = Record<string, unknown>;

async function connect() {
  const transport = new StdioClientTransport({
    command: process.execPath,
    args: ['--import', 'tsx', ...server],
    stderr: 'ignore',
  });
  // The user's yes to what deletes is given here, since nobody watches the demo's questions.
  const client = new Client(
    { name: 'agent-a', version: '1' },
    { capabilities: { elicitation: { form: {} } }, versionNegotiation: { mode: { pin: '2026-07-28' } } },
  );
  client.setRequestHandler('elicitation/create', async ({ params }) => {
    tell('user', `is asked: ${params.message} — says yes`);
    return { action: 'accept', content: { confirm: true } };
  });
  await client.connect(transport);
  const call = async (name: string, args: Json): Promise<Json> => {
    const result = await client.callTool({ name, arguments: args });
    const [first] = result.content as { text?: string }[];
    if (result.isError === true) throw new Error(`${name} failed: ${first?.text ?? ''}`);
    return result.structuredContent as Json;
  };
  return { call, close: () => client.close(), pid: transport.pid ?? 0 };
}

let a = await connect();
tell('demo', `a server over ${store}, process ${a.pid}`);

const { session } = (await a.call('create_session', {
  displayName: 'Weekend in Bergen',
  state: { step: 'asking', 'user:language': 'en' },
})) as { session: Json };
const sessionId = session.id as string;
tell('agent A', `opens session ${sessionId}`);

const b = spawn(
  process.execPath,
  ['--import', 'tsx', path.join(here, 'demo-agent-b.ts'), sessionId, ...server],
  {
    stdio: ['ignore', 'inherit', 'inherit'],
  },
);
const ended = once(b, 'exit');

await a.call('append_event', { sessionId, author: 'user', text: 'Will it rain in Bergen on Saturday?' });
tell('agent A', 'stores what the user asked');
const callPart = {
  functionCall: { id: 'forecast-1', name: 'forecast', args: { city: 'Bergen', day: 'Saturday' } },
};
await a.call('append_event', { sessionId, author: 'agent-a', content: { role: 'model', parts: [callPart] } });
const open = (await a.call('list_tool_calls', { sessionId })) as { toolCalls: Json[] };
tell('agent A', `calls a tool; open calls: ${open.toolCalls.map((c) => c.name).join(', ')}`);
await a.call('submit_tool_outputs', {
  sessionId,
  outputs: [{ toolCallId: 'forecast-1', output: { sky: 'rain', millimetres: 14 } }],
});
tell('agent A', 'stores the tool’s answer; open calls: none');
await a.call('append_event', {
  sessionId,
  author: 'agent-a',
  text: 'Yes, about 14 mm. Pack a raincoat.',
  stateDelta: { step: 'answered' },
});
await a.call('save_artifact', {
  sessionId,
  name: 'packing-list.md',
  mimeType: 'text/markdown',
  text: '- raincoat\n- boots\n',
});
tell('agent A', 'answers, and saves packing-list.md with the session');
const remembered = (await a.call('add_session_to_memory', { sessionId })) as { count: number };
tell('agent A', `adds the session to memory: ${remembered.count} facts`);
const handedOver = (await a.call('append_event', {
  sessionId,
  author: 'agent-a',
  text: 'Agent B, please find an indoor plan.',
  handOver: { agent: 'agent-b' },
})) as { event: Json };
tell('agent A', 'hands over to agent B and waits');

const answer = (await a.call('wait_for_events', {
  sessionId,
  afterEventId: handedOver.event.id,
  timeoutSeconds: 50,
})) as { events: Json[] };
tell('agent A', `hears from ${String(answer.events[0]?.author)}: ${textOf(answer.events[0])}`);
const [code] = (await ended) as [number | null];
if (code !== 0) throw new Error('Agent B failed.');

tell('demo', `kills the server of agent A (SIGKILL, process ${a.pid}) and starts another`);
process.kill(a.pid, 'SIGKILL');
await a.close().catch(() => {});
a = await connect();

const { events } = (await a.call('list_events', { sessionId })) as { events: Json[] };
for (const [i, event] of events.entries())
  tell(`event ${i + 1}`, `${String(event.author)}: ${textOf(event)}`);
const after = (await a.call('get_session', { sessionId })) as { session: Json };
const artifact = (await a.call('get_artifact', { sessionId, name: 'packing-list.md' })) as { text: string };
const sessions = (await a.call('list_sessions', {})) as { sessions: Json[] };
tell(
  'agent A',
  `finds ${events.length} events, state ${JSON.stringify(after.session.state)}, a packing list of ${artifact.text.length} bytes and ${sessions.sessions.length} sessions`,
);
if (events.length !== 6 || sessions.sessions.length !== 2) throw new Error('Something was lost.');
if (kept === undefined) {
  const fork = sessions.sessions.find((s) => s.id !== sessionId);
  await a.call('delete_session', { sessionId: fork?.id });
  tell('agent A', 'deletes the fork');
} else tell('demo', `keeps it: agent-sessions-mcp open --store sqlite:${store} --user demo`);
await a.close();
rmSync(folder, { recursive: true });
tell('demo', 'nothing was lost. The end.');

function textOf(event: Json | undefined): string {
  const parts = ((event?.content as Json | undefined)?.parts ?? []) as Json[];
  return parts.map((part) => (typeof part.text === 'string' ? part.text : JSON.stringify(part))).join(' ');
}
