import { createHash } from 'node:crypto';
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { cached } from '../cached.ts';
import type { IdList, IndexedRow, ListRequest, SyncIndexReader } from '../ranking.ts';
import type { WholeEntry } from '../types.ts';

interface Row {
  id: number;
  key: string;
  value: string;
  scope: string | null;
  terms: number;
  expires: number | null;
}

/** A row that the index does not hold yet. */
interface Unmerged {
  id: number;
  terms: ReadonlySet<string>;
}

/**
 * FTS5 as a plain inverted index: it keeps the lists of entries and merges them, and holds the term lists of all
 * rows but those that the schema marks as not merged. Every term is prefixed with its scope, so that a scope's
 * lists are its own and other scopes, however large, cost nothing. Ranking is not FTS5's: `bm25()` would walk the
 * whole list of every word. Read within one transaction.
 */
export function textIndex(db: DatabaseSync): SyncIndexReader {
  const anyToTake = db.prepare('select 1 from take_later limit 1');
  const all = listsWhere(db, '');
  const allButNoted = listsWhere(db, 'and rowid not in (select id from take_later)');
  const rowOf = db.prepare('select id, key, value, scope, terms, expires from kv where id = ?');
  // A cross join, so that SQLite begins with the few rows of `merge_later` and not with all others.
  const unmerged = db.prepare(
    `select id, term_list from kv
       where id > (select id from merged) and substr(term_list, 1, ${scopeDigits}) = :prefix
     union all select id, term_list from merge_later cross join kv using (id)
       where substr(term_list, 1, ${scopeDigits}) = :prefix`,
  );
  unmerged.setReturnArrays(true);

  const unmergedOf = (prefix: string): Unmerged[] =>
    (unmerged.all({ prefix }) as unknown as [number, string][]).map(([id, list]) => ({
      id,
      terms: new Set(list.slice(scopeDigits + 1).split(' ')),
    }));

  function list(
    { newest, oldest }: Lists,
    prefix: string,
    request: ListRequest,
    recent: readonly Unmerged[],
  ): IdList {
    const match = matchOf(prefix, request);
    let ids = (newest.all(match, request.limit) as unknown as [number][]).map(([id]) => id);
    const added = recent.filter((row) => holds(row.terms, request)).map((row) => row.id);
    if (added.length > 0) ids = [...ids, ...added].sort((a, b) => b - a).slice(0, request.limit);
    if (request.oldest !== true) return { ids };
    const least = (oldest.get(match) as unknown as [number] | undefined)?.[0];
    return { ids, oldest: [...(least === undefined ? [] : [least]), ...added].sort((a, b) => a - b)[0] };
  }

  return {
    lists(scope, requests) {
      const prefix = prefixOf(scope);
      const recent = unmergedOf(prefix);
      // To pass over ids costs a list a tenth more, and most of the time there are none.
      const from = anyToTake.get() === undefined ? all : allButNoted;
      return requests.map((request) => list(from, prefix, request, recent));
    },
    rows: (ids) =>
      ids.flatMap((id): IndexedRow[] => {
        const row = rowOf.get(id) as unknown as Row | undefined;
        return row === undefined || row.scope === null
          ? []
          : [{ ...row, scope: row.scope, expires: row.expires ?? undefined }];
      }),
  };
}

interface Lists {
  newest: StatementSync;
  oldest: StatementSync;
}

function listsWhere(db: DatabaseSync, condition: string): Lists {
  const matching = `select rowid from term_index where term_index match ? ${condition} order by rowid`;
  const lists = { newest: db.prepare(`${matching} desc limit ?`), oldest: db.prepare(`${matching} limit 1`) };
  lists.newest.setReturnArrays(true);
  lists.oldest.setReturnArrays(true);
  return lists;
}

const holds = (terms: ReadonlySet<string>, { groups, beginnings }: ListRequest): boolean =>
  groups.every((group, i) =>
    beginnings === true && i === 0
      ? group.some((start) => [...terms].some((term) => term.startsWith(start)))
      : group.some((term) => terms.has(term)),
  );

/** Terms hold neither quotes nor anything else that FTS5 reads as syntax. */
function matchOf(prefix: string, { groups, beginnings }: ListRequest): string {
  if (groups.length === 0) return `"${prefix}"`;
  return groups
    .map((terms, i) => {
      const star = beginnings === true && i === 0 ? ' *' : '';
      return `(${terms.map((term) => `"${prefix}${term}"${star}`).join(' OR ')})`;
    })
    .join(' AND ');
}

/** Digits of the prefix that keeps the terms of a scope apart from those of others. */
export const scopeDigits = 16;

/** What a row keeps of its text: the prefix of its scope, which is the list of all entries of it, and the terms. */
export const termList = (scope: string, terms: readonly string[]): string =>
  terms.length === 0 ? prefixOf(scope) : `${prefixOf(scope)} ${terms.join(' ')}`;

const prefixOf = cached((scope) => {
  const digest = createHash('sha256').update(scope).digest().readBigUInt64BE();
  return (digest % 10n ** BigInt(scopeDigits)).toString().padStart(scopeDigits, '0');
}, 1000);

export interface WholeRow {
  key: string;
  value: string;
  expires: number | null;
  scope: string | null;
  terms: number | null;
  term_list: string | null;
}

export function wholeEntry({ key, value, expires, scope, terms, term_list: list }: WholeRow): WholeEntry {
  const text =
    scope === null || list === null
      ? undefined
      : { scope, terms: list.split(' ').slice(1), words: terms ?? 0 };
  return { key, value, expires: expires ?? undefined, text };
}
