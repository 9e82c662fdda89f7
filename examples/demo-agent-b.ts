/** The second agent of demo.ts: a process of its own, with the older SDK's client and its own server. */
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';

const [sessionId = '', ...server] = process.argv.slice(2);
const tell = (text: string) => process.stdout.write(`agent B  ${text}\n`);

type Json = Record<string, unknown>;

const client = new Client({ name: 'agent-b', version: '1' });
await client.connect(
  new StdioClientTransport({
    command: process.execPath,
    args: ['--import', 'tsx', ...server],
    stderr: 'ignore',
  }),
);
const call = async (name: string, args: Json): Promise<Json> => {
  const result = await client.callTool({ name, arguments: args });
  if (result.isError === true) throw new Error(`${name} failed: ${JSON.stringify(result.content)}`);
  return result.structuredContent as Json;
};

tell('waits for its turn');
let afterEventId: string | undefined;
for (let handed = false; !handed; ) {
  const news = (await call('wait_for_events', { sessionId, afterEventId, timeoutSeconds: 50 })) as {
    events: { actions?: { transferAgent?: string } }[];
    lastEventId?: string;
  };
  afterEventId = news.lastEventId;
  handed = news.events.some((event) => event.actions?.transferAgent === 'agent-b');
}
const { events } = (await call('list_events', { sessionId })) as { events: Json[] };
tell(`is handed the session and reads its ${events.length} events`);
const found = (await call('search_memory', { query: 'what is the weather like on Saturday?', limit: 1 })) as {
  memories: Json[];
};
tell(`finds in memory: ${String(found.memories[0]?.fact)}`);
const fork = (await call('fork_session', { sessionId, displayName: 'Bergen, what if it is dry' })) as {
  session: Json;
};
tell(`forks the session to try another plan: ${String(fork.session.id)}`);
await call('append_event', { sessionId, author: 'agent-b', text: 'The aquarium is open until six.' });
await client.close();
