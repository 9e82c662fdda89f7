import { describe, expect, it } from 'vitest';
import type { Event, Part } from '../../src/model/event.ts';
import type { Session } from '../../src/model/session.ts';
import { compare, familyOf, membersOf } from '../../src/page/model/family.ts';
import { changesOf, stateAt } from '../../src/page/model/state-history.ts';
import { duration } from '../../src/page/model/time.ts';
import { scaleOf, ticksOf, timelineOf } from '../../src/page/model/timeline.ts';

const at = (seconds: number): string => new Date(1_800_000_000_000 + seconds * 1000).toISOString();
function event(
  id: string,
  author: string,
  seconds: number,
  more: Partial<Event> & { parts?: Part[] } = {},
): Event {
  const { parts, ...fields } = more;
  return {
    id,
    author,
    invocationId: 'i',
    timestamp: at(seconds),
    content: { parts: parts ?? [{ text: id }] },
    ...fields,
  };
}
const calls = (id: string): { parts: Part[] } => ({ parts: [{ functionCall: { id, name: `tool ${id}` } }] });
const answers = (id: string): { parts: Part[] } => ({
  parts: [{ functionResponse: { id, name: `tool ${id}` } }],
});

describe('where the time went', () => {
  const events = [
    event('e1', 'user', 0),
    event('e2', 'agent', 2, calls('a')),
    event('e3', 'user', 12, answers('a')),
    event('e4', 'agent', 15, { usageMetadata: { totalTokenCount: 100 } }),
    event('e5', 'user', 75, { invocationId: 'j' }),
    event('e6', 'agent', 76, {
      invocationId: 'j',
      usageMetadata: { promptTokenCount: 4, candidatesTokenCount: 3 },
    }),
  ];

  it('is divided among authors, tools and the user', () => {
    const { lanes, tools, tokens } = timelineOf(events);
    expect(lanes).toMatchObject([
      { author: 'user', events: 3, waitMs: 60_000, workMs: 0, toolMs: 0 },
      {
        author: 'agent',
        events: 3,
        calls: 1,
        runs: 2,
        workMs: 2000 + 3000 + 1000,
        toolMs: 10_000,
        tokens: 107,
      },
    ]);
    expect(lanes.reduce((sum, { workMs, toolMs, waitMs }) => sum + workMs + toolMs + waitMs, 0)).toBe(76_000);
    expect(tools).toEqual([{ name: 'tool a', calls: 1, ms: 10_000, longest: { ms: 10_000, eventId: 'e3' } }]);
    expect(tokens).toBe(107);
  });

  it('has a lane for each branch, and bears clocks that go back', () => {
    const { lanes, to } = timelineOf([event('e1', 'a', 10), event('e2', 'a', 5, { branch: 'a.b' })]);
    expect(lanes.map(({ branch, workMs }) => [branch, workMs])).toEqual([
      [undefined, 0],
      ['a.b', 0],
    ]);
    expect(to).toBe(Date.parse(at(10)));
    expect(timelineOf([])).toMatchObject({ lanes: [], from: 0, to: 0 });
  });

  it('is drawn to scale, or with long pauses shortened', () => {
    const timeline = timelineOf(events);
    const plain = scaleOf(timeline, 760);
    expect([0, 38, 76].map((seconds) => Math.round(plain.x(Date.parse(at(seconds)))))).toEqual([0, 380, 760]);
    const short = scaleOf(timeline, 1000, 10_000);
    expect(short.pauses).toMatchObject([{ ms: 60_000 }]);
    // 15 s before the pause of 60 s, which is drawn as 10 s, and 1 s after it.
    expect(Math.round(short.x(Date.parse(at(15))))).toBe(Math.round((15 / 26) * 1000));
    expect(Math.round(short.x(Date.parse(at(45))))).toBe(Math.round((20 / 26) * 1000));
    expect(ticksOf(0, 76_000, 8)).toEqual([0, 10, 20, 30, 40, 50, 60, 70].map((s) => s * 1000));
  });

  it('reads as people say it', () => {
    expect([12, 2500, 59_990, 200_000, 7_500_000, 200_000_000].map(duration)).toEqual([
      '12 ms',
      '2.5 s',
      '1 min',
      '3 min 20 s',
      '2 h 5 min',
      '2 d 8 h',
    ]);
  });
});

describe('the state at an event', () => {
  const sets = (id: string, stateDelta: Record<string, unknown>) =>
    event(id, 'a', 0, { actions: { stateDelta } });
  const changes = changesOf([sets('e1', { a: 1, 'temp:x': 1 }), sets('e2', { b: 1 }), sets('e3', { a: 2 })]);
  const present = { a: 2, b: 1, first: true };

  it('is what the events up to then made of it', () => {
    expect(changes.map(({ key, before, after }) => [key, before, after])).toEqual([
      ['a', undefined, 1],
      ['b', undefined, 1],
      ['a', 1, 2],
    ]);
    const shown = (index: number) =>
      stateAt(present, changes, index).map(({ key, value, isUnknown }) => [key, isUnknown ? '?' : value]);
    expect(shown(0)).toEqual([
      ['a', 1],
      ['b', '?'],
      ['first', true],
    ]);
    expect(shown(2)).toEqual([
      ['a', 2],
      ['b', 1],
      ['first', true],
    ]);
  });
});

describe('a family', () => {
  const session = (id: string, from?: string): Session => ({
    id,
    app: 'a',
    userId: 'u',
    createTime: at(id.length),
    updateTime: at(0),
    ...(from === undefined ? {} : { forkedFrom: { backend: 'local', sessionId: from } }),
  });

  it('is the tree from the eldest that is there', () => {
    const all = [
      session('child', 'parent'),
      session('parent', 'gone'),
      session('other'),
      session('sib', 'parent'),
    ];
    const tree = familyOf(session('child', 'parent'), all);
    expect(tree.session.id).toBe('parent');
    expect(membersOf(tree).map(({ id }) => id)).toEqual(['parent', 'sib', 'child']);
  });

  it('ends, also when ids were used again in a circle', () => {
    const tree = familyOf(session('a', 'b'), [session('a', 'b'), session('b', 'a')]);
    expect(
      membersOf(tree)
        .map(({ id }) => id)
        .sort(),
    ).toEqual(['a', 'b']);
  });

  it('is compared from the first event that differs', () => {
    const [one, two] = [event('e1', 'a', 1), event('e2', 'a', 2)];
    const copied = { ...two, id: 'other id' };
    expect(compare([one, two, event('l', 'a', 3)], [one, copied, event('r', 'a', 3)])).toMatchObject({
      common: 2,
      left: [{ id: 'l' }],
      right: [{ id: 'r' }],
    });
  });
});
