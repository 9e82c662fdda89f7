import { describe, expect } from 'vitest';
import type { Backend, Capability, Owner, SessionRef } from '../../src/backend/types.ts';
import { type NewEvent, textOf } from '../../src/model/event.ts';

export interface RewindSubject {
  backend(): Backend;
  when(needs: Capability[], title: string, body: () => Promise<void>): void;
  owner(): Owner;
  fails(promise: Promise<unknown>, code: string): Promise<unknown>;
}

/** The way back: for every backend that can rewind a session. */
export function rewindContract({ backend, when, owner, fails }: RewindSubject): void {
  const needs: Capability[] = [
    'sessions.rewind',
    'sessions.create',
    'events.append',
    'events.list',
    'toolCalls.list',
  ];
  const test = (title: string, body: () => Promise<void>, more: Capability[] = []) =>
    when([...needs, ...more], title, body);
  const verb = <T>(found: T | undefined): T => found as T;
  const create = async (of: Owner, state = {}): Promise<SessionRef> => ({
    ...of,
    sessionId: (await verb(backend().sessions?.create)(of, { state })).id,
  });
  const append = async (ref: SessionRef, event: Partial<NewEvent>): Promise<string> =>
    (await verb(backend().events?.append)(ref, { author: 'user', ...event })).event.id;
  const say = (ref: SessionRef, text: string, step: number) =>
    append(ref, { content: { parts: [{ text }] }, actions: { stateDelta: { step } } });
  const rewind = (ref: SessionRef, eventId: string, guard = {}) =>
    verb(backend().sessions?.rewind)(ref, { eventId }, guard);
  const undo = (ref: SessionRef) => verb(backend().sessions?.rewind)(ref, { undo: true });
  const seen = async (ref: SessionRef) => {
    const session = await verb(backend().sessions?.get)(ref);
    const { items } = await verb(backend().events?.list)(ref, { pageSize: 100 });
    const open = await verb(backend().toolCalls?.list)(ref);
    return {
      texts: items.map(textOf),
      // All users of the app share these.
      state: Object.fromEntries(
        Object.entries(session.state ?? {}).filter(([key]) => !key.startsWith('app:')),
      ),
      last: session.lastEvent?.text,
      open: open.map(({ id }) => id).toSorted(),
    };
  };

  describe('rewinding', () => {
    test('hides the later events, sets the state back, and can be undone', async () => {
      const ref = await create(owner(), { step: 0, kept: 'yes' });
      const first = await say(ref, 'one', 1);
      await say(ref, 'two', 2);
      await say(ref, 'three', 3);
      const before = await seen(ref);
      const { events, session } = await rewind(ref, first);
      expect(events).toBe(2);
      expect(await seen(ref)).toEqual({
        texts: ['one'],
        state: { step: 1, kept: 'yes' },
        last: 'one',
        open: [],
      });
      expect((await verb(backend().sessions?.get)(ref)).revision).toBe(session.revision);
      const all = await verb(backend().events?.list)(ref, { pageSize: 9, includeHidden: true });
      expect(all.items.map(textOf)).toEqual(['one', 'two', 'three']);
      expect((await undo(ref)).events).toBe(2);
      expect(await seen(ref)).toEqual(before);
      await fails(undo(ref), 'FAILED_PRECONDITION');
    });

    test('goes on from there: new events, and a fork, have the state of the rewound session', async () => {
      const ref = await create(owner());
      const first = await say(ref, 'one', 1);
      await say(ref, 'two', 2);
      await rewind(ref, first);
      const next = await append(ref, {
        content: { parts: [{ text: 'other' }] },
        actions: { stateDelta: { b: 1 } },
      });
      expect(await seen(ref)).toMatchObject({
        texts: ['one', 'other'],
        state: { step: 1, b: 1 },
        last: 'other',
      });
      await fails(undo(ref), 'FAILED_PRECONDITION');
      const copy = await verb(backend().sessions?.fork)(ref, { upToEventId: next });
      expect(await seen({ ...ref, sessionId: copy.id })).toMatchObject({
        texts: ['one', 'other'],
        state: { step: 1, b: 1 },
      });
      expect((await rewind(ref, first)).events).toBe(1);
      expect((await undo(ref)).events).toBe(1);
      expect((await seen(ref)).texts).toEqual(['one', 'other']);
    }, ['sessions.fork']);

    test('tool calls are open again whose answers are hidden, and those of hidden events are not open', async () => {
      const ref = await create(owner());
      const call = (id: string): Partial<NewEvent> => ({
        author: 'agent',
        content: { parts: [{ functionCall: { id, name: 'find' } }] },
      });
      const asked = await append(ref, call('early'));
      await append(ref, {
        content: { parts: [{ functionResponse: { id: 'early', name: 'find', response: {} } }] },
      });
      await append(ref, call('late'));
      const before = await seen(ref);
      expect(before.open).toEqual(['late']);
      await rewind(ref, asked);
      expect((await seen(ref)).open).toEqual(['early']);
      await undo(ref);
      expect(await seen(ref)).toEqual(before);
      await rewind(ref, asked);
      await append(ref, {
        content: { parts: [{ functionResponse: { id: 'early', name: 'find', response: {} } }] },
      });
      expect((await seen(ref)).open).toEqual([]);
    });

    test('events that were hidden before stay hidden, and a search finds none of them', async () => {
      const of = owner();
      const ref = await create(of);
      const first = await say(ref, 'one', 1);
      const second = await say(ref, 'lighthouse two', 2);
      await say(ref, 'lighthouse three', 3);
      await verb(backend().events?.setVisibility)(ref, second, true);
      expect((await rewind(ref, first)).events).toBe(1);
      const search = async () =>
        (await verb(backend().events?.search)({ ...of, text: 'lighthouse', limit: 5, around: 1 })).hits
          .length;
      expect(await search()).toBe(0);
      await undo(ref);
      expect((await seen(ref)).texts).toEqual(['one', 'lighthouse three']);
      expect(await search()).toBeGreaterThan(0);
    }, ['events.setVisibility', 'events.search']);

    test('a fork counts nothing that was undone, and has the calls that wait again', async () => {
      const ref = await create(owner());
      const answer = { functionResponse: { id: 'early', name: 'find', response: {} } };
      const asked = await append(ref, {
        author: 'agent',
        content: { parts: [{ functionCall: { id: 'early', name: 'find' } }] },
      });
      const late = await append(ref, {
        content: { parts: [answer, { functionCall: { id: 'late', name: 'find' } }] },
      });
      await rewind(ref, asked);
      const next = await say(ref, 'on from here', 1);
      const here = await seen(ref);
      expect(here.open).toEqual(['early']);
      for (const upToEventId of [undefined, next]) {
        const copy = await verb(backend().sessions?.fork)(ref, { upToEventId });
        const fork = { ...ref, sessionId: copy.id };
        expect(await seen(fork)).toEqual(here);
        const again = await verb(backend().sessions?.fork)(fork, {});
        expect((await seen({ ...ref, sessionId: again.id })).open).toEqual(['early']);
        await append(fork, { content: { parts: [answer] } });
        expect((await seen(fork)).open).toEqual([]);
      }
      await fails(rewind(ref, late), 'FAILED_PRECONDITION');
      // As it was right after that event the session had not been rewound yet.
      const copy = await verb(backend().sessions?.fork)(ref, { upToEventId: late });
      expect((await seen({ ...ref, sessionId: copy.id })).open).not.toContain('early');
    }, ['sessions.fork']);

    test('is not taken back once the session was changed: that would bring back what is deleted', async () => {
      const ref = await create(owner());
      const first = await say(ref, 'one', 1);
      const second = await say(ref, 'two', 2);
      await rewind(ref, first);
      await verb(backend().sessions?.update)(ref, { state: { step: 9 } });
      await fails(undo(ref), 'FAILED_PRECONDITION');
      expect((await seen(ref)).state).toEqual({ step: 9 });
      await verb(backend().events?.delete)(ref, second);
      await fails(undo(ref), 'FAILED_PRECONDITION');
      expect(await seen(ref)).toMatchObject({ texts: ['one'], last: 'one' });
    }, ['sessions.update', 'events.delete']);

    test('withdraws the turn that an undone event handed over, and gives it back with the event', async () => {
      const of = owner();
      const ref = await create(of);
      const first = await say(ref, 'one', 1);
      await append(ref, { author: 'planner', actions: { transferAgent: 'worker' } });
      const take = () =>
        verb(backend().turns?.take)(
          of,
          { agent: 'worker', leaseMs: 60_000, waitMs: 0 },
          new AbortController().signal,
        );
      await rewind(ref, first);
      expect((await verb(backend().sessions?.get)(ref)).turn).toBeUndefined();
      expect(await take()).toBeUndefined();
      await undo(ref);
      expect((await take())?.ref.sessionId).toBe(ref.sessionId);
    }, ['turns.take', 'sessions.get']);

    test('refuses another revision, an unknown event and another user’s session', async () => {
      const ref = await create(owner());
      const first = await say(ref, 'one', 1);
      await say(ref, 'two', 2);
      await fails(rewind(ref, first, { expectedRevision: 1 }), 'ABORTED');
      await fails(rewind(ref, 'nosuchevent'), 'NOT_FOUND');
      await fails(rewind({ ...ref, ...owner() }, first), 'NOT_FOUND');
      expect((await seen(ref)).texts).toEqual(['one', 'two']);
    });
  });
}
