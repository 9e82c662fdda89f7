/** Writes: takes the session when all of its parts are answered, and makes one page of them. */
import { connect, type Event, tell, textOf } from '../hand-over/client.ts';

const [store = '', sessionId = ''] = process.argv.slice(2);
const writer = await connect('writer', store);
tell('writer', 'waits for a turn');
const { claim, turn } = (await writer.call('take_turn', {
  agent: 'writer',
  sessionId,
  waitSeconds: 120,
})) as { claim: string; turn: { note: string } };
tell('writer', 'takes the session');
const lines: string[] = [];
for (const part of JSON.parse(turn.note) as string[]) {
  const { events } = (await writer.call('list_events', { sessionId: part })) as { events: Event[] };
  lines.push(...events.filter((event) => event.author === 'researcher').map(textOf));
}
const text = `# What the docs say\n\n${lines.map((line) => `- ${line}\n`).join('')}`;
await writer.call('save_artifact', { sessionId, name: 'page.md', mimeType: 'text/markdown', text });
await writer.call('append_event', { sessionId, author: 'writer', text: 'The page is page.md.', claim });
tell('writer', 'has written the page');
await writer.close();
