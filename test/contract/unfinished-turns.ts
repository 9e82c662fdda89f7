import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect } from 'vitest';
import type {
  Backend,
  Capability,
  SessionRef,
  TakenTurn,
  TurnRequest,
  TurnScope,
} from '../../src/backend/types.ts';
import { mostTries } from '../../src/model/turn.ts';
import type { TurnsSubject } from './turns.ts';

const minute = 60_000;
const failure = { code: 'UNAVAILABLE', message: 'The model is away.' };

/** How turns end that nobody answers: given back, tried again, returned, withdrawn. */
export function unfinishedTurnsContract({ backend, when, owner, fails }: TurnsSubject): void {
  const needs: Capability[] = [
    'turns.take',
    'turns.giveBack',
    'turns.withdraw',
    'turns.endOf',
    'sessions.create',
    'sessions.get',
    'events.append',
    'events.list',
  ];
  const test = (title: string, body: () => Promise<void>) => when(needs, title, body);
  const all = () => backend() as Required<Backend>;
  const turns = () => all().turns as Required<Required<Backend>['turns']>;

  async function handed(agent: string, of = owner()): Promise<{ ref: SessionRef; eventId: string }> {
    const session = await all().sessions.create?.(of, {});
    const ref = { ...of, sessionId: session?.id ?? '' };
    return { ref, eventId: await handOver(ref, 'planner', agent) };
  }
  async function handOver(ref: SessionRef, author: string, agent: string, claim?: string): Promise<string> {
    const appended = await all().events.append?.(
      ref,
      { author, actions: { transferAgent: agent } },
      { claim },
    );
    return appended?.event.id ?? '';
  }
  const never = new AbortController().signal;
  const take = (scope: TurnScope, agent: string, more: Partial<TurnRequest> = {}) =>
    turns().take(scope, { agent, leaseMs: minute, waitMs: 0, ...more }, never);
  async function taken(...args: Parameters<typeof take>): Promise<TakenTurn> {
    const turn = await take(...args);
    if (turn === undefined) throw new Error('There is no turn.');
    return turn;
  }
  const turnOf = async (ref: SessionRef) => (await all().sessions.get?.(ref))?.turn;
  const say = (ref: SessionRef, claim?: string) =>
    all().events.append?.(
      ref,
      { author: 'writer', content: { role: 'model', parts: [{ text: 'Done.' }] } },
      { claim },
    ) ?? Promise.reject(new Error('The backend appends nothing.'));

  describe('turns that nobody finishes', () => {
    test('a failure is seen, is a try, and is tried again after its pause and not before', async () => {
      const { ref } = await handed('writer');
      const first = await taken(ref, 'writer');
      expect(await turns().giveBack(first, { how: 'retry', failure, afterMs: 300 })).toBe(true);
      const seen = await turnOf(ref);
      expect(seen).toMatchObject({ agent: 'writer', tries: 1, failure: failure.message });
      expect(Date.parse(seen?.retryTime ?? '')).toBeGreaterThan(Date.now());
      expect(seen?.claimedUntil).toBeUndefined();
      const { app, userId, sessionId } = ref;
      expect(await take({ app, userId }, 'writer')).toBeUndefined();
      expect(await take({ app, userId }, 'writer', { sessionId })).toBeUndefined();
      await fails(say(ref, first.claim), 'ABORTED');
      const second = await taken({ app, userId }, 'writer', { waitMs: minute });
      expect(second.turn).toMatchObject({ tries: 2, failure: failure.message });
      expect(second.turn.retryTime).toBeUndefined();
      await say(ref, second.claim);
      expect(await turnOf(ref)).toBeUndefined();
    });

    test('a turn that is given back as if untaken is offered at once to who waits, and is no try', async () => {
      const { ref } = await handed('writer');
      const first = await taken(ref, 'writer');
      const waiting = taken(ref, 'writer', { waitMs: minute });
      await sleep(20);
      await turns().giveBack(first, { how: 'offer' });
      const second = await waiting;
      expect(second.turn).toMatchObject({ tries: 1 });
      expect(await turns().giveBack(first, { how: 'offer' })).toBe(false);
      expect(await turnOf(ref)).toMatchObject({ tries: 1, claimedUntil: expect.any(String) });
    });

    test('a failure of the last try returns the turn with the reason', async () => {
      const { ref } = await handed('writer');
      for (let i = 0; i < mostTries; i += 1) {
        expect(await turnOf(ref)).toMatchObject({ agent: 'writer', tries: i });
        await turns().giveBack(await taken(ref, 'writer'), { how: 'retry', failure, afterMs: 0 });
      }
      const back = await turnOf(ref);
      expect(back).toMatchObject({ agent: 'planner', handedOverBy: 'writer', tries: 0 });
      expect(back?.note).toContain(`${mostTries} times`);
      expect(back?.note).toContain(failure.message);
      const { items } = (await all().events.list?.(ref, { pageSize: 10 })) ?? { items: [] };
      expect(items.at(-1)).toMatchObject({ author: 'writer', errorCode: 'UNAVAILABLE' });
    });

    test('a turn that is not to be tried again returns at once', async () => {
      const { ref, eventId } = await handed('writer');
      await turns().giveBack(await taken(ref, 'writer'), { how: 'return', failure });
      const back = await turnOf(ref);
      expect(back).toMatchObject({ agent: 'planner', note: failure.message });
      expect(await turns().endOf(ref, eventId)).toBe(back?.eventId);
    });

    test('a withdrawn turn is nobody’s, and who works on it is refused', async () => {
      const { ref, eventId } = await handed('writer');
      const { claim } = await taken(ref, 'writer');
      expect(await turns().endOf(ref, eventId)).toBeUndefined();
      expect(await turns().withdraw(ref, eventId, { author: 'planner' })).toBe(true);
      expect(await turnOf(ref)).toBeUndefined();
      expect(await take(ref, 'writer')).toBeUndefined();
      await fails(say(ref, claim), 'ABORTED');
      const { items } = (await all().events.list?.(ref, { pageSize: 10 })) ?? { items: [] };
      expect(items.at(-1)).toMatchObject({ author: 'planner', errorCode: 'CANCELLED', interrupted: true });
      expect(await turns().endOf(ref, eventId)).toBe(items.at(-1)?.id);
      expect(await turns().withdraw(ref, eventId, { author: 'planner' })).toBe(false);
      await fails(
        turns().withdraw({ ...ref, sessionId: randomUUID() }, eventId, { author: 'x' }),
        'NOT_FOUND',
      );
    });

    test('each turn tells which event ended it', async () => {
      const { ref, eventId } = await handed('writer');
      // Another hand-over replaces it.
      const replaced = await handOver(ref, 'planner', 'editor');
      const { claim } = await taken(ref, 'editor');
      const back = await handOver(ref, 'editor', 'writer', claim);
      const { event } = await say(ref);
      expect(await turns().endOf(ref, eventId)).toBe(replaced);
      expect(await turns().endOf(ref, replaced)).toBe(back);
      expect(await turns().endOf(ref, back)).toBe(event.id);
      expect(await turns().endOf(ref, event.id)).toBeUndefined();
    });

    test('an agent of all apps finds its turns in each of them, without looking through the others', async () => {
      const agent = `helper-${randomUUID()}`;
      const of = owner();
      const { ref } = await handed(agent, of);
      expect(await take({ exceptApps: [of.app] }, agent)).toBeUndefined();
      const first = await taken({ exceptApps: ['other'] }, agent);
      expect(first.ref).toEqual(ref);
      const waiting = taken({ exceptApps: [] }, agent, { waitMs: minute });
      await sleep(20);
      const second = await handed(agent, owner());
      expect((await waiting).ref).toEqual(second.ref);
    });
  });
}
