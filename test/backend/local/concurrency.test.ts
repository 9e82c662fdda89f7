import { beforeEach, describe, expect, it } from 'vitest';
import { openLocal } from '../../../src/backend/local/index.ts';
import type { Backend, SessionRef } from '../../../src/backend/types.ts';
import { SessionError } from '../../../src/errors.ts';
import type { NewEvent } from '../../../src/model/event.ts';
import type { JsonObject } from '../../../src/model/json.ts';
import { openStore } from '../../../src/store/open.ts';
import type { Store } from '../../../src/store/types.ts';

const owner = { app: 'app', userId: 'ada' };
const say = (text: string, more: Partial<NewEvent> = {}): NewEvent => ({
  author: 'user',
  content: { role: 'user', parts: [{ text }] },
  ...more,
});
const call = (id: string, long = false): NewEvent => ({
  author: 'agent',
  content: { role: 'model', parts: [{ functionCall: { id, name: 'f' } }] },
  ...(long ? { longRunningToolIds: [id] } : {}),
});
const answer = (id: string, more: Partial<NewEvent> = {}): NewEvent => ({
  author: 'user',
  content: { role: 'user', parts: [{ functionResponse: { id, name: 'f', response: { ok: true } } }] },
  ...more,
});
const times = <T>(count: number, make: (i: number) => Promise<T>): Promise<T[]> =>
  Promise.all(Array.from({ length: count }, (_, i) => make(i)));
const codeOf = (error: unknown): string => (error instanceof SessionError ? error.code : String(error));

/** A store whose reads take as long as those over a network: others write between two of them. */
const distant = (store: Store): Store => ({
  ...store,
  async get(keys) {
    const values = await store.get(keys);
    for (let i = reads++ % 3; i >= 0; i -= 1) await turn();
    return values;
  },
  async range(range) {
    const rows = await store.range(range);
    if (rows.length > 20) for (let i = 0; i < 40; i += 1) await turn();
    return rows;
  },
});
let reads = 0;
const turn = () => new Promise((next) => setImmediate(next));

let backend: Required<Backend>;
let ref: SessionRef;
beforeEach(async () => {
  const store = await openStore({ url: 'memory:', durability: 'normal', dataDir: '' });
  backend = openLocal({ store: distant(store) }) as Required<Backend>;
  const session = await backend.sessions.create?.(owner, { state: { n: 0 } });
  ref = { ...owner, sessionId: session?.id ?? '' };
  return () => backend.close();
});
const append = async (event: NewEvent, on = ref) => (await backend.events.append?.(on, event))?.event;

