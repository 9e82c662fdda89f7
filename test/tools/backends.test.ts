import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Backend } from '../../src/backend/types.ts';
import type { JsonObject } from '../../src/model/json.ts';
import { caller, memoryBackend, user } from './harness.ts';

/** Two backends at once: the second stands for a service that can only be read, as an ADK server is. */
describe('tools over several backends', () => {
  let local: Backend;
  let source: Backend;
  let remote: Backend;
  beforeEach(async () => {
    local = await memoryBackend();
    source = await memoryBackend();
    const { append: _append, ...events } = source.events ?? {};
    const { fork: _fork, watch: _watch, ...sessions } = source.sessions ?? {};
    remote = { ...source, name: 'remote', events, sessions, memory: {} };
  });
  afterEach(() => Promise.all([local.close(), source.close()]));

  const fill = async (): Promise<string> => {
    const ref = { app: 'default', userId: 'ada', sessionId: 'far' };
    await source.sessions?.create?.(ref, {
      sessionId: 'far',
      displayName: 'Far',
      state: { k: 0, 'user:u': 1 },
    });
    for (let i = 0; i < 120; i += 1)
      await source.events?.append?.(ref, {
        id: `e${i}`,
        author: i % 2 ? 'bot' : 'user',
        content: { parts: [{ text: `m${i}` }] },
        actions: { stateDelta: { k: i } },
      });
    return ref.sessionId;
  };

  it('a tool that the chosen backend lacks names those that have it', async () => {
    const call = caller([remote, local], user('ada'));
    const sessionId = await fill();
    await expect(call('append_event', { sessionId, text: 'x' })).rejects.toMatchObject({
      code: 'UNIMPLEMENTED',
      hint: expect.stringMatching(/local.*query/),
    });
    await expect(call('search_memory', { query: 'x' })).rejects.toMatchObject({ code: 'UNIMPLEMENTED' });
    expect(await call('search_memory', { query: 'x', backend: 'local' })).toMatchObject({ memories: [] });
    await expect(call('list_sessions', { backend: 'cloud' })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
    });
  });

  it('a session is forked from one to the other, whole or up to an event', async () => {
    const call = caller([remote, local], user('ada'));
    const sessionId = await fill();
    const { session } = (await call('fork_session', { sessionId, toBackend: 'local' })) as {
      session: JsonObject;
    };
    expect(session).toMatchObject({ displayName: 'Far', eventCount: 120, state: { k: 119 } });
    // Shared state belongs to all sessions there.
    expect(session.state).not.toHaveProperty('user:u');
    const there = { sessionId: session.id, backend: 'local' };
    await call('append_event', { ...there, text: 'on from here' });
    const page = (await call('list_events', { ...there, pageSize: 2 })) as { events: JsonObject[] };
    expect(page.events).toMatchObject([{ content: { parts: [{ text: 'm0' }] } }, { author: 'bot' }]);
    const part = (await call('fork_session', {
      sessionId,
      upToEventId: 'e41',
      toBackend: 'local',
      toApp: 'elsewhere',
    })) as {
      session: JsonObject;
    };
    expect(part.session).toMatchObject({ app: 'elsewhere', eventCount: 42, state: { k: 41 } });
  });

  it('a fork that fails half-way leaves nothing', async () => {
    const sessionId = await fill();
    let appended = 0;
    const { transfer: _transfer, ...verbs } = local;
    const frail: Backend = {
      ...verbs,
      events: {
        ...local.events,
        append: async (ref, event, guard) => {
          appended += 1;
          if (appended === 50) throw new Error('the service fell over');
          const { append } = local.events ?? {};
          if (append === undefined) throw new Error('no append');
          return append(ref, event, guard);
        },
      },
    };
    const call = caller([remote, frail], user('ada'));
    await expect(
      call('fork_session', { sessionId, toBackend: 'local', newSessionId: 'copy' }),
    ).rejects.toThrow();
    expect(await call('list_sessions', { backend: 'local' })).toMatchObject({ sessions: [] });
    await expect(
      call('fork_session', { sessionId, upToEventId: 'nope', toBackend: 'local' }),
    ).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('without a backend that takes events there is no fork to offer', async () => {
    await expect(caller([remote], user('ada'))('fork_session', { sessionId: 'x' })).rejects.toThrow(
      'no tool',
    );
  });

  it('a wait works on a backend that cannot tell of changes', async () => {
    const call = caller([remote], user('ada'));
    const sessionId = await fill();
    const waiting = call('wait_for_events', { sessionId, afterEventId: 'e119', timeoutSeconds: 10 });
    const ref = { app: 'default', userId: 'ada', sessionId };
    await source.events?.append?.(ref, { id: 'late', author: 'bot', content: { parts: [{ text: 'late' }] } });
    expect(await waiting).toMatchObject({ timedOut: false, lastEventId: 'late' });
  });

  it('page tokens open neither for another user, backend nor query', async () => {
    const call = caller([remote, local], user('ada'));
    const sessionId = await fill();
    const { nextPageToken: pageToken } = await call('list_events', { sessionId, pageSize: 5 });
    expect(pageToken).toEqual(expect.any(String));
    const refused = { code: 'INVALID_ARGUMENT' };
    await expect(
      call('list_events', { sessionId, pageSize: 5, pageToken, order: 'desc' }),
    ).rejects.toMatchObject(refused);
    await expect(call('list_sessions', { pageToken })).rejects.toMatchObject(refused);
    const bob = caller([remote, local], user('bob'));
    await expect(bob('list_events', { sessionId, pageSize: 5, pageToken })).rejects.toMatchObject(refused);
    // The size of a page is not part of the query: it may change from page to page.
    expect(await call('list_events', { sessionId, pageSize: 9, pageToken })).toHaveProperty(
      'events.length',
      9,
    );
  });

  it('answers stay below their budget, and lead to the rest', async () => {
    const call = caller([local], user('ada'));
    await call('create_session', { sessionId: 's', state: { big: 'x'.repeat(100_000) } });
    for (let i = 0; i < 30; i += 1)
      await call('append_event', {
        sessionId: 's',
        text: `${i} ${'long text '.repeat(1000)}`,
        eventId: `e${i}`,
      });
    const size = (value: unknown) => Buffer.byteLength(JSON.stringify(value));
    const seen: string[] = [];
    let pageToken: unknown;
    do {
      const page = (await call('list_events', { sessionId: 's', pageSize: 100, pageToken })) as {
        events: JsonObject[];
        nextPageToken?: string;
        truncated?: boolean;
      };
      expect(size(page)).toBeLessThanOrEqual(20_000);
      expect(page.truncated).toBe(true);
      seen.push(...page.events.map((event) => event.id as string));
      pageToken = page.nextPageToken;
    } while (pageToken !== undefined);
    expect(seen).toEqual(Array.from({ length: 30 }, (_, i) => `e${i}`));
    expect(size(await call('get_session', { sessionId: 's' }))).toBeLessThanOrEqual(20_000);
    await call('add_session_to_memory', { sessionId: 's' });
    expect(size(await call('search_memory', { query: 'long', limit: 30 }))).toBeLessThanOrEqual(20_000);
    const whole = (await call('get_event', { sessionId: 's', eventId: 'e3', view: 'full' })) as {
      event: { content: { parts: { text: string }[] } };
    };
    expect(whole.event.content.parts[0]?.text).toBe(`3 ${'long text '.repeat(1000)}`);
  });
});
