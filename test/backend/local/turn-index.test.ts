import fc from 'fast-check';
import { afterEach, expect, it } from 'vitest';
import { openLocal } from '../../../src/backend/local/index.ts';
import { maintain } from '../../../src/backend/local/maintenance.ts';
import { tryHead } from '../../../src/backend/local/session-record.ts';
import { turnPlaces } from '../../../src/backend/local/turn-index.ts';
import type { Backend, SessionRef, TakenTurn } from '../../../src/backend/types.ts';
import { SessionError } from '../../../src/errors.ts';
import type { Store } from '../../../src/store/types.ts';
import { memoryStore } from '../../run/support.ts';

/**
 * Random work on a few sessions, with a clock that jumps: what the store lists of turns is what the sessions say, after
 * every step. TURN_RUNS makes it long.
 */
const apps = ['a', 'b/…'];
const users = ['ann', 'bób ../x'];
const sessions = ['s', 'part'];
const agents = ['writer', 'a/b', '__proto__', '../..', 'hu/🦊 %2F', 'planner'];
const never = new AbortController().signal;

interface Step {
  what: number;
  app: number;
  user: number;
  session: number;
  agent: number;
  to: number;
  jump: number;
}
const steps = fc.array(
  fc.record<Step>({
    what: fc.nat(13),
    // Most of the work meets in one place.
    app: fc.constantFrom(0, 0, 0, 0, 1),
    user: fc.constantFrom(0, 0, 0, 0, 1),
    session: fc.nat(1),
    agent: fc.constantFrom(0, 0, 0, 1, 2, 3, 4, 5),
    to: fc.constantFrom(0, 0, 0, 1, 2, 3, 4, 5),
    jump: fc.constantFrom(0, 0, 1, 500, 2000, 20_000, -500),
  }),
  { minLength: 5, maxLength: 100, size: 'max' },
);

const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});

async function all(store: Store, prefix: string): Promise<string[]> {
  return (await store.range({ prefix, limit: 10_000 })).map(({ key }) => key);
}

/** Every list of turns, as it is and as the heads of the sessions say. */
async function lists(store: Store): Promise<{ there: string[]; wanted: string[] }> {
  const heads = (await store.range({ prefix: 's/', limit: 10_000 })).flatMap(
    ({ value }) => tryHead(value) ?? [],
  );
  const wanted = heads.flatMap((head) =>
    turnPlaces({ app: head.app, userId: head.userId, sessionId: head.id }, head.turn, head.parent?.uid),
  );
  const there = await Promise.all(['ha/', 'hu/', 'hg/', 'hw/', 'ho/'].map((prefix) => all(store, prefix)));
  return { there: there.flat().sort(), wanted: wanted.sort() };
}

it('the lists of turns are those of the sessions, whatever is done in whatever order', async () => {
  await fc.assert(
    fc.asyncProperty(steps, async (work) => {
      let clock = Date.now();
      const store = await memoryStore();
      const backend = openLocal({ store, now: () => clock }) as Required<Backend>;
      ends.push(() => backend.close());
      const turns = backend.turns as Required<typeof backend.turns>;
      const held: TakenTurn[] = [];
      const firstEvents = new Map<string, string>();
      for (const step of work) {
        clock += step.jump;
        const owner = { app: apps[step.app] ?? '', userId: users[step.user] ?? '' };
        const ref: SessionRef = { ...owner, sessionId: sessions[step.session] ?? '' };
        const agent = agents[step.agent] ?? '';
        const to = agents[step.to] ?? '';
        const last = held.at(-1);
        const name = JSON.stringify(ref);
        const acts: (() => unknown)[] = [
          () =>
            backend.sessions.create?.(owner, {
              sessionId: ref.sessionId,
              ...(ref.sessionId === 'part' ? { parentSessionId: 's' } : {}),
              ...(step.to === 4 ? { expireTime: new Date(clock + 10_000).toISOString() } : {}),
            }),
          async () => {
            const appended = await backend.events.append?.(ref, {
              author: agent,
              actions: { transferAgent: to },
            });
            if (!firstEvents.has(name)) firstEvents.set(name, appended?.event.id ?? '');
          },
          async () => {
            const taken = await turns.take(
              owner,
              { agent, worker: `w${step.to % 2}`, leaseMs: 1000, waitMs: 0 },
              never,
            );
            if (taken !== undefined) held.push(taken);
          },
          async () => {
            const taken = await turns.take(
              { exceptApps: [owner.app] },
              { agent, leaseMs: 1000, waitMs: 0 },
              never,
            );
            if (taken !== undefined) held.push(taken);
          },
          () =>
            last &&
            backend.events.append?.(
              last.ref,
              { author: last.turn.agent, content: { parts: [{ text: 'x' }] } },
              { claim: last.claim },
            ),
          () =>
            last &&
            backend.events.append?.(
              last.ref,
              { author: last.turn.agent, actions: { transferAgent: to } },
              { claim: last.claim },
            ),
          () => last && turns.giveBack(last, { how: 'offer' }),
          () =>
            last &&
            turns.giveBack(last, { how: 'retry', failure: { code: 'INTERNAL', message: 'x' }, afterMs: 700 }),
          () => last && turns.giveBack(last, { how: 'return', failure: { code: 'INTERNAL', message: 'x' } }),
          async () => {
            const turn = (await backend.sessions.get?.(ref))?.turn;
            await turns.withdraw(ref, turn?.eventId ?? '', { author: 'user' });
          },
          () => backend.sessions.delete?.(ref),
          () => backend.sessions.rewind?.(ref, { eventId: firstEvents.get(name) ?? '' }),
          () => backend.sessions.rewind?.(ref, { undo: true }),
          () => maintain({ store, now: () => clock }),
        ];
        try {
          await acts[step.what]?.();
        } catch (error) {
          if (!(error instanceof SessionError)) throw error;
          expect(error.code).not.toBe('INTERNAL');
        }
        const { there, wanted } = await lists(store);
        expect(there).toEqual(wanted);
      }
      await backend.close();
      ends.length = 0;
    }),
    { numRuns: Number(process.env.TURN_RUNS ?? 40) },
  );
}, 3_600_000);
