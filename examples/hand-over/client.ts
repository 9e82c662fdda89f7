import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { Client } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';

export type Json = Record<string, unknown>;

export interface Event {
  id: string;
  author: string;
  content?: { parts: { text?: string }[] };
  actions?: { transferAgent?: string; escalate?: boolean };
}

const main = path.join(path.dirname(fileURLToPath(import.meta.url)), '..', '..', 'src', 'main.ts');

/** An MCP client with a server of its own, over the store that all take part in. */
export async function connect(name: string, store: string) {
  const client = new Client({ name, version: '1' }, { versionNegotiation: { mode: { pin: '2026-07-28' } } });
  const args = ['--import', 'tsx', main, '--store', store, '--user', 'example'];
  await client.connect(new StdioClientTransport({ command: process.execPath, args, stderr: 'ignore' }));
  async function call(tool: string, given: Json): Promise<Json> {
    const result = await client.callTool({ name: tool, arguments: given });
    if (result.isError === true) throw new Error(`${tool} failed: ${JSON.stringify(result.content)}`);
    return result.structuredContent as Json;
  }
  return {
    client,
    call,
    /** Says something in the session, and hands it over to another agent. */
    async say(sessionId: string, text: string, actions: Event['actions'] = {}): Promise<void> {
      await call('append_event', { sessionId, author: name, text, fields: { actions } });
    },
    /** Waits until the session is handed to this agent, or ended; calls back for every event on the way. */
    async turn(sessionId: string, after: string | undefined): Promise<Event> {
      let afterEventId = after;
      for (;;) {
        const news = await call('wait_for_events', { sessionId, afterEventId, timeoutSeconds: 50 });
        for (const event of news.events as Event[]) {
          afterEventId = event.id;
          if (event.actions?.transferAgent === name || event.actions?.escalate === true) return event;
        }
      }
    },
    close: () => client.close(),
  };
}

export const textOf = (event: Event): string =>
  (event.content?.parts ?? []).map((part) => part.text ?? '').join('');

export function tell(who: string, text: string): void {
  process.stdout.write(`${who.padEnd(8)} ${text}\n`);
}
