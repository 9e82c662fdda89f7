/**
 * Two agents work through one session, and a third watches. Planner, worker and watcher are processes of
 * their own, each with its own MCP client and its own server; all they share is the store. The session is
 * handed over by `transferAgent`, and `wait_for_events` is where they meet.
 *
 *   npx tsx examples/hand-over/index.ts
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { connect, type Event, type Json, tell } from './client.ts';

const here = path.dirname(fileURLToPath(import.meta.url));
const folder = mkdtempSync(path.join(tmpdir(), 'agent-sessions-hand-over-'));
const store = `sqlite:${path.join(folder, 'store.db')}`;

const host = await connect('host', store);
const { session } = (await host.call('create_session', { displayName: 'Dinner for seven' })) as {
  session: Json;
};
const sessionId = String(session.id);
tell('host', `opens session ${sessionId}`);

const roles = ['watcher', 'worker', 'planner'].map((role) =>
  spawn(process.execPath, ['--import', 'tsx', path.join(here, `${role}.ts`), store, sessionId], {
    stdio: ['ignore', 'inherit', 'inherit'],
  }),
);
for (const [code] of (await Promise.all(roles.map((role) => once(role, 'exit')))) as [number | null][])
  if (code !== 0) throw new Error('One of them failed.');

const { events } = (await host.call('list_events', { sessionId })) as { events: Event[] };
tell('host', `finds ${events.length} events: ${events.map((event) => event.author).join(', ')}`);
if (events.length !== 5) throw new Error('The conversation is not what it should be.');
await host.close();
rmSync(folder, { recursive: true });
