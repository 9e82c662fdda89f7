// remote-agent.mjs CARD_BASE MESSAGE...: ADK's own A2A client, as an agent that a Runner of ADK runs. Says each message in
// one session of ADK, and prints what the remote agent said as one line of JSON.
import { InMemoryRunner, RemoteA2AAgent } from '@google/adk';

const [base, ...messages] = process.argv.slice(2);
const agent = new RemoteA2AAgent({ name: 'remote', description: 'Far away', agentCard: base });
const runner = new InMemoryRunner({ agent, appName: 'judge' });
const session = await runner.sessionService.createSession({ appName: 'judge', userId: 'judge' });
const said = [];
for (const text of messages) {
  const newMessage = { role: 'user', parts: [{ text }] };
  for await (const event of runner.runAsync({ userId: 'judge', sessionId: session.id, newMessage }))
    said.push({
      author: event.author,
      text: (event.content?.parts ?? []).map((part) => part.text ?? '').join(''),
      error: event.errorMessage,
    });
}
process.stdout.write(`${JSON.stringify(said)}\n`);
process.exit(0);
