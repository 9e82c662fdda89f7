import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ChatConfig } from '../../src/agent/chat.ts';
import type { AgentConfig } from '../../src/agent/open.ts';
import { openAgents } from '../../src/agent/open.ts';
import { openLocal } from '../../src/backend/local/index.ts';
import type { Backend, SessionRef } from '../../src/backend/types.ts';
import { type FakeChat, fakeChat } from '../fake/chat/server.ts';
import {
  eventsOf,
  forever,
  memoryStore,
  newSession,
  patiently,
  runs,
  textsOf,
  user,
} from '../run/support.ts';
import { chatConfig } from './chat-config.ts';

let chat: FakeChat;
let backend: Backend;
let ref: SessionRef;

const member = (name: string, more: Partial<ChatConfig> = {}): AgentConfig =>
  chatConfig(chat, { name, ...more });

async function open(...team: AgentConfig[]): Promise<void> {
  backend = openLocal({ store: await memoryStore(), agents: openAgents({ app: team }) });
  ref = await newSession(backend);
}
beforeEach(async () => {
  chat = await fakeChat();
});
afterEach(async () => {
  await backend.close();
  await chat.close();
});

const toAgent = (agent: string, note?: string) => ({
  toolCalls: [{ id: 'c1', name: 'transfer_to_agent', args: JSON.stringify({ agent_name: agent, note }) }],
});
async function ask(text: string, agent?: string) {
  const run = await runs.start(backend, ref, { message: user(text), agent });
  return run.wait(patiently);
}
const turnOf = async () => (await backend.sessions?.get?.(ref))?.turn;

describe('agents of one app', () => {
  it('a run goes on with the agent that it is handed to', async () => {
    await open(member('planner'), member('writer', { instruction: 'Write.' }));
    chat.script(toAgent('writer', 'One line on tea.'), { text: ['Tea is hot.'] });
    const view = await ask('Tea?');
    expect(view).toMatchObject({ status: 'completed', text: 'One line on tea.\nTea is hot.' });
    const events = await eventsOf(backend, ref);
    expect(textsOf(events)).toEqual(['user: Tea?', 'planner: One line on tea.', 'writer: Tea is hot.']);
    expect(events[1]).toMatchObject({ actions: { transferAgent: 'writer' } });
    expect(events[1]?.turnComplete).toBeUndefined();
    expect(new Set(events.map((event) => event.invocationId)).size).toBe(1);
    // Nobody else is offered what the run itself goes on with.
    expect(await turnOf()).toBeUndefined();
    const [first, second] = chat.requests.map(({ body }) => body);
    expect(JSON.stringify(first?.tools)).toContain('"enum":["writer"]');
    expect(second?.messages).toMatchObject([
      { role: 'system', content: 'Write.' },
      { role: 'user', content: 'Tea?\n\nplanner said: One line on tea.' },
    ]);
  });

  it('the agent that is named answers first', async () => {
    await open(member('planner'), member('writer'));
    chat.script({ text: ['Here.'] });
    await ask('Hello', 'writer');
    expect(textsOf(await eventsOf(backend, ref))).toEqual(['user: Hello', 'writer: Here.']);
    await expect(runs.start(backend, ref, { message: user('x'), agent: 'nobody' })).rejects.toMatchObject({
      code: 'FAILED_PRECONDITION',
    });
  });

  it('agents that hand over in a circle end with an error that says so', async () => {
    await open(member('left'), member('right'));
    chat.script(...Array.from({ length: 12 }, (_, i) => toAgent(i % 2 === 0 ? 'right' : 'left', 'You.')));
    const view = await ask('Who?');
    expect(view.status).toBe('failed');
    expect(view.error).toMatchObject({
      code: 'FAILED_PRECONDITION',
      message: expect.stringContaining('handed over 10 times'),
    });
    expect(chat.requests).toHaveLength(10);
  });

  it('an agent that is handed the run back knows what it said before', async () => {
    await open(member('left'), member('right'));
    chat.script(toAgent('right', 'Ask me.'), toAgent('left', 'What is it?'), { text: ['It is tea.'] });
    await ask('Who?');
    expect(chat.requests.at(-1)?.body.messages).toMatchObject([
      { role: 'user', content: 'Who?' },
      { role: 'assistant', content: 'Ask me.' },
      { role: 'user', content: 'right said: What is it?' },
    ]);
  });

  it('an agent elsewhere is offered the turn', async () => {
    await open(member('planner', { handOverTo: ['human'] }));
    chat.script({ text: ['I ask a person.'], ...toAgent('human', 'Please decide.') });
    const view = await ask('May I?');
    expect(view.status).toBe('completed');
    expect(await turnOf()).toMatchObject({ agent: 'human', note: 'Please decide.', handedOverBy: 'planner' });
    const taken = await backend.turns?.take?.(ref, { agent: 'human', leaseMs: 1000, waitMs: 0 }, forever);
    expect(taken).toMatchObject({ ref, note: 'Please decide.' });
  });
});

it('an endpoint that answers without a stream is understood', async () => {
  await open(member('planner', { tools: [{ name: 'look' }] }));
  chat.script({ unstreamed: true, text: ['All at ', 'once.'] });
  expect(await ask('Hi')).toMatchObject({ status: 'completed', text: 'All at once.' });
  chat.script({
    unstreamed: true,
    text: ['I look.'],
    toolCalls: [{ id: 'c7', name: 'look', args: '{"at":"tea"}' }],
  });
  await ask('Look');
  expect((await eventsOf(backend, ref)).at(-1)).toMatchObject({
    content: {
      parts: [{ text: 'I look.' }, { functionCall: { id: 'c7', name: 'look', args: { at: 'tea' } } }],
    },
    usageMetadata: { promptTokenCount: 11 },
  });
});
