/**
 * A team: a planner splits a question into parts, two copies of a researcher work on them side by side, and a
 * writer makes one page of what they found. One researcher is killed at work; its turn goes to the other. Each is a
 * process of its own with its own MCP server; all they share is the store.
 *
 *   npx tsx examples/team/index.ts
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { connect, type Event, type Json, tell } from '../hand-over/client.ts';

const here = path.dirname(fileURLToPath(import.meta.url));
const folder = mkdtempSync(path.join(tmpdir(), 'agent-sessions-team-'));
const store = `sqlite:${path.join(folder, 'store.db')}`;

const host = await connect('host', store);
const { session } = (await host.call('create_session', { displayName: 'What the docs say' })) as {
  session: { id: string };
};
const sessionId = session.id;

/** A member of the team; resolves to its process when it is ready. */
async function join(role: string, ...args: string[]) {
  const child = spawn(process.execPath, ['--import', 'tsx', path.join(here, `${role}.ts`), store, ...args], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const ready = once(child.stdout, 'data');
  child.stdout.pipe(process.stdout);
  await ready;
  return child;
}
const [first, second] = await Promise.all([
  join('researcher', 'researcher-1', 'dies'),
  join('researcher', 'researcher-2'),
]);
const died = once(first, 'exit');
const writer = await join('writer', sessionId);
const written = once(writer, 'exit');
await join('planner', sessionId);

const [, signal] = (await died) as [number | null, string | null];
tell('host', `researcher-1 was ended by ${signal}`);
const [code] = (await written) as [number | null];
if (code !== 0) throw new Error('The writer failed.');

const { events } = (await host.call('list_events', { sessionId })) as { events: Event[] };
tell('host', `the session: ${events.map((event) => event.author).join(', ')}`);
const { sessions } = (await host.call('list_sessions', { orderBy: 'createTime asc' })) as {
  sessions: Json[];
};
for (const part of sessions.filter(({ parentSessionId }) => parentSessionId === sessionId)) {
  const answered = (await host.call('list_events', { sessionId: part.id })) as { events: Event[] };
  const answers = answered.events.filter((event) => event.author === 'researcher');
  tell('host', `${String(part.displayName)}: ${answers.length} answer`);
  if (answers.length !== 1) throw new Error('A part has not exactly one answer.');
}
const { text } = (await host.call('get_artifact', { sessionId, name: 'page.md' })) as { text: string };
process.stdout.write(`\n${text}`);
second.kill();
await host.close();
rmSync(folder, { recursive: true });
