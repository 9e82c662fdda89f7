import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  artifactNotFound,
  eventNotFound,
  memoryNotFound,
  sessionNotFound,
} from '../../src/backend/shared/errors.ts';
import {
  type Backend,
  type Capability,
  type Owner,
  type SessionRef,
  supports,
} from '../../src/backend/types.ts';
import { SessionError } from '../../src/errors.ts';
import type { Event, NewEvent } from '../../src/model/event.ts';
import type { Page, PageQuery } from '../../src/model/page.ts';
import { rewindContract } from './rewind.ts';
import { searchContract } from './search.ts';
import { turnsContract } from './turns.ts';

export interface BackendSubject {
  backend: Backend;
  /** An app that exists, and users that have nothing in it yet. */
  app: string;
  close(): Promise<void>;
  /** Puts events into a session on a service where nothing can be appended, and resolves to their texts. */
  makeEvents?(ref: SessionRef, count: number): Promise<string[]>;
}

export interface ContractOptions {
  open(): Promise<BackendSubject>;
  /** What the service has not, with the reason. A capability that is there is always tested. */
  lacks?: Partial<
    Record<'ownSessionId' | 'labels' | 'revision' | 'ownEventId' | 'sharedState' | 'expiry', string>
  >;
}

/** Ends a test as skipped, with the reason, where the service is declared to lack this. */
type Without = (lack: keyof NonNullable<ContractOptions['lacks']>) => void;

