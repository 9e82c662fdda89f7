import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Product, startProduct } from '../server/http/harness.ts';
import { tokenOf } from '../server/http/requests.ts';
import { callerOf, structured } from './principals.ts';

/** Tokens of one user, each for agents of its own. */
const tokens = [
  { token: 'scout', agents: ['researcher'], name: 'the scout’s laptop' },
  { token: 'lead', agents: ['planner', 'user'] },
  { token: 'anyone' },
].map(({ token, ...more }) => ({
  sha256: createHash('sha256').update(tokenOf(token)).digest('hex'),
  user: 'ann',
  scopes: ['sessions:write'],
  ...more,
}));

describe('a token that is bound to agents', () => {
  let product: Product;
  beforeAll(async () => {
    product = await startProduct({ settings: { tokens: JSON.stringify(tokens) } });
    await structured(callerOf(product, 'lead'), 'create_session', { sessionId: 's' });
  });
  afterAll(() => product.end());

  it('writes and takes turns as these alone', async () => {
    const [scout, lead] = [callerOf(product, 'scout'), callerOf(product, 'lead')];
    await structured(lead, 'append_event', {
      sessionId: 's',
      author: 'planner',
      handOver: { agent: 'researcher' },
    });
    const calls: [string, Record<string, unknown>][] = [
      ['append_event', { sessionId: 's', author: 'planner', text: 'I am the planner.' }],
      ['append_event', { sessionId: 's', text: 'I am the user.' }],
      ['take_turn', { agent: 'planner', waitSeconds: 0 }],
      ['query', { sessionId: 's', message: 'I am the user.' }],
      ['stream_query', { sessionId: 's', message: 'I am the user.' }],
      ['submit_tool_outputs', { sessionId: 's', outputs: [{ toolCallId: 'c', output: {} }] }],
    ];
    for (const [tool, args] of calls) {
      const { body } = await scout(tool, args);
      expect(body, tool).toMatch(/PERMISSION_DENIED/);
      expect(body, tool).toContain('researcher');
    }
    expect((await lead('take_turn', { agent: 'researcher', waitSeconds: 0 })).body).toMatch(
      /PERMISSION_DENIED/,
    );
    const { claim } = await structured(scout, 'take_turn', { agent: 'researcher', waitSeconds: 0 });
    await structured(scout, 'append_event', { sessionId: 's', author: 'researcher', text: 'Found.', claim });
    const { events } = (await structured(lead, 'list_events', { sessionId: 's' })) as {
      events: { author: string }[];
    };
    expect(events.map((event) => event.author)).toEqual(['planner', 'researcher']);
  });

  it('stands in its events, and callers cannot write that themselves', async () => {
    const written = async (user: string, author: string, fields?: object) => {
      const call = callerOf(product, user);
      const { event } = (await structured(call, 'append_event', {
        sessionId: 's',
        author,
        text: 'Hi.',
        ...(fields === undefined ? {} : { fields }),
      })) as { event: { id: string } };
      const { event: read } = (await structured(call, 'get_event', {
        sessionId: 's',
        eventId: event.id,
      })) as {
        event: { writtenBy?: string };
      };
      return read.writtenBy;
    };
    expect(await written('scout', 'researcher')).toBe('the scout’s laptop');
    expect(await written('anyone', 'whoever')).toBe('ann');
    const forged = await callerOf(product, 'anyone')('append_event', {
      sessionId: 's',
      author: 'x',
      text: 'y',
      fields: { writtenBy: 'bob' },
    });
    expect(forged.body).toMatch(/INVALID_ARGUMENT/);
  });

  it('stands in the message of a run', async () => {
    const lead = callerOf(product, 'lead');
    const { sessionId } = await structured(lead, 'query', { message: 'Hello' });
    const { events } = (await structured(lead, 'list_events', { sessionId })) as {
      events: { author: string; writtenBy?: string }[];
    };
    expect(events[0]).toMatchObject({ author: 'user', writtenBy: 'ann' });
  });
});
