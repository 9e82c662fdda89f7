import { describe, expect, it } from 'vitest';
import { SessionError } from '../../src/errors.ts';
import type { JsonObject } from '../../src/model/json.ts';
import { toResult } from '../../src/server/mcp/results.ts';
import { caller, memoryBackend, user } from './harness.ts';

const nested = (depth: number): JsonObject =>
  JSON.parse(`${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`) as JsonObject;

const bad: [string, unknown, RegExp][] = [
  ['half a character', { x: ['\ud83d'] }, /\.x\[0\]" holds broken Unicode/],
  ['a key __proto__', JSON.parse('{"x":{"__proto__":{"admin":true}}}'), /\.x\.__proto__" is a reserved key/],
  ['101 levels', nested(101), /nested more than 100 deep/],
  ['20,000 levels', nested(20_000), /nested more than 100 deep/],
  ['a number that JSON cannot hold', JSON.parse('{"x":1e999}'), /\.x" is a number that is too large/],
];

/** Every way in which a caller's own JSON gets in. */
const ways: [string, (value: unknown) => [string, JsonObject]][] = [
  ['create_session', (state) => ['create_session', { state }]],
  ['update_session', (state) => ['update_session', { sessionId: 's', state }]],
  ['append_event with a delta', (stateDelta) => ['append_event', { sessionId: 's', stateDelta }]],
  [
    'append_event with arguments',
    (args) => [
      'append_event',
      { sessionId: 's', content: { parts: [{ functionCall: { name: 'f', args } }] } },
    ],
  ],
  [
    'append_event with fields',
    (customMetadata) => ['append_event', { sessionId: 's', fields: { customMetadata } }],
  ],
  [
    'submit_tool_outputs',
    (output) => ['submit_tool_outputs', { sessionId: 's', outputs: [{ toolCallId: 'c', output }] }],
  ],
];

describe('at the door', () => {
  it.each(
    ways.flatMap(([tool, make]) =>
      bad.map(([what, value, words]) => [what, tool, make(value), words] as const),
    ),
  )('%s is refused by %s, and nothing is stored', async (_what, _tool, [name, args], words) => {
    const backend = await memoryBackend();
    const call = caller([backend], user('ann', true));
    await call('create_session', { sessionId: 's' });
    const refusal = await call(name, args).then(
      () => undefined,
      (error: unknown) => error,
    );
    expect(refusal).toBeInstanceOf(SessionError);
    expect(refusal).toMatchObject({ code: 'INVALID_ARGUMENT', message: expect.stringMatching(words) });
    expect((await call('list_events', { sessionId: 's' })).events).toEqual([]);
    expect((await call('list_sessions')).sessions).toHaveLength(1);
    await backend.close();
  });

  it('what is just within is stored and comes back as it is', async () => {
    const backend = await memoryBackend();
    const call = caller([backend], user('ann', true));
    const state = {
      deep: (nested(99) as { a: unknown }).a,
      nul: 'a\0b',
      tag: 'x\u{e0041}',
      emoji: '👨‍👩‍👧',
      constructor: 'x',
      toString: 1,
    };
    await call('create_session', { sessionId: 's', state });
    await call('append_event', { sessionId: 's', text: 'a\0needle b', stateDelta: state });
    expect(await call('get_session', { sessionId: 's', view: 'full' })).toMatchObject({ session: { state } });
    expect(JSON.stringify(await call('list_events', { sessionId: 's' }))).toContain('needle');
    await backend.close();
  });

  it('what an older version stored does not fail a list', async () => {
    const backend = await memoryBackend();
    const call = caller([backend], user('ann', true));
    await call('create_session', { sessionId: 's' });
    const ref = { app: 'default', userId: 'ann', sessionId: 's' };
    const content = {
      role: 'user' as const,
      parts: [{ functionCall: { name: 'f', args: nested(3000) } }, { text: 'half \ud83d' }],
    };
    await backend.events?.append?.(ref, {
      author: 'user',
      content,
      actions: { stateDelta: { deep: nested(3000) } },
    });
    for (const [name, args] of [
      ['list_events', { sessionId: 's' }],
      ['list_events', { sessionId: 's', view: 'full' }],
      ['get_session', { sessionId: 's' }],
      ['get_session', { sessionId: 's', view: 'full' }],
      ['list_sessions', {}],
    ] as const) {
      const { structuredContent, content: texts } = toResult(await call(name, args));
      const text = texts[0]?.type === 'text' ? texts[0].text : '';
      expect(JSON.parse(text)).toEqual(structuredContent);
      expect(text).not.toMatch(/\\ud83d(?!\\u)/);
      expect(text.isWellFormed()).toBe(true);
    }
    await backend.close();
  });
});
