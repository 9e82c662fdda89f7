import { describe, expect, it } from 'vitest';
import type { Event } from '../../src/model/event.ts';
import { isCut, rowsOf } from '../../src/page/model/rows.ts';

let last = 0;
function event(author: string, more: Partial<Event> = {}): Event {
  last += 1;
  const timestamp = new Date(1_800_000_000_000 + last * 1000).toISOString();
  return { id: `e${last}`, author, invocationId: 'i', timestamp, ...more };
}
const calls = (...given: { id?: string; name: string }[]): Partial<Event> => ({
  content: { role: 'model', parts: given.map((functionCall) => ({ functionCall })) },
});
const answers = (
  ...given: { id?: string; name: string; response?: Record<string, unknown> }[]
): Partial<Event> => ({
  content: { role: 'user', parts: given.map((functionResponse) => ({ functionResponse })) },
});

describe('entries of a conversation', () => {
  it('fold the answers of tools into their calls', () => {
    const rows = rowsOf([
      event('user', { content: { parts: [{ text: 'go' }] } }),
      event('agent', calls({ id: 'a', name: 'x' }, { id: 'b', name: 'y' })),
      event(
        'agent',
        answers({ id: 'b', name: 'y', response: { ok: 2 } }, { id: 'a', name: 'x', response: { ok: 1 } }),
      ),
    ]);
    expect(rows.map((row) => row.calls.map(({ answer }) => answer?.response.response))).toEqual([
      [],
      [{ ok: 1 }, { ok: 2 }],
    ]);
  });

  it('match calls without an id by name, each with the answer that follows it', () => {
    const [first, second] = rowsOf([
      event('agent', calls({ name: 'x' })),
      event('agent', answers({ name: 'x', response: { n: 1 } })),
      event('agent', calls({ name: 'x' })),
      event('agent', answers({ name: 'x', response: { n: 2 } })),
    ]);
    expect([first, second].map((row) => row?.calls[0]?.answer?.response.response)).toEqual([
      { n: 1 },
      { n: 2 },
    ]);
  });

  it('keep an answer whose call is not there, and an event that does more than answer', () => {
    expect(rowsOf([event('agent', answers({ id: 'gone', name: 'x' }))])).toMatchObject([{ parts: [{}] }]);
    const rows = rowsOf([
      event('agent', calls({ id: 'a', name: 'x' })),
      event('agent', { ...answers({ id: 'a', name: 'x' }), actions: { stateDelta: { k: 1 } } }),
    ]);
    expect(rows).toHaveLength(2);
  });

  it('know what the list has cut', () => {
    const cut = (text: string) => isCut(event('a', { content: { parts: [{ text }] } }));
    expect(cut('…[12 more characters; get_event has all]')).toBe(true);
    expect(cut('whole')).toBe(false);
    expect(isCut(event('a', { customMetadata: { '…': '5 more; get_event has all' } }))).toBe(true);
  });
});