/** The one suite that every backend must pass. What a backend does not declare is not asked of it. */
export function backendContract(name: string, options: ContractOptions): void {
  const { lacks = {} } = options;
  describe(`${name}: backend contract`, () => {
    let subject: BackendSubject;
    let backend: Backend;
    beforeAll(async () => {
      subject = await options.open();
      backend = subject.backend;
    });
    afterAll(() => subject.close());

    const has = (...needs: Capability[]) => needs.every((need) => supports(backend, need));
    /** A test that runs when the backend has the capabilities, and says so when it has not. */
    const when = (needs: Capability[], title: string, body: (without: Without) => Promise<void>) =>
      it(`${title} (${needs.join(', ')})`, async (context) => {
        if (!has(...needs)) context.skip(`${name} has not all of ${needs.join(', ')}`);
        await body((lack) => {
          if (lacks[lack] !== undefined) context.skip(lacks[lack]);
        });
      });
    /** The same for tests that only need events to be there, however they came. */
    const whenFilled = (needs: Capability[], title: string, body: () => Promise<void>) =>
      it(`${title} (events, ${needs.join(', ')})`, async (context) => {
        const canFill = has('events.append') || subject.makeEvents !== undefined;
        if (!canFill || !has(...needs)) context.skip(`${name} has not all of events, ${needs.join(', ')}`);
        await body();
      });
    const owner = (): Owner => ({ app: subject.app, userId: `user-${randomUUID()}` });
    const create = async (of: Owner = owner(), more: object = {}): Promise<SessionRef> => {
      const session = await verb(backend.sessions?.create)(of, more);
      return { ...of, sessionId: session.id };
    };
    const say = (text: string, more: Partial<NewEvent> = {}): NewEvent => ({
      author: 'user',
      invocationId: 'turn-1',
      content: { role: 'user', parts: [{ text }] },
      ...more,
    });
    const append = async (ref: SessionRef, event: NewEvent): Promise<Event> =>
      (await verb(backend.events?.append)(ref, event)).event;
    const texts = (events: readonly Event[]) =>
      events.map((e) => e.content?.parts.map((p) => p.text).join(''));

    describe('sessions', () => {
      when(['sessions.create', 'sessions.get'], 'a created session can be read', async () => {
        const of = owner();
        const state = { topic: 'tea', nested: { list: [1, 'two', null] } };
        const made = await verb(backend.sessions?.create)(of, { displayName: 'First', state });
        expect(made.id).toEqual(expect.any(String));
        const read = await verb(backend.sessions?.get)({ ...of, sessionId: made.id });
        expect(read).toMatchObject({ id: made.id, app: of.app, userId: of.userId, state });
        expect(Date.parse(read.createTime)).not.toBeNaN();
      });

      when(['sessions.create', 'sessions.get'], 'labels and names come back', async (without) => {
        without('labels');
        const of = owner();
        const made = await verb(backend.sessions?.create)(of, {
          displayName: 'Näme "q"',
          labels: { env: 'dev' },
        });
        const read = await verb(backend.sessions?.get)({ ...of, sessionId: made.id });
        expect(read).toMatchObject({ displayName: 'Näme "q"', labels: { env: 'dev' } });
      });

      when(['sessions.create', 'sessions.get'], 'an own id is kept, and taken only once', async (without) => {
        without('ownSessionId');
        const of = owner();
        const sessionId = `own-${randomUUID().slice(0, 8)}`;
        const made = await verb(backend.sessions?.create)(of, { sessionId });
        expect(made.id).toBe(sessionId);
        await fails(verb(backend.sessions?.create)(of, { sessionId }), 'ALREADY_EXISTS');
      });

      when(['sessions.get'], 'what is not there is NOT_FOUND', async () => {
        await fails(verb(backend.sessions?.get)({ ...owner(), sessionId: 'nosuchsession' }), 'NOT_FOUND');
      });

      when(['sessions.create', 'sessions.get', 'sessions.delete'], 'a deleted session is gone', async () => {
        const ref = await create();
        await verb(backend.sessions?.delete)(ref);
        await fails(verb(backend.sessions?.get)(ref), 'NOT_FOUND');
        await fails(verb(backend.sessions?.delete)(ref), 'NOT_FOUND');
      });

      when(
        ['sessions.create', 'sessions.list'],
        'a list has exactly the sessions of its user, page by page',
        async () => {
          const of = owner();
          const ids: string[] = [];
          for (let i = 0; i < 5; i += 1) ids.push((await create(of)).sessionId);
          await create(owner());
          const all = await drain((query) => verb(backend.sessions?.list)({ ...of, ...query }), 2);
          expect(all.map((s) => s.id).sort()).toEqual([...ids].sort());
          expect(all.every((s) => s.userId === of.userId)).toBe(true);
        },
      );

      when(['sessions.create', 'sessions.list'], 'a user without sessions has an empty list', async () => {
        expect(await verb(backend.sessions?.list)({ ...owner(), pageSize: 10 })).toEqual({
          items: [],
          cursor: undefined,
        });
      });

      when(['sessions.create', 'sessions.list'], 'a filter by label finds its sessions', async (without) => {
        without('labels');
        const of = owner();
        const wanted = await create(of, { labels: { env: 'prod' } });
        await create(of, { labels: { env: 'dev' } });
        const found = await verb(backend.sessions?.list)({
          ...of,
          pageSize: 10,
          filter: [{ field: 'label', key: 'env', value: 'prod' }],
        });
        expect(found.items.map((s) => s.id)).toEqual([wanted.sessionId]);
      });

      when(
        ['sessions.create', 'sessions.get', 'sessions.update'],
        'an update changes what it names',
        async () => {
          const ref = await create(undefined, { displayName: 'Old', state: { a: 1, b: 2 } });
          const update = verb(backend.sessions?.update);
          const after = await update(ref, { state: { a: 3, b: 2 } });
          expect(after.state).toMatchObject({ a: 3, b: 2 });
          const read = await verb(backend.sessions?.get)(ref);
          expect(read.state).toMatchObject({ a: 3, b: 2 });
          expect(read.displayName).toBe('Old');
        },
      );

      when(
        ['sessions.create', 'sessions.get', 'sessions.update'],
        'a stale revision refuses an update',
        async (without) => {
          without('revision');
          const ref = await create();
          const { revision } = await verb(backend.sessions?.get)(ref);
          const update = verb(backend.sessions?.update);
          const after = await update(ref, { displayName: 'A' }, { expectedRevision: revision });
          const error = await fails(
            update(ref, { displayName: 'B' }, { expectedRevision: revision }),
            'ABORTED',
          );
          expect(error.details).toEqual({ currentRevision: after.revision });
        },
      );

      when(['sessions.create', 'sessions.get'], 'an expiry comes back', async (without) => {
        without('expiry');
        const expireTime = new Date(Date.now() + 3 * 86_400_000).toISOString();
        const ref = await create(undefined, { expireTime });
        const read = await verb(backend.sessions?.get)(ref);
        expect(Math.abs(Date.parse(read.expireTime ?? '') - Date.parse(expireTime))).toBeLessThan(10_000);
      });
    });

    describe('state', () => {
      when(
        ['sessions.create', 'sessions.get'],
        'user: and app: keys are shared, temp: keys are not kept',
        async (without) => {
          without('sharedState');
          const of = owner();
          const mark = randomUUID();
          const first = await create(of, {
            state: { own: 1, 'user:k': mark, 'app:k': mark, 'temp:k': mark },
          });
          const get = verb(backend.sessions?.get);
          expect((await get(first)).state).toEqual(
            expect.objectContaining({ own: 1, 'user:k': mark, 'app:k': mark }),
          );
          expect((await get(first)).state).not.toHaveProperty('temp:k');
          const sameUser = await get(await create(of));
          expect(sameUser.state).toMatchObject({ 'user:k': mark, 'app:k': mark });
          expect(sameUser.state).not.toHaveProperty('own');
          const otherUser = await get(await create(owner()));
          expect(otherUser.state).toMatchObject({ 'app:k': mark });
          expect(otherUser.state?.['user:k'] ?? null).toBeNull();
        },
      );

      when(
        ['sessions.create', 'sessions.get', 'events.append'],
        'a delta overwrites key by key',
        async () => {
          const ref = await create(undefined, { state: { a: { x: 1, y: 2 }, b: 1 } });
          await append(ref, say('hi', { actions: { stateDelta: { a: { z: 3 }, c: 'new', 'temp:t': 1 } } }));
          const { state } = await verb(backend.sessions?.get)(ref);
          expect(state).toMatchObject({ a: { z: 3 }, b: 1, c: 'new' });
          expect(state?.a).toEqual({ z: 3 });
          expect(state).not.toHaveProperty('temp:t');
        },
      );
    });

    describe('events', () => {
      /** A session with so many events, and their texts. */
      const filled = async (count: number): Promise<{ ref: SessionRef; said: string[] }> => {
        const ref = await create();
        if (subject.makeEvents !== undefined) return { ref, said: await subject.makeEvents(ref, count) };
        const said = Array.from({ length: count }, (_, i) => `m${i}`);
        for (const text of said) await append(ref, say(text));
        return { ref, said };
      };

      when(
        ['sessions.create', 'events.append', 'events.list'],
        'an event comes back with every field',
        async () => {
          const ref = await create();
          const event: NewEvent = {
            author: 'agent_a',
            invocationId: 'turn-7',
            content: {
              role: 'model',
              parts: [
                { text: 'thinking…', thought: true },
                { functionCall: { id: 'call-1', name: 'find', args: { q: 'tea', n: 3 } } },
              ],
            },
            actions: {
              stateDelta: { k: 'v' },
              transferAgent: 'agent_b',
              escalate: true,
              artifactDelta: { 'a.txt': 1 },
            },
            branch: 'root.agent_a',
            turnComplete: true,
            longRunningToolIds: ['call-1'],
            customMetadata: { source: 'test' },
          };
          const stored = await append(ref, event);
          expect(stored).toMatchObject(event);
          const [listed] = (await verb(backend.events?.list)(ref, { pageSize: 10 })).items;
          expect(listed).toMatchObject(event);
          expect(listed?.id).toBe(stored.id);
        },
      );

      whenFilled(
        ['sessions.create', 'events.list'],
        'order is that of acceptance, in pages and reversed',
        async () => {
          const { ref, said } = await filled(7);
          const list = verb(backend.events?.list);
          const asc = await drain((query) => list(ref, query), 3);
          expect(texts(asc)).toEqual(said);
          const desc = await drain((query) => list(ref, { ...query, order: 'desc' }), 2);
          expect(desc.map((e) => e.id)).toEqual(asc.map((e) => e.id).reverse());
          const after = await list(ref, { pageSize: 10, afterEventId: asc[3]?.id });
          expect(texts(after.items)).toEqual(said.slice(4));
        },
      );

      when(
        ['sessions.create', 'events.append', 'events.list'],
        'only later events come after a time',
        async () => {
          const ref = await create();
          await append(ref, say('early', { timestamp: '2026-01-01T00:00:00.000Z' }));
          await append(ref, say('late', { timestamp: '2026-01-02T00:00:00.000Z' }));
          const list = verb(backend.events?.list);
          const later = await list(ref, { pageSize: 10, afterTime: '2026-01-01T12:00:00.000Z' });
          expect(texts(later.items)).toEqual(['late']);
          const exact = await list(ref, { pageSize: 10, afterTime: '2026-01-02T00:00:00.000Z' });
          expect(exact.items).toEqual([]);
        },
      );

      when(['sessions.create', 'events.list'], 'a session without events has an empty list', async () => {
        expect((await verb(backend.events?.list)(await create(), { pageSize: 10 })).items).toEqual([]);
      });

      when(['sessions.create', 'events.list'], 'events of what is not there are NOT_FOUND', async () => {
        const list = verb(backend.events?.list);
        await fails(list({ ...owner(), sessionId: 'nosuchsession' }, { pageSize: 10 }), 'NOT_FOUND');
        await fails(list(await create(), { pageSize: 10, afterEventId: 'nosuchevent' }), 'NOT_FOUND');
      });

      whenFilled(['sessions.create', 'events.list', 'events.get'], 'one event can be read', async () => {
        const { ref } = await filled(2);
        const [event] = (await verb(backend.events?.list)(ref, { pageSize: 1 })).items;
        expect(await verb(backend.events?.get)(ref, event?.id ?? '')).toEqual(event);
        await fails(verb(backend.events?.get)(ref, 'nosuchevent'), 'NOT_FOUND');
      });

      when(
        ['sessions.create', 'events.append', 'events.list'],
        'the same own id twice is one event',
        async (without) => {
          without('ownEventId');
          const ref = await create();
          const event = say('once', { id: 'own-event-1' });
          const answers = await Promise.all([append(ref, event), append(ref, event), append(ref, event)]);
          expect(new Set(answers.map((e) => JSON.stringify(e))).size).toBe(1);
          expect(texts((await verb(backend.events?.list)(ref, { pageSize: 10 })).items)).toEqual(['once']);
          await fails(
            verb(backend.events?.append)(ref, say('other', { id: 'own-event-1' })),
            'ALREADY_EXISTS',
          );
        },
      );

      when(
        ['sessions.create', 'events.append', 'events.list'],
        'a stale revision refuses an append',
        async (without) => {
          without('revision');
          const ref = await create();
          const write = verb(backend.events?.append);
          const { session } = await write(ref, say('a'));
          await write(ref, say('b'), { expectedRevision: session.revision });
          await fails(write(ref, say('c'), { expectedRevision: session.revision }), 'ABORTED');
          expect(texts((await verb(backend.events?.list)(ref, { pageSize: 10 })).items)).toEqual(['a', 'b']);
        },
      );

      when(
        ['sessions.create', 'events.append', 'events.list'],
        'parallel appends all arrive, each with its own id',
        async () => {
          const ref = await create();
          const stored = await Promise.all(Array.from({ length: 20 }, (_, i) => append(ref, say(`p${i}`))));
          const all = await drain((query) => verb(backend.events?.list)(ref, query), 50);
          expect(texts(all).sort()).toEqual(Array.from({ length: 20 }, (_, i) => `p${i}`).sort());
          expect(new Set(stored.map((e) => e.id)).size).toBe(20);
          for (const event of stored)
            expect(all.find((e) => e.id === event.id)?.content).toEqual(event.content);
        },
      );

      whenFilled(['sessions.create', 'events.list'], '101 and more events are all there', async () => {
        const { ref, said } = await filled(130);
        const all = await drain((query) => verb(backend.events?.list)(ref, query), 100);
        expect(texts(all)).toEqual(said);
      });

      whenFilled(
        ['sessions.create', 'events.list', 'events.setVisibility'],
        'a hidden event keeps its place',
        async () => {
          const { ref, said } = await filled(3);
          const list = verb(backend.events?.list);
          const set = verb(backend.events?.setVisibility);
          const [, middle] = (await list(ref, { pageSize: 10 })).items;
          expect(await set(ref, middle?.id ?? '', true)).toMatchObject({ id: middle?.id, hidden: true });
          expect(texts((await list(ref, { pageSize: 10 })).items)).toEqual([said[0], said[2]]);
          expect(texts((await list(ref, { pageSize: 10, includeHidden: true })).items)).toEqual(said);
          await set(ref, middle?.id ?? '', false);
          expect((await list(ref, { pageSize: 10 })).items[1]).toEqual(middle);
        },
      );

      whenFilled(['sessions.create', 'events.list', 'events.delete'], 'a deleted event is gone', async () => {
        const { ref, said } = await filled(3);
        const list = verb(backend.events?.list);
        const [, middle] = (await list(ref, { pageSize: 10 })).items;
        await verb(backend.events?.delete)(ref, middle?.id ?? '');
        expect(texts((await list(ref, { pageSize: 10, includeHidden: true })).items)).toEqual([
          said[0],
          said[2],
        ]);
        await fails(verb(backend.events?.delete)(ref, middle?.id ?? ''), 'NOT_FOUND');
      });

      when(
        ['sessions.fork', 'events.append', 'events.list'],
        'a fork is a copy up to its event',
        async () => {
          const { ref, said } = await filled(4);
          const list = verb(backend.events?.list);
          const source = (await list(ref, { pageSize: 10 })).items;
          const fork = await verb(backend.sessions?.fork)(ref, { upToEventId: source[1]?.id });
          const copy = { ...ref, sessionId: fork.id };
          expect(texts((await list(copy, { pageSize: 10 })).items)).toEqual(said.slice(0, 2));
          await append(copy, say('only here'));
          expect((await list(ref, { pageSize: 10 })).items).toEqual(source);
        },
      );
    });

    describe('rules that all backends share', () => {
      const labelsOf = (count: number) =>
        Object.fromEntries(Array.from({ length: count }, (_, i) => [`l${i}`, 'v']));

      when(['sessions.create', 'sessions.get'], 'labels as Google documents them', async (without) => {
        without('labels');
        const make = verb(backend.sessions?.create);
        const labels = { ['k'.repeat(64)]: 'v'.repeat(64), empty: '' };
        const ref = await create(undefined, { labels });
        expect((await verb(backend.sessions?.get)(ref)).labels).toEqual(labels);
        await create(undefined, { labels: labelsOf(64) });
        for (const bad of [
          labelsOf(65),
          { ['k'.repeat(65)]: 'v' },
          { k: 'v'.repeat(65) },
          { '': 'v' },
          { Env: 'dev' },
          { env: 'two words' },
        ]) {
          await fails(make(owner(), { labels: bad }), 'INVALID_ARGUMENT');
          if (backend.sessions?.update !== undefined)
            await fails(backend.sessions.update(ref, { labels: bad }), 'INVALID_ARGUMENT');
        }
      });

      when(['sessions.create'], 'an expiry lies ahead, by ten years at most', async (without) => {
        without('expiry');
        const years = (count: number) => new Date(Date.now() + count * 366 * 86_400_000).toISOString();
        for (const expireTime of [years(-1), years(11), 'soon'])
          await fails(verb(backend.sessions?.create)(owner(), { expireTime }), 'INVALID_ARGUMENT');
      });

      when(['sessions.create'], 'a guard is refused where there are no revisions', async () => {
        if (lacks.revision === undefined) return;
        const ref = await create();
        const guard = { expectedRevision: 1 };
        for (const call of [
          () => backend.sessions?.update?.(ref, { displayName: 'A' }, guard),
          () => backend.events?.append?.(ref, say('a'), guard),
          () => backend.events?.delete?.(ref, 'someevent', guard),
          () => backend.sessions?.delete?.(ref, guard),
        ]) {
          const called = call();
          if (called === undefined) continue;
          const error = await fails(called, 'UNIMPLEMENTED');
          expect(error.message).toBe(`Sessions of the ${backend.name} backend have no revisions.`);
        }
      });

      when(['sessions.create'], 'what is not there is told in the same words', async () => {
        const ref = await create();
        const missing = { ...ref, sessionId: 'nosuchsession' };
        for (const [call, wanted] of [
          [() => backend.sessions?.get?.(missing), sessionNotFound()],
          [() => backend.sessions?.delete?.(missing), sessionNotFound()],
          [() => backend.events?.get?.(ref, 'nosuchevent'), eventNotFound()],
          [() => backend.artifacts?.get?.(ref, 'nosuchfile.txt'), artifactNotFound()],
          [() => backend.memory?.delete?.(ref, 'nosuchmemory'), memoryNotFound()],
        ] as const) {
          const called = call();
          if (called === undefined) continue;
          const { message, hint } = await fails(called, 'NOT_FOUND');
          expect({ message, hint }).toEqual({ message: wanted.message, hint: wanted.hint });
        }
      });

      when(['sessions.create', 'events.append'], 'an event that cannot be one is refused', async () => {
        const ref = await create();
        const calls = (...ids: string[]): NewEvent =>
          say('', {
            author: 'agent',
            content: { role: 'model', parts: ids.map((id) => ({ functionCall: { id, name: 'f' } })) },
          });
        const answers = (...ids: string[]): NewEvent =>
          say('', {
            content: {
              role: 'user',
              parts: ids.map((id) => ({ functionResponse: { id, name: 'f', response: {} } })),
            },
          });
        for (const bad of [
          say('a', { author: '' }),
          say('a', { id: 'x'.repeat(257) }),
          say('a', { invocationId: 'a\nb' }),
          say('a', { content: { role: 'user', parts: [{}] } }),
          say('a', { content: { role: 'user', parts: [{ text: 'a', fileData: { fileUri: 'b' } }] } }),
          say('a', { longRunningToolIds: ['a\nb'] }),
          calls('a\nb'),
          calls('twice', 'twice'),
          answers('a\nb'),
          answers('twice', 'twice'),
        ])
          await fails(verb(backend.events?.append)(ref, bad), 'INVALID_ARGUMENT');
        expect((await verb(backend.events?.list)(ref, { pageSize: 10 })).items).toEqual([]);
      });

      when(
        ['sessions.create', 'events.append', 'events.list'],
        'an event repeated in another form is the same event',
        async (without) => {
          without('ownEventId');
          const ref = await create();
          const event = (data: string, more: Partial<NewEvent>, callId = 'c1'): NewEvent => ({
            id: 'own-event-2',
            author: 'agent',
            invocationId: 'turn-1',
            content: {
              role: 'model',
              parts: [
                { inlineData: { mimeType: 'image/png', data } },
                { functionCall: { id: callId, name: 'f', args: { b: 1, a: { d: 2, c: false } } } },
              ],
            },
            ...more,
          });
          const actions = { stateDelta: { z: 1, y: null }, escalate: false, skipSummarization: true };
          const first = await append(ref, event('+/+/', { actions }));
          const again: NewEvent[] = [
            event('-_-_', { actions }),
            event('+/+/', { actions: { skipSummarization: true, stateDelta: { y: null, z: 1 } } }),
            event('+/+/', { actions: { ...actions, artifactDelta: {} } }),
          ];
          for (const one of again) expect((await append(ref, one)).id).toBe(first.id);
          const others: NewEvent[] = [
            event('+/+A', { actions }),
            event('+/+/', { actions }, 'c2'),
            event('+/+/', { actions: { ...actions, escalate: true } }),
            event('+/+/', { actions: { ...actions, stateDelta: { z: 1 } } }),
            event('+/+/', {}),
            event('+/+/', { actions, content: undefined }),
          ];
          for (const one of others) await fails(append(ref, one), 'ALREADY_EXISTS');
          expect((await verb(backend.events?.list)(ref, { pageSize: 10 })).items).toHaveLength(1);
        },
      );

      when(
        ['sessions.create', 'memory.create', 'memory.search', 'memory.list', 'memory.addSession'],
        'a scope has at most five short entries and no wildcard',
        async () => {
          const of = owner();
          const ref = await create(of);
          const user = { user_id: of.userId };
          for (const scope of [
            { ...user, a: '*' },
            { ...user, a: '1', b: '2', c: '3', d: '4', e: '5' },
            // It is kept with every fact of a session.
            { ...user, a: 'x'.repeat(10_000) },
            { ...user, ['x'.repeat(10_000)]: 'a' },
          ])
            for (const call of [
              () => backend.memory?.create?.(of, { fact: 'A fact.', scope }),
              () => backend.memory?.search?.(of, { text: 'fact', limit: 3, scope }),
              () => backend.memory?.list?.(of, { pageSize: 3, scope }),
              () => backend.memory?.addSession?.(ref, { scope }),
            ])
              await fails(call() ?? Promise.resolve(), 'INVALID_ARGUMENT');
          await fails(verb(backend.memory?.create)(of, { fact: '  ' }), 'INVALID_ARGUMENT');
        },
      );
    });

    describe('isolation', () => {
      when(['sessions.create', 'sessions.get'], 'another user meets what a random id meets', async () => {
        const ref = await create(undefined, { state: { secret: 'alpha' } });
        const stranger: Owner = { app: ref.app, userId: `user-${randomUUID()}` };
        const theirs: SessionRef = { ...stranger, sessionId: ref.sessionId };
        const random: SessionRef = {
          ...stranger,
          sessionId: `x${ref.sessionId.slice(1).replace(/./g, '7')}`,
        };
        const calls: ((at: SessionRef) => Promise<unknown> | undefined)[] = [
          (at) => backend.sessions?.get?.(at),
          (at) => backend.sessions?.update?.(at, { displayName: 'Mine' }),
          (at) => backend.sessions?.fork?.(at, {}),
          (at) => backend.events?.list?.(at, { pageSize: 5 }),
          (at) => backend.events?.append?.(at, say('intruder')),
          (at) => backend.events?.get?.(at, 'someevent'),
          (at) => backend.toolCalls?.list?.(at),
          (at) => backend.artifacts?.list?.(at, { pageSize: 5 }),
          (at) => backend.artifacts?.get?.(at, 'file.txt'),
          (at) => backend.memory?.addSession?.(at, {}),
          (at) => backend.sessions?.delete?.(at),
        ];
        for (const call of calls) {
          const onRandom = call(random);
          const onTheirs = call(theirs);
          if (onRandom === undefined || onTheirs === undefined) continue;
          const [wanted, got] = await Promise.all([
            fails(onRandom, 'NOT_FOUND'),
            fails(onTheirs, 'NOT_FOUND'),
          ]);
          expect([got.message, got.hint, got.details]).toEqual([wanted.message, wanted.hint, wanted.details]);
        }
        expect((await verb(backend.sessions?.get)(ref)).state).toMatchObject({ secret: 'alpha' });
      });
    });

    describe('tool calls', () => {
      when(
        ['sessions.create', 'events.append', 'toolCalls.list', 'toolCalls.submit'],
        'a call is open until it is answered',
        async () => {
          const ref = await create();
          const call = { functionCall: { id: 'call-1', name: 'weather', args: { city: 'Oslo' } } };
          const made = await append(
            ref,
            say('', { author: 'agent', content: { role: 'model', parts: [call] } }),
          );
          const list = verb(backend.toolCalls?.list);
          expect(await list(ref)).toMatchObject([
            { id: 'call-1', name: 'weather', args: { city: 'Oslo' }, eventId: made.id },
          ]);
          const { event } = await verb(backend.toolCalls?.submit)(ref, [
            { toolCallId: 'call-1', output: { sky: 'grey' } },
          ]);
          expect(event.content?.parts).toMatchObject([
            { functionResponse: { id: 'call-1', name: 'weather', response: { sky: 'grey' } } },
          ]);
          expect(await list(ref)).toEqual([]);
          await fails(
            verb(backend.toolCalls?.submit)(ref, [{ toolCallId: 'call-1', output: {} }]),
            'NOT_FOUND',
          );
        },
      );

      when(
        ['sessions.create', 'events.append', 'toolCalls.list', 'toolCalls.submit'],
        'a long-running call waits for the user, whatever its tool says meanwhile',
        async () => {
          const ref = await create();
          const part = { functionCall: { id: 'long-1', name: 'approve', args: {} } };
          const answer = {
            functionResponse: { id: 'long-1', name: 'approve', response: { status: 'asked' } },
          };
          await append(
            ref,
            say('', {
              author: 'agent',
              content: { role: 'model', parts: [part] },
              longRunningToolIds: ['long-1'],
            }),
          );
          await append(ref, say('', { author: 'agent', content: { role: 'user', parts: [answer] } }));
          const list = verb(backend.toolCalls?.list);
          expect((await list(ref)).map(({ id, longRunning }) => [id, longRunning])).toEqual([
            ['long-1', true],
          ]);
          const output = { toolCallId: 'long-1', output: { status: 'approved' } };
          await fails(verb(backend.toolCalls?.submit)(ref, [output, output]), 'INVALID_ARGUMENT');
          await verb(backend.toolCalls?.submit)(ref, [output]);
          expect(await list(ref)).toEqual([]);
        },
      );
    });

    describe('artifacts', () => {
      when(
        ['sessions.create', 'artifacts.save', 'artifacts.get', 'artifacts.list'],
        'versions are kept',
        async () => {
          const ref = await create();
          const save = verb(backend.artifacts?.save);
          const file = (text: string) => ({
            name: 'note.md',
            mimeType: 'text/markdown',
            data: Buffer.from(text),
          });
          const first = await save(ref, file('one'));
          const second = await save(ref, file('two, größer'));
          expect(second.version).toBe(first.version + 1);
          const get = verb(backend.artifacts?.get);
          expect((await get(ref, 'note.md')).data.toString()).toBe('two, größer');
          expect((await get(ref, 'note.md', first.version)).data.toString()).toBe('one');
          const { items } = await verb(backend.artifacts?.list)(ref, { pageSize: 10 });
          expect(items).toMatchObject([
            { name: 'note.md', version: second.version, mimeType: 'text/markdown' },
          ]);
          await fails(get(ref, 'nosuchfile'), 'NOT_FOUND');
          await fails(get(ref, 'note.md', 99), 'NOT_FOUND');
        },
      );

      when(
        ['sessions.create', 'artifacts.save', 'artifacts.get'],
        'user: files are shared by the user’s sessions',
        async () => {
          const of = owner();
          const ref = await create(of);
          await verb(backend.artifacts?.save)(ref, {
            name: 'user:me.txt',
            mimeType: 'text/plain',
            data: Buffer.from('hi'),
          });
          const other = await create(of);
          expect((await verb(backend.artifacts?.get)(other, 'user:me.txt')).data.toString()).toBe('hi');
          await fails(verb(backend.artifacts?.get)(await create(), 'user:me.txt'), 'NOT_FOUND');
        },
      );
    });

    describe('memory', () => {
      when(
        ['memory.create', 'memory.search', 'memory.list', 'memory.delete'],
        'a fact is found by its user only',
        async () => {
          const of = owner();
          const made = await verb(backend.memory?.create)(of, { fact: 'The user likes oolong tea.' });
          const search = verb(backend.memory?.search);
          const found = await search(of, { text: 'which tea do they like?', limit: 5 });
          expect(found.map((m) => m.fact)).toContain('The user likes oolong tea.');
          expect(await search(owner(), { text: 'tea', limit: 5 })).toEqual([]);
          const listed = await drain((query) => verb(backend.memory?.list)(of, query), 10);
          expect(listed.map((m) => m.id)).toEqual([made.id]);
          await fails(verb(backend.memory?.delete)(owner(), made.id), 'NOT_FOUND');
          await verb(backend.memory?.delete)(of, made.id);
          expect(await search(of, { text: 'tea', limit: 5 })).toEqual([]);
          await fails(verb(backend.memory?.delete)(of, made.id), 'NOT_FOUND');
        },
      );

      when(
        ['sessions.create', 'events.append', 'memory.addSession', 'memory.search'],
        'a session’s text is found',
        async () => {
          const of = owner();
          const ref = await create(of);
          await append(ref, say('My sister Ada lives in Bergen.'));
          const added = await verb(backend.memory?.addSession)(ref, {});
          expect(added.note).not.toBe('');
          const found = await verb(backend.memory?.search)(of, { text: 'Bergen', limit: 5 });
          expect(found.map((m) => m.fact).join(' ')).toContain('Bergen');
        },
      );
    });

    turnsContract({
      backend: () => backend,
      when: (needs, title, body) => when(needs, title, body),
      owner,
      fails,
    });
    searchContract({
      backend: () => backend,
      when: (needs, title, body) => when(needs, title, body),
      owner,
      fails,
    });
    rewindContract({
      backend: () => backend,
      when: (needs, title, body) => when(needs, title, body),
      owner,
      fails,
    });

    it('declares itself', async () => {
      const info = await backend.describe();
      expect(info.name).toBe(backend.name);
      expect(info.location).not.toBe('');
      expect(info.capabilities.length).toBeGreaterThan(0);
    });
  });
}

/** A verb that the test has made sure is there. */
function verb<T>(found: T | undefined): T {
  if (found === undefined) throw new Error('The backend lacks a verb that it declares.');
  return found;
}

/** All items of a list, page by page; fails on an item that comes twice or a list that does not end. */
async function drain<T extends { id: string }>(
  load: (query: PageQuery) => Promise<Page<T>>,
  pageSize: number,
): Promise<T[]> {
  const items: T[] = [];
  let cursor: string | undefined;
  for (let pages = 0; pages < 1000; pages += 1) {
    const page = await load({ pageSize, cursor });
    expect(page.items.length).toBeLessThanOrEqual(pageSize);
    items.push(...page.items);
    cursor = page.cursor;
    if (cursor === undefined) {
      expect(new Set(items.map((item) => item.id)).size).toBe(items.length);
      return items;
    }
  }
  throw new Error('The list does not end.');
}

async function fails(promise: Promise<unknown>, code: string): Promise<SessionError> {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(SessionError);
  const shown = error as SessionError;
  expect(shown.code, `${shown.message} ${String(shown.cause ?? '')}`).toBe(code);
  expect(shown.hint ?? '').not.toBe('');
  return shown;
}
