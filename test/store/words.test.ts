import fc from 'fast-check';
import { expect, test } from 'vitest';
import { indexTerms, queryCharacters, queryWords, tagTerm } from '../../src/store/words.ts';

test('terms hold letters, marks and digits only, whatever the text', () => {
  const clean = /^(?:[\p{L}\p{N}\p{M}\p{Co}]+|\p{Extended_Pictographic})$/u;
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 60 }), (text) => {
      for (const term of [...indexTerms(text), ...queryWords(text).flat(), ...queryCharacters(text).flat()])
        expect(term).toMatch(clean);
    }),
    { numRuns: 2000 },
  );
});

test('every text is found by itself', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', maxLength: 60 }), (text) => {
      const terms = new Set(indexTerms(text));
      for (const word of queryWords(text)) for (const term of word) expect(terms).toContain(term);
    }),
    { numRuns: 2000 },
  );
});

test('spaces part words where there are spaces; elsewhere every character and pair counts', () => {
  expect(indexTerms("The user's Tea, the TEA")).toEqual(['the', 'user', 's', 'tea']);
  expect(indexTerms('緑茶を')).toEqual(['緑', '茶', 'を', '緑茶', '茶を']);
  expect(queryWords('iPhoneと緑茶')).toEqual([['iphon'], ['緑茶']]);
  expect(queryWords('とは')).toEqual([['と'], ['は']]);
});

test('forms of an English word are one term, short words stay what they are', () => {
  expect(indexTerms('house Houses housing')).toEqual(['hous']);
  expect(indexTerms('use us is s a')).toEqual(['use', 'u', 'i', 's', 'a']);
  expect(queryWords('gardening')).toEqual([indexTerms('gardens')]);
});

test('a long query keeps its longest words', () => {
  const words = queryWords(`${Array.from({ length: 100 }, (_, i) => `w${i}`).join(' ')} considerable`);
  expect(words).toHaveLength(32);
  expect(words[0]).toEqual(['consider']);
});

test('a tag is a term that no text has', () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 20 }), (tag) => {
      expect(tagTerm(tag)).toMatch(/^§[0-9a-f]{16}$/);
      expect(indexTerms(tagTerm(tag))).not.toContain(tagTerm(tag));
    }),
  );
});
