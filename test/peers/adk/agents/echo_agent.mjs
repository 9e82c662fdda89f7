// A deterministic agent without a model, for tests against a real ADK API server. It obeys the first word of
// a message; test/fake/adk/agent.ts does the same in the fakes.
//   fail …        throws            fail late …   yields one event, then throws
//   errevent      yields an event with an errorCode
//   slow N MS     yields N events, MS milliseconds before each
//   burst N       yields N events at once
//   artifact …    saves note.txt and user:profile.txt, and says so in one event
//   ask …         makes a long-running call, and answers it with "pending"
//   parts         says what parts the message had
//   state         says what the session's state is
//   silent        yields nothing
//   anything else calls a tool, answers it with a state delta, and says it again, word by word when streaming
// A message with a functionResponse is answered with the response.
import { setTimeout as sleep } from 'node:timers/promises';
import { BaseAgent, createEvent, StreamingMode } from '@google/adk';

class EchoAgent extends BaseAgent {
  constructor() {
    super({ name: 'echo_agent', description: 'Says again what it is told' });
  }

  async *runAsyncImpl(context) {
    const event = (fields) =>
      createEvent({
        invocationId: context.invocationId,
        author: this.name,
        branch: context.branch,
        ...fields,
      });
    const say = (text, fields = {}) => event({ content: { role: 'model', parts: [{ text }] }, ...fields });
    const parts = context.userContent?.parts ?? [];
    const text = parts.map((part) => part.text ?? '').join('');
    const answer = parts.find((part) => part.functionResponse)?.functionResponse;
    const [command, first, second] = text.split(' ');
    if (answer) {
      yield say(`answered: ${JSON.stringify(answer.response)}`);
    } else if (command === 'fail') {
      if (first === 'late') yield say('so far so good');
      throw new Error(`boom at /srv/agents/echo_agent.mjs: ${text}`);
    } else if (command === 'errevent') {
      yield event({ errorCode: 'E_TEST', errorMessage: 'a soft error' });
    } else if (command === 'slow') {
      for (let i = 0; i < Number(first); i += 1) {
        await sleep(Number(second));
        yield say(`tick ${i}`);
      }
    } else if (command === 'burst') {
      for (let i = 0; i < Number(first); i += 1) yield say(`burst ${i}`);
    } else if (command === 'artifact') {
      const data = Buffer.from(text).toString('base64');
      const artifact = { inlineData: { mimeType: 'text/plain', data } };
      const version = await context.artifactService.saveArtifact(this.place(context, 'note.txt', artifact));
      const profile = { text: `profile of ${context.userId}` };
      await context.artifactService.saveArtifact(this.place(context, 'user:profile.txt', profile));
      yield say(`saved v${version}`, { actions: { artifactDelta: { 'note.txt': version } } });
    } else if (command === 'ask') {
      const call = { id: 'ask-1', name: 'approve', args: { what: text } };
      yield event({
        content: { role: 'model', parts: [{ functionCall: call }] },
        longRunningToolIds: ['ask-1'],
      });
      const response = { id: 'ask-1', name: 'approve', response: { status: 'pending' } };
      yield event({ content: { role: 'user', parts: [{ functionResponse: response }] } });
    } else if (command === 'parts') {
      yield say(JSON.stringify(parts));
    } else if (command === 'state') {
      yield say(JSON.stringify(context.session.state));
    } else if (command !== 'silent') {
      yield* this.echo(context, text, event, say);
    }
  }

  place(context, filename, artifact) {
    const { appName, userId, id: sessionId } = context.session;
    return { appName, userId, sessionId, filename, artifact };
  }

  async *echo(context, text, event, say) {
    const turn = Number(context.session.state.turn ?? 0) + 1;
    const id = `call-${turn}`;
    yield event({
      content: { role: 'model', parts: [{ functionCall: { id, name: 'echo', args: { text } } }] },
    });
    const response = { id, name: 'echo', response: { result: text.toUpperCase() } };
    yield event({
      content: { role: 'user', parts: [{ functionResponse: response }] },
      actions: { stateDelta: { turn, 'user:last': text, 'app:total': 1, 'temp:scratch': 'x' } },
    });
    if (context.runConfig?.streamingMode === StreamingMode.SSE)
      for (const word of `echo: ${text}`.split(' ')) yield say(`${word} `, { partial: true });
    yield say(`echo: ${text}`, { turnComplete: true });
  }

  // biome-ignore lint/correctness/useYield: the base class demands a generator
  async *runLiveImpl() {
    throw new Error('not a live agent');
  }
}

export const rootAgent = new EchoAgent();
