import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type Ask, type Pool, settle } from '../../../src/server/http/limit-ledger.ts';
import {
  createLimits,
  defaultLimits,
  type LimitSettings,
  type Limits,
} from '../../../src/server/http/limits.ts';
import { type SharedRecords, sharedRecords } from '../../../src/store/shared-records.ts';
import { openSqlite } from '../../../src/store/sqlite/index.ts';
import type { Store } from '../../../src/store/types.ts';

let store: Store;
let updates: number;
let records: SharedRecords;

beforeEach(async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'Date'] });
  store = await openSqlite({ path: ':memory:', durability: 'normal' });
  updates = 0;
  const real = sharedRecords(store);
  records = {
    update(name, decide) {
      updates += 1;
      return real.update(name, decide);
    },
  };
});
afterEach(async () => {
  vi.useRealTimers();
  await store.close();
});

const server = (limits: Partial<LimitSettings>): Limits =>
  createLimits({ ...defaultLimits, ...limits }, () => Date.now(), records);
const servers = (count: number, limits: Partial<LimitSettings>): Limits[] =>
  Array.from({ length: count }, () => server(limits));

/** What the servers let through when so many requests come to them in turn, at once. */
async function admitted(among: readonly Limits[], count: number, of: (limits: Limits) => unknown) {
  const all = Array.from({ length: count }, (_, i) => of(among[i % among.length] as Limits));
  return (await Promise.all(all)).filter((answer) => answer === 0 || typeof answer === 'function');
}
const spend = (limits: Limits) => limits.spend('ann', 1);
const call = (limits: Limits) => limits.takeCall('ann');

