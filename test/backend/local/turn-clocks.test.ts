import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openLocal } from '../../../src/backend/local/index.ts';
import { maintain } from '../../../src/backend/local/maintenance.ts';
import type { Backend, TakenTurn, TurnRequest } from '../../../src/backend/types.ts';
import type { Store } from '../../../src/store/types.ts';
import { memoryStore } from '../../run/support.ts';

const owner = { app: 'app', userId: 'ann' };
const never = new AbortController().signal;
let clock: number;
let store: Store;
let backend: Required<Backend>;

beforeEach(async () => {
  clock = Date.now();
  store = await memoryStore();
  backend = openLocal({ store, now: () => clock }) as Required<Backend>;
});
afterEach(() => backend.close());

const refOf = (sessionId: string) => ({ ...owner, sessionId });
const create = (sessionId: string, more: { ttlSeconds?: number; parentSessionId?: string } = {}) => {
  const { ttlSeconds, ...rest } = more;
  const expireTime =
    ttlSeconds === undefined ? {} : { expireTime: new Date(clock + ttlSeconds * 1000).toISOString() };
  return backend.sessions.create?.(owner, { sessionId, ...rest, ...expireTime });
};
const handOver = (sessionId: string, agent = 'writer') =>
  backend.events.append?.(refOf(sessionId), { author: 'planner', actions: { transferAgent: agent } });
const take = (more: Partial<TurnRequest> = {}, agent = 'writer', from = backend) =>
  from.turns.take?.(owner, { agent, leaseMs: 1000, waitMs: 0, ...more }, never);

it('the turn of a session that has expired is nobody’s, and holds no other up', async () => {
  await create('gone', { ttlSeconds: 5 });
  await handOver('gone');
  clock += 1000;
  await create('there');
  await handOver('there');
  clock += 10_000;
  expect((await take())?.ref.sessionId).toBe('there');
  expect(await take()).toBeUndefined();
});

it('the claim on a session that expires meanwhile is worth nothing', async () => {
  await create('gone', { ttlSeconds: 5 });
  await handOver('gone');
  const taken = await take({ worker: 'w', leaseMs: 60_000 });
  clock += 10_000;
  await expect(
    backend.events.append?.(
      refOf('gone'),
      { author: 'writer', content: { parts: [{ text: 'x' }] } },
      { claim: taken?.claim },
    ),
  ).rejects.toMatchObject({ code: 'NOT_FOUND' });
  expect(await take({ worker: 'w' })).toBeUndefined();
});

it('a part that has expired no longer holds its session up', async () => {
  await create('whole');
  await create('part', { parentSessionId: 'whole', ttlSeconds: 5 });
  await handOver('part', 'researcher');
  await handOver('whole');
  expect(await take()).toBeUndefined();
  clock += 10_000;
  expect((await take())?.ref.sessionId).toBe('whole');
});

it('a lease ends when the clock says so, wherever the clock was before', async () => {
  await create('s');
  await handOver('s');
  const first = await take();
  clock += 999;
  expect(await take()).toBeUndefined();
  clock -= 3_600_000;
  expect(await take()).toBeUndefined();
  clock += 3_600_002;
  const second = await take();
  expect(second?.turn.tries).toBe(2);
  const late = backend.events.append?.(
    refOf('s'),
    { author: 'writer', content: { parts: [{ text: 'x' }] } },
    { claim: first?.claim },
  );
  await expect(late).rejects.toMatchObject({ code: 'ABORTED' });
});

const day = 86_400_000;

it('a lease that a clock made which was a day ahead holds no longer than a lease can', async () => {
  await create('s');
  await handOver('s');
  clock += day;
  const first = await take({ worker: 'w', leaseMs: 3_600_000 });
  clock -= day;
  const second = await take({ sessionId: 's' });
  expect(second?.turn.tries).toBe(2);
  await backend.turns.giveBack?.(second as TakenTurn, { how: 'offer' });
  expect((await take({ worker: 'w' }))?.claim).not.toBe(first?.claim);
});

it('a turn that failed while the clock was ahead is tried again, and given up after all its tries', async () => {
  await create('s');
  await handOver('s');
  clock += day;
  for (let i = 0; i < 4; i += 1) {
    const failed = await take();
    await backend.turns.giveBack?.(failed as TakenTurn, {
      how: 'retry',
      afterMs: 2000,
      failure: { code: 'UNAVAILABLE', message: 'No model.' },
    });
    if (i === 0) clock -= day;
    clock += 2001;
  }
  clock += day;
  expect((await take({ leaseMs: 3_600_000 }))?.turn.tries).toBe(5);
  clock -= day;
  await maintain({ store, now: () => clock });
  expect((await backend.sessions.get?.(refOf('s')))?.turn).toMatchObject({ agent: 'planner' });
});

it('a run that died while the clock was ahead keeps nobody from the session', async () => {
  await create('s');
  const begin = (invocationId: string) =>
    backend.runs.begin(refOf('s'), { invocationId, digest: '', message: { parts: [{ text: 'hi' }] } });
  clock += day;
  await begin('i1');
  clock -= day;
  await begin('i2');
  expect((await backend.runs.get(refOf('s'), 'i1'))?.status).toBe('interrupted');
});

it('what a machine hands over whose clock is ahead is offered at once', async () => {
  await create('s');
  clock += 60_000;
  await handOver('s');
  clock -= 60_000;
  expect(await take()).toMatchObject({ turn: { tries: 1 } });
});

it('of claims in the same millisecond by two servers one holds', async () => {
  const other = openLocal({
    store: { ...store, close: async () => {} },
    now: () => clock,
  }) as Required<Backend>;
  for (let i = 0; i < 20; i += 1) {
    await create(`s${i}`);
    await handOver(`s${i}`);
    const got = await Promise.all([take(), take({}, 'writer', other), take({ sessionId: `s${i}` })]);
    expect(got.filter((turn) => turn !== undefined)).toHaveLength(1);
  }
  await other.close();
});

it('who loses a race for a turn waits no longer for it than the winner’s lease', async () => {
  await create('s');
  clock = Date.now();
  const now = Date.now;
  const other = openLocal({ store: { ...store, close: async () => {} }, now }) as Required<Backend>;
  let raced = false;
  const racing: Store = {
    ...store,
    close: async () => {},
    async get(keys) {
      const values = await store.get(keys);
      // Between the look at the turn and its claim, another takes it, and is never heard of again.
      if (!raced && keys.some((key) => key.startsWith('s/'))) {
        raced = true;
        expect(await take({ leaseMs: 200 }, 'writer', other)).toBeDefined();
      }
      return values;
    },
  };
  const loser = openLocal({ store: racing, now }) as Required<Backend>;
  const waiting = take({ waitMs: 5000 }, 'writer', loser);
  await sleep(20);
  await handOver('s');
  expect(await waiting).toMatchObject({ turn: { tries: 2 } });
  expect(raced).toBe(true);
  await loser.close();
  await other.close();
});
