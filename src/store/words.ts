import { createHash } from 'node:crypto';
import { stemmer } from 'stemmer';
import { cached } from './cached.ts';
import { isFunctionWord } from './function-words.ts';

/**
 * The words of a text in any script, for an index that knows only exact terms; `query-words.ts` makes what is looked
 * for. English words are stemmed. Terms are runs of ASCII letters and digits and of non-ASCII characters: no space,
 * no quote, no ASCII punctuation. The index holds every character and every pair of scripts without spaces, so that
 * it does not depend on where words are thought to begin.
 */

/** Longer words are cut, on both sides alike. */
const maxWord = 40;

const word = /[\p{L}\p{N}\p{M}\p{Co}]+|\p{Extended_Pictographic}/gu;
/** Scripts that put no spaces between words, and Korean, which glues particles to them. */
const dense =
  /[\p{scx=Han}\p{scx=Hiragana}\p{scx=Katakana}\p{scx=Bopomofo}\p{scx=Hangul}\p{scx=Thai}\p{scx=Lao}\p{scx=Khmer}\p{scx=Myanmar}]+/gu;
/** Accents (Latin, Greek, Cyrillic), Hebrew points, Arabic vowel signs and stretching: often left out. */
const accents = /[\u0300-\u036f\u0591-\u05c7\u064b-\u065f\u0670\u0640]/g;

/**
 * All terms of a text, each once: its words, and marks that no text has as a word. The sign in a mark is no letter,
 * but to an index that cuts ASCII at its punctuation it belongs to the word.
 */
export function indexTerms(text: string): string[] {
  const terms = new Set<string>();
  const parts: string[] = [];
  const addWord = (word: string) => {
    const { term, again, ending, parts: own } = word.length > maxWord ? makeTerms(word) : termsOf(word);
    if (!terms.has(term)) terms.add(term);
    else if (again !== undefined) terms.add(again);
    if (ending !== undefined) terms.add(ending);
    parts.push(...own);
  };
  if (isAscii(text)) for (const word of text.match(/[A-Za-z0-9]+/g) ?? []) addWord(word);
  else {
    for (const run of runs(fold(text))) {
      if (!run.dense) addWord(run.text);
      else {
        const chars = Array.from(run.text);
        for (const char of chars) terms.add(char);
        for (const pair of pairs(chars)) terms.add(pair);
      }
    }
    parts.push(...identifierParts(text).map(stem));
  }
  for (const part of parts) terms.add(part);
  return [...terms];
}

/** What a word adds to the index. */
interface WordTerms {
  term: string;
  /** The mark of its second occurrence; function words have none. */
  again: string | undefined;
  /** The mark of a long word, by which its end is found. */
  ending: string | undefined;
  /** The terms of the parts of a name. */
  parts: readonly string[];
}

/** Of a word that is folded, or that is ASCII as it was written. */
function makeTerms(word: string): WordTerms {
  const folded = (isAscii(word) ? word.toLowerCase() : word).slice(0, maxWord);
  const term = stemOnce(folded);
  return {
    term,
    again: isFunctionWord(folded) ? undefined : repeated(term),
    ending: folded.length >= longWord ? reversed(folded) : undefined,
    parts: identifierParts(word).map(stem),
  };
}

/** Texts consist of the same few thousand words. */
const termsOf = cached(makeTerms, 20_000);

/** The mark of an entry that holds the term more than once. */
export const repeated = (term: string): string => `${term}§`;

/** Letters of a word that may be made of two, so that its end can be looked for. */
const longWord = 9;
export const reversed = (word: string): string => `‹${Array.from(word).reverse().join('')}`;

/** The mark of a tag. */
export const tagTerm = cached(
  (tag) => `§${createHash('sha256').update(tag).digest('hex').slice(0, 16)}`,
  1000,
);

/** "getUserById" → get, user, by, id. What is joined by anything but capitals is words of its own anyway. */
export function identifierParts(text: string): string[] {
  if (!joined.test(text)) return [];
  return (text.match(/[\p{L}\p{N}\p{M}]+/gu) ?? []).flatMap((word) => {
    if (!joined.test(word)) return [];
    const parts = word.split(/(?<=[\p{Ll}\p{N}])(?=\p{Lu})|(?<=\p{Lu})(?=\p{Lu}\p{Ll})/u);
    return parts.length === 1 ? [] : parts.map((part) => fold(part).slice(0, maxWord));
  });
}

const joined = /\p{Ll}\p{Lu}|\p{Lu}\p{Lu}\p{Ll}/u;

/**
 * Small letters, compatibility forms (full width, ligatures) replaced, accents removed. Upper case first:
 * it alone turns "ß" to "ss" and both small sigmas to one.
 */
export function fold(text: string): string {
  if (isAscii(text)) return text.toLowerCase();
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
export const stemOnce = (text: string): string => stemmer(`0${text}`).slice(1);
export const stem = cached(stemOnce, 20_000);

/** A word, or a row of characters of a script that puts no spaces between words. */
export interface Run {
  dense: boolean;
  text: string;
}

/** The runs of a folded text, in their order. */
export function runs(text: string): Run[] {
  const sparse = (found: string): Run => ({ dense: false, text: found.slice(0, maxWord) });
  if (isAscii(text)) return (text.match(/[a-z0-9]+/g) ?? []).map(sparse);
  const words = text.match(word) ?? [];
  if (text.search(dense) < 0) return words.map(sparse);
  return words.flatMap((found) => {
    const parts: Run[] = [];
    let rest = 0;
    for (const match of found.matchAll(dense)) {
      if (match.index > rest) parts.push(sparse(found.slice(rest, match.index)));
      parts.push({ dense: true, text: match[0] });
      rest = match.index + match[0].length;
    }
    if (rest < found.length) parts.push(sparse(found.slice(rest)));
    return parts;
  });
}

export function pairs(chars: readonly string[]): string[] {
  return chars.slice(1).map((char, i) => `${chars[i]}${char}`);
}
