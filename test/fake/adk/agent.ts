import { setTimeout as sleep } from 'node:timers/promises';
import type { Core, FakeSession, Json } from './core.ts';

/** What the agent of a fake server yields: an event, stored unless it is partial. */
export type Yielded = Json & { partial?: boolean };

interface Turn {
  core: Core;
  session: FakeSession;
  parts: Json[];
  streaming: boolean;
  firstVersion: number;
}

const say = (text: string): Yielded => ({ content: { role: 'model', parts: [{ text }] } });

/** An agent with the commands of test/peers/adk/agents/echo_agent.mjs, which describes them. */
export async function* runAgent(turn: Turn): AsyncGenerator<Yielded, void> {
  const text = turn.parts.map((part) => part.text ?? '').join('');
  const answer = turn.parts.find((part) => part.functionResponse !== undefined)?.functionResponse;
  const [command = '', first = '', second = ''] = text.split(' ');
  if (answer !== undefined) {
    yield say(`answered: ${JSON.stringify((answer as Json).response)}`);
  } else if (command === 'fail') {
    if (first === 'late') yield say('so far so good');
    throw new Error(`boom at /srv/agents/echo_agent.mjs: ${text}`);
  } else if (command === 'errevent') {
    yield { errorCode: 'E_TEST', errorMessage: 'a soft error' };
  } else if (command === 'slow') {
    for (let i = 0; i < Number(first); i += 1) {
      await sleep(Number(second));
      yield say(`tick ${i}`);
    }
  } else if (command === 'burst') {
    for (let i = 0; i < Number(first); i += 1) yield say(`burst ${i}`);
  } else if (command === 'artifact') {
    const part = { inlineData: { mimeType: 'text/plain', data: Buffer.from(text).toString('base64') } };
    const version = store(turn, 'note.txt', part);
    store(turn, 'user:profile.txt', { text: `profile of ${turn.session.userId}` });
    yield { ...say(`saved v${version}`), actions: { artifactDelta: { 'note.txt': version } } };
  } else if (command === 'ask') {
    const call = { id: 'ask-1', name: 'approve', args: { what: text } };
    yield { content: { role: 'model', parts: [{ functionCall: call }] }, longRunningToolIds: ['ask-1'] };
    const response = { id: 'ask-1', name: 'approve', response: { status: 'pending' } };
    yield { content: { role: 'user', parts: [{ functionResponse: response }] } };
  } else if (command === 'parts') {
    yield say(JSON.stringify(turn.parts));
  } else if (command === 'state') {
    yield say(JSON.stringify(turn.core.stateOf(turn.session)));
  } else if (command !== 'silent') {
    yield* echo(turn, text);
  }
}

async function* echo(turn: Turn, text: string): AsyncGenerator<Yielded, void> {
  const count = Number(turn.core.stateOf(turn.session).turn ?? 0) + 1;
  const id = `call-${count}`;
  const call = { id, name: 'echo', args: { text } };
  yield { content: { role: 'model', parts: [{ functionCall: call }] } };
  const response = { id, name: 'echo', response: { result: text.toUpperCase() } };
  yield {
    content: { role: 'user', parts: [{ functionResponse: response }] },
    actions: { stateDelta: { turn: count, 'user:last': text, 'app:total': 1, 'temp:scratch': 'x' } },
  };
  if (turn.streaming)
    for (const word of `echo: ${text}`.split(' ')) yield { ...say(`${word} `), partial: true };
  yield { ...say(`echo: ${text}`), turnComplete: true };
}

function store({ core, session, firstVersion }: Turn, name: string, part: Json): number {
  const place = core.artifacts(session, name.startsWith('user:') ? 'user:' : session.id);
  const versions = place.get(name) ?? [];
  place.set(name, [...versions, part]);
  return versions.length + firstVersion;
}
