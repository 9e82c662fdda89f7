import { type QueryWord, queryCharacters, queryWords, similarTo } from './query-words.ts';
import type { Hit, TextQuery } from './types.ts';
import { repeated, tagTerm } from './words.ts';

/**
 * Decides what a search finds and in which order, for every engine alike. An engine keeps an inverted index
 * (lists of the entries that hold a term) and answers what ranking asks of it, in a few rounds of many
 * questions each; whether it does so synchronously or over a network is its own affair:
 *
 * ```ts
 * const hits = await rank(query, now, reader);      // a reader with async lists() and rows()
 * const hits = rankSync(query, now, reader);        // within one synchronous transaction
 * ```
 *
 * The score is BM25 with the frequencies once and more than once, times the coordination: an entry that holds
 * all words of a query comes before one that repeats a part of them. Lists are bounded, so that a word of a
 * million entries costs as much as one of some thousands.
 */

/** Asks for the entries of the scope that hold, of each group, at least one term. No groups: all entries. */
export interface ListRequest {
  groups: readonly (readonly string[])[];
  /** The terms of the first group are beginnings: any term that begins with one of them counts. */
  beginnings?: boolean | undefined;
  /** So many ids are wanted at most: the greatest, which are the entries written last. */
  limit: number;
  /** The least id is wanted, too. */
  oldest?: boolean | undefined;
}

export interface IdList {
  /** Greatest first. Each entry of a store has an id of its own, and later ones have greater ids. */
  ids: readonly number[];
  oldest?: number | undefined;
  /** How many there are, if the engine knows without counting: else it is estimated from the ids. */
  count?: number | undefined;
}

export interface IndexedRow {
  id: number;
  key: string;
  value: string;
  scope: string;
  /** How many terms the entry has, as `indexTerms` made them; its tags do not count. */
  terms: number;
  expires?: number | undefined;
}

type Awaitable<T> = T | Promise<T>;

/** What an engine answers. `scope` is the same in all questions of a search. */
export interface IndexReader<L = Awaitable<IdList[]>, R = Awaitable<IndexedRow[]>> {
  /** One list for each request, in their order. */
  lists(scope: string, requests: readonly ListRequest[]): L;
  /** The entries with these ids, in any order; those that are gone or have no text are left out. */
  rows(ids: readonly number[]): R;
}

export type SyncIndexReader = IndexReader<IdList[], IndexedRow[]>;

/** A word in more entries than this counts as frequent: of its list only the newest so many are looked at. */
export const listLimit = 4000;
/** A word in more than this part of a scope's entries says nothing, and is left out while there are others. */
const everywhere = 0.9;
/** So many frequent words of a query are looked for among the older entries, too. */
const togetherLimit = 8;
/** A search that has found less also looks for words like those of the query. */
const enough = 3;
/** BM25: how much the length of a text counts at all, and how much of it. Tuned for short texts. */
const k1 = 0.9;
const b = 0.4;
/** How much more a word says that stands in a text twice: BM25 with a text of common length. */
const twice = (2 * (k1 + 1)) / (2 + k1);
/** How much better an entry is that holds all words of the query than one that holds next to none. */
const coordination = 0.5;

export async function rank(query: TextQuery, now: number, reader: IndexReader): Promise<Hit[]> {
  const plan = search(query, now);
  for (let step = plan.next([]); ; ) {
    if (step.done === true) return step.value;
    step = plan.next(await answer(query.scope, step.value, reader));
  }
}

export function rankSync(query: TextQuery, now: number, reader: SyncIndexReader): Hit[] {
  const plan = search(query, now);
  for (let step = plan.next([]); ; ) {
    if (step.done === true) return step.value;
    step = plan.next(answer(query.scope, step.value, reader));
  }
}

/** What a search wants to know next: lists, or the entries with these ids. */
type Question = { lists: readonly ListRequest[] } | { ids: readonly number[] };
type Search<T> = Generator<Question, T, readonly unknown[]>;

