import { expect, it } from 'vitest';
import { summaryOf } from '../../src/page/model/summary.ts';

it('a summary that is cut is cut between two signs', () => {
  const event = { id: 'e', author: 'ann', invocationId: 'i', timestamp: '2026-01-01T00:00:00Z' };
  const said = (text: string) => summaryOf({ ...event, content: { parts: [{ text }] } }, 6);
  expect(said('ab👨‍👩‍👧 at sea')).toBe('ab…');
  expect(said('abcd👍 yes')).toBe('abcd…');
  expect(said('short')).toBe('short');
});
