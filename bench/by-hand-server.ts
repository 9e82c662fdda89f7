/**
 * The measure of what is possible on the SDK and on SQLite: a server of one tool that puts its text into a table, as
 * one row under a key; calls that wait share a commit. No sessions, no state, no search.
 *
 *   node by-hand-server.js FILE full|normal
 */
import { DatabaseSync } from 'node:sqlite';
import { McpServer } from '@modelcontextprotocol/server';
import { serveStdio } from '@modelcontextprotocol/server/stdio';
import * as z from 'zod';

const [file = ':memory:', synchronous = 'full'] = process.argv.slice(2);
const db = new DatabaseSync(file);
db.exec(`pragma journal_mode = wal; pragma synchronous = ${synchronous};
  create table kv (id integer primary key, key text not null unique, value text not null)`);
const insert = db.prepare('insert into kv (key, value) values (?, ?)');
const [begin, commit] = [db.prepare('begin immediate'), db.prepare('commit')];
let count = 0;
let waiting: { text: string; done: () => void }[] = [];

function put(text: string): Promise<void> {
  return new Promise((done) => {
    waiting.push({ text, done });
    if (waiting.length === 1) setImmediate(flush);
  });
}

function flush(): void {
  const batch = waiting;
  waiting = [];
  begin.run();
  for (const { text } of batch) {
    count += 1;
    insert.run(`e/${String(count).padStart(9, '0')}`, JSON.stringify({ author: 'user', text }));
  }
  commit.run();
  for (const { done } of batch) done();
}

serveStdio(() => {
  const server = new McpServer({ name: 'by-hand', version: '1' });
  const inputSchema = z.object({ sessionId: z.string(), text: z.string() });
  server.registerTool('append_event', { description: 'Stores a text.', inputSchema }, async ({ text }) => {
    await put(text);
    return { content: [{ type: 'text', text: 'ok' }] };
  });
  return server;
});
