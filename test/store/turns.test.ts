import { expect, test } from 'vitest';
import { takeTurns } from '../../src/store/sqlite/lock-retry.ts';

/** How often a process pauses that writes one transaction after another, by a clock of its own. */
async function pauses({ held, free }: { held: number; free: number }, transactions: number): Promise<number> {
  let time = 1000;
  const turns = takeTurns(() => time);
  let paused = 0;
  for (let i = 0; i < transactions; i += 1) {
    const begun = turns.begin();
    const waits = await Promise.race([
      begun.then(() => false),
      new Promise((resolve) => setImmediate(resolve, true)),
    ]);
    if (waits === true) paused += 1;
    await begun;
    time += held;
    turns.end();
    time += free;
  }
  return paused;
}

test('a process that holds the lock nearly all the time pauses once in every turn of 30 ms', async () => {
  expect(await pauses({ held: 0.9375, free: 0.0625 }, 311)).toBe(10);
});

test('a process that leaves the lock free for a tenth of the time does not pause for others', async () => {
  expect(await pauses({ held: 0.875, free: 0.125 }, 311)).toBe(0);
});

test('a process whose transactions lie further apart than a pause does not pause', async () => {
  expect(await pauses({ held: 5, free: 2 }, 100)).toBe(0);
});
