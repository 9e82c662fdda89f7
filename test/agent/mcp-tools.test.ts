import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openAgents } from '../../src/agent/open.ts';
import { openLocal } from '../../src/backend/local/index.ts';
import type { Backend, SessionRef } from '../../src/backend/types.ts';
import { openToolHost } from '../../src/server/mcp/tool-host.ts';
import { type FakeChat, fakeChat } from '../fake/chat/server.ts';
import { eventsOf, memoryStore, newSession, patiently, runs, user } from '../run/support.ts';
import { chatConfig } from './chat-config.ts';

const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
const servers = {
  notes: {
    command: process.execPath,
    args: [main, '--store', 'memory:'],
    tools: ['create_memory', 'get_event'],
  },
};

let chat: FakeChat;
let backend: Backend;
let ref: SessionRef;
const host = openToolHost(servers);

beforeEach(async () => {
  chat = await fakeChat();
  const config = chatConfig(chat, {
    tools: [{ name: 'ask_person' }],
    mcpServers: servers,
    timeoutMs: 30_000,
  });
  const agents = openAgents({ app: config }, { openTools: () => host });
  backend = openLocal({ store: await memoryStore(), agents });
  ref = await newSession(backend);
});
afterEach(async () => {
  await backend.close();
  await chat.close();
  await host.close();
});

const ask = async (text: string) => (await runs.start(backend, ref, { message: user(text) })).wait(patiently);
const remember = { id: 'c1', name: 'notes_create_memory', args: '{"fact":"Ada likes tea."}' };

it('the tools of a listed MCP server are called, and the model answers with their results', async () => {
  chat.script({ text: ['I note it.'], toolCalls: [remember] }, { text: ['Noted.'] });
  const view = await ask('Remember that Ada likes tea.');
  expect(view).toMatchObject({ status: 'completed', text: 'I note it.\nNoted.' });
  const [first, second] = chat.requests.map(({ body }) => body);
  const names = ((first?.tools ?? []) as { function: { name: string } }[]).map((tool) => tool.function.name);
  expect(names).toEqual(['ask_person', 'notes_get_event', 'notes_create_memory']);
  const events = await eventsOf(backend, ref);
  expect(events.map((event) => [event.author, event.turnComplete])).toEqual([
    ['user', undefined],
    ['helper', undefined],
    ['helper', undefined],
    ['helper', true],
  ]);
  expect(events[2]?.content?.parts).toMatchObject([
    {
      functionResponse: {
        name: 'notes_create_memory',
        response: { memory: { fact: 'Ada likes tea.' } },
      },
    },
  ]);
  expect(second?.messages.at(-1)).toMatchObject({ role: 'tool' });
  expect(JSON.stringify(second?.messages.at(-1))).toContain('Ada likes tea.');
  // Nothing is left for a client to answer.
  expect(await backend.toolCalls?.list?.(ref)).toEqual([]);
  chat.script({ text: ['Yes.'] });
  expect((await ask('Sure?')).text).toBe('Yes.');
});

it('a failure of a tool is told to the model', async () => {
  chat.script(
    { toolCalls: [{ id: 'c1', name: 'notes_get_event', args: '{"sessionId":"s","eventId":"none"}' }] },
    { text: ['It is not there.'] },
  );
  expect((await ask('Look')).text).toBe('It is not there.');
  expect(JSON.stringify(chat.requests.at(-1)?.body.messages.at(-1))).toContain('NOT_FOUND');
});

it('a call that the client is to answer stays open beside one that was made', async () => {
  chat.script({ toolCalls: [remember, { id: 'c2', name: 'ask_person', args: '{}' }] });
  const view = await ask('Remember, and ask.');
  expect(view.status).toBe('completed');
  expect(chat.requests).toHaveLength(1);
  expect(await backend.toolCalls?.list?.(ref)).toMatchObject([{ name: 'ask_person' }]);
});

it('a model that does nothing but call tools is stopped', async () => {
  chat.script(...Array.from({ length: 20 }, () => ({ toolCalls: [remember] })));
  const view = await ask('Go on.');
  expect(view.status).toBe('failed');
  expect(view.error).toMatchObject({ code: 'FAILED_PRECONDITION' });
  expect(chat.requests).toHaveLength(12);
});
