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

// Made when they are used: to gather the classes of Unicode takes a millisecond of the start.
const word = () => /[\p{L}\p{N}\p{M}\p{Co}]+|\p{Extended_Pictographic}/gu;
/** Scripts that put no spaces between words, and Korean, which glues particles to them. */
const dense = () =>
  /[\p{scx=Han}\p{scx=Hiragana}\p{scx=Katakana}\p{scx=Bopomofo}\p{scx=Hangul}\p{scx=Thai}\p{scx=Lao}\p{scx=Khmer}\p{scx=Myanmar}]+/gu;
/** Accents (Latin, Greek, Cyrillic), Hebrew points, Arabic vowel signs and stretching: often left out. */
const accents = /[\u0300-\u036f\u0591-\u05c7\u064b-\u065f\u0670\u0640]/g;

/**
 * All terms of a text, each once: its words, and marks that no text has as a word. The sign in a mark is no letter,
 * but to an index that cuts ASCII at its punctuation it belongs to the word.
 */
export function indexTerms(text: string): string[] {
  if (known.words.size + known.terms.size >= mostKnown) known = nothingKnown();
  texts += 1;
  const terms: string[] = [];
  const parts: Term[] = [];
  const add = (term: Term): boolean => {
    if (term.lastSeen === texts) return false;
    term.lastSeen = texts;
    terms.push(term.text);
    return true;
  };
  const addWord = (word: string) => {
    const { term, again, ending, parts: own } = termsOf(word);
    if (!add(term) && again !== undefined) add(again);
    if (ending !== undefined) add(ending);
    for (const part of own) parts.push(part);
  };
  if (isAscii(text)) for (const word of text.match(/[A-Za-z0-9]+/g) ?? []) addWord(word);
  else {
    for (const run of runs(fold(text))) {
      if (!run.dense) addWord(run.text);
      else {
        const chars = Array.from(run.text);
        for (const char of chars) add(termOf(char));
        for (const pair of pairs(chars)) add(termOf(pair));
      }
    }
    for (const part of identifierParts(text)) parts.push(termOf(stem(part)));
  }
  for (const part of parts) add(part);
  return terms;
}

/** A term, and the number of the text that it was last seen in: that is quicker than a set for each text. */
interface Term {
  text: string;
  lastSeen: number;
}

let texts = 0;

/** What a word adds to the index. */
interface WordTerms {
  term: Term;
  /** The mark of its second occurrence; function words have none. */
  again: Term | undefined;
  /** The mark of a long word, by which its end is found. */
  ending: Term | undefined;
  /** The terms of the parts of a name. */
  parts: readonly Term[];
}

/** Texts consist of the same few thousand words. All are forgotten at once, so that a term is never there twice. */
const nothingKnown = () => ({ words: new Map<string, WordTerms>(), terms: new Map<string, Term>() });
let known = nothingKnown();
const mostKnown = 40_000;

function termOf(text: string): Term {
  const found = known.terms.get(text);
  if (found !== undefined) return found;
  const term = { text, lastSeen: 0 };
  known.terms.set(text, term);
  return term;
}

/** Of a word that is folded, or that is ASCII as it was written. */
function termsOf(word: string): WordTerms {
  const found = known.words.get(word);
  if (found !== undefined) return found;
  const folded = (isAscii(word) ? word.toLowerCase() : word).slice(0, maxWord);
  const term = stemOnce(folded);
  const made: WordTerms = {
    term: termOf(term),
    again: isFunctionWord(folded) ? undefined : termOf(repeated(term)),
    ending: folded.length >= longWord ? termOf(reversed(folded)) : undefined,
    parts: identifierParts(word).map((part) => termOf(stem(part))),
  };
  // A longer one is hardly a word that comes again, and may be megabytes.
  if (word.length <= maxWord) known.words.set(word, made);
  return made;
}

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
  if (!isJoined(text)) return [];
  return (text.match(/[\p{L}\p{N}\p{M}]+/gu) ?? []).flatMap((word) => {
    if (!isJoined(word)) return [];
    const parts = word.split(/(?<=[\p{Ll}\p{N}])(?=\p{Lu})|(?<=\p{Lu})(?=\p{Lu}\p{Ll})/u);
    return parts.length === 1 ? [] : parts.map((part) => fold(part).slice(0, maxWord));
  });
}

const isJoined = (text: string): boolean => /\p{Ll}\p{Lu}|\p{Lu}\p{Lu}\p{Ll}/u.test(text);

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
  const words = text.match(word()) ?? [];
  if (text.search(dense()) < 0) return words.map(sparse);
  return words.flatMap((found) => {
    const parts: Run[] = [];
    let rest = 0;
    for (const match of found.matchAll(dense())) {
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