describe('side by side', () => {
  it('the end of an app and a new session: who has a session in it sees the app', async () => {
    for (let pause = 0; pause < 40; pause += 1) {
      const app = `app${pause}`;
      for (const sessionId of ['a', 'b']) await backend.sessions.create?.({ ...owner, app }, { sessionId });
      const end = backend.apps.delete?.(app, { force: true });
      for (let i = 0; i < pause; i += 1) await turn();
      await backend.sessions.create?.({ ...owner, app }, { sessionId: 'new' });
      await end;
      const there = await backend.sessions.get?.({ ...owner, app, sessionId: 'new' }).catch(() => undefined);
      const { items } = (await backend.apps.list?.({ pageSize: 100, userId: owner.userId })) ?? { items: [] };
      expect(items.map(({ name }) => name).includes(app)).toBe(there !== undefined);
    }
  });

  it('a change and the end of its session: what is stored is answered', async () => {
    const store = await openStore({ url: 'memory:', durability: 'normal', dataDir: '' });
    const rival = openLocal({ store, maintains: false });
    // Whenever something is read, another process has deleted the session.
    const last = openLocal({
      store: {
        ...store,
        get: (keys) => Promise.resolve(rival.sessions?.delete?.(at, {})).then(() => store.get(keys)),
      },
      maintains: false,
    });
    const at = { ...owner, sessionId: 's' };
    expect(await last.sessions?.create?.(owner, { sessionId: 's', state: { n: 1 } })).toMatchObject({
      id: 's',
      state: { n: 1 },
    });
    await rival.sessions?.create?.(owner, { sessionId: 's' });
    expect(await last.sessions?.update?.(at, { displayName: 'Named' })).toMatchObject({
      displayName: 'Named',
    });
    await store.close();
  });

  it('a fork and saves of artifacts: each artifact that the fork lists can be read', async () => {
    await times(30, (i) => append(say(`m${i}`)));
    const save = (name: string, text: string) =>
      backend.artifacts.save?.(ref, { name, mimeType: 'text/plain', data: Buffer.from(text) });
    for (let i = 0; i < 10; i += 1) await save(`file-${i}`, 'first');
    const forks: { id: string }[] = [];
    let saved = 0;
    const saving = (async () => {
      for (; saved < 96; saved += 1) await save(`file-${saved % 12}`, `version ${saved}`);
    })();
    while (saved < 96) forks.push(await (backend.sessions.fork?.(ref, {}) ?? Promise.reject()));
    await saving;
    expect(forks.length).toBeGreaterThan(1);
    for (const { id } of forks) {
      const at = { ...owner, sessionId: id };
      const listed = (await backend.artifacts.list?.(at, { pageSize: 100 }))?.items ?? [];
      expect(listed.length).toBeGreaterThanOrEqual(10);
      for (const { name, version } of listed)
        for (let v = 0; v <= version; v += 1)
          expect((await backend.artifacts.get?.(at, name, v))?.artifact.version).toBe(v);
    }
  });

  it.each([30, 260])('a fork and the end of its source of %i events: whole, or not at all', async (count) => {
    for (let round = 0; round < 10; round += 1) {
      const made = await backend.sessions.create?.(owner, {});
      const source = { ...owner, sessionId: made?.id ?? '' };
      await times(count, (i) => append(say(`m${i}`), source));
      const [fork] = await Promise.all([
        backend.sessions.fork?.(source, {}).catch(codeOf),
        (async () => {
          for (let i = 0; i < round * 2; i += 1) await turn();
          await backend.sessions.delete?.(source);
        })(),
      ]);
      if (typeof fork === 'string') expect(fork).toBe('NOT_FOUND');
      else {
        expect(fork?.eventCount).toBe(count);
        const at = { ...owner, sessionId: fork?.id ?? '' };
        expect((await backend.events.list?.(at, { pageSize: 1000 }))?.items).toHaveLength(count);
      }
    }
  });

  it('a fork and changes to its source: the copy is of one moment', async () => {
    const events = await times(260, (i) => append(say(`m${i}`)));
    const changes = async () => {
      for (let i = 0; i < 30; i += 1) {
        await backend.events.setVisibility?.(ref, events[259 - i * 2]?.id ?? '', true);
        await backend.sessions.update?.(ref, { state: { n: i + 1 } });
      }
    };
    const forks: Promise<unknown>[] = [];
    const changing = changes();
    for (let i = 0; i < 10; i += 1) {
      forks.push(Promise.resolve(backend.sessions.fork?.(ref, {})).catch(codeOf));
      for (let j = 0; j < 9; j += 1) await turn();
    }
    await changing;
    forks.push(backend.sessions.fork?.(ref, {}) ?? Promise.reject());
    for (const fork of await Promise.all(forks)) {
      if (typeof fork === 'string') {
        expect(fork).toBe('ABORTED');
        continue;
      }
      const { id, state } = fork as { id: string; state: { n: number } };
      const shown = await backend.events.list?.({ ...owner, sessionId: id }, { pageSize: 1000 });
      // The n-th update follows the n-th event that is hidden.
      expect([260 - state.n, 260 - state.n - 1]).toContain(shown?.items.length);
    }
  });

  it('an append and the session made anew: what was the old one’s never comes into the new one', async () => {
    const again = { ...ref, sessionId: 'again' };
    for (let pause = 0; pause < 12; pause += 1) {
      await backend.sessions.create?.(owner, { sessionId: 'again', state: { old: true } });
      const anew = async () => {
        for (let i = 0; i < pause; i += 1) await turn();
        await backend.sessions.delete?.(again);
        await backend.sessions.create?.(owner, { sessionId: 'again', state: { fresh: true } });
      };
      const event = { ...say('hello', { actions: { stateDelta: { n: 1 } } }), id: 'own' };
      const [, outcome] = await Promise.allSettled([anew(), append(event, again)]);
      const { state } = (await backend.sessions.get?.(again)) ?? {};
      const stored = (await backend.events.list?.(again, { pageSize: 5 }))?.items ?? [];
      expect(state).toEqual(stored.length === 0 ? { fresh: true } : { fresh: true, n: 1 });
      if (outcome.status === 'rejected') expect(codeOf(outcome.reason)).toBe('NOT_FOUND');
      await backend.sessions.delete?.(again);
    }
  });

  it('get_session and appends: revision and state are of one moment', async () => {
    const before = (await backend.sessions.get?.(ref))?.revision ?? 0;
    const seen: { revision?: number | undefined; state?: JsonObject | undefined }[] = [];
    let appended = 0;
    const appending = (async () => {
      for (; appended < 100; appended += 1)
        await append(say('', { actions: { stateDelta: { n: appended + 1 } } }));
    })();
    while (appended < 100) seen.push(await (backend.sessions.get?.(ref) ?? Promise.reject()));
    await appending;
    for (const { revision, state } of seen) expect(state?.n).toBe((revision ?? 0) - before);
  });

  it('two submits of one call: one is stored, the other is told', async () => {
    await append(call('c1'));
    const outcomes = await times(2, (i) =>
      Promise.resolve(backend.toolCalls.submit?.(ref, [{ toolCallId: 'c1', output: { i } }])).then(
        () => 'stored',
        codeOf,
      ),
    );
    expect(outcomes.sort()).toEqual(['NOT_FOUND', 'stored']);
    expect((await backend.sessions.get?.(ref))?.eventCount).toBe(2);
  });
});

