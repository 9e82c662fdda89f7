import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openAgents } from '../../src/agent/open.ts';
import { openLocal } from '../../src/backend/local/index.ts';
import type { Backend } from '../../src/backend/types.ts';
import { answerBytes } from '../../src/model/budget.ts';
import type { JsonObject } from '../../src/model/json.ts';
import { toResult } from '../../src/server/mcp/results.ts';
import { openStore } from '../../src/store/open.ts';
import { allTools } from '../../src/tools/index.ts';
import { caller, user } from './harness.ts';

/** State in every shape that is hard to cut: one long text, many keys, long keys, deep and wide trees. */
const tree = (depth: number): unknown =>
  depth === 0 ? 'leaf '.repeat(20) : [tree(depth - 1), { k: tree(depth - 1) }];
const big: JsonObject = {
  text: 'x'.repeat(200_000),
  unseen: '\u{e0041}'.repeat(9000),
  emoji: '👨‍👩‍👧'.repeat(9000),
  quotes: '"\\\n'.repeat(20_000),
  tree: tree(9),
  many: Object.fromEntries(Array.from({ length: 5000 }, (_, i) => [`key ${i}`, i])),
  list: Array.from({ length: 5000 }, (_, i) => ({ i })),
  ['k'.repeat(20_000)]: 1,
  'user:note': 'u'.repeat(200_000),
  'app:note': 'a'.repeat(200_000),
};
const name = (i: number) => `${i}-${'n'.repeat(200)}`;

