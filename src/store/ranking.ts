import type { Hit, TextQuery } from './types.ts';
import { queryCharacters, queryWords, tagTerm } from './words.ts';

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
 * The score is BM25 without term frequency, times the coordination: an entry that holds all words of a query
 * comes before one that repeats a part of them. Lists are bounded, so that a word of a million entries costs
 * as much as one of some thousands.
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
/** BM25: how much the length of a text counts at all, and how much of it. Tuned for short texts. */
const k1 = 0.9;
const b = 0.4;
/** How much better an entry is that holds all words of the query than one that holds next to none. */
const together = 0.5;

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
  /** How many entries of the scope hold the word: exact, or an estimate for frequent words. */
  count: number;
  frequent: boolean;
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
  const words = queryWords(query.text);
  const [whole, ...lists] = yield* askLists([
    { groups: tags, limit: listLimit, oldest: true },
    ...words.map((word) => requestOf(word, tags)),
  ]);
  const [last] = whole?.ids ?? [];
  const first = whole?.oldest;
  if (whole === undefined || last === undefined || first === undefined) return [];
  const scope: Scope = { tags, first, last, count: 0 };
  scope.count = countOf(whole, scope);
  let found = wordsOf(words, lists, scope);
  if (found.length === 0) {
    const characters = queryCharacters(query.text);
    found = wordsOf(characters, yield* askLists(characters.map((word) => requestOf(word, tags))), scope);
  }
  const telling = found.filter((word) => !word.frequent || word.count < everywhere * scope.count);
  const used = telling.length > 0 ? telling : found;
  yield* addTogether(used, scope);
  return yield* best(query, scores(used, scope.count), now);
}

/** A word is found where all of its terms are. */
const requestOf = (terms: readonly string[], tags: Scope['tags']): ListRequest => ({
  groups: [...terms.map((term) => [term]), ...tags],
  limit: listLimit,
});

function wordsOf(words: readonly string[][], lists: readonly IdList[], scope: Scope): Word[] {
  return words.flatMap((terms, i) => {
    const list = lists[i];
    if (list === undefined || list.ids.length === 0) return [];
    return [
      {
        groups: terms.map((term) => [term]),
        ids: [...list.ids],
        count: Math.min(scope.count, countOf(list, scope)),
        frequent: list.ids.length === listLimit,
      },
    ];
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
    const weight = Math.log(1 + (total - word.count + 0.5) / (word.count + 0.5));
    for (const id of new Set(word.ids)) {
      const sum = sums.get(id);
      if (sum === undefined) sums.set(id, { score: weight, held: 1 });
      else {
        sum.score += weight;
        sum.held += 1;
      }
    }
  }
  return Array.from(sums, ([id, { score, held }]): [number, number] => [
    id,
    score * (1 + (together * held) / words.length),
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
