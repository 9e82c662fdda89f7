import { expect, test } from 'vitest';
import { slices } from '../../src/store/slices.ts';

test('slices grow while they are quick, shrink while they are slow, and never end', () => {
  const pace = slices();
  const first = pace.size();
  for (let i = 0; i < 30; i++) pace.took(1);
  const large = pace.size();
  expect(large).toBeGreaterThan(10 * first);
  pace.took(10);
  expect(pace.size()).toBe(large);
  for (let i = 0; i < 30; i++) pace.took(100 * pace.size());
  expect(pace.size()).toBe(1);
});

test('slices stay large where it is the way to the database that takes the time', () => {
  const pace = slices();
  for (let i = 0; i < 60; i++) pace.took(40 + 0.01 * pace.size());
  expect(pace.size()).toBeGreaterThan(500);
});