describe('every answer keeps the budget, whatever is stored', () => {
  let backend: Backend;
  let call: ReturnType<typeof caller>;
  let ids: { event: string; artifact: string; memory: string };

  beforeAll(async () => {
    const store = await openStore({ url: 'memory:', durability: 'full', dataDir: '/nowhere' });
    const agents = openAgents({ '*': { kind: 'echo', name: 'echo', delayMs: 0 } });
    backend = openLocal({ store, agents });
    call = caller([backend], user('ann', true));
    const labels = Object.fromEntries(
      Array.from({ length: 60 }, (_, i) => [`l${i}${'k'.repeat(50)}`, 'v'.repeat(60)]),
    );
    for (let i = 0; i < 30; i += 1)
      await call('create_session', {
        sessionId: name(i),
        displayName: 'd'.repeat(500),
        labels,
        state: i < 3 ? big : {},
      });
    const sessionId = name(0);
    for (let i = 0; i < 30; i += 1)
      await call('save_artifact', {
        sessionId,
        name: name(i),
        mimeType: 'text/plain',
        text: '\u{e0041}\u0001'.repeat(9000),
      });
    for (let i = 0; i < 12; i += 1) {
      const args = i < 3 ? big : { text: 'y'.repeat(20_000) };
      const content = { parts: [{ functionCall: { id: `c${i}`, name: 'f'.repeat(64), args } }] };
      await call('append_event', { sessionId, author: 'agent', content });
    }
    const { event } = (await call('append_event', {
      sessionId,
      text: 'needle '.repeat(100_000),
      stateDelta: big,
    })) as { event: { id: string } };
    let memory = '';
    for (let i = 0; i < 40; i += 1) {
      const fact = `needle ${i} ${'\u{e0041}'.repeat(4900)}`;
      memory = ((await call('create_memory', { fact })) as { memory: { id: string } }).memory.id;
    }
    const note = '\u{e0041}'.repeat(2000);
    await call('append_event', { sessionId: name(0), author: name(3), handOver: { agent: 'probe', note } });
    ids = { event: event.id, artifact: name(0), memory };
  }, 120_000);
  afterAll(() => backend.close());

  /** A call of each tool that answers with as much as it can. Written down for all, so that a new one is, too. */
  const calls: Record<string, () => JsonObject> = {
    list_sessions: () => ({ pageSize: 100 }),
    create_session: () => ({ state: big }),
    get_session: () => ({ sessionId: name(0) }),
    update_session: () => ({ sessionId: name(1), state: big }),
    delete_session: () => ({ sessionId: name(2), confirm: true }),
    fork_session: () => ({ sessionId: name(1) }),
    rewind_session: () => ({ sessionId: name(0), toEventId: ids.event }),
    list_events: () => ({ sessionId: name(0), pageSize: 100 }),
    get_event: () => ({ sessionId: name(0), eventId: ids.event }),
    append_event: () => ({
      sessionId: name(1),
      text: 'z'.repeat(900_000),
      stateDelta: big,
      fields: { customMetadata: big },
    }),
    set_event_visibility: () => ({ sessionId: name(0), eventId: ids.event, hidden: false }),
    delete_event: () => ({ sessionId: name(0), eventId: ids.event, confirm: true }),
    take_turn: () => ({ agent: 'probe', waitSeconds: 0 }),
    wait_for_events: () => ({ sessionId: name(0), timeoutSeconds: 1 }),
    list_tool_calls: () => ({ sessionId: name(0), pageSize: 100 }),
    submit_tool_outputs: () => ({
      sessionId: name(0),
      outputs: [
        { toolCallId: 'c0', output: big },
        { toolCallId: 'c1', error: 'e'.repeat(50_000) },
      ],
    }),
    list_artifacts: () => ({ sessionId: name(0), pageSize: 100 }),
    get_artifact: () => ({ sessionId: name(0), name: ids.artifact }),
    save_artifact: () => ({ sessionId: name(0), name: name(99), text: 'x'.repeat(100_000) }),
    search_events: () => ({ query: 'needle', limit: 100, around: 10 }),
    search_memory: () => ({ query: 'needle', limit: 100 }),
    add_session_to_memory: () => ({ sessionId: name(0) }),
    create_memory: () => ({ fact: '\u{e0041}'.repeat(5000) }),
    list_memories: () => ({ pageSize: 100 }),
    delete_memory: () => ({ memoryId: ids.memory, confirm: true }),
    query: () => ({ sessionId: name(1), message: '\u{e0041}'.repeat(30_000), stateDelta: big }),
    stream_query: () => ({ sessionId: name(1), message: 'q'.repeat(300_000) }),
    register_feedback: () => ({
      sessionId: name(0),
      eventId: ids.event,
      score: 1,
      text: 'f'.repeat(4000),
    }),
    list_apps: () => ({ pageSize: 100 }),
    create_app: () => ({ name: name(7), displayName: 'a'.repeat(500) }),
    delete_app: () => ({ name: name(7), confirm: true }),
    describe_server: () => ({}),
  };
  const last = ['register_feedback', 'delete_event', 'delete_session', 'delete_app'];
  const order = [...allTools.map((tool) => tool.name).filter((tool) => !last.includes(tool)), ...last];

  it.each(order)('%s', async (tool) => {
    const make = calls[tool];
    if (make === undefined) throw new Error(`Write down a call of ${tool} here.`);
    const answer = toResult(await call(tool, make()));
    const [text] = answer.content;
    const bytes = text?.type === 'text' ? Buffer.byteLength(text.text) : Number.NaN;
    expect(bytes).toBeLessThanOrEqual(answerBytes);
    expect(
      allTools
        .find(({ name: one }) => one === tool)
        ?.output()
        .safeParse(answer.structuredContent).error,
    ).toBeUndefined();
  });

  it('and what was cut says where the rest is', async () => {
    for (const [tool, args] of [
      ['create_session', { state: big }],
      ['update_session', { sessionId: name(1), state: big }],
      ['get_session', { sessionId: name(1) }],
      ['fork_session', { sessionId: name(1) }],
    ] as const) {
      const answer = await call(tool, args);
      expect(answer.truncated).toBe(true);
      expect(JSON.stringify(answer)).toContain('get_session with view: \\"full\\" has all');
    }
    const { session } = (await call('get_session', { sessionId: name(1), view: 'full' })) as {
      session: { state: JsonObject };
    };
    expect(session.state).toEqual(big);
  });
});
