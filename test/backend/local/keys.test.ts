import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Backend, SessionRef } from '../../../src/backend/types.ts';
import { SessionError } from '../../../src/errors.ts';
import { memoryBackend } from '../../tools/harness.ts';

const long = 'x'.repeat(256);
const hostile = [
  'a',
  'a:b',
  'a%3Ab',
  'a/b',
  'a%2Fb',
  '../a',
  '..',
  '.',
  'A',
  '__proto__',
  'constructor',
  'é',
  'é'.normalize('NFD'),
  '~',
  ' ',
  'a ',
  '*',
  '"',
  '\u{10ffff}',
  '😀',
  long,
];
const refused = ['', 'x'.repeat(257), 'x'.repeat(1_000_000), '\u0000', 'a\nb', '\u007f', '\ud800', '\udc00a'];

/** Users, apps and sessions with names chosen to run into each other. */
describe('ids of the local backend', () => {
  let backend: Backend;
  beforeAll(async () => {
    backend = await memoryBackend();
  });
  afterAll(() => backend.close());

  const mark = (ref: SessionRef) => JSON.stringify([ref.app, ref.userId, ref.sessionId]);

  it('are all distinct, in every place of a key, and reach nothing of another', {
    timeout: 120_000,
  }, async () => {
    const refs: SessionRef[] = [];
    for (const one of hostile)
      for (const other of ['a', 'a/b', '__proto__'])
        refs.push(
          { app: one, userId: other, sessionId: other },
          { app: other, userId: one, sessionId: other },
          { app: other, userId: other, sessionId: one },
        );
    const unique = [...new Map(refs.map((ref) => [mark(ref), ref])).values()];
    for (const ref of unique) {
      await backend.sessions?.create?.(ref, {
        sessionId: ref.sessionId,
        state: { mark: mark(ref), 'user:who': `${ref.app} ${ref.userId}` },
      });
      await backend.events?.append?.(ref, {
        id: 'e',
        author: 'user',
        content: { parts: [{ text: mark(ref) }] },
      });
      await backend.artifacts?.save?.(ref, {
        name: 'user:f',
        mimeType: 'text/plain',
        data: Buffer.from(`${ref.app} ${ref.userId}`),
      });
      await backend.artifacts?.save?.(ref, {
        name: 'f',
        mimeType: 'text/plain',
        data: Buffer.from(mark(ref)),
      });
      await backend.memory?.create?.(ref, { fact: `tea ${mark(ref)}` });
    }
    for (const ref of unique) {
      const session = await backend.sessions?.get?.(ref);
      expect(session?.state).toEqual({ mark: mark(ref), 'user:who': `${ref.app} ${ref.userId}` });
      const events = await backend.events?.list?.(ref, { pageSize: 10, includeHidden: true });
      expect(events?.items.map((event) => event.content?.parts[0]?.text)).toEqual([mark(ref)]);
      expect((await backend.artifacts?.get?.(ref, 'f'))?.data.toString()).toBe(mark(ref));
      expect((await backend.artifacts?.get?.(ref, 'user:f'))?.data.toString()).toBe(
        `${ref.app} ${ref.userId}`,
      );
      const mine = unique.filter((other) => other.app === ref.app && other.userId === ref.userId);
      const listed = await backend.sessions?.list?.({ app: ref.app, userId: ref.userId, pageSize: 100 });
      expect(listed?.items.map((s) => s.id).sort()).toEqual(mine.map((other) => other.sessionId).sort());
      const found = await backend.memory?.search?.(ref, { text: 'tea', limit: 100 });
      expect(found?.map((m) => m.fact).sort()).toEqual(mine.map((other) => `tea ${mark(other)}`).sort());
    }
    for (const ref of unique) {
      await backend.sessions?.delete?.(ref);
      await expect(backend.sessions?.get?.(ref)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    }
  });

  it.each(refused)('cannot be %j', async (id) => {
    const good = { app: 'a', userId: 'u', sessionId: 's' };
    for (const bad of [{ app: id }, { userId: id }, { sessionId: id }]) {
      const ref = { ...good, ...bad };
      const error: unknown = await backend.sessions
        ?.create?.(ref, { sessionId: ref.sessionId })
        .catch((e: unknown) => e);
      expect(error).toBeInstanceOf(SessionError);
      expect((error as SessionError).code).toBe('INVALID_ARGUMENT');
      expect((error as SessionError).message.length).toBeLessThan(200);
      const read: unknown = await backend.sessions?.get?.(ref).catch((e: unknown) => e);
      expect(['NOT_FOUND', 'INVALID_ARGUMENT']).toContain((read as SessionError).code);
    }
  });

  it('keeps keys of state, labels and scopes as they are, prototypes included', async () => {
    const ref = { app: 'a', userId: 'proto', sessionId: 'p' };
    const state = JSON.parse(
      '{"__proto__": {"polluted": true}, "constructor": 1, "user:__proto__": 2}',
    ) as Record<string, unknown>;
    await backend.sessions?.create?.(ref, { sessionId: 'p', state });
    const delta = JSON.parse('{"__proto__": "new", "toString": null}') as Record<string, unknown>;
    await backend.events?.append?.(ref, { author: 'user', actions: { stateDelta: delta } });
    const session = await backend.sessions?.get?.(ref);
    expect(JSON.parse(JSON.stringify(session?.state))).toEqual(
      JSON.parse('{"__proto__": "new", "constructor": 1, "user:__proto__": 2, "toString": null}'),
    );
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  });
});
