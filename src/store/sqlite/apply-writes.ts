import { prefixEnd } from '../keys.ts';
import { splitText } from '../split-text.ts';
import type { Put, Write } from '../types.ts';
import { type Statements, upperBound } from './statements.ts';
import { termList } from './text-index.ts';

/** So many entries go into the index of words at once. Until then a search reads their lists one by one. */
export const mergeEvery = 512;
/** So many writes, with text or without, are made until then at most: a search looks through all of them. */
const mostUnmerged = 4 * mergeEvery;

export interface Writer {
  /** Carries out the writes of a transaction. Whether values were erased that the log may still hold. */
  apply(writes: readonly Write[]): boolean;
  /** Moves the terms of new entries into the index. In a transaction that fails it is done anew. */
  mergeTerms(): void;
}

export function writesOn(sql: Statements): Writer {
  /** What this process has put since it last merged: entries with text, and all. */
  let indexed = 0;
  let put = 0;

  function mergeTerms(): void {
    sql.mergeChanged.run();
    sql.mergeNew.run();
    sql.forgetChanged.run();
    sql.markMerged.run();
    indexed = 0;
    put = 0;
  }

  /** Takes away the values that a write is going to drop. Whether there were any: entries of lists have none. */
  function blank(write: Write): boolean {
    if ('dropPrefix' in write) {
      const end = upperBound(prefixEnd(write.dropPrefix));
      return Number(sql.blankBetween.run(write.dropPrefix, end).changes) > 0;
    }
    return 'drop' in write && Number(sql.blank.run(write.drop).changes) > 0;
  }

  function carryOut(write: Write): void {
    if ('dropPrefix' in write) sql.dropBetween.run(write.dropPrefix, upperBound(prefixEnd(write.dropPrefix)));
    else if ('drop' in write) sql.drop.run(write.drop);
    else store(write);
  }

  function store({ key, value, expires, text }: Put): void {
    put += 1;
    if (text === undefined) {
      sql.upsert.run(key, value, expires ?? null, null, null, null);
      return;
    }
    indexed += 1;
    const { scope, terms, words } = splitText(text);
    sql.upsert.run(key, value, expires ?? null, scope, words, termList(scope, terms));
  }

  /**
   * Often one entry of a list goes where another comes: a session moves up in two lists with every event. Such an entry
   * keeps its row and gets another key, which costs a third. False where the row is another than it seems.
   */
  const move = (from: string, to: string): boolean => Number(sql.move.run(to, from).changes) > 0;

  return {
    apply(writes) {
      const pairs = movesIn(writes);
      const done = new Set<Write>();
      // All that is to be erased goes before any row moves: see `blank` in the statements.
      let erased =
        writes.filter((write) => !('drop' in write && pairs.has(write)) && blank(write)).length > 0;
      for (const [from, to] of pairs)
        if (move(from.drop, to.key)) done.add(from).add(to);
        else if (blank(from)) erased = true;
      for (const write of writes) if (!done.has(write)) carryOut(write);
      if (indexed >= mergeEvery || put >= mostUnmerged) mergeTerms();
      return erased;
    },
    mergeTerms,
  };
}

type Drop = Extract<Write, { drop: string }>;

/** Entries of lists that go, each with one that comes into the same list. */
function movesIn(writes: readonly Write[]): Map<Drop, Put> {
  const pairs = new Map<Drop, Put>();
  if (writes.some((write) => 'dropPrefix' in write)) return pairs;
  const going = Map.groupBy(
    writes.filter((write) => 'drop' in write),
    ({ drop }) => listOf(drop),
  );
  for (const put of going.size === 0 ? [] : writes.filter(isEntryOfList)) {
    const drop = going.get(listOf(put.key))?.pop();
    if (drop !== undefined) pairs.set(drop, put);
  }
  return pairs;
}

/** The beginning by which keys of one list are told from those of another. */
const listOf = (key: string): string => key.slice(0, 3);

const isEntryOfList = (write: Write): write is Put =>
  'key' in write && write.value === '' && write.expires === undefined && write.text === undefined;