describe('tool calls', () => {
  const refused = async (event: NewEvent) => append(event).then(() => 'stored', codeOf);
  const open = async () => (await backend.toolCalls.list?.(ref))?.map(({ id }) => id);

  it('are answered once: what comes later does not take the place of the answer', async () => {
    await append(call('c1'));
    await append(answer('c1'));
    expect(await refused(answer('c1'))).toBe('FAILED_PRECONDITION');
    expect(await refused(answer('c1', { author: 'agent' }))).toBe('FAILED_PRECONDITION');
    expect((await backend.sessions.get?.(ref))?.eventCount).toBe(2);
  });

  it('have ids of their own while they are open; later an id may be used again', async () => {
    const first = await append(call('c1'));
    expect(await refused(call('c1'))).toBe('ALREADY_EXISTS');
    await append(answer('c1'));
    const second = await append(call('c1'));
    await backend.events.delete?.(ref, first?.id ?? '');
    expect((await backend.toolCalls.list?.(ref))?.map((c) => c.eventId)).toEqual([second?.id]);
    await append(answer('c1'));
    expect(await open()).toEqual([]);
  });

  it('that run long stay open when their tool says that it has begun', async () => {
    await append(call('c1', true));
    await append(answer('c1', { author: 'agent' }));
    expect(await open()).toEqual(['c1']);
    await append(answer('c1'));
    expect(await open()).toEqual([]);
  });

  it('stay open while their answer comes in pieces', async () => {
    await append(call('c1'));
    const piece = { functionResponse: { id: 'c1', name: 'f', response: {}, willContinue: true } };
    await append(answer('c1', { content: { role: 'user', parts: [piece] } }));
    expect(await open()).toEqual(['c1']);
    await append(answer('c1'));
    expect(await open()).toEqual([]);
  });

  it('can be answered though more are open than a list shows', async () => {
    for (let i = 0; i < 1100; i += 100) await times(100, (j) => append(call(`c${i + j}`)));
    const outputs = Array.from({ length: 1100 }, (_, i) => ({ toolCallId: `c${i}`, output: {} }));
    await backend.toolCalls.submit?.(ref, outputs);
    expect(await open()).toEqual([]);
  });

  it('of a deleted answer stay answered, in forks too', async () => {
    await append(call('c1'));
    const answered = await append(answer('c1'));
    await backend.events.delete?.(ref, answered?.id ?? '');
    expect(await open()).toEqual([]);
    const fork = await backend.sessions.fork?.(ref, {});
    expect(await backend.toolCalls.list?.({ ...owner, sessionId: fork?.id ?? '' })).toEqual([]);
  });
});

