import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { quote } from '../../src/errors.ts';
import { counted, plural } from '../../src/model/plural.ts';
import { cutEnd, cutStart, escapeUnseen, hasUnseen, preview } from '../../src/model/text.ts';

/** Texts with many characters of two units, joiners, accents and flags. */
const anyText = fc
  .array(
    fc.oneof(
      fc.string({ unit: 'grapheme' }),
      fc.constantFrom(
        '👨‍👩‍👧',
        '🇩🇪🇫🇷',
        'e\u0301\u0302',
        '🏽',
        '\u200d',
        '\ufe0f',
        'क्षि',
        '\r\n',
        '\ud83d',
        'a',
        ' ',
      ),
    ),
    { maxLength: 30 },
  )
  .map((parts) => parts.join(''));

const graphemesOf = (text: string) => [...new Intl.Segmenter().segment(text)].map(({ segment }) => segment);

describe('a text that is cut', () => {
  it('is a beginning or an end of the whole, as long as it may be, and well-formed if the whole is', () => {
    fc.assert(
      fc.property(anyText, fc.nat(60), (text, length) => {
        const [head, tail] = [cutEnd(text, length), cutStart(text, length)];
        expect(text.startsWith(head) && head.length <= length).toBe(true);
        expect(text.endsWith(tail) && tail.length <= length).toBe(true);
        if (text.isWellFormed()) expect([head.isWellFormed(), tail.isWellFormed()]).toEqual([true, true]);
        if (text.length <= length) expect([head, tail]).toEqual([text, text]);
      }),
      { numRuns: 2000 },
    );
  });

  it('ends between two signs, as readers see them', () => {
    const text = 'ab👨‍👩‍👧cde\u0301\u0302f👍🏽g';
    const starts = new Set([0]);
    let at = 0;
    for (const sign of graphemesOf(text)) {
      at += sign.length;
      starts.add(at);
    }
    for (let length = 1; length <= text.length; length += 1)
      expect(starts.has(cutEnd(text, length).length)).toBe(true);
  });

  it('is not empty because its first sign is a pile of a thousand accents', () => {
    const pile = `a${'\u0301'.repeat(1000)}`;
    expect(cutEnd(pile, 100).length).toBeGreaterThan(90);
    expect(cutEnd(`xx${pile}`, 100).length).toBeGreaterThan(1);
  });

  it('costs the same however long the text is', () => {
    const long = '👨‍👩‍👧'.repeat(1_000_000);
    const began = performance.now();
    for (let i = 0; i < 100; i += 1) preview(long, 4001);
    expect(performance.now() - began).toBeLessThan(500);
  });
});

describe('what cannot be seen', () => {
  it.each([
    '\u007f',
    '\u0085',
    '\u00ad',
    '\u034f',
    '\u061c',
    '\u115f',
    '\u180e',
    '\u200b',
    '\u200d',
    '\u200e',
    '\u2028',
    '\u202e',
    '\u2060',
    '\u2066',
    '\u206f',
    '\u3164',
    '\ufe00',
    '\ufe0f',
    '\ufeff',
    '\uffa0',
    '\ufff9',
    '\u{e0001}',
    '\u{e0041}',
    '\u{e007f}',
    '\u{e0100}',
    '\u{1d173}',
  ])('is escaped: %j', (sign) => {
    const json = escapeUnseen(JSON.stringify({ text: `a${sign}b` }));
    expect(json).not.toContain(sign);
    expect(json).toMatch(/^[\x20-\x7e]*$/);
    expect(JSON.parse(json)).toEqual({ text: `a${sign}b` });
    expect(hasUnseen(`a${sign}b`)).toBe(true);
    expect(quote(`a${sign}b`)).toMatch(/^"a\\u[\\\da-fu]+b"$/);
  });

  it.each(['👨‍👩‍👧', '❤️', '🏳️‍🌈', '👩🏽‍🚀', '1️⃣', '☎︎', 'naïve', '日本', 'a\tb\n'])(
    'is no part of %s',
    (text) => {
      expect(escapeUnseen(text.replace(/\s/g, ' '))).toBe(text.replace(/\s/g, ' '));
      expect(hasUnseen(text)).toBe(false);
    },
  );

  it('may not hide behind an emoji', () => {
    expect(escapeUnseen('1\ufe0f2')).toBe('1\\ufe0f2');
    expect(escapeUnseen('😀\ufe0f\ufe01\ufe02')).toBe('😀\ufe0f\\ufe01\\ufe02');
    expect(escapeUnseen('😀\ufe0f\ufe0f')).toBe('😀\ufe0f\\ufe0f');
    expect(escapeUnseen('😀\u200d\u200d😀')).toBe('😀\\u200d\\u200d😀');
    expect(escapeUnseen('🏴\u{e0067}\u{e007f}')).toBe('🏴\\udb40\\udc67\\udb40\\udc7f');
  });

  it('leaves the meaning of JSON as it is, whatever the text', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        expect(JSON.parse(escapeUnseen(JSON.stringify([text])))).toEqual([text]);
      }),
    );
  });
});

it('counts are written with their nouns', () => {
  expect([0, 1, 2].map((n) => counted(n, 'event'))).toEqual(['0 events', '1 event', '2 events']);
  expect([1, 2].map((n) => plural(n, 'memory'))).toEqual(['1 memory was', '2 memories were']);
  expect(counted(1200, 'event', '1,200')).toBe('1,200 events');
});