const answer = <L, R>(scope: string, question: Question, reader: IndexReader<L, R>): L | R =>
  'lists' in question ? reader.lists(scope, question.lists) : reader.rows(question.ids);

function* askLists(lists: readonly ListRequest[]): Search<readonly IdList[]> {
  return lists.length === 0 ? [] : ((yield { lists }) as readonly IdList[]);
}

function* askRows(ids: readonly number[]): Search<readonly IndexedRow[]> {
  return ids.length === 0 ? [] : ((yield { ids }) as readonly IndexedRow[]);
}

interface Word {
  groups: readonly (readonly string[])[];
  ids: number[];
  /** Those that hold it more than once, as far as the index tells. */
  repeats: ReadonlySet<number>;
  /** How many entries of the scope hold the word: exact, or an estimate for frequent words. */
  count: number;
  frequent: boolean;
  /** 1 for a word of the query, less for one that may be meant. */
  part: number;
}

/** What is searched: the entries of the scope that have the wanted tags. */
interface Scope {
  tags: readonly (readonly string[])[];
  first: number;
  last: number;
  count: number;
}

function* search(query: TextQuery, now: number): Search<Hit[]> {
  const tags = (query.tags ?? []).map((group) => group.map(tagTerm));
  const wanted = queryWords(query.text);
  const [whole, ...lists] = yield* askLists([
    { groups: tags, limit: listLimit, oldest: true },
    ...requestsOf(wanted, tags),
  ]);
  const [last] = whole?.ids ?? [];
  const first = whole?.oldest;
  if (whole === undefined || last === undefined || first === undefined) return [];
  const scope: Scope = { tags, first, last, count: 0 };
  scope.count = countOf(whole, scope);
  let words = wordsOf(wanted, lists, scope);
  if (words.every(({ ids }) => ids.length === 0)) {
    const characters = queryCharacters(query.text);
    words = words.concat(wordsOf(characters, yield* askLists(requestsOf(characters, tags)), scope));
  }
  const similar = yield* similarWords(wanted, words, query.limit, scope);
  const found = [...words, ...similar].filter(({ ids }) => ids.length > 0);
  const telling = found.filter((word) => !word.frequent || word.count < everywhere * scope.count);
  const used = telling.length > 0 ? telling : found;
  yield* addTogether(used, scope);
  return yield* best(query, scores(used, scope.count), now);
}

/** Of each word those that hold it, then those that hold it more than once. */
const requestsOf = (words: readonly QueryWord[], tags: Scope['tags']): ListRequest[] =>
  words.flatMap(({ groups }) => [
    { groups: [...groups, ...tags], limit: listLimit },
    { groups: [(groups[0] ?? []).map(repeated), ...groups.slice(1), ...tags], limit: listLimit },
  ]);

function wordsOf(words: readonly QueryWord[], lists: readonly IdList[], scope: Scope): Word[] {
  return words.map(({ groups }, i) => {
    const list = lists[2 * i] ?? { ids: [] };
    return {
      groups,
      ids: [...list.ids],
      repeats: new Set(lists[2 * i + 1]?.ids),
      count: Math.min(scope.count, countOf(list, scope)),
      frequent: list.ids.length === listLimit,
      part: 1,
    };
  });
}

/** Where little was found, also what may be meant by the words that are rare. */
function* similarWords(
  wanted: readonly QueryWord[],
  words: readonly Word[],
  limit: number,
  scope: Scope,
): Search<Word[]> {
  const found = new Set(words.flatMap(({ ids }) => ids));
  if (found.size >= Math.min(limit, enough)) return [];
  const similar = wanted.flatMap(({ word }, i) =>
    word === undefined || (words[i]?.ids.length ?? 0) >= enough ? [] : similarTo(word),
  );
  const lists = yield* askLists(
    similar.map(({ terms, beginnings }) => ({
      groups: [terms, ...scope.tags],
      beginnings,
      limit: listLimit,
    })),
  );
  return similar.map(({ terms, part }, i) => {
    const list = lists[i] ?? { ids: [] };
    return {
      groups: [terms],
      ids: [...list.ids],
      repeats: new Set(),
      count: Math.min(scope.count, countOf(list, scope)),
      // Where little is found, nothing needs to be looked for among the older entries.
      frequent: false,
      part,
    };
  });
}

