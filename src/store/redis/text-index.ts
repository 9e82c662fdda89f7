import { createHash } from 'node:crypto';
import { type IdList, type IndexedRow, type ListRequest, rank } from '../ranking.ts';
import { splitText } from '../split-text.ts';
import type { Hit, Put, TextQuery } from '../types.ts';
import type { Connection } from './connection.ts';
import { valueIn } from './entry.ts';
import { searchScripts } from './search-scripts.ts';

/**
 * Of lists that must be compared so many entries are looked at, those written last: Redis does nothing else
 * meanwhile.
 */
const compared = 20_000;

/** What the commit script is told of an entry's text: the number of its words, scope, prefix, terms. */
export function textArguments(text: Put['text']): string[] {
  if (text === undefined) return ['', '', '', ''];
  const { scope, terms, words } = splitText(text);
  return [String(words), scope, prefixOf(scope), terms.join(' ')];
}

export function searchRedis(
  connection: Connection,
  keys: readonly string[],
  query: TextQuery,
  now: number,
): Promise<Hit[]> {
  return rank(query, now, {
    async lists(scope, requests) {
      const args = [prefixOf(scope), String(compared), ...requests.flatMap(argumentsOf)];
      const answers = (await connection.run(searchScripts.lists, keys, args)) as [
        number,
        string,
        ...string[],
      ][];
      return answers.map(
        ([count, oldest, ...ids]): IdList => ({
          ids: ids.map(Number),
          ...(oldest === '' ? {} : { oldest: Number(oldest) }),
          ...(count < 0 ? {} : { count }),
        }),
      );
    },
    async rows(ids) {
      const wanted = ids.map((id) => String(id).padStart(12, '0'));
      const found = (await connection.run(searchScripts.rows, keys, wanted)) as [
        string,
        string,
        string,
        string,
        string,
      ][];
      return found.flatMap(([id, terms, key, scope, entry]): IndexedRow[] => {
        const value = valueIn(entry, now);
        return value === undefined ? [] : [{ id: Number(id), key, value, scope, terms: Number(terms) }];
      });
    },
  });
}

/** limit, whether the oldest is asked for, whether the first group are beginnings, groups, and each with its terms. */
function argumentsOf({ groups, beginnings, limit, oldest }: ListRequest): string[] {
  const flags = [String(limit), oldest === true ? '1' : '0', beginnings === true ? '1' : '0'];
  return [...flags, String(groups.length), ...groups.flatMap((terms) => [String(terms.length), ...terms])];
}

/** Keeps the terms of a scope apart from those of others; that scopes stay apart does not depend on it. */
const prefixOf = (scope: string): string => createHash('sha256').update(scope).digest('hex').slice(0, 16);
