import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { openAgentEngine } from '../../src/backend/agent-engine/index.ts';
import type { Backend } from '../../src/backend/types.ts';
import { SessionError } from '../../src/errors.ts';
import { forkSession } from '../../src/transfer/fork.ts';
import { type FakeAgentEngine, startAgentEngine } from '../fake/agent-engine/server.ts';
import { projectId } from '../fake/agent-engine/store.ts';
import { ada, eventsOf, grow, idle, local, make, plain, read, save, stateOf, verb } from './support.ts';

interface World {
  name: string;
  target(): Promise<Backend>;
}

const targets: World[] = [
  { name: 'a backend that stages', target: () => local() },
  { name: 'a backend that only has the verbs of callers', target: async () => plain(await local()) },
  { name: 'Agent Engine', target: async () => (await engine()).backend },
];

async function engine(
  rateLimit = false,
): Promise<{ fake: FakeAgentEngine; backend: Backend; open(): Promise<Backend> }> {
  const fake = await startAgentEngine();
  onTestFinished(() => fake.close());
  const open = async () => {
    const backend = await openAgentEngine({
      project: projectId,
      engineId: fake.engine.id,
      baseUrl: fake.url,
      rateLimit,
      wait: (ms) => sleep(ms / 50),
    });
    onTestFinished(() => backend.close());
    return backend;
  };
  return { fake, backend: await open(), open };
}

const ownerOn = (backend: Backend) => ({ ...ada, app: backend.defaultApp ?? ada.app });
const fork = (
  from: Backend,
  sessionId: string,
  to: Backend,
  options: Omit<Parameters<typeof forkSession>[2], 'signal'> & { signal?: AbortSignal } = {},
) =>
  forkSession(
    { backend: from, ref: { ...ada, sessionId } },
    { backend: to, owner: ownerOn(to) },
    { signal: idle, ...options },
  );

