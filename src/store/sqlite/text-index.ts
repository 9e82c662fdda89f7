import { createHash } from 'node:crypto';
import type { DatabaseSync } from 'node:sqlite';
import type { Hit } from '../types.ts';
import { queryCharacters, queryWords } from '../words.ts';

/**
 * Full-text search on FTS5, which is used as a plain inverted index: it keeps the lists of entries and merges
 * them; the triggers of the schema fill it from the term lists of the rows. Every term is prefixed with its scope, so that a scope's lists are its own and
 * other scopes, however large, cost nothing. Ranking is done here and looks at a bounded number of entries:
 * `bm25()` would walk the whole list of every word.
 */
export interface TextIndex {
  /** Reads more than once: call it in a transaction. `now` is the time that entries expire by. */
  search(scope: string, query: string, limit: number, now: number): Hit[];
}

/** A word in more entries than this counts as frequent: of its list only the newest so many are looked at. */
const listLimit = 4000;
/** A word in more than this part of a scope's entries says nothing, and is left out while there are others. */
const everywhere = 0.9;
/** So many frequent words of a query are looked for among the older entries, too. */
const togetherLimit = 8;

interface Row {
  key: string;
  value: string;
  scope: string | null;
  terms: number;
  expires: number | null;
}

interface Word {
  match: string;
  /** Newest first. */
  ids: number[];
  /** How many entries of the scope hold the word: exact, or an estimate for frequent words. */
  count: number;
  frequent: boolean;
}

export function textIndex(db: DatabaseSync): TextIndex {
  const newest = db.prepare(
    'select rowid from term_index where term_index match ? order by rowid desc limit ?',
  );
  const oldest = db.prepare('select rowid from term_index where term_index match ? order by rowid limit 1');
  const rowOf = db.prepare('select key, value, scope, terms, expires from kv where id = ?');
  newest.setReturnArrays(true);
  oldest.setReturnArrays(true);

  const list = (match: string): number[] =>
    (newest.all(match, listLimit) as unknown as [number][]).map(([id]) => id);

  function lookUp(match: string): Word {
    const ids = list(match);
    return { match, ids, count: ids.length, frequent: ids.length === listLimit };
  }

  /** How many there are of a word whose newest entries are known, if they are spread evenly over the scope. */
  function estimate(word: Word, first: number, last: number): number {
    const [top = last] = word.ids;
    const reach = top - (word.ids.at(-1) ?? first) + 1;
    return Math.round((listLimit * (last - first + 1)) / reach);
  }

  function search(scope: string, query: string, limit: number, now: number): Hit[] {
    const prefix = prefixOf(scope);
    const all = lookUp(`"${prefix}"`);
    const [last] = all.ids;
    const [first] = (oldest.get(all.match) as unknown as [number] | undefined) ?? [];
    if (last === undefined || first === undefined) return [];
    if (all.frequent) all.count = estimate(all, first, last);
    const lookUpAll = (words: readonly string[][]) =>
      words
        .map((terms) => lookUp(`(${terms.map((term) => `"${prefix}${term}"`).join(' AND ')})`))
        .filter((word) => word.ids.length > 0);
    let words = lookUpAll(queryWords(query));
    if (words.length === 0) words = lookUpAll(queryCharacters(query));
    for (const word of words)
      if (word.frequent) word.count = Math.min(all.count, estimate(word, first, last));
    const telling = words.filter((word) => !word.frequent || word.count < everywhere * all.count);
    const used = telling.length > 0 ? telling : words;
    addTogether(used);
    return best(scope, scores(used, all.count), limit, now);
  }

  /**
   * Of a frequent word only the newest entries are known by now, so an older one that also holds a rarer
   * word would miss its due. The database intersects the lists quickly.
   */
  function addTogether(words: readonly Word[]): void {
    const rare = words.filter((word) => !word.frequent);
    const rarest = words.toSorted((a, b) => a.count - b.count).slice(0, 1);
    const anchors = rare.length > 0 ? rare : rarest;
    const either = anchors.map((word) => word.match).join(' OR ');
    const others = words.filter((word) => word.frequent && !anchors.includes(word));
    for (const word of others.toSorted((a, b) => a.count - b.count).slice(0, togetherLimit))
      word.ids.push(...list(`${word.match} AND (${either})`));
  }

  function best(scope: string, scored: [id: number, score: number][], limit: number, now: number): Hit[] {
    const hits: Hit[] = [];
    // More than asked for, because the length of the texts may still change the order.
    for (let from = 0; hits.length < limit && from < scored.length; from += limit + 100) {
      const found = scored.slice(from, from + limit + 100).flatMap(([id, score]) => {
        const row = rowOf.get(id) as unknown as Row | undefined;
        // The prefix is a digest; that scopes stay apart must not depend on one.
        const seen = row?.scope === scope && (row.expires === null || row.expires > now);
        return seen ? [{ row, score }] : [];
      });
      const mean = found.reduce((sum, { row }) => sum + row.terms, 0) / found.length;
      hits.push(
        ...found
          .map(({ row, score }) => ({
            key: row.key,
            value: row.value,
            score: score * shortness(row.terms, mean),
          }))
          .sort((a, b) => b.score - a.score),
      );
    }
    return hits.slice(0, limit);
  }

  return { search };
}

/** Digits of the prefix that keeps the terms of a scope apart from those of others. */
export const scopeDigits = 16;

/** What a row keeps of its text: the prefix of its scope, which is the list of all entries of it, and the terms. */
export const termList = (scope: string, terms: readonly string[]): string =>
  [prefixOf(scope), ...terms].join(' ');

function prefixOf(scope: string): string {
  const digest = createHash('sha256').update(scope).digest().readBigUInt64BE();
  return (digest % 10n ** BigInt(scopeDigits)).toString().padStart(scopeDigits, '0');
}

/** Sums, for each entry, how telling the words are that it holds. Best first, newest first among equals. */
function scores(words: readonly Word[], total: number): [id: number, score: number][] {
  const sums = new Map<number, number>();
  for (const word of words) {
    const weight = Math.log(1 + (total - word.count + 0.5) / (word.count + 0.5));
    for (const id of new Set(word.ids)) sums.set(id, (sums.get(id) ?? 0) + weight);
  }
  return [...sums].sort(([idA, a], [idB, b]) => b - a || idB - idA);
}

/** BM25's correction for length, with k1 = 1.2 and b = 0.75: a word says more about a short text. */
function shortness(terms: number, mean: number): number {
  return 2.2 / (1 + 1.2 * (0.25 + (0.75 * terms) / mean));
}