describe('many hidden events', () => {
  it('hide as fast as they are appended, side by side', async () => {
    const start = performance.now();
    const events = await times(512, (i) => append(say(`m${i}`)));
    const appended = performance.now();
    await times(
      512,
      (i) => backend.events.setVisibility?.(ref, events[i]?.id ?? '', true) ?? Promise.reject(),
    );
    const hidden = performance.now();
    expect(hidden - appended).toBeLessThan(10 * (appended - start) + 200);
    const session = await backend.sessions.get?.(ref);
    expect([session?.eventCount, session?.lastEvent]).toEqual([512, undefined]);
  });

  it('leave the last visible event the last, however many of them come after it', async () => {
    const events = await times(60, (i) => append(say(`m${i}`)));
    for (const event of events.slice(1)) await backend.events.setVisibility?.(ref, event?.id ?? '', true);
    expect((await backend.sessions.get?.(ref))?.lastEvent?.id).toBe(events[0]?.id);
    await backend.events.setVisibility?.(ref, events[30]?.id ?? '', false);
    expect((await backend.sessions.get?.(ref))?.lastEvent?.id).toBe(events[30]?.id);
    await backend.events.delete?.(ref, events[30]?.id ?? '');
    expect((await backend.sessions.get?.(ref))?.lastEvent?.id).toBe(events[0]?.id);
  });

  it.each([
    [2100, 'x'],
    [20, 'x'.repeat(500_000)],
  ])('%i of them never stand between a reader and the next event', async (count, text) => {
    const first = await append(say('first'));
    for (let i = 0; i < count; i += 100)
      await times(Math.min(100, count - i), async () => {
        const event = await append(say(text));
        await backend.events.setVisibility?.(ref, event?.id ?? '', true);
      });
    const last = await append(say('last'));
    const page = await backend.events.list?.(ref, { pageSize: 5, afterEventId: first?.id });
    expect(page?.items.map((event) => event.id)).toEqual([last?.id]);
  });

  it('are remembered once they are visible', async () => {
    const events = await times(3, (i) => append(say(`fact ${i}`)));
    await backend.events.setVisibility?.(ref, events[1]?.id ?? '', true);
    const add = async () =>
      (await backend.memory.addSession?.(ref, {}))?.memories.map((memory) => memory.fact);
    expect(await add()).toEqual(['fact 0', 'fact 2']);
    expect(await add()).toEqual([]);
    await backend.events.setVisibility?.(ref, events[1]?.id ?? '', false);
    expect(await add()).toEqual(['fact 1']);
    expect(await add()).toEqual([]);
  });

  it('saving an artifact raises the revision', async () => {
    const before = (await backend.sessions.get?.(ref))?.revision ?? 0;
    await backend.artifacts.save?.(ref, { name: 'a.txt', mimeType: 'text/plain', data: Buffer.from('a') });
    expect((await backend.sessions.get?.(ref))?.revision).toBe(before + 1);
  });
});
