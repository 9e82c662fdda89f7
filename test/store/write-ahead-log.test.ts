import type { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { writeAheadLog } from '../../src/store/sqlite/write-ahead-log.ts';

let busy: number;
let emptied: number;
const db = {
  prepare: () => ({
    get: () => {
      emptied += busy === 0 ? 1 : 0;
      return { busy };
    },
  }),
} as unknown as DatabaseSync;

beforeEach(() => {
  vi.useFakeTimers();
  busy = 0;
  emptied = 0;
});
afterEach(() => {
  vi.useRealTimers();
});

const after = (milliseconds: number) => {
  vi.advanceTimersByTime(milliseconds);
  return emptied;
};

test('what was deleted leaves the log within a second, what was overwritten within half a minute', () => {
  const log = writeAheadLog(
    db,
    () => {},
    () => {},
  );
  log.overwritten();
  expect(after(15_000)).toBe(0);
  log.overwritten();
  expect(after(15_000)).toBe(1);
  log.overwritten();
  log.erased();
  log.overwritten();
  expect(after(1000)).toBe(2);
  expect(after(120_000)).toBe(2);
});

test('a log that others use, or that is not in its place, is tried again', () => {
  let away = false;
  const log = writeAheadLog(
    db,
    () => {
      if (away) throw new Error('away');
    },
    () => {},
  );
  busy = 1;
  log.erased();
  expect(after(5000)).toBe(0);
  busy = 0;
  away = true;
  expect(after(5000)).toBe(0);
  away = false;
  expect(after(1000)).toBe(1);
});

test('with the log goes what deletions left in the file, once, or again where that failed', () => {
  let [rewritten, fails] = [0, true];
  const log = writeAheadLog(
    db,
    () => {},
    () => {
      if (fails) throw new Error('locked');
      rewritten += 1;
    },
  );
  log.overwritten();
  log.empties();
  expect([after(60_000), rewritten]).toEqual([1, 0]);
  log.erased();
  expect([after(5000), rewritten]).toEqual([1, 0]);
  fails = false;
  expect([after(1000), rewritten]).toEqual([2, 1]);
  log.overwritten();
  expect([after(60_000), rewritten]).toEqual([3, 1]);
});

test('the end empties what is due, once, and leaves no timer', () => {
  const log = writeAheadLog(
    db,
    () => {},
    () => {},
  );
  log.stop();
  expect(emptied).toBe(0);
  log.overwritten();
  log.stop();
  expect(emptied).toBe(1);
  busy = 1;
  log.erased();
  log.stop();
  busy = 0;
  expect(after(60_000)).toBe(1);
});