describe.each(targets)('a fork to $name', ({ target }) => {
  it('counts no answer that a rewinding undid', async () => {
    const from = await local();
    const ref = await make(from, 's', { state: { x: 0 } });
    const asked = await verb(from.events?.append)(ref, {
      author: 'bot',
      content: { parts: [{ functionCall: { id: 'c', name: 'find', args: {} } }] },
    });
    await verb(from.events?.append)(ref, {
      author: 'user',
      content: { parts: [{ functionResponse: { id: 'c', name: 'find', response: {} } }] },
      actions: { stateDelta: { x: 1 } },
    });
    await verb(from.sessions?.rewind)(ref, { eventId: asked.event.id });
    await grow(from, ref, [{ a: 1 }]);
    const to = await target();
    const { session } = await fork(from, 's', to);
    expect(session.state).toEqual({ x: 0, a: 1 });
    const copy = { ...ownerOn(to), sessionId: session.id };
    if (to.toolCalls?.list !== undefined)
      expect((await to.toolCalls.list(copy)).map((call) => call.id)).toEqual(['c']);
    if (to.transfer?.stage === undefined) return;
    const last = (await eventsOf(to, copy)).at(-1);
    const again = await to.sessions?.fork?.(copy, { upToEventId: last?.id });
    expect(again?.state).toEqual({ x: 0, a: 1 });
  });

  it('ends with the state of the source, not with what old deltas make of it', async () => {
    const from = await local();
    const ref = await make(from, 's', { state: { x: 0 }, displayName: 'Trip', labels: { kind: 'trip' } });
    await grow(from, ref, [{ a: 1, gone: true }, { b: 1 }]);
    await verb(from.sessions?.update)(ref, { state: { z: 9, a: 'set by hand' } });
    const to = await target();
    const { session, status } = await fork(from, 's', to);
    expect(status).toBe('completed');
    expect(session).toMatchObject({
      state: { z: 9, a: 'set by hand' },
      displayName: 'Trip',
      labels: { kind: 'trip' },
    });
    const copy = { ...ownerOn(to), sessionId: session.id };
    expect(await stateOf(to, copy)).toEqual({ z: 9, a: 'set by hand' });
    expect(await eventsOf(to, copy)).toMatchObject([
      {
        id: 'e0',
        author: 'user',
        timestamp: '2026-01-01T00:00:00.000Z',
        content: { parts: [{ text: 'm0' }] },
      },
      { id: 'e1', author: 'bot', timestamp: '2026-01-01T00:00:01.000Z', actions: { stateDelta: { b: 1 } } },
    ]);
  });

  it('leaves shared state alone, old values above all', async () => {
    const from = await local();
    const ref = await make(from, 's', { state: { 'user:lang': 'en', 'app:motd': 'old' } });
    await grow(from, ref, [{ 'user:lang': 'de', 'app:motd': 'older', own: 1 }]);
    const to = await target();
    const owner = ownerOn(to);
    await verb(to.sessions?.create)(owner, {
      sessionId: 'mine',
      state: { 'user:lang': 'fr', 'app:motd': 'now' },
    });
    const { session } = await fork(from, 's', to);
    expect(session.state).toEqual({ 'user:lang': 'fr', 'app:motd': 'now', own: 1 });
    expect(await stateOf(to, { ...owner, sessionId: 'mine' })).toMatchObject({
      'user:lang': 'fr',
      'app:motd': 'now',
    });
  });

  it('up to an event has the state of that moment, what it began with included', async () => {
    const from = await local();
    const ref = await make(from, 's', { state: { topic: 'tea', n: 'first' } });
    await grow(from, ref, [{ n: 0 }, { n: 1 }, { n: 2, late: true }]);
    const to = await target();
    const { session } = await fork(from, 's', to, { upToEventId: 'e1' });
    expect(session.state).toEqual({ topic: 'tea', n: 1 });
    expect(await eventsOf(to, { ...ownerOn(to), sessionId: session.id })).toHaveLength(2);
    await expect(fork(from, 's', to, { upToEventId: 'none' })).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('says what it left out', async () => {
    const from = await local();
    const ref = await make(from, 's');
    await grow(from, ref, [{}, {}, {}]);
    await verb(from.events?.setVisibility)(ref, 'e1', true);
    await verb(from.feedback?.register)(ref, { eventId: 'e2', score: 1 });
    const to = await target();
    const { session, notes } = await fork(from, 's', to);
    const events = await eventsOf(to, { ...ownerOn(to), sessionId: session.id });
    expect(events.map((event) => event.id)).toEqual(['e0', 'e2']);
    expect(notes.join(' ')).toMatch(/1 hidden event was left out/);
    expect(notes.join(' ')).toMatch(/createTime is the time of the copy/);
    const kept = events[1]?.feedback !== undefined;
    expect(/Feedback on 1 event was left out/.test(notes.join(' '))).toBe(!kept);
  });

  it('of a session without events has its state', async () => {
    const from = await local();
    await make(from, 's', { state: { only: 'state' } });
    const { session } = await fork(from, 's', await target());
    expect(session.state).toEqual({ only: 'state' });
  });
});

describe('a fork across backends', () => {
  it('takes all versions of the artifacts along, whatever their numbers', async () => {
    const from = await local();
    const ref = await make(from, 's');
    for (const text of ['zero', 'one', 'two', 'three']) await save(from, ref, 'f.txt', text);
    await save(from, ref, 'user:mine.txt', 'of the user');
    const { get } = from.artifacts ?? {};
    // Versions begin at 1, as in ADK for Go, and version 2 was deleted.
    const odd: Backend = {
      ...from,
      artifacts: {
        ...from.artifacts,
        get: async (of, name, version) => {
          if (version === 0 || version === 2)
            throw new SessionError('NOT_FOUND', 'There is no such version.');
          return verb(get)(of, name, version);
        },
      },
    };
    const to = await local();
    const { session } = await fork(odd, 's', to);
    const copy = { ...ada, sessionId: session.id };
    const { items } = await verb(to.artifacts?.list)(copy, { pageSize: 10 });
    expect(items).toMatchObject([{ name: 'f.txt', version: 3 }]);
    expect([await read(to, copy, 'f.txt', 1), await read(to, copy, 'f.txt', 3)]).toEqual(['one', 'three']);
    await expect(read(to, copy, 'f.txt', 2)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await save(to, copy, 'f.txt', 'next');
    expect(await read(to, copy, 'f.txt', 4)).toBe('next');
  });

  it('fails, and leaves nothing, when a version of an artifact cannot be read', async () => {
    const from = await local();
    const ref = await make(from, 's');
    await save(from, ref, 'f.txt', 'zero');
    await save(from, ref, 'f.txt', 'one');
    const away: Backend = {
      ...from,
      artifacts: {
        ...from.artifacts,
        get: async (of, name, version) => {
          if (version === 0) throw new SessionError('UNAVAILABLE', 'The service is away.');
          return verb(from.artifacts?.get)(of, name, version);
        },
      },
    };
    const to = await local();
    await expect(fork(away, 's', to)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect((await verb(to.sessions?.list)({ ...ada, pageSize: 10 })).items).toEqual([]);
  });

  it('names artifacts that the target cannot keep', async () => {
    const from = await local();
    const ref = await make(from, 's');
    await grow(from, ref, [{}]);
    await save(from, ref, 'f.txt', 'one');
    const { backend } = await engine();
    const { notes } = await fork(from, 's', backend);
    expect(notes.join(' ')).toMatch(/1 artifact version was left out.*keeps no artifacts/);
  });

  it('says where it comes from', async () => {
    const from = await local();
    const ref = await make(from, 's');
    await grow(from, ref, [{}, {}]);
    const to = await local();
    expect((await fork(from, 's', to)).session.forkedFrom).toEqual({
      backend: 'local',
      sessionId: 's',
      eventId: 'e1',
    });
    expect((await fork(from, 's', to, { upToEventId: 'e0' })).session.forkedFrom).toMatchObject({
      eventId: 'e0',
    });
  });

  it('can be forked again up to any event of the source', async () => {
    const from = await local();
    const ref = await make(from, 's', { state: { topic: 'tea' } });
    await grow(from, ref, [{ n: 0 }, { n: 1 }]);
    await verb(from.sessions?.update)(ref, { state: { topic: 'coffee' } });
    const to = await local();
    const { session } = await fork(from, 's', to);
    const copy = { ...ada, sessionId: session.id };
    expect((await fork(to, session.id, await local(), { upToEventId: 'e0' })).session.state).toMatchObject({
      n: 0,
    });
    await verb(to.events?.append)(copy, {
      id: 'after',
      author: 'user',
      actions: { stateDelta: { more: 1 } },
    });
    const native = await verb(to.sessions?.fork)(copy, { upToEventId: 'after' });
    expect(native.state).toEqual({ topic: 'coffee', more: 1 });
  });

  it('takes in what is appended to the source meanwhile, with the state that belongs to it', async () => {
    const from = await local();
    const ref = await make(from, 's');
    await grow(from, ref, [{ n: 0 }]);
    let late = true;
    const busy: Backend = {
      ...from,
      events: {
        ...from.events,
        list: async (of, query) => {
          const page = await verb(from.events?.list)(of, query);
          if (late && query.pageSize > 1) {
            late = false;
            await verb(from.events?.append)(ref, {
              id: 'late',
              author: 'bot',
              actions: { stateDelta: { n: 'late' } },
            });
          }
          return page;
        },
      },
    };
    const to = await local();
    const { session } = await fork(busy, 's', to);
    expect(session.state).toEqual({ n: 'late' });
    expect(await eventsOf(to, { ...ada, sessionId: session.id })).toMatchObject([
      { id: 'e0' },
      { id: 'late' },
    ]);
  });

  it('takes in the first event of a source that had none when the copy began', async () => {
    const from = await local();
    const ref = await make(from, 's');
    const late: Backend = {
      ...from,
      events: {
        ...from.events,
        list: async (of, query) => {
          const page = await verb(from.events?.list)(of, query);
          if (query.pageSize === 1) await grow(from, ref, [{ n: 0 }]);
          return page;
        },
      },
    };
    const to = plain(await local());
    const { session } = await fork(late, 's', to);
    expect(session.state).toEqual({ n: 0 });
    expect(await eventsOf(to, { ...ada, sessionId: session.id })).toMatchObject([{ id: 'e0' }]);
  });

  it.each([
    ['keeps earlier states', (source: Backend) => source],
    ['keeps none', plain],
  ])(
    'of a source that never rests, and %s, has the state of its last event, or says otherwise',
    async (_, as) => {
      const from = await local();
      const ref = await make(from, 's');
      let n = 0;
      const restless: Backend = {
        ...from,
        sessions: {
          ...from.sessions,
          get: async (of) => {
            n += 1;
            await verb(from.events?.append)(ref, { author: 'bot', actions: { stateDelta: { n } } });
            return verb(from.sessions?.get)(of);
          },
        },
      };
      const to = await local();
      const { session, notes } = await fork(as(restless), 's', to);
      const last = (await eventsOf(to, { ...ada, sessionId: session.id })).at(-1)?.actions?.stateDelta?.n;
      const saysSo = notes.some((note) => note.startsWith('The source was written to'));
      expect([session.state?.n === last, saysSo]).toEqual(as === plain ? [false, true] : [true, false]);
    },
  );

  it.each([[['same', 'same', 'same']], [['same', 'same~2', 'same']]])(
    'gives each of several events with one id an id of its own: %s',
    async (ids) => {
      const from = await local();
      const ref = await make(from, 's');
      await grow(from, ref, [{}, {}, {}]);
      const twins: Backend = {
        ...from,
        events: {
          ...from.events,
          list: async (of, query) => {
            const page = await verb(from.events?.list)(of, query);
            return { ...page, items: page.items.map((event, i) => ({ ...event, id: ids[i] ?? '' })) };
          },
        },
      };
      const to = await local();
      const { session } = await fork({ ...twins, sessions: { ...from.sessions } }, 's', to).catch(() => ({
        session: undefined,
      }));
      const events = session && (await eventsOf(to, { ...ada, sessionId: session.id }));
      expect(events?.map((event) => event.id)).toEqual(['same', 'same~2', 'same~3']);
    },
  );

  it('tells that a state was put together where the source keeps no earlier ones', async () => {
    const from = await local();
    const ref = await make(from, 's', { state: { topic: 'tea' } });
    await grow(from, ref, [{ n: 0 }, { n: 1 }]);
    const { session, notes } = await fork(plain(from), 's', await local(), { upToEventId: 'e0' });
    expect(session.state).toEqual({ topic: 'tea', n: 0 });
    expect(notes.join(' ')).toMatch(/plain backend keeps no earlier states/);
  });
});

describe('a long copy to Agent Engine', () => {
  const many = 350;
  async function longSession(): Promise<Backend> {
    const from = await local();
    const ref = await make(from, 's', { state: { start: true } });
    await grow(
      from,
      ref,
      Array.from({ length: many }, (_, n) => ({ n })),
    );
    return from;
  }

  it('stops before its caller gives up, says how far it is, and goes on at the next call', {
    timeout: 60_000,
  }, async () => {
    const from = await longSession();
    const { fake, backend, open } = await engine(true);
    const stored = () => fake.engine.sessions.get('copy')?.events.length;
    const pause = new AbortController();
    const copying = fork(from, 's', backend, { newSessionId: 'copy', pause: pause.signal });
    await vi.waitUntil(() => stored() === 300, { timeout: 50_000 });
    await sleep(50);
    pause.abort();
    const first = await copying;
    expect(first.status).toBe('partial');
    expect(first.notes[0]).toMatch(/300 events of 350 .*fork_session again/);
    expect(stored()).toBe(300);
    // A later minute, in another process.
    const again = await open();
    const second = await fork(from, 's', again, { newSessionId: 'copy' });
    expect(second).toMatchObject({
      status: 'completed',
      session: { id: 'copy', state: { start: true, n: 349 } },
    });
    expect(second.session.labels).toBeUndefined();
    const copy = { ...ownerOn(again), sessionId: 'copy' };
    expect((await eventsOf(again, copy)).map((event) => event.id)).toEqual(
      Array.from({ length: many }, (_, i) => `e${i}`),
    );
    // The answer was lost: repeating the call finds the complete copy and writes nothing.
    const third = await fork(from, 's', again, { newSessionId: 'copy' });
    expect(third).toMatchObject({ status: 'completed', session: { id: 'copy' } });
    expect(stored()).toBe(many);
  });

  it('sends one request for each event', async () => {
    const from = await local();
    const ref = await make(from, 's');
    await grow(
      from,
      ref,
      Array.from({ length: 20 }, () => ({})),
    );
    const { fake, backend } = await engine();
    const before = fake.requests.length;
    await fork(from, 's', backend);
    const sent = fake.requests.slice(before).map((request) => request.rpc);
    expect(sent.filter((rpc) => rpc?.endsWith('AppendEvent'))).toHaveLength(20);
    expect(sent.length).toBeLessThan(20 + 10);
  });

  it('keeps what it has when it is cancelled, and names it', async () => {
    const from = await longSession();
    const { fake, backend } = await engine();
    const cancel = new AbortController();
    const copying = fork(from, 's', backend, {
      newSessionId: 'copy',
      signal: cancel.signal,
      progress: () => cancel.abort(),
    });
    await expect(copying).rejects.toMatchObject({
      code: 'CANCELLED',
      details: { sessionId: 'copy', copiedEvents: 100 },
      hint: expect.stringContaining('newSessionId'),
    });
    expect(fake.engine.sessions.get('copy')?.events).toHaveLength(100);
    const { status, session } = await fork(from, 's', backend, { newSessionId: 'copy' });
    expect([status, session.state]).toEqual(['completed', { start: true, n: 349 }]);
    expect(fake.engine.sessions.get('copy')?.events).toHaveLength(many);
  });

  it('never goes on with a session that is not its own copy', async () => {
    const from = await longSession();
    await make(from, 'other');
    const { backend, fake } = await engine();
    const owner = ownerOn(backend);
    await verb(backend.sessions?.create)(owner, { sessionId: 'taken', labels: { kind: 'mine' } });
    const taken = { code: 'ALREADY_EXISTS' };
    await expect(fork(from, 's', backend, { newSessionId: 'taken' })).rejects.toMatchObject(taken);
    const cancel = new AbortController();
    await fork(from, 's', backend, {
      newSessionId: 'copy',
      signal: cancel.signal,
      progress: () => cancel.abort(),
    }).catch(() => {});
    await expect(fork(from, 'other', backend, { newSessionId: 'copy' })).rejects.toMatchObject(taken);
    expect(fake.engine.sessions.get('copy')?.events).toHaveLength(100);
  });

  it('deletes what a failure that will not pass left, or names it', async () => {
    const from = await longSession();
    const { backend, fake } = await engine();
    const refuse = () => fake.fail({ match: /POST .*:appendEvent/, status: 400, times: 9 });
    refuse();
    await expect(fork(from, 's', backend, { newSessionId: 'copy' })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
    });
    expect(fake.engine.sessions.has('copy')).toBe(false);
    fake.heal();
    refuse();
    fake.fail({ match: /DELETE /, status: 403, times: 9 });
    await expect(fork(from, 's', backend, { newSessionId: 'copy' })).rejects.toMatchObject({
      details: { sessionId: 'copy' },
      message: expect.stringContaining('could not be deleted'),
    });
  });

  it('keeps the order of events whose times fall', async () => {
    const from = await local();
    const ref = await make(from, 's');
    for (const [i, time] of ['2026-01-02', '2026-01-01', '2026-01-01', '2026-01-03'].entries())
      await verb(from.events?.append)(ref, {
        id: `e${i}`,
        author: 'user',
        timestamp: `${time}T00:00:00.000Z`,
      });
    const { backend } = await engine();
    const { session, notes } = await fork(from, 's', backend);
    const events = await eventsOf(backend, { ...ownerOn(backend), sessionId: session.id });
    expect(events.map((event) => event.id)).toEqual(['e0', 'e1', 'e2', 'e3']);
    expect(notes.join(' ')).toMatch(/times of 2 events were moved later/);
  });
});