/** How many entries a list has, of which the newest are known, if they are spread evenly. */
function countOf({ ids, count }: IdList, { first, last }: Scope): number {
  if (count !== undefined || ids.length < listLimit) return count ?? ids.length;
  const [top = last] = ids;
  const reach = top - (ids.at(-1) ?? first) + 1;
  return Math.round((listLimit * (last - first + 1)) / reach);
}

/**
 * Of a frequent word only the newest entries are known by now, so an older one that also holds a rarer
 * word would miss its due. Databases intersect lists quickly.
 */
function* addTogether(words: readonly Word[], scope: Scope): Search<void> {
  const rare = words.filter((word) => !word.frequent);
  const rarest = words.toSorted((x, y) => x.count - y.count).slice(0, 1);
  const anchors = rare.length > 0 ? rare : rarest;
  const others = words
    .filter((word) => word.frequent && !anchors.includes(word))
    .sort((x, y) => x.count - y.count)
    .slice(0, togetherLimit);
  // One term of each anchor is enough: it only says where to look.
  const either = anchors.flatMap((word) => word.groups[0] ?? []);
  const lists = yield* askLists(
    others.map((word) => ({ groups: [...word.groups, either, ...scope.tags], limit: listLimit })),
  );
  for (const [i, word] of others.entries()) word.ids.push(...(lists[i]?.ids ?? []));
}

/** Sums, for each entry, how telling the words are that it holds. Best first, newest first among equals. */
function scores(words: readonly Word[], total: number): [id: number, score: number][] {
  const sums = new Map<number, { score: number; held: number }>();
  for (const word of words) {
    const weight = word.part * Math.log(1 + (total - word.count + 0.5) / (word.count + 0.5));
    for (const id of new Set(word.ids)) {
      const score = word.repeats.has(id) ? twice * weight : weight;
      const sum = sums.get(id);
      if (sum === undefined) sums.set(id, { score, held: word.part });
      else {
        sum.score += score;
        sum.held += word.part;
      }
    }
  }
  const most = words.reduce((sum, word) => sum + word.part, 0);
  return Array.from(sums, ([id, { score, held }]): [number, number] => [
    id,
    score * (1 + (coordination * held) / most),
  ]).sort(([idA, x], [idB, y]) => y - x || idB - idA);
}

function* best(
  { scope, limit }: TextQuery,
  scored: [id: number, score: number][],
  now: number,
): Search<Hit[]> {
  const hits: Hit[] = [];
  // More than asked for, because the length of the texts may still change the order.
  const step = limit + 100;
  for (let from = 0; hits.length < limit && from < scored.length; from += step) {
    const batch = new Map(scored.slice(from, from + step));
    // An index may know scopes by a digest; that they stay apart must not depend on one.
    const rows = (yield* askRows([...batch.keys()])).filter(
      (row) => row.scope === scope && (row.expires === undefined || row.expires > now),
    );
    const mean = rows.reduce((sum, row) => sum + row.terms, 0) / rows.length;
    hits.push(
      ...rows
        .map(({ id, key, value, terms }) => ({
          id,
          hit: { key, value, score: (batch.get(id) ?? 0) * shortness(terms, mean) },
        }))
        .sort((x, y) => y.hit.score - x.hit.score || y.id - x.id)
        .map(({ hit }) => hit),
    );
  }
  return hits.slice(0, limit);
}

/** BM25's correction for length: a word says more about a short text. */
const shortness = (terms: number, mean: number): number => (k1 + 1) / (1 + k1 * (1 - b + (b * terms) / mean));
