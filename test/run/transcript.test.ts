import { expect, it } from 'vitest';
import type { Event } from '../../src/model/event.ts';
import { transcript } from '../../src/run/transcript.ts';

const piece = (author: string, text: string, partial = true): Event => ({
  id: '',
  author,
  invocationId: 'i',
  timestamp: '2026-11-21T00:00:00.000Z',
  partial,
  content: { role: 'model', parts: [{ text }] },
});

it('pieces of one agent are passed on as they are', () => {
  const said = transcript();
  expect(['Hel', 'lo'].map((text) => said.take(piece('a', text)))).toEqual(['Hel', 'lo']);
  expect(said.unfinished()).toBe('Hello');
  expect(said.take(piece('a', 'Hello', false))).toBe('');
  expect(said.text()).toBe('Hello');
});

it('pieces of agents that work side by side carry their author', () => {
  const said = transcript();
  const heard = [piece('a', 'One '), piece('b', 'Uno '), piece('b', 'dos'), piece('a', 'two')].map(said.take);
  expect(heard.join('')).toBe('One \nb: Uno dos\na: two');
  expect(said.unfinished()).toBe('a: One two\nb: Uno dos');
  // The whole event of one leaves what the other has begun.
  expect(said.take(piece('b', 'Uno dos', false))).toBe('');
  expect(said.unfinished()).toBe('One two');
  expect(said.text()).toBe('Uno dos\nOne two');
  said.take(piece('a', 'One two', false));
  expect(said.text()).toBe('Uno dos\nOne two');
  expect(said.unfinished()).toBe('');
});
