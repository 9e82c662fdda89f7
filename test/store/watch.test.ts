import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { watchKeys } from '../../src/store/watch.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

it('looks at the database only while somebody watches', () => {
  let looks = 0;
  const keys = watchKeys({ version: () => (looks += 1), value: () => undefined });
  const stops = [keys.watch('a', () => {}), keys.watch('a', () => {}), keys.watch('b', () => {})];
  for (const stop of stops) {
    const before = looks;
    vi.advanceTimersByTime(1000);
    expect(looks).toBeGreaterThan(before);
    stop();
  }
  const after = looks;
  vi.advanceTimersByTime(10_000);
  expect(looks).toBe(after);
});
