import { expect, it } from 'vitest';
import { type AgentConfig, openAgents } from '../../src/agent/open.ts';
import type { Agents } from '../../src/agent/types.ts';
import { openLocal } from '../../src/backend/local/index.ts';
import { connect } from '../e2e/clients.ts';
import { memoryStore } from '../run/support.ts';

it.each(['v2-modern', 'v2-legacy', 'v1'] as const)(
  'the first query of a new user is answered, by an echo that says what it is (%s)',
  async (kind) => {
    const client = await connect(kind, { args: ['--store', 'memory:'] });
    for (const [tool, message] of [
      ['query', 'Hello there'],
      ['stream_query', 'Good day'],
    ] as const) {
      const answer = await client.ok(tool, { message });
      expect(answer.status).toBe('completed');
      expect(answer.text).toContain(`Echo agent (no model): ${message}`);
      expect(answer.text).toMatch(/No agent is bound to this app/);
      expect(answer.text).toMatch(/--config FILE and put it under "agents"/);
      const { events } = await client.ok('list_events', { sessionId: answer.sessionId });
      expect((events as { author: string }[]).map(({ author }) => author)).toEqual(['user', 'echo']);
    }
    await client.close();
  },
);

it('describe_server tells that the agent is an echo', async () => {
  const backend = openLocal({ store: await memoryStore() });
  const { notes } = await backend.describe();
  expect(notes.join(' ')).toContain('No agent is bound, so query runs the built-in echo agent');
  await backend.close();
});

/** What the app's agent says to a message, in its last event. */
async function answerOf(agents: Agents): Promise<string> {
  const turn = {
    sessionId: 's',
    invocationId: 'i',
    team: [],
    leg: 0,
    message: { parts: [{ text: 'x' }] },
    notes: { read: async () => ({}), save: async () => {} },
    async *history() {},
    recall: async () => [],
  };
  let text = '';
  for await (const event of (await agents.open('any')).run(turn, new AbortController().signal))
    if (event.turnComplete === true) text = event.content?.parts[0]?.text ?? '';
  return text;
}

it('the advice is a configuration that binds an agent', async () => {
  const [, shown = ''] = /for example (\{.*\});/.exec(await answerOf(openAgents({}))) ?? [];
  const { agents } = JSON.parse(shown) as { agents: Record<string, AgentConfig> };
  expect(openAgents(agents).bound).toMatchObject([{ app: '*', kind: 'chat' }]);
});

it('an echo that the operator has bound gives no advice', async () => {
  const agents = openAgents({ '*': { kind: 'echo', name: 'parrot', delayMs: 0 } });
  expect(await answerOf(agents)).toBe('Echo agent (no model): x');
  const backend = openLocal({ store: await memoryStore(), agents });
  expect((await backend.describe()).notes.join(' ')).not.toContain('No agent is bound');
  await backend.close();
});

it('where agents are bound, an app without one is refused rather than echoed', async () => {
  const agents = openAgents({ helper: { kind: 'echo', name: 'parrot', delayMs: 0 } });
  expect(agents.team('helpr')).toEqual([]);
  await expect(agents.open('helpr')).rejects.toMatchObject({
    code: 'FAILED_PRECONDITION',
    hint: expect.stringContaining('describe_server'),
  });
});
