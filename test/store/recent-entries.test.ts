import { expect, test } from 'vitest';
import type { Job } from '../../src/store/group-commit.ts';
import { recentEntries } from '../../src/store/recent-entries.ts';

const job = (...keys: string[]): Job => ({ keys, decide: () => ({ result: 0, writes: [] }) });
const value = ({ value }: { value: string }) => value;

test('guesses what the keys of the last commits hold, where the first key of each job is known', () => {
  const recent = recentEntries();
  expect(recent.guess([job('head')], ['head'])).toBeUndefined();
  recent.learn(['head', 'id'], ['1', null], [{ key: 'head', value: '2' }], value);
  expect(recent.guess([job('head', 'new')], ['head', 'new'])).toEqual(['2', null]);
  expect(recent.guess([job('head'), job('other')], ['head', 'other'])).toBeUndefined();
});

test('forgets what was written unread, dropped, or is not worth keeping', () => {
  const recent = recentEntries();
  recent.learn(['a', 'b', 'c'], ['1', '1', '1'], [], value);
  recent.learn(['x'], [null], [{ key: 'a', value: '2' }, { drop: 'b' }], value);
  expect(recent.guess([job('a')], ['a'])).toBeUndefined();
  expect(recent.guess([job('b')], ['b'])).toBeUndefined();
  recent.learn(['c'], ['1'], [{ key: 'c', value: '2', expires: 1 }], () => null);
  expect(recent.guess([job('c')], ['c'])).toBeUndefined();
  recent.learn(['p/1', 'q'], ['1', '1'], [], value);
  recent.learn([], [], [{ dropPrefix: 'p/' }], value);
  expect(recent.guess([job('p/1')], ['p/1'])).toBeUndefined();
  recent.forget(['other']);
  expect(recent.guess([job('q')], ['q'])).toEqual(['1']);
  recent.forget();
  expect(recent.guess([job('q')], ['q'])).toBeUndefined();
});
