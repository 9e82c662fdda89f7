import { compareKeys, keyAfter, prefixEnd } from '../keys.ts';
import type { Range } from '../types.ts';
import type { StoredEntry, StoredText } from './record.ts';
import { sortedKeys } from './sorted-keys.ts';
import { position, type WordLists, wordLists } from './word-lists.ts';

/** What is known of an entry without asking the adapter. */
export interface Item {
  slot: string;
  expires: number | undefined;
  text: StoredText | undefined;
}

/** All keys of the store in memory, in their order, with their texts' terms. */
export interface Catalog {
  readonly words: WordLists;
  item(key: string): Item | undefined;
  /** The key whose text has this id. */
  keyOfText(id: number): string | undefined;
  /** Ids of texts that are greater, in their order. */
  textsAfter(id: number, limit: number): number[];
  /** A greater id than that of any text before. */
  nextText(): number;
  keysUnder(prefix: string): string[];
  /** Keys of a range that have not expired. */
  keysOf(range: Range, now: number): string[];
  expired(now: number, limit: number): string[];
  put(entry: Omit<StoredEntry, 'value'>, slot: string): void;
  drop(key: string): void;
}

export function catalog(): Catalog {
  const items = new Map<string, Item>();
  const keys = sortedKeys();
  const expiries = sortedKeys();
  const words = wordLists();
  const textKeys = new Map<number, string>();
  let lastText = 0;
  /** The ids of all texts, sorted for whoever reads them all; undefined after a change. */
  let inOrder: number[] | undefined;

  const isGone = (key: string, now: number): boolean => {
    const expires = items.get(key)?.expires;
    return expires !== undefined && expires <= now;
  };

  function forget(key: string, { expires, text }: Item): void {
    if (expires !== undefined) expiries.remove(expiryKey(expires, key));
    if (text === undefined) return;
    words.remove(text.scope, text.terms, text.id);
    textKeys.delete(text.id);
    inOrder = undefined;
  }

  return {
    words,
    item: (key) => items.get(key),
    keyOfText: (id) => textKeys.get(id),
    textsAfter(after, limit) {
      inOrder ??= [...textKeys.keys()].sort((a, b) => a - b);
      const first = position(inOrder, after + 1);
      return inOrder.slice(first, first + limit);
    },
    nextText: () => lastText + 1,
    keysUnder: (prefix) => [...keys.between(prefix, prefixEnd(prefix))],
    keysOf({ prefix, after, before, limit, reverse }, now) {
      const from = after === undefined || compareKeys(after, prefix) < 0 ? prefix : keyAfter(after);
      const end = prefixEnd(prefix);
      const to = before !== undefined && (end === undefined || compareKeys(before, end) < 0) ? before : end;
      const found: string[] = [];
      if (limit <= 0) return found;
      for (const key of keys.between(from, to, reverse)) {
        if (!isGone(key, now)) found.push(key);
        if (found.length >= limit) break;
      }
      return found;
    },
    expired(now, limit) {
      const found: string[] = [];
      for (const entry of expiries.between('', prefixEnd(expiryKey(Math.floor(now), '')))) {
        if (found.length >= limit) break;
        found.push(entry.slice(digits));
      }
      return found;
    },
    put({ key, expires, text }, slot) {
      const before = items.get(key);
      if (before === undefined) keys.add(key);
      else forget(key, before);
      items.set(key, { slot, expires, text });
      if (expires !== undefined) expiries.add(expiryKey(expires, key));
      if (text === undefined) return;
      words.add(text.scope, text.terms, text.id);
      textKeys.set(text.id, key);
      inOrder = undefined;
      lastText = Math.max(lastText, text.id);
    },
    drop(key) {
      const item = items.get(key);
      if (item === undefined) return;
      forget(key, item);
      items.delete(key);
      keys.remove(key);
    },
  };
}

/** Digits of a time in milliseconds, for ten thousand years. */
const digits = 15;

const expiryKey = (time: number, key: string): string =>
  String(Math.max(0, Math.ceil(time))).padStart(digits, '0') + key;
