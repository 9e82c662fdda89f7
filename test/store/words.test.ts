import fc from 'fast-check';
import { expect, test } from 'vitest';
import { queryCharacters, queryWords, similarTo } from '../../src/store/query-words.ts';
import { indexTerms, tagTerm } from '../../src/store/words.ts';

const termsOf = (query: string) => queryWords(query).map(({ groups }) => groups);

test('terms hold letters, marks and digits only, besides the signs of marks, whatever the text', () => {
  const clean = /^(?:‹?[\p{L}\p{N}\p{M}\p{Co}]+§?|\p{Extended_Pictographic}§?)$/u;
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 60 }), (text) => {
      const words = [...queryWords(text), ...queryCharacters(text)];
      for (const term of [...indexTerms(text), ...words.flatMap(({ groups }) => groups.flat())])
        expect(term).toMatch(clean);
      for (const { word } of words)
        for (const { terms } of word === undefined ? [] : similarTo(word))
          for (const term of terms) expect(term).toMatch(clean);
    }),
    { numRuns: 2000 },
  );
});

test('every text is found by itself', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', maxLength: 60 }), (text) => {
      const terms = new Set(indexTerms(text));
      for (const { groups } of queryWords(text))
        for (const group of groups) expect(group.some((term) => terms.has(term))).toBe(true);
    }),
    { numRuns: 2000 },
  );
});

test('spaces part words where there are spaces; elsewhere every character and pair counts', () => {
  expect(indexTerms("The user's Tea, the leaf")).toEqual(['the', 'user', 's', 'tea', 'leaf']);
  expect(indexTerms('緑茶を')).toEqual(['緑', '茶', 'を', '緑茶', '茶を']);
  expect(termsOf('iphoneと緑茶')).toEqual([[['iphon']], [['緑茶']]]);
  expect(termsOf('とは')).toEqual([[['と']], [['は']]]);
});

test('a text has the same terms, each once, after any number of others', () => {
  const text = 'Tea and the tea of getUserById, 緑茶 in Krankenhäuser';
  const terms = indexTerms(text);
  expect(new Set(terms).size).toBe(terms.length);
  for (let i = 0; i < 25_000; i += 50)
    indexTerms(Array.from({ length: 50 }, (_, j) => `word${i + j}`).join(' '));
  expect(indexTerms(text)).toEqual(terms);
  expect(indexTerms(text)).toEqual(terms);
});

test('a word that is repeated, or long, leaves a mark', () => {
  expect(indexTerms('Tea and the tea and the Teas')).toEqual(['tea', 'and', 'the', 'tea§']);
  expect(indexTerms('Krankenhaus')).toEqual(['krankenhau', '‹suahneknark']);
});

test('a name joined by capitals is also its parts', () => {
  expect(indexTerms('getUserById')).toEqual(['getuserbyid', '‹diybresuteg', 'get', 'user', 'by', 'id']);
  expect(indexTerms('XMLParser')).toContain('parser');
  expect(indexTerms('room 2B, getUser')).toEqual(['room', '2b', 'getus', 'get', 'user']);
  expect(termsOf('getUserById')).toEqual([[['get'], ['user'], ['by'], ['id']], [['getuserbyid']]]);
});

test('forms of an English word are one term, short words stay what they are', () => {
  expect(indexTerms('house Houses housing')).toEqual(['hous', 'hous§']);
  expect(indexTerms('use us is s a')).toEqual(['use', 'u', 'i', 's', 'a']);
  expect(termsOf('gardening')).toEqual([[indexTerms('gardens').slice(0, 1)]]);
  expect(termsOf('going')).toEqual([[['go', 'went', 'gone']]]);
});

test('a long query keeps its longest words', () => {
  const words = termsOf(`${Array.from({ length: 100 }, (_, i) => `w${i}`).join(' ')} considerable`);
  expect(words).toHaveLength(32);
  expect(words[0]).toEqual([['consider']]);
});

test('a tag is a term that no text has', () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 20 }), (tag) => {
      expect(tagTerm(tag)).toMatch(/^§[0-9a-f]{16}$/);
      expect(indexTerms(tagTerm(tag))).not.toContain(tagTerm(tag));
    }),
  );
});
