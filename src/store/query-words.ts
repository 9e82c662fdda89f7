import { functionWords } from './function-words.ts';
import { formsOf } from './irregular-forms.ts';
import { fold, identifierParts, pairs, reversed, runs, stem, stemOnce } from './words.ts';

/** A word of a query. An entry has it that holds, of each group, at least one term. */
export interface QueryWord {
  groups: readonly (readonly string[])[];
  /** As it was written, where another could be meant. */
  word?: string | undefined;
}

/** A query of more words keeps the longest: they say most. */
const maxQueryWords = 32;

/**
 * The words of a query, each once. Function words are left out, unless there are no others. A name such as
 * getUserById is also looked for by its parts.
 */
export function queryWords(query: string): QueryWord[] {
  const found: { word: string; groups: readonly (readonly string[])[]; dense: boolean }[] = [];
  for (const run of runs(fold(query)))
    if (run.dense) found.push(...denseWords(run.text).map((one) => ({ ...one, dense: true })));
    else found.push({ word: run.text, groups: [stemsOf(run.text)], dense: false });
  const grammar = functionWords(found.map(({ word }) => word));
  const telling = found.filter(({ word }) => !grammar.has(word));
  const parts = identifierParts(query).map((part) => [stem(part)]);
  return mostTelling([
    ...(telling.length > 0 ? telling : found).map(({ word, groups, dense }) => ({
      groups,
      ...(dense ? {} : { word }),
    })),
    ...(parts.length === 0 ? [] : [{ groups: parts }]),
  ]);
}

/**
 * The Chinese characters of a query, each a word of its own, for a second try: the dictionary may have taken
 * two short words for one.
 */
export function queryCharacters(query: string): QueryWord[] {
  const found = fold(query).match(/(?=\p{L})\p{Script=Han}/gu) ?? [];
  const grammar = functionWords(found);
  const telling = found.filter((char) => !grammar.has(char));
  return mostTelling((telling.length > 0 ? telling : found).map((char) => ({ groups: [[char]] })));
}

function mostTelling(found: readonly QueryWord[]): QueryWord[] {
  const words = new Map(found.map((one) => [one.groups.map((group) => group[0]).join(' '), one]));
  const byLength = [...words].sort(([a], [b]) => b.length - a.length);
  return byLength.slice(0, maxQueryWords).map(([, one]) => one);
}

/** The terms of a word in all of its forms. */
function stemsOf(word: string): string[] {
  const bare = [word, word.replace(/ing$/, ''), word.replace(/ing$/, 'e'), word.replace(/s$/, '')];
  const forms = bare.map(formsOf).find((all) => all.length > 1) ?? [];
  return [...new Set([word, ...forms].map(stem))];
}

/** Only the query is cut into words, by the dictionaries that come with the runtime. */
function denseWords(text: string): { word: string; groups: string[][] }[] {
  const parts = [...new Intl.Segmenter('ja', { granularity: 'word' }).segment(text)];
  return parts.flatMap(({ segment }) => {
    const chars = Array.from(segment);
    if (chars.length < 2) return [{ word: segment, groups: [chars] }];
    // Of a Korean word any pair may match, since its ending may differ.
    if (/^\p{scx=Hangul}/u.test(segment))
      return pairs(chars).map((pair) => ({ word: segment, groups: [[pair]] }));
    return [{ word: segment, groups: pairs(chars).map((pair) => [pair]) }];
  });
}

/** What may be meant by a word that is nowhere, and how much it counts beside the word itself. */
export interface SimilarTerms {
  terms: readonly string[];
  beginnings: boolean;
  part: number;
}

/** Letters of the shortest word that others are thought to be similar to, and of the shortest part of a compound. */
const shortest = 4;
const alphabets = [
  'abcdefghijklmnopqrstuvwxyz',
  'абвгдежзийклмнопрстуфхцчшщъыьэюя',
  'αβγδεζηθικλμνξοπρστυφχψω',
];

/**
 * A slip of one letter; longer words that begin or end with the word, as German compounds do; and for a long word
 * those that it may be made of.
 */
export function similarTo(word: string): SimilarTerms[] {
  const letters = Array.from(word);
  if (letters.length < shortest || /\p{N}/u.test(word)) return [];
  const parts = letters.flatMap((_, i) => {
    const sides = [letters.slice(0, i), letters.slice(i)];
    return sides.filter((side) => side.length >= shortest && side.length < letters.length);
  });
  return [
    // Not remembered: of hundreds of slips next to none is a word.
    { terms: slipsOf(letters).map(stemOnce), beginnings: false, part: 0.6 },
    { terms: [word, stem(word)], beginnings: true, part: 0.6 },
    { terms: [reversed(word)], beginnings: true, part: 0.6 },
    { terms: parts.map((side) => stemOnce(side.join(''))), beginnings: false, part: 0.3 },
  ]
    .map((one) => ({ ...one, terms: [...new Set(one.terms)] }))
    .filter(({ terms }) => terms.length > 0);
}

/** The word with one letter left out, doubled with its neighbour, replaced or added. */
function slipsOf(letters: readonly string[]): string[] {
  const alphabet = Array.from(alphabets.find((one) => one.includes(letters[0] ?? '')) ?? '');
  const put = (at: number, taken: number, ...fresh: string[]) =>
    letters.toSpliced(at, taken, ...fresh).join('');
  return letters
    .flatMap((letter, i) => [
      put(i, 1),
      ...(letters[i + 1] === undefined ? [] : [put(i, 2, letters[i + 1] ?? '', letter)]),
      ...alphabet.flatMap((other) => [put(i, 1, other), put(i, 0, other)]),
    ])
    .concat(alphabet.map((other) => put(letters.length, 0, other)));
}
