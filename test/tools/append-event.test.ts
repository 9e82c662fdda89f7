import { countTokens } from 'gpt-tokenizer/encoding/o200k_base';
import { describe, expect, it, onTestFinished } from 'vitest';
import { openAgentEngine } from '../../src/backend/agent-engine/index.ts';
import type { Backend } from '../../src/backend/types.ts';
import type { JsonObject } from '../../src/model/json.ts';
import { startAgentEngine } from '../fake/agent-engine/server.ts';
import { projectId } from '../fake/agent-engine/store.ts';
import { caller, memoryBackend, user } from './harness.ts';

const backends: Record<string, () => Promise<Backend>> = {
  local: () => memoryBackend(),
  async 'agent-engine'() {
    const fake = await startAgentEngine();
    onTestFinished(() => fake.close());
    return openAgentEngine({ project: projectId, baseUrl: fake.url, engineId: fake.engine.id });
  },
};

/** The examples of Google's page on managing sessions by API calls. */
describe.each(Object.entries(backends))('append_event on %s', (_name, open) => {
  it('takes a time, and an event that only marks an invocation', async () => {
    const backend = await open();
    const call = caller([backend], user('ada'));
    const { session } = (await call('create_session')) as { session: { id: string } };
    const sessionId = session.id;
    const timestamp = '2026-03-01T10:00:00.000Z';
    const dated = await call('append_event', {
      sessionId,
      author: 'user',
      invocationId: 'turn-1',
      fields: { timestamp: '2026-03-01T11:00:00+01:00' },
    });
    expect(dated.event).toMatchObject({ invocationId: 'turn-1', timestamp });
    const bare = await call('append_event', { sessionId, author: 'agent', invocationId: 'turn-1' });
    expect(bare.event).toMatchObject({ invocationId: 'turn-1' });
    const { events } = (await call('list_events', { sessionId })) as { events: JsonObject[] };
    expect(events.map((event) => event.author)).toEqual(['user', 'agent']);
    await expect(call('append_event', { sessionId })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    const odd = call('append_event', { sessionId, text: 'x', fields: { timestamp: 'tomorrow' } });
    await expect(odd).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  });

  it('answers what the caller does not know, in few tokens', async () => {
    const call = caller([await open()], user('ada'));
    const { session } = (await call('create_session')) as { session: { id: string } };
    const sessionId = session.id;
    const said = await call('append_event', { sessionId, text: 'A long story. '.repeat(500) });
    expect(countTokens(JSON.stringify(said))).toBeLessThanOrEqual(60);
    const { events } = (await call('list_events', { sessionId })) as { events: JsonObject[] };
    const { id, invocationId, timestamp } = events[0] ?? {};
    expect(said.event).toEqual({ id, invocationId, timestamp });
  });

  it('tells the ids of tool calls that came without', async () => {
    const call = caller([await open()], user('ada'));
    const { session } = (await call('create_session')) as { session: { id: string } };
    const sessionId = session.id;
    const parts = (id?: string) => [{ functionCall: { name: 'look', ...(id === undefined ? {} : { id }) } }];
    const made = await call('append_event', { sessionId, author: 'bot', content: { parts: parts() } });
    const { toolCalls } = (await call('list_tool_calls', { sessionId })) as { toolCalls: { id: string }[] };
    expect(made.event).toMatchObject({ toolCallIds: toolCalls.map(({ id }) => id) });
    const own = await call('append_event', { sessionId, author: 'bot', content: { parts: parts('call-1') } });
    expect(own.event).not.toHaveProperty('toolCallIds');
  });
});
