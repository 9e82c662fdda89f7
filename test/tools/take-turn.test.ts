import { describe, expect, it } from 'vitest';
import { openLocal } from '../../src/backend/local/index.ts';
import { answerBytes, shownBytes } from '../../src/model/budget.ts';
import { isObject, type JsonObject } from '../../src/model/json.ts';
import { memoryStore } from '../run/support.ts';
import { caller, memoryBackend, user } from './harness.ts';

const members = (value: unknown): JsonObject => (isObject(value) ? value : {});
const list = (value: unknown): JsonObject[] => (Array.isArray(value) ? value.map(members) : []);

describe('take_turn', () => {
  it('hands a session over to another agent and back in four calls', async () => {
    const calls: string[] = [];
    const tools = caller([await memoryBackend()], user('ann'));
    const call: typeof tools = (name, args) => {
      calls.push(name);
      return tools(name, args);
    };
    await tools('create_session', { sessionId: 's' });
    await call('append_event', {
      sessionId: 's',
      author: 'planner',
      text: 'Tea is brewed at 95 °C.',
      handOver: { agent: 'writer', note: 'One sentence, please.' },
    });
    const taken = await call('take_turn', { agent: 'writer', waitSeconds: 0 });
    expect(taken).toMatchObject({
      timedOut: false,
      turn: { agent: 'writer', note: 'One sentence, please.', handedOverBy: 'planner', tries: 1 },
      session: { id: 's' },
      events: [{ author: 'planner', actions: { transferAgent: 'writer' } }],
    });
    // The note is said once.
    expect(list(taken.events)[0]?.customMetadata).toBeUndefined();
    await call('append_event', {
      sessionId: 's',
      author: 'writer',
      text: 'Brew tea at 95 °C.',
      claim: taken.claim,
      handOver: { agent: 'planner' },
    });
    expect(await call('take_turn', { agent: 'planner', waitSeconds: 0 })).toMatchObject({
      events: [
        { author: 'planner' },
        { author: 'writer', content: { parts: [{ text: 'Brew tea at 95 °C.' }] } },
      ],
    });
    expect(calls).toEqual(['append_event', 'take_turn', 'append_event', 'take_turn']);
  });

  it('keeps to the budget, with the latest of what is new', async () => {
    const call = caller([await memoryBackend()], user('ann'));
    await call('create_session', { sessionId: 's', state: { plan: 'p'.repeat(9000) } });
    for (let i = 0; i < 40; i += 1)
      await call('append_event', { sessionId: 's', author: 'planner', text: `${i} ${'x'.repeat(2000)}` });
    await call('append_event', {
      sessionId: 's',
      author: 'planner',
      handOver: { agent: 'writer', note: 'n'.repeat(4000) },
    });
    const taken = await call('take_turn', { agent: 'writer', waitSeconds: 0 });
    expect(shownBytes(taken)).toBeLessThanOrEqual(answerBytes);
    expect(taken.truncated).toBe(true);
    expect(members(taken.turn).note).toHaveLength(4000);
    const events = list(taken.events);
    expect(events.length).toBeGreaterThan(1);
    expect(events.at(-1)?.actions).toEqual({ transferAgent: 'writer' });
  });

  it('says that no turn came', async () => {
    const call = caller([await memoryBackend()], user('ann'));
    expect(await call('take_turn', { agent: 'writer', waitSeconds: 0 })).toEqual({ timedOut: true });
  });

  it('shows the turn in get_session', async () => {
    const call = caller([await memoryBackend()], user('ann'));
    await call('create_session', { sessionId: 's' });
    await call('append_event', { sessionId: 's', author: 'planner', handOver: { agent: 'writer' } });
    await call('take_turn', { agent: 'writer', worker: 'copy-1', waitSeconds: 0, leaseSeconds: 60 });
    const { session } = await call('get_session', { sessionId: 's' });
    expect(session).toMatchObject({
      turn: {
        agent: 'writer',
        handedOverBy: 'planner',
        tries: 1,
        worker: 'copy-1',
        since: expect.any(String),
        claimedUntil: expect.any(String),
      },
    });
    expect(JSON.stringify(session)).not.toContain('token');
  });

  it('lets nobody write under a lost claim, by whichever tool', async () => {
    let clock = Date.now();
    const backend = openLocal({ store: await memoryStore(), now: () => clock });
    const call = caller([backend], user('ann'));
    await call('create_session', { sessionId: 's', state: { plan: 'kept' } });
    await call('append_event', {
      sessionId: 's',
      author: 'writer',
      content: { role: 'model', parts: [{ functionCall: { id: 'c1', name: 'look', args: {} } }] },
    });
    await call('append_event', { sessionId: 's', author: 'planner', handOver: { agent: 'writer' } });
    const take = async () => {
      const { claim } = await call('take_turn', { agent: 'writer', waitSeconds: 0, leaseSeconds: 10 });
      if (typeof claim !== 'string') throw new Error('There is no turn.');
      return claim;
    };
    const writes = (claim: string): [string, JsonObject][] => [
      ['update_session', { sessionId: 's', state: { plan: 'changed' }, claim }],
      ['save_artifact', { sessionId: 's', name: 'page.md', text: 'x', claim }],
      ['submit_tool_outputs', { sessionId: 's', outputs: [{ toolCallId: 'c1', output: {} }], claim }],
      ['append_event', { sessionId: 's', author: 'writer', text: 'Done.', claim }],
    ];
    const sleeper = await take();
    clock += 11_000;
    const refused = async () => {
      for (const [tool, args] of writes(sleeper))
        await expect(call(tool, args), tool).rejects.toMatchObject({ code: 'ABORTED' });
    };
    await refused();
    const successor = await take();
    await refused();
    const before = await call('get_session', { sessionId: 's' });
    expect(members(before.session).state).toEqual({ plan: 'kept' });
    expect((await call('list_artifacts', { sessionId: 's' })).artifacts).toEqual([]);
    // Each write of the successor renews its lease.
    for (const [tool, args] of writes(successor)) {
      clock += 9000;
      await call(tool, args);
    }
    // Its answer has ended the turn.
    await expect(
      call('save_artifact', { sessionId: 's', name: 'b', text: 'x', claim: successor }),
    ).rejects.toThrow();
    await backend.close();
  });

  it('refuses two ways of handing over at once', async () => {
    const call = caller([await memoryBackend()], user('ann'));
    await call('create_session', { sessionId: 's' });
    const both = call('append_event', {
      sessionId: 's',
      handOver: { agent: 'a' },
      fields: { actions: { transferAgent: 'b' } },
    });
    await expect(both).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  });
});
