/** Plans: makes a part of the session for each question, hands it to a researcher, and the whole to the writer. */
import { connect, tell } from '../hand-over/client.ts';

const [store = '', sessionId = ''] = process.argv.slice(2);
const words = ['lease', 'token', 'backup', 'export'];

const planner = await connect('planner', store);
tell('planner', `asks the researchers about ${words.join(', ')}`);
const parts: string[] = [];
for (const word of words) {
  const { session } = (await planner.call('create_session', {
    displayName: word,
    parentSessionId: sessionId,
  })) as { session: { id: string } };
  parts.push(session.id);
  await planner.call('append_event', {
    sessionId: session.id,
    author: 'planner',
    handOver: { agent: 'researcher', note: word },
  });
}
// The writer gets its turn when every part has been answered.
await planner.call('append_event', {
  sessionId,
  author: 'planner',
  text: `Ask the docs about ${words.join(', ')}.`,
  handOver: { agent: 'writer', note: JSON.stringify(parts) },
});
tell('planner', 'hands the session to the writer');
await planner.close();
