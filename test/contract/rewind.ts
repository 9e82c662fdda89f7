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
