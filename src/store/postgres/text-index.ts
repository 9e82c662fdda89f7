import { createHash } from 'node:crypto';
import { type IdList, type IndexedRow, type ListRequest, rank } from '../ranking.ts';
import { splitText } from '../split-text.ts';
import type { Hit, Put, TextQuery } from '../types.ts';
import type { Row, Run, Statement } from './connection.ts';
import { prefix } from './names.ts';

const freshStatement: Statement = {
  name: 'asms_fresh',
  text: `select kv.id, kv.term_list from ${prefix}fresh fresh
    join ${prefix}kv kv on kv.id = fresh.id and kv.term_list is not null where fresh.scope_digest = $1`,
};

const newestStatement: Statement = {
  name: 'asms_newest',
  text: `select ${prefix}newest(term, $2)::text,
      (select ids[1] from ${prefix}terms first where first.term = wanted.term order by last limit 1)
    from unnest($1::text[]) with ordinality as wanted (term, place) order by place`,
};

const beginningsStatement: Statement = {
  name: 'asms_beginnings',
  text: `select distinct term from ${prefix}terms where term >= $1 and term < $2 limit $3`,
};

/** Of these entries those that have, of every list of terms, at least one. The lists are divided by line feeds. */
const holdingStatement: Statement = {
  name: 'asms_holding',
  text: `select id from ${prefix}kv kv where id = any($1) and term_list is not null and not exists (
      select from unnest($2::text[]) as wanted (terms)
      where not string_to_array(kv.term_list, ' ') && string_to_array(wanted.terms, e'\\n')
    )`,
};

const rowsStatement: Statement = {
  name: 'asms_rows',
  text: `select id, key, value, scope, terms, expires from ${prefix}kv where id = any($1) and term_list is not null`,
};

/** So many terms that begin alike are looked at. */
const mostBeginnings = 200;

/** What a row keeps of its text. The list begins with the digest of the scope, which no term can be. */
export function indexedText(text: NonNullable<Put['text']>): {
  scope: string;
  terms: number;
  list: string;
} {
  const { scope, terms, words } = splitText(text);
  return { scope, terms: words, list: [digestOf(scope), ...terms].join(' ') };
}

/** Keeps the terms of a scope apart from those of others; that scopes stay apart does not depend on it. */
const digestOf = (scope: string): string => createHash('sha256').update(scope).digest('hex').slice(0, 16);

/** What is known of the entries that hold a term: ids, greatest first, and whether these are all. */
interface Found {
  ids: number[];
  oldest: number | undefined;
  whole: boolean;
}

export function searchPostgres(run: Run, query: TextQuery, now: number): Promise<Hit[]> {
  return rank(query, now, {
    lists: (scope, requests) => listsOf(run, digestOf(scope), requests),
    async rows(ids) {
      return (await run(rowsStatement, [ids])).map(
        ([id, key, value, scope, terms, expires]): IndexedRow => ({
          id: Number(id),
          key: String(key),
          value: String(value),
          scope: String(scope),
          terms: Number(terms),
          ...(expires === null ? {} : { expires: Number(expires) }),
        }),
      );
    },
  });
}

async function listsOf(run: Run, digest: string, asked: readonly ListRequest[]): Promise<IdList[]> {
  // Fresh ones first: what is merged meanwhile is then found twice, not never.
  const fresh = (await run(freshStatement, [digest])).map(([id, list]) => ({
    id: Number(id),
    terms: new Set(String(list).split(' ')),
  }));
  const requests = await Promise.all(asked.map((request) => completed(run, digest, request, fresh)));
  const terms = [...new Set(requests.flatMap(({ groups }) => groups.flat()))];
  const limit = Math.max(...requests.map((request) => request.limit));
  const rows =
    terms.length === 0
      ? []
      : await run(newestStatement, [terms.map((term) => indexTerm(digest, term)), limit]);
  const lists = new Map(terms.map((term, i) => [term, foundOf(rows[i], limit)]));
  return Promise.all(requests.map((request) => listOf(run, request, lists, fresh)));
}