describe('limits that servers on one store share', () => {
  it.each([16, 32, 64, 100])('are exact on one server: %i', async (limit) => {
    const one = server({ requestsPerSecond: 0.001, burst: limit, calls: limit });
    expect(await admitted([one], 3 * limit, spend)).toHaveLength(limit);
    expect(await admitted([one], 3 * limit, call)).toHaveLength(limit);
  });

  it.each([
    [2, 64],
    [4, 64],
    [8, 200],
  ])('hold across %i servers, but for a sixteenth of each further one: %i', async (count, limit) => {
    const all = servers(count, { requestsPerSecond: 0.001, burst: limit, calls: limit });
    const most = limit + (count - 1) * Math.floor(limit / 16);
    const rate = await admitted(all, 4 * limit, spend);
    expect(rate.length).toBeLessThanOrEqual(most);
    expect(rate.length).toBeGreaterThan(limit * 0.75);
    const calls = await admitted(all, 4 * limit, call);
    expect(calls.length).toBeLessThanOrEqual(most);
    expect(calls.length).toBeGreaterThan(limit * 0.75);
    expect(await admitted(all, count, (one) => one.takeCall('bo'))).toHaveLength(count);
  });

  it('refuse nobody who comes while the store is asked for others', async () => {
    const one = server({ calls: 10, requestsPerSecond: 0.001, burst: 10 });
    const later = (i: number) => new Promise<void>((resolve) => setTimeout(resolve, i % 4));
    const calls = Array.from({ length: 10 }, (_, i) => later(i).then(() => one.takeCall('ann')));
    expect((await Promise.all(calls)).map((release) => typeof release)).toEqual(Array(10).fill('function'));
    const requests = Array.from({ length: 10 }, (_, i) => later(i).then(() => one.spend('ann', 1)));
    expect(await Promise.all(requests)).toEqual(Array(10).fill(0));
  });

  it('are exact where they are low', async () => {
    const all = servers(5, { requestsPerSecond: 0.001, burst: 10, calls: 3 });
    expect(await admitted(all, 100, spend)).toHaveLength(10);
    expect(await admitted(all, 100, call)).toHaveLength(3);
  });

  it('lend on one server what was given back on another', async () => {
    const [one, two] = servers(2, { calls: 10 }) as [Limits, Limits];
    const held = await admitted([one], 10, call);
    expect(await two.takeCall('ann')).toBeUndefined();
    for (const release of held) (release as () => void)();
    for (let i = 0; i < 3; i++) {
      await vi.advanceTimersByTimeAsync(2000);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    expect(await admitted([two], 20, call)).toHaveLength(10);
  });

  it('lend what a server had that is gone', async () => {
    const lost = server({ calls: 10 });
    await admitted([lost], 10, call);
    const next = server({ calls: 10 });
    expect(await next.takeCall('ann')).toBeUndefined();
    vi.setSystemTime(Date.now() + 20_000);
    expect(await admitted([next], 20, call)).toHaveLength(10);
  });

  it('cost who calls seldom nothing, who calls often one update for many, and who is refused nothing', async () => {
    const one = server({ requestsPerSecond: 0.001, burst: 1600 });
    for (let i = 0; i < 100; i++) expect(one.spend('ann', 1)).toBe(0);
    const release = one.take('ann', 'calls');
    expect(typeof release).toBe('function');
    expect(updates).toBe(0);
    for (let i = 100; i < 1600; i++) expect(await one.spend('ann', 1)).toBe(0);
    expect(updates).toBeLessThan(40);
    updates = 0;
    for (let i = 0; i < 100; i++) expect(await one.spend('ann', 1)).toBeGreaterThan(100);
    expect(updates).toBeLessThan(3);
  });

  it('a server whose store does not answer counts for itself', async () => {
    records = { update: () => Promise.reject(new Error('The store is away.')) };
    const one = server({ requestsPerSecond: 100, burst: 100, calls: 10 });
    expect(await admitted([one], 50, call)).toHaveLength(10);
    const rate = await admitted([one], 1000, spend);
    expect(rate.length).toBeGreaterThan(50);
    expect(rate.length).toBeLessThanOrEqual(200);
  });

  it('leave nothing in the store once a user has gone', async () => {
    const one = server({ requestsPerSecond: 100, burst: 100, calls: 10 });
    await admitted([one], 50, spend);
    for (const release of await admitted([one], 10, call)) (release as () => void)();
    expect(await store.range({ prefix: '~limits/', limit: 1 })).toHaveLength(1);
    for (let i = 0; i < 4; i++) {
      await vi.advanceTimersByTimeAsync(2000);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    expect(await store.range({ prefix: '~limits/', limit: 1 })).toEqual([]);
    updates = 0;
    await vi.advanceTimersByTimeAsync(10_000);
    expect(updates).toBe(0);
  });
});

describe('the record of a user', () => {
  const zero = { requests: 0, calls: 0, streams: 0, sessions: 0, subscriptions: 0 };
  const pool: Pool = { held: { ...zero, calls: 10 }, burst: 100, requestsPerSecond: 10 };
  const ask = (server: string, more: Partial<Ask>): Ask => ({
    server,
    least: zero,
    most: zero,
    returned: 0,
    needed: 0,
    ahead: 0,
    ...more,
  });

  it('keeps what is in use lent, whatever else is', () => {
    const first = settle(undefined, pool, ask('a', { most: { ...zero, calls: 8 } }), 1000);
    expect(first.answer.held.calls).toBe(8);
    const second = settle(first.record, pool, ask('b', { most: { ...zero, calls: 8 } }), 1000);
    expect(second.answer.held.calls).toBe(2);
    const more = ask('b', { least: { ...zero, calls: 5 }, most: { ...zero, calls: 5 } });
    expect(settle(second.record, pool, more, 1000).answer.held.calls).toBe(5);
  });

  it('lends what a server had that writes no more, while others keep the record', () => {
    const lot = ask('a', { most: { ...zero, calls: 8 } });
    const gone = settle(undefined, pool, lot, 1000);
    const other = (record: string | undefined, now: number) =>
      settle(
        record,
        pool,
        ask('b', { least: { ...zero, calls: 1 }, most: { ...zero, calls: pool.held.calls } }),
        now,
      );
    const early = other(gone.record, 10_000);
    expect(early.answer.held.calls).toBe(pool.held.calls - 8);
    expect(other(early.record, 20_000).answer.held.calls).toBe(pool.held.calls);
  });

  it('saves requests up by the clock, and one clock that is ahead keeps nobody waiting', () => {
    const first = settle(undefined, pool, ask('a', { needed: 100 }), 1000);
    expect(first.answer).toMatchObject({ requests: 100, wait: 0 });
    const second = settle(first.record, pool, ask('b', { needed: 20 }), 2000);
    expect(second.answer).toMatchObject({ requests: 10, wait: 1 });
    const ahead = settle(second.record, pool, ask('a', { needed: 100 }), 3_600_000);
    const behind = settle(ahead.record, pool, ask('b', { needed: 0 }), 3000);
    expect(settle(behind.record, pool, ask('b', { needed: 10 }), 4000).answer.requests).toBe(10);
  });

  it('begins anew where it cannot be read', () => {
    expect(settle('{"torn', pool, ask('a', { needed: 100 }), 1000).answer.requests).toBe(100);
  });
});
