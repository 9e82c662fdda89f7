import { createHash } from 'node:crypto';
import type { DatabaseSync } from 'node:sqlite';
import type { IdList, IndexedRow, ListRequest, SyncIndexReader } from '../ranking.ts';

interface Row {
  id: number;
  key: string;
  value: string;
  scope: string | null;
  terms: number;
  expires: number | null;
}

/**
 * FTS5 as a plain inverted index: it keeps the lists of entries and merges them; the triggers of the schema fill
 * it from the term lists of the rows. Every term is prefixed with its scope, so that a scope's lists are its own
 * and other scopes, however large, cost nothing. Ranking is not FTS5's: `bm25()` would walk the whole list of
 * every word. Read within one transaction.
 */
export function textIndex(db: DatabaseSync): SyncIndexReader {
  const newest = db.prepare(
    'select rowid from term_index where term_index match ? order by rowid desc limit ?',
  );
  const oldest = db.prepare('select rowid from term_index where term_index match ? order by rowid limit 1');
  const rowOf = db.prepare('select id, key, value, scope, terms, expires from kv where id = ?');
  newest.setReturnArrays(true);
  oldest.setReturnArrays(true);

  function list(prefix: string, request: ListRequest): IdList {
    const match = matchOf(prefix, request);
    const ids = (newest.all(match, request.limit) as unknown as [number][]).map(([id]) => id);
    if (request.oldest !== true) return { ids };
    return { ids, oldest: (oldest.get(match) as unknown as [number] | undefined)?.[0] };
  }

  return {
    lists(scope, requests) {
      const prefix = prefixOf(scope);
      return requests.map((request) => list(prefix, request));
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
  [prefixOf(scope), ...terms].join(' ');

function prefixOf(scope: string): string {
  const digest = createHash('sha256').update(scope).digest().readBigUInt64BE();
  return (digest % 10n ** BigInt(scopeDigits)).toString().padStart(scopeDigits, '0');
}
