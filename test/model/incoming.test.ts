import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SessionError } from '../../src/errors.ts';
import { checkIncoming, incomingFault } from '../../src/model/incoming.ts';

const nested = (depth: number): unknown => JSON.parse(`${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`);

function refusal(value: unknown): string {
  try {
    checkIncoming(value);
  } catch (error) {
    if (error instanceof SessionError && error.code === 'INVALID_ARGUMENT') return error.message;
    throw error;
  }
  return 'taken';
}

describe('what a caller sends', () => {
  it.each<[string, unknown, RegExp]>([
    ['half a character', { a: { b: ['x', '\ud83d'] } }, /^"a\.b\[1\]" holds broken Unicode/],
    ['half a character in a key', { a: { 'x\udc00': 1 } }, /^"a\.x\ufffd" is broken Unicode/],
    [
      'a key __proto__',
      JSON.parse('{"a":[{"__proto__":{"x":1}}]}'),
      /^"a\[0\]\.__proto__" is a reserved key/,
    ],
    ['a key __proto__ on top', JSON.parse('{"__proto__":1}'), /^"__proto__"/],
    ['a number beyond all', JSON.parse('{"a":1e999}'), /^"a" is a number that is too large/],
    [
      '101 containers in one argument',
      { state: nested(101) },
      /^"state\.a\.a\.a.*….*a" is nested more than 100 deep/,
    ],
    ['lists too', { state: JSON.parse('['.repeat(150) + ']'.repeat(150)) }, /nested more than 100/],
    ['a bare text', '\udfff', /^The value holds broken/],
  ])('is refused with its path: %s', (_what, value, words) => {
    expect(refusal(value)).toMatch(words);
  });

  it('is taken up to 100 containers in one argument', () => {
    expect(refusal({ state: nested(100) })).toBe('taken');
    expect(incomingFault({ state: nested(3) }, 2)).toMatchObject({
      path: '"state.a.a"',
      what: 'is nested more than 2 deep',
    });
  });

  it('is refused however deep it is, without a stack running over', () => {
    let deep: unknown = 1;
    for (let i = 0; i < 200_000; i += 1) deep = i % 2 === 0 ? [deep] : { a: deep };
    expect(refusal({ deep })).toMatch(/nested more than 100 deep/);
    expect(refusal({ deep }).length).toBeLessThan(200);
  });

  it('is taken if it is plain JSON, with constructor, toString, NUL and all', () => {
    expect(refusal({ constructor: 1, toString: { prototype: null }, a: '\0', '': [] })).toBe('taken');
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 20 }), (value) => {
        const own = !/(?<!\\)"__proto__":/.test(JSON.stringify(value));
        expect(refusal(value)).toEqual(own ? 'taken' : expect.stringContaining('__proto__'));
      }),
    );
  });
});
