/**
 * Two agents and two backends: one MCP client lets an ADK agent work on a task, another watches the events as
 * they come, then forks the session into the local store and carries on there, without the ADK server.
 *
 *   adk api_server ./agents                                       (your agents, in another terminal)
 *   ADK_API_SERVER_URL=http://127.0.0.1:8000 npx tsx examples/watch-adk.ts [APP] [MESSAGE]
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { Client } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';

type Json = Record<string, unknown>;

const folder = mkdtempSync(path.join(tmpdir(), 'watch-adk-'));
const main = fileURLToPath(new URL('../src/main.ts', import.meta.url));
const adk = process.env.ADK_API_SERVER_URL ?? 'http://127.0.0.1:8000';
const tell = (who: string, text: string) => process.stdout.write(`${who.padEnd(8)} ${text}\n`);

async function connect(name: string) {
  const client = new Client({ name, version: '1' });
  await client.connect(
    new StdioClientTransport({
      command: process.execPath,
      args: [
        '--import',
        'tsx',
        main,
        '--backend',
        'adk,local',
        '--store',
        `sqlite:${path.join(folder, 'own.db')}`,
        '--user',
        'demo',
      ],
      env: { PATH: process.env.PATH ?? '', ADK_API_SERVER_URL: adk },
      stderr: 'ignore',
    }),
  );
  const call = async (tool: string, args: Json, onText?: (text: string) => void): Promise<Json> => {
    const result = await client.callTool(
      { name: tool, arguments: args },
      onText ? { onprogress: (progress) => onText(progress.message ?? '') } : {},
    );
    if (result.isError === true) throw new Error(`${tool} failed: ${JSON.stringify(result.content)}`);
    return result.structuredContent as Json;
  };
  return { call, close: () => client.close() };
}

const [runner, watcher] = await Promise.all([connect('runner'), connect('watcher')]);
try {
  const { apps } = (await runner.call('list_apps', {})) as { apps: { name: string }[] };
  const [app = apps[0]?.name ?? '', message = 'Plan a rainy day in Bergen'] = process.argv.slice(2);
  tell('runner', `finds the ADK apps ${apps.map((a) => a.name).join(', ')} and uses ${app}`);
  const { session } = (await runner.call('create_session', { app })) as { session: Json };
  const sessionId = session.id as string;

  const running = runner.call('stream_query', { app, sessionId, message }, (text) =>
    tell('runner', `streams: ${text}`),
  );
  tell('runner', `asks: ${message}`);
  let afterEventId: string | undefined;
  let finished = false;
  void running.finally(() => {
    finished = true;
  });
  for (let more = true; more; ) {
    more = !finished;
    const news = (await watcher.call('wait_for_events', {
      app,
      sessionId,
      afterEventId,
      timeoutSeconds: more ? 3 : 0,
    })) as {
      events: Json[];
      lastEventId?: string;
    };
    for (const event of news.events) tell('watcher', `sees ${String(event.author)}: ${textOf(event)}`);
    afterEventId = news.lastEventId;
  }
  const result = (await running) as { status: string };
  tell('runner', `is done: ${result.status}`);

  const fork = (await watcher.call('fork_session', { app, sessionId, toBackend: 'local', toApp: app })) as {
    session: Json;
  };
  tell(
    'watcher',
    `forks it into the local store as ${String(fork.session.id)}, with ${String(fork.session.eventCount)} events`,
  );
  const own = { app, sessionId: fork.session.id, backend: 'local' };
  await watcher.call('append_event', { ...own, author: 'watcher', text: 'I take it from here.' });
  const { events } = (await watcher.call('list_events', { ...own, order: 'desc', pageSize: 1 })) as {
    events: Json[];
  };
  tell('watcher', `carries on: ${textOf(events[0])}`);
} finally {
  await Promise.all([runner.close(), watcher.close()]);
  rmSync(folder, { recursive: true });
}

function textOf(event: Json | undefined): string {
  const parts = ((event?.content as Json | undefined)?.parts ?? []) as Json[];
  return parts.map((part) => (typeof part.text === 'string' ? part.text : JSON.stringify(part))).join(' ');
}
