import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { scratch } from '../scratch.ts';
import type { Json } from './clients.ts';
import { run } from './run.ts';

const meta = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientInfo': { name: 'raw', version: '1' },
  'io.modelcontextprotocol/clientCapabilities': {},
};
const request = (id: number, name: string, args: Json = {}) =>
  `${JSON.stringify({ jsonrpc: '2.0', id, method: 'tools/call', params: { name, arguments: args, _meta: meta } })}\n`;

const answersOf = (stdout: string) =>
  new Map(
    stdout
      .trim()
      .split('\n')
      .map((text) => JSON.parse(text) as { id: number; result?: Json; error?: Json })
      .map((answer) => [answer.id, answer]),
  );

describe('a server on stdin', () => {
  it('lets a read find what was written by the calls before it, however many come at once', async () => {
    const turns = 20;
    const stdin = [
      request(1, 'create_session', { sessionId: 's' }),
      ...Array.from({ length: turns }, (_, i) => [
        request(100 + i, 'append_event', { sessionId: 's', text: `${i}` }),
        request(200 + i, 'list_events', { sessionId: 's', pageSize: 100 }),
      ]).flat(),
    ].join('');
    const answers = answersOf((await run(['--store', 'memory:'], { stdin })).stdout);
    for (let i = 0; i < turns; i += 1) {
      const { events } = (answers.get(200 + i)?.result?.structuredContent ?? {}) as { events?: Json[] };
      expect(events?.length).toBeGreaterThan(i);
    }
  });

  it('answers what was piped in before its input ended, as a file is: with a byte order mark, without a last line break', async () => {
    const appends = Array.from({ length: 500 }, (_, i) =>
      request(10 + i, 'append_event', { sessionId: 's', text: `${i}` }),
    );
    const stdin = [
      `\uFEFF${request(1, 'create_session', { sessionId: 's' })}`,
      ...appends,
      request(4, 'create_session', { sessionId: 'silent' }),
      request(2, 'wait_for_events', { sessionId: 'silent', timeoutSeconds: 60 }),
      request(3, 'get_session', { sessionId: 's' }).trim(),
    ].join('');
    const store = ['--store', `sqlite:${path.join(scratch(), 'data.db')}`];
    const ended = await run(store, { stdin });
    const answers = answersOf(ended.stdout);
    expect([ended.code, answers.size]).toEqual([0, 504]);
    expect(answers.get(2)?.error).toMatchObject({ message: expect.stringContaining('input ended') });
    expect(answers.get(3)?.result).toMatchObject({ structuredContent: { session: { eventCount: 500 } } });
  });

  it('waits for a reader that takes its time, however long the answers are', async () => {
    const stdin = [
      request(1, 'create_session', { sessionId: 's' }),
      request(2, 'append_event', { sessionId: 's', text: 'x'.repeat(15_000) }),
      ...Array.from({ length: 100 }, (_, i) => request(10 + i, 'list_events', { sessionId: 's' })),
    ].join('');
    const ended = await run(['--store', 'memory:'], { stdin, readAfter: 1500 });
    expect([ended.code, answersOf(ended.stdout).size]).toEqual([0, 102]);
  });

  it('refuses a message of 40 MB, and serves the one of 16 MB after it', async () => {
    const stdin = [
      request(1, 'create_session', { sessionId: 's' }),
      request(2, 'append_event', { sessionId: 's', text: 'x'.repeat(40_000_000) }),
      request(3, 'append_event', { sessionId: 's', text: 'y'.repeat(16_000_000) }),
      request(4, 'get_session', { sessionId: 's' }),
    ].join('');
    const ended = await run(['--store', 'memory:'], { stdin });
    const answers = answersOf(ended.stdout);
    expect(ended.code).toBe(0);
    expect(answers.get(2)?.error).toEqual({
      code: -32600,
      message: expect.stringMatching(/at most \d+ bytes/),
    });
    // Whether the store takes as much is its own matter; that there is an answer is not.
    expect(answers.get(3)?.result).toBeDefined();
    expect(answers.get(4)?.result).toMatchObject({ structuredContent: { session: { id: 's' } } });
  }, 60_000);
});
