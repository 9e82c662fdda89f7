import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect } from 'vitest';
import type {
  Backend,
  Capability,
  Guard,
  Owner,
  SessionRef,
  TakenTurn,
  TurnRequest,
} from '../../src/backend/types.ts';
import { type Event, textOf } from '../../src/model/event.ts';
import { mostTries, withNote } from '../../src/model/turn.ts';
import { unfinishedTurnsContract } from './unfinished-turns.ts';

export interface TurnsSubject {
  backend(): Backend;
  when(needs: Capability[], title: string, body: () => Promise<void>): void;
  owner(): Owner;
  fails(promise: Promise<unknown>, code: string): Promise<unknown>;
}

const minute = 60_000;
/** A lease that has run out when the next call comes. */
const expired = 1;

/** How turns are handed over, claimed and given back: for every backend that has them. */
export function turnsContract(subject: TurnsSubject): void {
  const { backend, when, owner, fails } = subject;
  unfinishedTurnsContract(subject);
  const needs: Capability[] = [
    'turns.take',
    'sessions.create',
    'sessions.get',
    'events.append',
    'events.list',
  ];
  const test = (title: string, body: () => Promise<void>) => when(needs, title, body);
  const verb = <T>(found: T | undefined): T => found as T;

  const create = async (of: Owner): Promise<SessionRef> => ({
    ...of,
    sessionId: (await verb(backend().sessions?.create)(of, {})).id,
  });
  const handOver = async (ref: SessionRef, from: string, agent: string, note?: string, guard?: Guard) =>
    verb(backend().events?.append)(
      ref,
      {
        author: from,
        content: { role: 'model', parts: [{ text: `${from} to ${agent}` }] },
        actions: { transferAgent: agent },
        ...(note === undefined ? {} : withNote(note)),
      },
      guard,
    );
  const say = async (ref: SessionRef, author: string, text: string, guard?: Guard, more = {}) =>
    verb(backend().events?.append)(
      ref,
      { author, content: { role: 'model', parts: [{ text }] }, ...more },
      guard,
    );
  const take = (
    of: Owner,
    agent: string,
    more: Partial<TurnRequest> = {},
    signal = new AbortController().signal,
  ) => verb(backend().turns?.take)(of, { agent, leaseMs: minute, waitMs: 0, ...more }, signal);
  const taken = async (...args: Parameters<typeof take>): Promise<TakenTurn> => {
    const turn = await take(...args);
    if (turn === undefined) throw new Error('There is no turn.');
    return turn;
  };
  const turnOf = async (ref: SessionRef) => (await verb(backend().sessions?.get)(ref)).turn;
  const said = async (ref: SessionRef, author: string): Promise<string[]> => {
    const { items } = await verb(backend().events?.list)(ref, { pageSize: 100 });
    return items.filter((event: Event) => event.author === author).map(textOf);
  };

  describe('turns', () => {
    test('a hand-over opens a turn that the session shows', async () => {
      const ref = await create(owner());
      expect(await turnOf(ref)).toBeUndefined();
      const { event } = await handOver(ref, 'planner', 'writer', 'Write it down.');
      expect(await turnOf(ref)).toMatchObject({
        agent: 'writer',
        note: 'Write it down.',
        handedOverBy: 'planner',
        eventId: event.id,
        tries: 0,
      });
      expect((await turnOf(ref))?.claimedUntil).toBeUndefined();
    });

    test('nothing is handed over under a name that no agent can have', async () => {
      const ref = await create(owner());
      for (const name of ['x'.repeat(300), '\u0000', 'a\nb', '\ud800'])
        await fails(handOver(ref, 'planner', name), 'INVALID_ARGUMENT');
      expect(await turnOf(ref)).toBeUndefined();
    });

    test('the taker gets the session, the note and a claim, and nobody else gets the turn', async () => {
      const of = owner();
      const ref = await create(of);
      const note = `Long: ${'x'.repeat(3000)}`;
      await handOver(ref, 'planner', 'writer', note);
      const turn = await taken(of, 'writer', { worker: 'w1' });
      expect(turn).toMatchObject({ ref, note, turn: { agent: 'writer', tries: 1, worker: 'w1' } });
      expect(await take(of, 'writer')).toBeUndefined();
      expect(await take(of, 'planner')).toBeUndefined();
      expect(Date.parse((await turnOf(ref))?.claimedUntil ?? '')).toBeGreaterThan(Date.now());
    });

    test('of many takers one gets each turn', async () => {
      const of = owner();
      const refs = await Promise.all(Array.from({ length: 5 }, () => create(of)));
      await Promise.all(refs.map((ref) => handOver(ref, 'planner', 'writer')));
      const got = await Promise.all(Array.from({ length: 20 }, () => take(of, 'writer')));
      const ids = got.flatMap((turn) => (turn === undefined ? [] : [turn.ref.sessionId]));
      // Who loses a race goes on to the next turn, so all are taken.
      expect(ids.sort()).toEqual(refs.map((ref) => ref.sessionId).sort());
    });

    test('the oldest turn comes first', async () => {
      const of = owner();
      const refs: SessionRef[] = [];
      for (let i = 0; i < 3; i += 1) {
        const ref = await create(of);
        await handOver(ref, 'planner', 'writer');
        refs.push(ref);
        await sleep(3);
      }
      const order: string[] = [];
      for (let i = 0; i < 3; i += 1) order.push((await taken(of, 'writer')).ref.sessionId);
      expect(order).toEqual(refs.map((ref) => ref.sessionId));
    });

    test('the answer under the claim ends the turn', async () => {
      const of = owner();
      const ref = await create(of);
      await handOver(ref, 'planner', 'writer');
      const { claim } = await taken(of, 'writer');
      const unfinished = [
        { turnComplete: false },
        { partial: true },
        { errorCode: 'UNAVAILABLE' },
        { longRunningToolIds: ['later'] },
      ];
      for (const more of unfinished) {
        await say(ref, 'writer', 'Half.', { claim }, more);
        expect(await turnOf(ref), JSON.stringify(more)).toMatchObject({ agent: 'writer' });
      }
      await say(ref, 'writer', 'Done.', { claim });
      expect(await turnOf(ref)).toBeUndefined();
      expect(await take(of, 'writer')).toBeUndefined();
    });

    test('a tool call under the claim does not end the turn', async () => {
      const of = owner();
      const ref = await create(of);
      await handOver(ref, 'planner', 'writer');
      const { claim } = await taken(of, 'writer');
      const call = { functionCall: { id: 'call-1', name: 'look', args: {} } };
      await verb(backend().events?.append)(
        ref,
        { author: 'writer', content: { role: 'model', parts: [{ text: 'I look.' }, call] } },
        { claim },
      );
      expect(await turnOf(ref)).toMatchObject({ agent: 'writer', tries: 1 });
    });

    test('a hand-over under the claim ends one turn and opens the next at once', async () => {
      const of = owner();
      const ref = await create(of);
      await handOver(ref, 'planner', 'writer');
      const { claim } = await taken(of, 'writer');
      await handOver(ref, 'writer', 'planner', 'Done.', { claim });
      const back = await taken(of, 'planner');
      expect(back).toMatchObject({ note: 'Done.', turn: { handedOverBy: 'writer', tries: 1 } });
      expect(back.actedUpTo).toBeUndefined();
    });

    test('what is new begins after the agent’s last turn', async () => {
      const of = owner();
      const ref = await create(of);
      await handOver(ref, 'planner', 'writer');
      const first = await taken(of, 'writer');
      expect(first.actedUpTo).toBeUndefined();
      const { event } = await handOver(ref, 'writer', 'planner', undefined, { claim: first.claim });
      const { claim } = await taken(of, 'planner');
      await handOver(ref, 'planner', 'writer', undefined, { claim });
      expect((await taken(of, 'writer')).actedUpTo).toBe(event.id);
    });

    test('a turn whose lease ran out is offered again, and the sleeper is refused', async () => {
      const of = owner();
      const ref = await create(of);
      await handOver(ref, 'planner', 'writer');
      const sleeper = await taken(of, 'writer', { leaseMs: expired });
      await sleep(5);
      await fails(say(ref, 'writer', 'Too late.', { claim: sleeper.claim }), 'ABORTED');
      const successor = await taken(of, 'writer');
      expect(successor.turn.tries).toBe(2);
      await fails(say(ref, 'writer', 'Too late.', { claim: sleeper.claim }), 'ABORTED');
      await fails(say(ref, 'writer', 'Without a claim.'), 'FAILED_PRECONDITION');
      await say(ref, 'writer', 'In time.', { claim: successor.claim });
      await fails(say(ref, 'writer', 'Too late.', { claim: sleeper.claim }), 'ABORTED');
      expect(await said(ref, 'writer')).toEqual(['In time.']);
    });

    test('writing under the claim renews the lease', async () => {
      const of = owner();
      const ref = await create(of);
      await handOver(ref, 'planner', 'writer');
      const { claim, turn } = await taken(of, 'writer');
      await sleep(5);
      await say(ref, 'writer', 'Note.', { claim }, { turnComplete: false });
      const renewed = (await turnOf(ref))?.claimedUntil ?? '';
      expect(Date.parse(renewed)).toBeGreaterThan(Date.parse(turn.claimedUntil ?? ''));
    });

    test('a copy that takes again gets the turn that it holds', async () => {
      const of = owner();
      const [ref, other] = [await create(of), await create(of)];
      await handOver(ref, 'planner', 'writer');
      const first = await taken(of, 'writer', { worker: 'w1' });
      await handOver(other, 'planner', 'writer');
      const again = await taken(of, 'writer', { worker: 'w1' });
      expect(again).toMatchObject({ ref, claim: first.claim, turn: { tries: 1 } });
      expect((await taken(of, 'writer', { worker: 'w2' })).ref).toEqual(other);
      await say(ref, 'writer', 'Done.', { claim: first.claim });
      expect(await take(of, 'writer', { worker: 'w1' })).toBeUndefined();
    });

    test('a copy that takes again after its lease ran out begins another try', async () => {
      const of = owner();
      const ref = await create(of);
      await handOver(ref, 'planner', 'writer');
      const first = await taken(of, 'writer', { worker: 'w1', leaseMs: expired });
      await sleep(5);
      const again = await taken(of, 'writer', { worker: 'w1' });
      expect(again.turn.tries).toBe(2);
      expect(again.claim).not.toBe(first.claim);
      await fails(say(ref, 'writer', 'Too late.', { claim: first.claim }), 'ABORTED');
    });

    test('a repeated answer is stored once, and a different one is refused', async () => {
      const of = owner();
      const ref = await create(of);
      await handOver(ref, 'planner', 'writer');
      const { claim } = await taken(of, 'writer');
      const first = await handOver(ref, 'writer', 'planner', 'Done.', { claim });
      const again = await handOver(ref, 'writer', 'planner', 'Done.', { claim });
      expect(again.event.id).toBe(first.event.id);
      await fails(say(ref, 'writer', 'Something else.', { claim }), 'ABORTED');
      const same = { content: first.event.content, actions: first.event.actions, ...withNote('Done.') };
      await fails(say(ref, 'writer', '', { claim }, { ...same, id: 'another' }), 'ABORTED');
      expect(await said(ref, 'writer')).toEqual(['writer to planner']);
      expect(await turnOf(ref)).toMatchObject({ agent: 'planner', tries: 0 });
    });

    test('while an agent works on a turn nobody else hands the session over', async () => {
      const of = owner();
      const ref = await create(of);
      await handOver(ref, 'planner', 'writer');
      await handOver(ref, 'planner', 'editor', 'Changed my mind.');
      expect(await take(of, 'writer')).toBeUndefined();
      const { claim } = await taken(of, 'editor');
      await fails(handOver(ref, 'planner', 'writer'), 'ABORTED');
      await say(ref, 'user', 'Hurry.');
      expect(await turnOf(ref)).toMatchObject({ agent: 'editor', tries: 1 });
      await say(ref, 'editor', 'Done.', { claim });
    });

    test('an agent that answers without taking the turn ends it', async () => {
      const of = owner();
      const ref = await create(of);
      await handOver(ref, 'planner', 'writer');
      await say(ref, 'writer', 'Done.');
      expect(await turnOf(ref)).toBeUndefined();
      expect(await take(of, 'writer')).toBeUndefined();
    });

    test('a turn that nobody finishes goes back with a reason, and from there nowhere', async () => {
      const of = owner();
      const ref = await create(of);
      await handOver(ref, 'planner', 'writer');
      const exhaust = async (agent: string) => {
        for (let i = 0; i < mostTries; i += 1) {
          await taken(of, agent, { leaseMs: expired });
          await sleep(5);
        }
        expect(await take(of, agent)).toBeUndefined();
      };
      await exhaust('writer');
      const back = await turnOf(ref);
      expect(back).toMatchObject({ agent: 'planner', handedOverBy: 'writer', tries: 0 });
      expect(back?.note).toMatch(/5 times/);
      await exhaust('planner');
      expect(await turnOf(ref)).toBeUndefined();
      const { items } = await verb(backend().events?.list)(ref, { pageSize: 10 });
      expect(items.map((event) => event.errorCode)).toEqual([
        undefined,
        'DEADLINE_EXCEEDED',
        'DEADLINE_EXCEEDED',
      ]);
    });

    test('a waiter gets the turn when it is handed over', async () => {
      const of = owner();
      const ref = await create(of);
      const waiting = Promise.all([
        take(of, 'writer', { waitMs: minute }),
        take(of, 'editor', { waitMs: minute, sessionId: ref.sessionId }),
      ]);
      await sleep(20);
      const other = await create(of);
      await handOver(other, 'planner', 'editor');
      await handOver(ref, 'planner', 'editor');
      await handOver(other, 'planner', 'writer');
      const [writer, editor] = await waiting;
      expect(writer?.ref).toEqual(other);
      expect(editor?.ref).toEqual(ref);
    });

    test('a waiter gets the turn of a claimant that has gone', async () => {
      const of = owner();
      const ref = await create(of);
      await handOver(ref, 'planner', 'writer');
      await taken(of, 'writer', { leaseMs: 200 });
      const next = await taken(of, 'writer', { waitMs: minute });
      expect(next).toMatchObject({ ref, turn: { tries: 2 } });
    });

    test('a call that is given up during its first look ends at once', async () => {
      const of = owner();
      for (let ticks = 0; ticks < 12; ticks += 1) {
        const gone = new AbortController();
        const call = take(of, 'nobody', { waitMs: minute }, gone.signal);
        for (let i = 0; i < ticks; i += 1) await Promise.resolve();
        gone.abort();
        expect(await call).toBeUndefined();
      }
    });

    test('a waiter that goes away leaves the turn to the next', async () => {
      const of = owner();
      const ref = await create(of);
      const gone = new AbortController();
      const first = take(of, 'writer', { waitMs: minute }, gone.signal);
      const second = take(of, 'writer', { waitMs: minute });
      await sleep(20);
      const handing = handOver(ref, 'planner', 'writer');
      gone.abort();
      await handing;
      expect(await first).toBeUndefined();
      expect(await second).toMatchObject({ ref });
    });

    test('a wait ends without a turn when its time is up', async () => {
      expect(await take(owner(), 'writer', { waitMs: 10 })).toBeUndefined();
    });

    test('another user’s turn is nobody’s', async () => {
      const of = owner();
      const ref = await create(of);
      const agent = `writer-${randomUUID()}`;
      await handOver(ref, 'planner', agent);
      expect(await take(owner(), agent)).toBeUndefined();
      await fails(take(owner(), agent, { sessionId: ref.sessionId }), 'NOT_FOUND');
      const any = await verb(backend().turns?.take)(
        { app: of.app },
        { agent, leaseMs: minute, waitMs: 0 },
        new AbortController().signal,
      );
      expect(any?.ref).toEqual(ref);
    });

    test('the turn of a session waits for the turns of its parts', async () => {
      const of = owner();
      const ref = await create(of);
      const { sessionId: parentSessionId } = ref;
      const parts = [];
      for (let i = 0; i < 3; i += 1)
        parts.push({
          ...of,
          sessionId: (await verb(backend().sessions?.create)(of, { parentSessionId })).id,
        });
      await Promise.all(parts.map((part) => handOver(part, 'planner', 'worker')));
      await handOver(ref, 'planner', 'writer');
      expect(await verb(backend().sessions?.get)(ref)).toMatchObject({
        openParts: 3,
        turn: { agent: 'writer' },
      });
      const [first] = parts;
      if (first === undefined) throw new Error('There are parts.');
      expect(await verb(backend().sessions?.get)(first)).toMatchObject({ parentSessionId });
      const writer = take(of, 'writer', { waitMs: minute });
      for (let i = 0; i < 3; i += 1) {
        expect(await take(of, 'writer')).toBeUndefined();
        const { ref: part, claim } = await taken(of, 'worker');
        // A part that is handed on is still open.
        if (i === 1) {
          await handOver(part, 'worker', 'checker', undefined, { claim });
          const checker = await taken(of, 'checker');
          await say(part, 'checker', 'Checked.', { claim: checker.claim });
        } else await say(part, 'worker', 'Done.', { claim });
      }
      expect((await writer)?.ref).toEqual(ref);
      expect((await verb(backend().sessions?.get)(ref)).openParts).toBe(0);
    });

    test('a part needs a session of the same user', async () => {
      const ref = await create(owner());
      await fails(verb(backend().sessions?.create)(owner(), { parentSessionId: ref.sessionId }), 'NOT_FOUND');
    });

    when([...needs, 'sessions.delete'], 'a deleted part no longer holds its session up', async () => {
      const of = owner();
      const ref = await create(of);
      const part = await verb(backend().sessions?.create)(of, { parentSessionId: ref.sessionId });
      await handOver({ ...of, sessionId: part.id }, 'planner', 'worker');
      await handOver(ref, 'planner', 'writer');
      expect(await take(of, 'writer')).toBeUndefined();
      await verb(backend().sessions?.delete)({ ...of, sessionId: part.id });
      expect((await taken(of, 'writer')).ref).toEqual(ref);
    });

    when([...needs, 'sessions.delete'], 'a deleted session takes its turn along', async () => {
      const of = owner();
      const ref = await create(of);
      await handOver(ref, 'planner', 'writer');
      await verb(backend().sessions?.delete)(ref);
      expect(await take(of, 'writer')).toBeUndefined();
    });

    when([...needs, 'sessions.fork'], 'a fork begins without an open turn', async () => {
      const of = owner();
      const ref = await create(of);
      await handOver(ref, 'planner', 'writer');
      const copy = await verb(backend().sessions?.fork)(ref, {});
      expect(copy.turn).toBeUndefined();
      expect((await taken(of, 'writer')).ref).toEqual(ref);
      expect(await take(of, 'writer')).toBeUndefined();
    });
  });
}
