import { createHash } from 'node:crypto';
import { stemmer } from 'stemmer';
import { cached } from './cached.ts';
import { functionWords } from './function-words.ts';

/**
 * Words of any script, for an index that knows only exact terms. English ones are stemmed. Terms are runs of ASCII letters and digits
 * and of non-ASCII characters: no space, no quote, no punctuation.
 */

/** Longer words are cut, on both sides alike. */
const maxWord = 40;
/** A query of more words keeps the longest: they say most. */
const maxQueryWords = 32;

const word = /[\p{L}\p{N}\p{M}\p{Co}]+|\p{Extended_Pictographic}/gu;
/** Scripts that put no spaces between words, and Korean, which glues particles to them. */
const dense =
  /[\p{scx=Han}\p{scx=Hiragana}\p{scx=Katakana}\p{scx=Bopomofo}\p{scx=Hangul}\p{scx=Thai}\p{scx=Lao}\p{scx=Khmer}\p{scx=Myanmar}]+/gu;
const hangul = /^\p{scx=Hangul}/u;
/** Accents (Latin, Greek, Cyrillic), Hebrew points, Arabic vowel signs and stretching: often left out. */
const accents = /[\u0300-\u036f\u0591-\u05c7\u064b-\u065f\u0670\u0640]/g;

/** All terms of a text, each once. */
export function indexTerms(text: string): string[] {
  const terms = new Set<string>();
  for (const run of runs(fold(text))) {
    if (!run.dense) terms.add(stem(run.text));
    else {
      const chars = Array.from(run.text);
      for (const char of chars) terms.add(char);
      for (const pair of pairs(chars)) terms.add(pair);
    }
  }
  return [...terms];
}

/**
 * The term of a tag. No text has such a term: the sign in front is no letter, but to an index that cuts ASCII at
 * its punctuation it belongs to the word.
 */
export const tagTerm = cached(
  (tag) => `§${createHash('sha256').update(tag).digest('hex').slice(0, 16)}`,
  1000,
);

/**
 * The words of a query, each once. A word is found where all of its terms are. Function words are left out,
 * unless there are no others.
 */
export function queryWords(query: string): string[][] {
  const found: { word: string; terms: string[] }[] = [];
  for (const run of runs(fold(query)))
    if (run.dense) found.push(...denseWords(run.text));
    else found.push({ word: run.text, terms: [stem(run.text)] });
  const grammar = functionWords(found.map(({ word }) => word));
  const telling = found.filter(({ word }) => !grammar.has(word));
  return mostTelling((telling.length > 0 ? telling : found).map(({ terms }) => terms));
}

/**
 * The Chinese characters of a query, each a word of its own, for a second try: the dictionary may have taken
 * two short words for one.
 */
export function queryCharacters(query: string): string[][] {
  const found = fold(query).match(/(?=\p{L})\p{Script=Han}/gu) ?? [];
  const grammar = functionWords(found);
  const telling = found.filter((char) => !grammar.has(char));
  return mostTelling((telling.length > 0 ? telling : found).map((char) => [char]));
}

function mostTelling(found: readonly string[][]): string[][] {
  const words = new Map(found.map((terms) => [terms.join(' '), terms]));
  const byLength = [...words].sort(([a], [b]) => b.length - a.length);
  return byLength.slice(0, maxQueryWords).map(([, terms]) => terms);
}

/**
 * Small letters, compatibility forms (full width, ligatures) replaced, accents removed. Upper case first:
 * it alone turns "ß" to "ss" and both small sigmas to one.
 */
function fold(text: string): string {
  const small = text.toUpperCase().toLowerCase();
  if (isAscii(small)) return small;
  // Back to composed forms at the end: a Korean syllable is one character, not three.
  return small.normalize('NFKD').toLowerCase().replace(accents, '').replaceAll('ς', 'σ').normalize('NFC');
}

const isAscii = (text: string): boolean => /^[\0-\x7f]*$/.test(text);

/**
 * "running" → "run". The digit in front counts as a consonant, as the prefix of a scope did when FTS5 stemmed:
 * stores of that time go on finding their words, and "use" stays apart from "us".
 */
const stem = cached((text) => stemmer(`0${text}`).slice(1), 20_000);

function* runs(text: string): Generator<{ dense: boolean; text: string }> {
  if (isAscii(text)) {
    for (const found of text.match(/[a-z0-9]+/g) ?? []) yield { dense: false, text: found.slice(0, maxWord) };
    return;
  }
  for (const [found] of text.matchAll(word)) {
    let rest = 0;
    for (const match of found.matchAll(dense)) {
      if (match.index > rest) yield { dense: false, text: found.slice(rest, match.index).slice(0, maxWord) };
      yield { dense: true, text: match[0] };
      rest = match.index + match[0].length;
    }
    if (rest < found.length) yield { dense: false, text: found.slice(rest).slice(0, maxWord) };
  }
}

/**
 * The index holds every character and every pair, so that it does not depend on where words are thought to
 * begin. Only the query is cut into words, by the dictionaries that come with the runtime.
 */
function denseWords(text: string): { word: string; terms: string[] }[] {
  const parts = [...new Intl.Segmenter('ja', { granularity: 'word' }).segment(text)];
  return parts.flatMap(({ segment }) => {
    const chars = Array.from(segment);
    if (chars.length < 2) return [{ word: segment, terms: chars }];
    // Of a Korean word any pair may match, since its ending may differ.
    if (hangul.test(segment)) return pairs(chars).map((pair) => ({ word: segment, terms: [pair] }));
    return [{ word: segment, terms: pairs(chars) }];
  });
}

function pairs(chars: readonly string[]): string[] {
  return chars.slice(1).map((char, i) => `${chars[i]}${char}`);
}