/** All entries of the scope are those with its digest. Beginnings are replaced by the terms that begin with them. */
async function completed(
  run: Run,
  digest: string,
  request: ListRequest,
  fresh: readonly { terms: ReadonlySet<string> }[],
): Promise<ListRequest> {
  const [first, ...others] = request.groups;
  if (first === undefined) return { ...request, groups: [[digest]] };
  if (request.beginnings !== true) return request;
  const known = await Promise.all(
    first.map((term) =>
      run(beginningsStatement, [digest + term, `${digest}${term}\u{10ffff}`, mostBeginnings]),
    ),
  );
  const terms = known.flat().map(([term]) => String(term).slice(digest.length));
  for (const row of fresh)
    for (const term of row.terms) if (first.some((beginning) => term.startsWith(beginning))) terms.push(term);
  return { ...request, groups: [[...new Set(terms)], ...others] };
}

const indexTerm = (digest: string, term: string): string => (term === digest ? digest : digest + term);

function foundOf(row: Row | undefined, limit: number): Found {
  const text = String(row?.[0] ?? '{}').slice(1, -1);
  const ids =
    text === ''
      ? []
      : text
          .split(',')
          .map(Number)
          .sort((a, b) => b - a);
  const oldest = row?.[1];
  return {
    ids,
    oldest: oldest === null || oldest === undefined ? undefined : Number(oldest),
    whole: ids.length < limit,
  };
}

/** The entries that hold one term of each group: the rarest group says where to look, the others are checked. */
async function listOf(
  run: Run,
  { groups, limit, oldest }: ListRequest,
  lists: ReadonlyMap<string, Found>,
  fresh: readonly { id: number; terms: ReadonlySet<string> }[],
): Promise<IdList> {
  const [rarest, ...others] = groups.map((terms) => union(terms, lists)).sort(byRarity);
  const inIndex = rarest === undefined ? [] : await held(run, rarest.ids, others);
  const holding = fresh.filter(({ terms }) => groups.every((group) => group.some((term) => terms.has(term))));
  const ids = [...new Set([...inIndex, ...holding.map(({ id }) => id)])].sort((a, b) => b - a);
  if (oldest !== true) return { ids: ids.slice(0, limit) };
  const least = Math.min(ids.at(-1) ?? Number.POSITIVE_INFINITY, rarest?.oldest ?? Number.POSITIVE_INFINITY);
  return { ids: ids.slice(0, limit), ...(ids.length > 0 ? { oldest: least } : {}) };
}

interface Group extends Found {
  terms: readonly string[];
}

function union(terms: readonly string[], lists: ReadonlyMap<string, Found>): Group {
  const found = terms.flatMap((term) => lists.get(term) ?? []);
  const oldest = found.flatMap((list) => list.oldest ?? []);
  return {
    terms,
    ids: [...new Set(found.flatMap((list) => list.ids))].sort((a, b) => b - a),
    oldest: oldest.length > 0 ? Math.min(...oldest) : undefined,
    whole: found.every((list) => list.whole),
  };
}

/** A list that is whole says all; of the others the one whose newest entries reach furthest back is the rarest. */
function byRarity(a: Group, b: Group): number {
  if (a.whole !== b.whole) return a.whole ? -1 : 1;
  return a.whole ? a.ids.length - b.ids.length : (a.ids.at(-1) ?? 0) - (b.ids.at(-1) ?? 0);
}

async function held(run: Run, ids: readonly number[], others: readonly Group[]): Promise<number[]> {
  let left = [...ids];
  for (const other of others.filter((group) => group.whole)) {
    const set = new Set(other.ids);
    left = left.filter((id) => set.has(id));
  }
  const unsure = others.filter((group) => !group.whole);
  if (unsure.length === 0 || left.length === 0) return left;
  const wanted = unsure.map((group) => group.terms.join('\n'));
  return (await run(holdingStatement, [left, wanted])).map(([id]) => Number(id));
}
