import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Backend, RunInput, SessionRef } from '../../../src/backend/types.ts';
import { SessionError } from '../../../src/errors.ts';
import { type Event, type Part, textOf } from '../../../src/model/event.ts';
import { openRunManager, type RunManager } from '../../../src/run/manager.ts';

/** The differences between the servers that the same tests run on. */
export interface Traits {
  /** As describe() names it. */
  label: string;
  /** Capabilities that the backend has beyond those of all dialects. */
  extra: string[];
  slashInIds: boolean;
  runsOnAfterDisconnect: boolean;
  timesEvents: boolean;
  firstVersion: number;
  /** The error code of a run whose agent throws: some servers report the failure, some only close the connection. */
  failureCode: string;
}

const everywhere = [
  'apps.list',
  'apps.get',
  'sessions.list',
  'sessions.create',
  'sessions.get',
  'sessions.delete',
  'events.list',
  'events.get',
  'toolCalls.list',
  'artifacts.list',
  'artifacts.get',
  'query.stream',
  'query.call',
];

export interface AdkSubject {
  backend: Backend;
  close(): Promise<void>;
}

/** Tests for an ADK server with the echo agent, fake or real. */
export function adkBehaviour(name: string, traits: Traits, open: () => Promise<AdkSubject>): void {
  describe(`${name}: behaviour`, () => {
    let subject: AdkSubject;
    let backend: Backend;
    beforeAll(async () => {
      subject = await open();
      backend = subject.backend;
    });
    afterAll(() => subject.close());

    const app = 'echo_agent';
    const create = async (more: object = {}): Promise<SessionRef> => {
      const owner = { app, userId: `user-${randomUUID()}` };
      const made = await backend.sessions?.create?.(owner, more);
      return { ...owner, sessionId: made?.id ?? '' };
    };
    const stream = (ref: SessionRef, parts: Part[], more: Partial<RunInput> = {}, signal?: AbortSignal) => {
      const input = { message: { role: 'user' as const, parts }, invocationId: 'unused', ...more };
      const run = backend.query?.stream?.(ref, input, signal ?? new AbortController().signal);
      if (run === undefined) throw new Error('no query.stream');
      return run;
    };
    const run = async (ref: SessionRef, text: string, more: Partial<RunInput> = {}) =>
      collect(stream(ref, [{ text }], more));
    const stored = async (ref: SessionRef): Promise<Event[]> =>
      (await backend.events?.list?.(ref, { pageSize: 100 }))?.items ?? [];

    it('says what it is and what it can do', async () => {
      const info = await backend.describe();
      expect(info.notes.join(' ')).toContain(traits.label);
      expect([...info.capabilities].sort()).toEqual([...everywhere, ...traits.extra].sort());
    });

    it('names its apps', async () => {
      expect(await backend.apps?.list?.({ pageSize: 10 })).toEqual({ items: [{ name: app }] });
      expect(await backend.apps?.get?.(app)).toEqual({ name: app });
      await fails(backend.apps?.get?.('no_such_agent'), 'NOT_FOUND');
    });

    it('keeps the id, the name and the state of a new session', async () => {
      const owner = { app, userId: `user-${randomUUID()}` };
      const state = { n: 1, deep: { list: [1, 'two'] }, 'user:tier': 'gold', 'temp:x': 1 };
      const made = await backend.sessions?.create?.(owner, {
        sessionId: 'mine',
        displayName: 'Reise nach Ødegård',
        state,
      });
      const read = await backend.sessions?.get?.({ ...owner, sessionId: 'mine' });
      expect(read).toMatchObject({
        id: 'mine',
        ...owner,
        displayName: 'Reise nach Ødegård',
        state: { n: 1, deep: { list: [1, 'two'] }, 'user:tier': 'gold' },
        eventCount: 0,
      });
      expect(Object.keys(read?.state ?? {}).sort()).toEqual(['deep', 'n', 'user:tier']);
      expect(made).toEqual(read);
    });

    it('streams a run, and stores each of its events once', async () => {
      const ref = await create({ state: { topic: 'tea' } });
      const events = await run(ref, 'one two', { stateDelta: { asked: true } });
      const whole = events.filter((event) => event.partial !== true);
      const pieces = events.filter((event) => event.partial === true);
      expect(pieces.map(textOf)).toEqual(['echo: ', 'one ', 'two ']);
      expect(whole.map(textOf).join('')).toBe('echo: one two');
      expect(whole[0]?.content?.parts[0]?.functionCall).toMatchObject({
        name: 'echo',
        args: { text: 'one two' },
      });
      expect(new Set(events.map((event) => event.id)).size).toBe(events.length);
      const [question, ...rest] = await stored(ref);
      expect(question).toMatchObject({ author: 'user', actions: { stateDelta: { asked: true } } });
      expect(rest.map((event) => event.id)).toEqual(whole.map((event) => event.id));
      expect(rest.map((event) => event.content)).toEqual(whole.map((event) => event.content));
      const session = await backend.sessions?.get?.(ref);
      expect(session?.state).toMatchObject({ topic: 'tea', asked: true, turn: 1, 'user:last': 'one two' });
      expect(session?.state).not.toHaveProperty('temp:scratch');
      expect(session).toMatchObject({ eventCount: 4, lastEvent: { author: app, text: 'echo: one two' } });
    });

    it('hands files to the agent', async () => {
      const data = Buffer.from([0xfb, 0xff, 0xbf, 0, 1]).toString('base64');
      const parts: Part[] = [
        { text: 'parts' },
        { inlineData: { mimeType: 'image/png', data, displayName: 'a.png' } },
        { fileData: { fileUri: 'gs://bucket/file.pdf', mimeType: 'application/pdf' } },
      ];
      const ref = await create();
      const [answer] = await collect(stream(ref, parts));
      const seen = JSON.parse(answer === undefined ? '' : textOf(answer)) as Part[];
      expect(seen).toMatchObject(parts);
      expect((await stored(ref))[0]?.content?.parts).toMatchObject(parts);
    });

    it('tells an error event, a failure and silence apart', async () => {
      const ref = await create();
      expect(await run(ref, 'errevent')).toMatchObject([
        { errorCode: 'E_TEST', errorMessage: 'a soft error' },
      ]);
      const failed = await fails(run(ref, 'fail now secret-4711'), traits.failureCode);
      expect(`${failed.message} ${failed.hint}`).not.toMatch(/4711|boom|srv/);
      const silent = await fails(run(ref, 'silent'), 'UNAVAILABLE');
      expect(silent.message).toContain('without a single event');
    });

    it('yields what came before a failure', async () => {
      const ref = await create();
      const seen: string[] = [];
      const late = (async () => {
        for await (const event of stream(ref, [{ text: 'fail late' }])) seen.push(textOf(event));
      })();
      await fails(late, traits.failureCode);
      expect(seen).toEqual(['so far so good']);
      expect((await stored(ref)).map(textOf)).toEqual(['fail late', 'so far so good']);
    });

    it('runs nothing on a session that is not there, or is another user’s', async () => {
      const ref = await create();
      const missing = await fails(run({ ...ref, sessionId: 'nosuchsession' }, 'hi'), 'NOT_FOUND');
      const theirs = await fails(run({ ...ref, userId: 'somebody else' }, 'hi'), 'NOT_FOUND');
      expect([theirs.message, theirs.hint]).toEqual([missing.message, missing.hint]);
      expect(await stored(ref)).toEqual([]);
    });

    it('ends a run that is cancelled, and says what the server does', async () => {
      const ref = await create();
      const stop = new AbortController();
      const seen: string[] = [];
      const ended = (async () => {
        for await (const event of stream(ref, [{ text: 'slow 6 80' }], {}, stop.signal)) {
          seen.push(textOf(event));
          stop.abort();
        }
      })();
      const error = await fails(ended, 'CANCELLED');
      expect(error.hint).toContain(traits.runsOnAfterDisconnect ? 'continues' : 'ends the run');
      expect(seen).toEqual(['tick 0']);
      await sleep(900);
      const after = (await stored(ref)).map(textOf);
      if (traits.runsOnAfterDisconnect) expect(after).toHaveLength(7);
      else expect(after.length).toBeLessThan(7);
    });

    it('takes the next message when the run before it is over', async () => {
      const ref = await create();
      const stop = new AbortController();
      const cancelled = (async () => {
        for await (const _event of stream(ref, [{ text: 'slow 4 100' }], {}, stop.signal)) stop.abort();
      })();
      await fails(cancelled, 'CANCELLED');
      if (traits.runsOnAfterDisconnect) {
        const busy = await fails(run(ref, 'too early'), 'ABORTED');
        expect(busy.hint).toContain('wait_for_events');
        await expect.poll(async () => (await stored(ref)).length, { timeout: 5000 }).toBe(5);
        await sleep(200);
      }
      expect((await run(ref, 'parts')).length).toBeGreaterThan(0);
      const texts = (await stored(ref)).map(textOf);
      // No event of the first run follows the second message.
      expect(texts.slice(texts.indexOf('parts')).filter((text) => text.startsWith('tick'))).toEqual([]);
    });

    it('runs without pieces of text, and whole by the method run', async () => {
      const ref = await create();
      const whole = await run(ref, 'hi there', { input: { streaming: false } });
      expect(whole.some((event) => event.partial === true)).toBe(false);
      expect(textOf(whole.at(-1) ?? {})).toBe('echo: hi there');
      await fails(run(ref, 'hi', { input: { speed: 1 } }), 'INVALID_ARGUMENT');
      const owner = { app: ref.app, userId: ref.userId };
      const { signal } = new AbortController();
      const call = (input: Record<string, unknown>, classMethod = 'run') =>
        backend.query?.call?.(owner, { classMethod, input }, signal);
      const input = {
        sessionId: ref.sessionId,
        newMessage: { role: 'user', parts: [{ text: 'once more' }] },
      };
      expect(await call(input)).toMatchObject({ sessionId: ref.sessionId, text: 'echo: once more' });
      await fails(call({ ...input, sessionId: 'none' }), 'NOT_FOUND');
      await fails(call({ sessionId: ref.sessionId }), 'INVALID_ARGUMENT');
      await fails(call(input, 'fly'), 'INVALID_ARGUMENT');
    });

    it('lists sessions with the time of their last write, by which a waiting caller sees that nothing came', async () => {
      const ref = await create();
      await run(ref, 'hello');
      const { updateTime } = (await backend.sessions?.get?.(ref)) ?? {};
      const listed = await backend.sessions?.list?.({ app, userId: ref.userId, pageSize: 10 });
      expect(listed?.items.map((session) => session.updateTime)).toEqual([updateTime]);
    });

    it('knows the apps that there are, and leaves nothing with others', async () => {
      const owner = { app: `no_app_${randomUUID().slice(0, 8)}`, userId: 'u' };
      await fails(backend.sessions?.create?.(owner, {}), 'NOT_FOUND');
      expect((await backend.sessions?.list?.({ ...owner, pageSize: 5 }))?.items).toEqual([]);
    });

    it('shows a run by its id to a process that did not begin it', async () => {
      const ref = await create();
      const process = () => openRunManager({ log: { info: () => {}, warn: () => {}, error: () => {} } });
      const patiently = { ms: 10_000, signal: new AbortController().signal };
      const ask = (runs: RunManager) =>
        runs.start(backend, ref, {
          message: { role: 'user', parts: [{ text: 'hello' }] },
          invocationId: 'own',
          stateDelta: { a: 1 },
        });
      const view = await (await ask(process())).wait(patiently);
      const found = await (await process().find(backend, ref, 'own'))?.wait(patiently);
      expect(found).toMatchObject({ status: 'completed', text: 'echo: hello' });
      expect(found?.events.map((event) => event.id)).toEqual(view.events.map((event) => event.id));
      expect((await ask(process())).begun).toBe(false);
      const session = await backend.sessions?.get?.(ref);
      expect(Object.keys(session?.state ?? {}).sort()).toEqual(['a', 'app:total', 'turn', 'user:last']);
    });

    it('ends a run whose reader leaves', async () => {
      const ref = await create();
      const started = Date.now();
      for await (const event of stream(ref, [{ text: 'slow 20 200' }])) {
        expect(textOf(event)).toBe('tick 0');
        break;
      }
      expect(Date.now() - started).toBeLessThan(2000);
    });

    it('shows artifacts with their versions', async () => {
      const ref = await create();
      for (const text of ['artifact one', 'artifact two', 'artifact three']) {
        const [event, ...more] = await run(ref, text);
        expect(more).toEqual([]);
        expect(event?.actions?.artifactDelta).toEqual({ 'note.txt': expect.any(Number) });
        expect(event === undefined ? '' : textOf(event)).toContain('saved v');
      }
      const first = traits.firstVersion;
      const page = await backend.artifacts?.list?.(ref, { pageSize: 1 });
      expect(page?.items).toMatchObject([
        { name: 'note.txt', version: first + 2, mimeType: 'text/plain', sizeBytes: 'artifact three'.length },
      ]);
      const next = await backend.artifacts?.list?.(ref, { pageSize: 1, cursor: page?.cursor });
      expect(next).toMatchObject({ items: [{ name: 'user:profile.txt' }], cursor: undefined });
      const get = async (version?: number) =>
        (await backend.artifacts?.get?.(ref, 'note.txt', version))?.data.toString();
      expect([await get(first), await get(first + 1), await get()]).toEqual([
        'artifact one',
        'artifact two',
        'artifact three',
      ]);
      for (const version of [first + 3, -1, 0.5]) await fails(get(version), 'NOT_FOUND');
      await fails(backend.artifacts?.get?.(ref, 'nosuch.txt'), 'NOT_FOUND');
      const other = await create();
      await fails(backend.artifacts?.get?.(other, 'note.txt'), 'NOT_FOUND');
    });

    it('shows a long-running call until the user answers it, which a run does', async () => {
      const ref = await create();
      await run(ref, 'ask for leave');
      expect(await backend.toolCalls?.list?.(ref)).toMatchObject([
        { id: 'ask-1', name: 'approve', args: { what: 'ask for leave' }, author: app, longRunning: true },
      ]);
      const response = { id: 'ask-1', name: 'approve', response: { approved: true } };
      const events = await collect(stream(ref, [{ functionResponse: response }]));
      expect(events.map(textOf)).toEqual(['answered: {"approved":true}']);
      expect(await backend.toolCalls?.list?.(ref)).toEqual([]);
    });

    it('finds events after another, after a time, and backwards', async () => {
      const ref = await create();
      await run(ref, 'burst 3');
      await sleep(5);
      const between = new Date().toISOString();
      await sleep(5);
      await run(ref, 'burst 2');
      const all = await stored(ref);
      expect(all).toHaveLength(7);
      const list = async (more: object) =>
        (await backend.events?.list?.(ref, { pageSize: 100, ...more }))?.items.map((event) => event.id);
      const ids = all.map((event) => event.id);
      expect(await list({ order: 'desc' })).toEqual([...ids].reverse());
      expect(await list({ afterEventId: ids[4] })).toEqual(ids.slice(5));
      expect(await list({ afterEventId: ids[4], order: 'desc' })).toEqual(ids.slice(5).reverse());
      if (traits.timesEvents) expect(await list({ afterTime: between })).toEqual(ids.slice(4));
      else await fails(list({ afterTime: between }), 'UNIMPLEMENTED');
      expect(Math.abs(Date.parse(all[0]?.timestamp ?? '') - Date.now())).toBeLessThan(60_000);
    });

    it('takes ids of any kind, or refuses them before it asks', async () => {
      const owner = { app, userId: `user-${randomUUID()}` };
      const fine = ['__proto__', 'constructor', '{"$ne":null}', 'naïve 🦉 id', 'a?b#c&d=e', 'x%2e%2e', '-1'];
      for (const sessionId of fine) {
        const made = await backend.sessions?.create?.(owner, { sessionId, state: { mark: sessionId } });
        expect(made?.id).toBe(sessionId);
        const read = await backend.sessions?.get?.({ ...owner, sessionId });
        expect(read?.state).toMatchObject({ mark: sessionId });
        await run({ ...owner, sessionId }, 'burst 1');
      }
      const listed = await backend.sessions?.list?.({ ...owner, pageSize: 50 });
      expect(listed?.items.map((session) => session.id).sort()).toEqual([...fine].sort());
      for (const sessionId of ['..', '.', '', 'a\nb', '\u0000', 'x'.repeat(300), '\ud800']) {
        await fails(backend.sessions?.get?.({ ...owner, sessionId }), 'INVALID_ARGUMENT');
        await fails(run({ ...owner, sessionId }, 'hi'), 'INVALID_ARGUMENT');
        await fails(backend.sessions?.delete?.({ ...owner, sessionId }), 'INVALID_ARGUMENT');
      }
      const slashed = backend.sessions?.create?.(owner, { sessionId: 'a/../b' });
      if (!traits.slashInIds) await fails(slashed, 'INVALID_ARGUMENT');
      else expect((await slashed)?.id).toBe('a/../b');
    });

    it('refuses what ADK cannot do rather than leave it undone', async () => {
      const ref = await create();
      const { app: _app, ...rest } = ref;
      const owner = { app, userId: rest.userId };
      await fails(backend.sessions?.create?.(owner, { labels: { a: 'b' } }), 'UNIMPLEMENTED');
      await fails(
        backend.sessions?.create?.(owner, { expireTime: '2030-01-01T00:00:00.000Z' }),
        'UNIMPLEMENTED',
      );
      await fails(backend.sessions?.delete?.(ref, { expectedRevision: 1 }), 'UNIMPLEMENTED');
      await fails(backend.sessions?.list?.({ app, pageSize: 5 }), 'UNIMPLEMENTED');
      await fails(
        backend.sessions?.list?.({ ...owner, pageSize: 5, orderBy: 'createTime asc' }),
        'UNIMPLEMENTED',
      );
      const filter = [{ field: 'label', key: 'a', value: 'b' }] as const;
      await fails(backend.sessions?.list?.({ ...owner, pageSize: 5, filter }), 'UNIMPLEMENTED');
      expect(backend.events?.append).toBeUndefined();
    });
  });
}

async function collect<T>(values: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const value of values) all.push(value);
  return all;
}

export async function fails(promise: Promise<unknown> | undefined, code: string): Promise<SessionError> {
  if (promise === undefined) throw new Error('the verb is missing');
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(SessionError);
  const shown = error as SessionError;
  expect(shown.code, `${shown.message} ${String(shown.cause ?? '')}`).toBe(code);
  expect(shown.hint ?? '').not.toBe('');
  for (const text of [shown.message, shown.hint ?? '']) {
    expect(text).not.toMatch(/\n|<|\/srv|HTTP \d|ECONN/);
    expect(text.length).toBeLessThan(260);
  }
  expect(['{}', '{"outcome":"unknown"}']).toContain(JSON.stringify(shown.details ?? {}));
  return shown;
}
