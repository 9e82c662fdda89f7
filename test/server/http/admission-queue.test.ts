import { describe, expect, it } from 'vitest';
import { createAdmissionQueue } from '../../../src/server/http/admission-queue.ts';

const round = () => new Promise((resolve) => setImmediate(resolve));

/** Queues requests that take `ms` each, and resolves to the number that began in each round. */
async function rounds(requests: number, ms: number): Promise<number[]> {
  const clock = { now: 0 };
  const admitted = createAdmissionQueue(() => clock.now);
  const begun: number[] = [];
  let count = 0;
  const order: number[] = [];
  const all = Array.from({ length: requests }, async (_, i) => {
    await admitted();
    order.push(i);
    count += 1;
    clock.now += ms;
  });
  while (order.length < requests) {
    await round();
    if (count > 0) begun.push(count);
    count = 0;
  }
  await Promise.all(all);
  expect(order).toEqual(Array.from({ length: requests }, (_, i) => i));
  return begun;
}

describe('the admission queue', () => {
  it('lets all begin at once where requests are quick', async () => {
    expect(await rounds(30, 0.1)).toEqual([30]);
    expect(Math.max(...(await rounds(500, 0.01)))).toBe(64);
  });

  it('lets fewer begin in a round the longer requests take, but never none', async () => {
    const slow = await rounds(500, 1);
    expect(slow.at(-2)).toBeLessThanOrEqual(12);
    const slowest = await rounds(500, 100);
    expect(slowest.at(-2)).toBe(4);
    const usual = await rounds(2000, 0.25);
    expect(usual.at(-2)).toBeGreaterThan(30);
  });
});
