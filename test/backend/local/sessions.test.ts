import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openLocal } from '../../../src/backend/local/index.ts';
import { maintain } from '../../../src/backend/local/maintenance.ts';
import type { Backend, SessionRef } from '../../../src/backend/types.ts';
import type { NewEvent } from '../../../src/model/event.ts';
import { openStore } from '../../../src/store/open.ts';
import type { Store } from '../../../src/store/types.ts';

const owner = { app: 'app', userId: 'ada' };
const say = (text: string, more: Partial<NewEvent> = {}): NewEvent => ({
  author: 'user',
  content: { role: 'user', parts: [{ text }] },
  ...more,
});
const never = (): never => {
  throw new Error('There is no event.');
};

describe('the local backend', () => {
  let clock: number;
  let store: Store;
  let backend: Required<Backend>;
  beforeEach(async () => {
    clock = Date.parse('2026-11-21T09:00:00.000Z');
    store = await openStore({ url: 'memory:', durability: 'full', dataDir: '' });
    backend = openLocal({ store, now: () => clock }) as Required<Backend>;
  });
  afterEach(() => backend.close());

  const make = async (more: object = {}): Promise<SessionRef> => {
    const session = await backend.sessions.create?.(owner, more);
    return { ...owner, sessionId: session?.id ?? '' };
  };
  const append = async (ref: SessionRef, event: NewEvent) =>
    (await backend.events.append?.(ref, event))?.event;
  const textsOf = async (ref: SessionRef, more: object = {}) =>
    (await backend.events.list?.(ref, { pageSize: 1000, ...more }))?.items.map(
      (e) => e.content?.parts[0]?.text,
    );
  /** Everything in the store but what is not of sessions. */
  const leftovers = async () =>
    (await store.range({ prefix: '', limit: 10_000 }))
      .map((row) => row.key)
      .filter((key) => /^(s|x|lu|lc|mu|mc|z|t)\//.test(key));

  it.each(['hidden', 'deleted'])('lets no fork take a second answer to a call that is %s', async (how) => {
    const ref = await make();
    const answer: NewEvent = {
      author: 'user',
      content: { role: 'user', parts: [{ functionResponse: { id: 'c', name: 'f', response: {} } }] },
    };
    const parts = [{ functionCall: { id: 'c', name: 'f' } }];
    await append(ref, { id: 'call', author: 'agent', content: { role: 'model', parts } });
    await append(ref, { ...answer, id: 'answer' });
    if (how === 'hidden') await backend.events.setVisibility?.(ref, 'call', true);
    else await backend.events.delete?.(ref, 'call');
    for (const upToEventId of [undefined, 'answer']) {
      const fork = await backend.sessions.fork?.(ref, { upToEventId });
      await expect(append({ ...owner, sessionId: fork?.id ?? '' }, answer)).rejects.toThrow(
        'answered already',
      );
    }
  });

  it('deletes an app whose sessions have all expired, before they are swept', async () => {
    const ref = await make({ expireTime: new Date(clock + 1000).toISOString() });
    await append(ref, say('x'));
    await expect(backend.apps.delete?.('app', { force: false })).rejects.toThrow('has sessions');
    clock += 2000;
    await backend.apps.delete?.('app', { force: false });
    await maintain({ store, now: () => clock });
    expect(await leftovers()).toEqual([]);
  });

  it('copies an event that has grown beyond what an append may hold', async () => {
    const ref = await make();
    const event = await append(ref, { ...say('x'.repeat(4 * 1024 * 1024 - 400)), id: 'a', author: 'agent' });
    await backend.feedback.register?.(ref, { eventId: 'a', score: 1, text: 'y'.repeat(3000) });
    const fork = await backend.sessions.fork?.(ref, {});
    expect(fork?.eventCount).toBe(1);
    const [grown] = (await backend.events.list?.(ref, { pageSize: 1 }))?.items ?? [];
    const staged = await backend.transfer.stage?.(owner, {});
    await staged?.addEvent(grown ?? event ?? never());
    expect((await staged?.commit({}))?.eventCount).toBe(1);
  });

  describe('order and paging', () => {
    it('is that of acceptance, whatever the timestamps say', async () => {
      const ref = await make();
      for (const [i, day] of [5, 1, 9, 3, 9, 2].entries())
        await append(ref, say(`m${i}`, { timestamp: `2026-01-0${day}T00:00:00.000Z` }));
      expect(await textsOf(ref)).toEqual(['m0', 'm1', 'm2', 'm3', 'm4', 'm5']);
      expect(await textsOf(ref, { afterTime: '2026-01-03T00:00:00.000Z' })).toEqual(['m0', 'm2', 'm4']);
      expect(await textsOf(ref, { afterTime: '2026-01-08T00:00:00.000Z', order: 'desc' })).toEqual([
        'm4',
        'm2',
      ]);
      expect(await textsOf(ref, { afterTime: '2026-01-09T00:00:00.000Z' })).toEqual([]);
      expect(await textsOf(ref, { afterTime: '2025-01-09T00:00:00.000Z' })).toHaveLength(6);
    });

    it('misses and doubles nothing while others append', async () => {
      const ref = await make();
      for (let i = 0; i < 50; i += 1) await append(ref, say(`old${i}`));
      for (const order of ['asc', 'desc'] as const) {
        const seen: (string | undefined)[] = [];
        let cursor: string | undefined;
        do {
          const page = await backend.events.list?.(ref, { pageSize: 7, order, cursor });
          seen.push(...(page?.items ?? []).map((e) => e.content?.parts[0]?.text));
          cursor = page?.cursor;
          if (seen.length < 60) await Promise.all([append(ref, say('new')), append(ref, say('new'))]);
        } while (cursor !== undefined);
        const old = seen.filter((text) => text?.startsWith('old'));
        expect(new Set(old).size).toBe(50);
        expect(old).toHaveLength(50);
      }
    });

    it('goes on from an event that was deleted', async () => {
      const ref = await make();
      for (let i = 0; i < 4; i += 1) await append(ref, say(`m${i}`, { id: `e${i}` }));
      await backend.events.delete?.(ref, 'e1');
      expect(await textsOf(ref, { afterEventId: 'e1' })).toEqual(['m2', 'm3']);
    });

    it('shows sessions by when they were used, each once', async () => {
      const refs: SessionRef[] = [];
      for (let i = 0; i < 5; i += 1) {
        clock += 1000;
        refs.push(await make({ sessionId: `s${i}` }));
      }
      clock += 1000;
      await append(refs[1] as SessionRef, say('hi'));
      const ids = async (
        orderBy: 'updateTime desc' | 'updateTime asc' | 'createTime desc' | 'createTime asc',
      ) => (await backend.sessions.list?.({ ...owner, pageSize: 10, orderBy }))?.items.map((s) => s.id);
      expect(await ids('updateTime desc')).toEqual(['s1', 's4', 's3', 's2', 's0']);
      expect(await ids('updateTime asc')).toEqual(['s0', 's2', 's3', 's4', 's1']);
      expect(await ids('createTime desc')).toEqual(['s4', 's3', 's2', 's1', 's0']);
      expect(await ids('createTime asc')).toEqual(['s0', 's1', 's2', 's3', 's4']);
    });
  });

  describe('appending', () => {
    it('takes 200 at once, in one order, each answered with its own', async () => {
      const ref = await make();
      const answers = await Promise.all(
        Array.from({ length: 200 }, (_, i) => backend.events.append?.(ref, say(`m${i}`))),
      );
      const listed = (await backend.events.list?.(ref, { pageSize: 1000 }))?.items ?? [];
      const byRevision = [...answers].sort((a, b) => (a?.session.revision ?? 0) - (b?.session.revision ?? 0));
      expect(listed.map((e) => e.id)).toEqual(byRevision.map((a) => a?.event.id));
      for (const answer of answers) expect(listed).toContainEqual(answer?.event);
    });

    it('lets one of many with the same expected revision through', async () => {
      const ref = await make();
      const tries = await Promise.allSettled(
        Array.from({ length: 10 }, (_, i) =>
          backend.events.append?.(ref, say(`m${i}`), { expectedRevision: 1 }),
        ),
      );
      expect(tries.filter((t) => t.status === 'fulfilled')).toHaveLength(1);
      expect(await textsOf(ref)).toHaveLength(1);
    });

    it('puts agents’ events into the invocation that runs', async () => {
      const ref = await make();
      const first = await append(ref, say('a'));
      const reply = await append(ref, { author: 'bot', content: { parts: [{ text: 'b' }] } });
      const second = await append(ref, say('c'));
      expect(reply?.invocationId).toBe(first?.invocationId);
      expect(second?.invocationId).not.toBe(first?.invocationId);
    });

    it('gives calls an id, and a nameless answer to the oldest call of its name', async () => {
      const ref = await make();
      const call = (n: number) => ({ functionCall: { name: 'f', args: { n } } });
      await append(ref, { author: 'bot', content: { role: 'model', parts: [call(1), call(2)] } });
      const open = (await backend.toolCalls.list?.(ref)) ?? [];
      expect(open.map((c) => c.args)).toEqual([{ n: 1 }, { n: 2 }]);
      await append(ref, {
        author: 'user',
        content: { parts: [{ functionResponse: { name: 'f', response: {} } }] },
      });
      expect((await backend.toolCalls.list?.(ref))?.map((c) => c.args)).toEqual([{ n: 2 }]);
    });

    it('counts a long-running id as an open call, and forgets calls of a deleted event', async () => {
      const ref = await make();
      await append(ref, {
        author: 'bot',
        longRunningToolIds: ['job-1'],
        content: { parts: [{ text: 'started' }] },
        id: 'e',
      });
      expect(await backend.toolCalls.list?.(ref)).toMatchObject([
        { id: 'job-1', longRunning: true, eventId: 'e' },
      ]);
      await backend.events.delete?.(ref, 'e');
      expect(await backend.toolCalls.list?.(ref)).toEqual([]);
    });

    it('does not give the id of a deleted event out again', async () => {
      const ref = await make();
      await append(ref, say('a', { id: 'e' }));
      await backend.events.delete?.(ref, 'e');
      await expect(append(ref, say('a', { id: 'e' }))).rejects.toMatchObject({ code: 'FAILED_PRECONDITION' });
    });

    it('refuses what is too large, and keeps nothing of it', async () => {
      const ref = await make();
      await expect(append(ref, say('x'.repeat(5_000_000)))).rejects.toMatchObject({
        code: 'RESOURCE_EXHAUSTED',
      });
      const stateDelta = { big: 'x'.repeat(2_000_000) };
      await expect(append(ref, say('x', { actions: { stateDelta } }))).rejects.toMatchObject({
        code: 'RESOURCE_EXHAUSTED',
      });
      expect(await textsOf(ref)).toEqual([]);
    });
  });

  describe('previews', () => {
    it('show the last visible event, and follow what is hidden and deleted', async () => {
      const ref = await make();
      const last = async () => (await backend.sessions.get?.(ref))?.lastEvent?.text;
      await append(ref, say('one', { id: 'e1' }));
      await append(ref, say('two', { id: 'e2' }));
      expect(await last()).toBe('two');
      await backend.events.setVisibility?.(ref, 'e2', true);
      expect(await last()).toBe('one');
      await backend.events.setVisibility?.(ref, 'e2', false);
      expect(await last()).toBe('two');
      await backend.events.delete?.(ref, 'e2');
      expect(await last()).toBe('one');
      expect((await backend.sessions.get?.(ref))?.eventCount).toBe(1);
    });
  });

  describe('forking', () => {
    it('has the state as it was after the last copied event', async () => {
      const ref = await make({ state: { a: 0, own: 'start' } });
      await append(ref, say('1', { id: 'e1', actions: { stateDelta: { a: 1 } } }));
      await append(ref, say('2', { id: 'e2', actions: { stateDelta: { a: 2, b: 'two' } } }));
      await backend.sessions.update?.(ref, { state: { replaced: true } });
      await append(ref, say('3', { id: 'e3', actions: { stateDelta: { c: 3 } } }));
      const stateAt = async (upToEventId?: string) =>
        (await backend.sessions.fork?.(ref, { upToEventId }))?.state;
      expect(await stateAt('e1')).toEqual({ a: 1, own: 'start' });
      expect(await stateAt('e2')).toEqual({ a: 2, b: 'two', own: 'start' });
      expect(await stateAt('e3')).toEqual({ replaced: true, c: 3 });
      expect(await stateAt()).toEqual({ replaced: true, c: 3 });
      await backend.sessions.update?.(ref, { state: { last: 1 } });
      expect(await stateAt()).toEqual({ last: 1 });
    });

    it('can itself be forked at any event', async () => {
      const ref = await make({ state: { a: 0 } });
      for (let i = 1; i <= 3; i += 1) await append(ref, say(`m${i}`, { actions: { stateDelta: { a: i } } }));
      const fork = await backend.sessions.fork?.(ref, {});
      const copy = { ...owner, sessionId: fork?.id ?? '' };
      const events = (await backend.events.list?.(copy, { pageSize: 10 }))?.items ?? [];
      const second = await backend.sessions.fork?.(copy, { upToEventId: events[1]?.id });
      expect(second).toMatchObject({
        eventCount: 2,
        state: { a: 2 },
        forkedFrom: { sessionId: copy.sessionId },
      });
    });

    it('copies artifacts and open calls, gives new event ids, and leaves hidden events behind', async () => {
      const ref = await make();
      await append(ref, {
        id: 'call',
        author: 'bot',
        content: { parts: [{ functionCall: { id: 'c1', name: 'f' } }] },
      });
      await append(ref, say('hidden', { id: 'h' }));
      await backend.events.setVisibility?.(ref, 'h', true);
      await backend.artifacts.save?.(ref, { name: 'f', mimeType: 'text/plain', data: Buffer.from('v0') });
      await backend.artifacts.save?.(ref, { name: 'f', mimeType: 'text/plain', data: Buffer.from('v1') });
      const fork = await backend.sessions.fork?.(ref, { newSessionId: 'copy' });
      const copy = { ...owner, sessionId: fork?.id ?? '' };
      expect(await backend.toolCalls.list?.(copy)).toMatchObject([{ id: 'c1' }]);
      const [event, ...others] =
        (await backend.events.list?.(copy, { pageSize: 10, includeHidden: true }))?.items ?? [];
      expect(others).toEqual([]);
      expect(event?.id).not.toBe('call');
      await backend.sessions.delete?.(ref);
      await maintain({ store, now: () => clock });
      expect((await backend.artifacts.get?.(copy, 'f', 0))?.data.toString()).toBe('v0');
      expect((await backend.artifacts.get?.(copy, 'f'))?.data.toString()).toBe('v1');
    });

    it('copies many events, and refuses a taken id without leaving a trace', async () => {
      const ref = await make({ sessionId: 'source' });
      await Promise.all(Array.from({ length: 900 }, (_, i) => append(ref, say(`m${i}`))));
      const fork = await backend.sessions.fork?.(ref, {});
      expect(await textsOf({ ...owner, sessionId: fork?.id ?? '' })).toEqual(await textsOf(ref));
      const before = (await leftovers()).length;
      await expect(backend.sessions.fork?.(ref, { newSessionId: 'source' })).rejects.toMatchObject({
        code: 'ALREADY_EXISTS',
      });
      clock += 2 * 60 * 60 * 1000;
      await maintain({ store, now: () => clock });
      expect((await leftovers()).length).toBe(before);
    });
  });

  describe('deleting', () => {
    it('leaves nothing, of small sessions and of large ones', async () => {
      const empty = await leftovers();
      for (const count of [3, 700]) {
        const ref = await make({ state: { a: 1 } });
        await Promise.all(
          Array.from({ length: count }, (_, i) => append(ref, say(`m${i}`, { id: `e${i}` }))),
        );
        await backend.artifacts.save?.(ref, { name: 'f', mimeType: 'text/plain', data: Buffer.from('x') });
        await backend.sessions.delete?.(ref);
        await expect(backend.events.list?.(ref, { pageSize: 1 })).rejects.toMatchObject({
          code: 'NOT_FOUND',
        });
        await expect.poll(leftovers, { timeout: 5000 }).toEqual(empty);
      }
    });

    it('is of that session only: another under the same id keeps its own', async () => {
      const ref = await make({ sessionId: 'again' });
      await Promise.all(Array.from({ length: 500 }, (_, i) => append(ref, say(`old${i}`))));
      await backend.sessions.delete?.(ref);
      await make({ sessionId: 'again' });
      await append(ref, say('new'));
      await sleep(200);
      await maintain({ store, now: () => clock });
      expect(await textsOf(ref)).toEqual(['new']);
    });

    it('does not take memories along', async () => {
      const ref = await make();
      await append(ref, say('My cat is called Momo.'));
      await backend.memory.addSession?.(ref, {});
      await backend.sessions.delete?.(ref);
      expect(await backend.memory.search?.(owner, { text: 'cat', limit: 5 })).toHaveLength(1);
    });
  });

  describe('expiry', () => {
    it('hides a session the moment it comes, and then really deletes it', async () => {
      const empty = await leftovers();
      const ref = await make({ expireTime: new Date(clock + 60_000).toISOString() });
      await append(ref, say('soon gone'));
      clock += 59_999;
      await backend.sessions.get?.(ref);
      clock += 1;
      await expect(backend.sessions.get?.(ref)).rejects.toMatchObject({ code: 'NOT_FOUND' });
      await expect(append(ref, say('late'))).rejects.toMatchObject({ code: 'NOT_FOUND' });
      expect((await backend.sessions.list?.({ ...owner, pageSize: 10 }))?.items).toEqual([]);
      await maintain({ store, now: () => clock });
      expect(await leftovers()).toEqual(empty);
    });

    it('can be put off, and its id can be used again after it', async () => {
      const in1 = (seconds: number) => new Date(clock + seconds * 1000).toISOString();
      const ref = await make({ sessionId: 'x', expireTime: in1(60) });
      await backend.sessions.update?.(ref, { expireTime: in1(120) });
      clock += 61_000;
      await maintain({ store, now: () => clock });
      await append(ref, say('still here'));
      clock += 60_000;
      await make({ sessionId: 'x' });
      expect(await textsOf(ref)).toEqual([]);
      await maintain({ store, now: () => clock });
      await backend.sessions.get?.(ref);
    });

    it('refuses times that are past, or too far, or no times', async () => {
      for (const expireTime of ['2020-01-01T00:00:00Z', '2099-01-01T00:00:00Z', 'tomorrow', '2026-11-22'])
        await expect(make({ expireTime })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    });
  });

  describe('memory', () => {
    it('adds only what is new, once, even when two add at once', async () => {
      const ref = await make();
      await append(ref, say('I like oolong.'));
      await append(ref, { author: 'bot', content: { parts: [{ text: 'thinking', thought: true }] } });
      const added = await Promise.all([
        backend.memory.addSession?.(ref, {}),
        backend.memory.addSession?.(ref, {}),
      ]);
      expect(Math.max(...added.map((a) => a?.count ?? 0))).toBe(1);
      expect((await backend.memory.list?.(owner, { pageSize: 10 }))?.items).toHaveLength(1);
      await append(ref, say('And sencha.'));
      expect((await backend.memory.addSession?.(ref, {}))?.memories.map((m) => m.fact)).toEqual([
        'And sencha.',
      ]);
    });

    it('keeps scopes apart and matches them exactly', async () => {
      const fact = { fact: 'Deploys on Fridays.' };
      await backend.memory.create?.(owner, { ...fact, scope: { user_id: 'ada', team: 'x' } });
      const search = (scope?: Record<string, string>) =>
        backend.memory.search?.(owner, { text: 'Fridays', limit: 5, scope });
      expect(await search({ team: 'x', user_id: 'ada' })).toHaveLength(1);
      expect(await search({ team: 'x' })).toEqual([]);
      expect(await search()).toEqual([]);
      expect((await backend.memory.list?.(owner, { pageSize: 5 }))?.items).toHaveLength(1);
    });
  });

  it('deletes an app with all that is in it, only when told to', async () => {
    const ref = await make({ state: { 'app:x': 1, 'user:y': 2 } });
    await append(ref, say('hi'));
    await backend.memory.create?.(owner, { fact: 'tea' });
    await expect(backend.apps.delete?.('app', { force: false })).rejects.toMatchObject({
      code: 'FAILED_PRECONDITION',
    });
    await backend.apps.delete?.('app', { force: true });
    await expect(backend.apps.get?.('app')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect(await backend.memory.search?.(owner, { text: 'tea', limit: 5 })).toEqual([]);
    expect((await backend.sessions.get?.(await make()))?.state).toEqual({});
  });

  it('tells whoever watches', async () => {
    const ref = await make();
    let calls = 0;
    const stop = backend.sessions.watch?.(ref, () => {
      calls += 1;
    });
    await append(ref, say('one'));
    await expect.poll(() => calls).toBeGreaterThan(0);
    stop?.();
    await sleep(100);
    const before = calls;
    await append(ref, say('two'));
    await sleep(100);
    expect(calls).toBe(before);
  });
});
