import { compareKeys, prefixEnd } from '../keys.ts';
import type { Entry, PlacedEntry, Range, WholeEntry } from '../types.ts';
import type { Row, Statement } from './connection.ts';
import { prefix } from './names.ts';

export const begin: Statement = { name: 'asms_begin', text: 'begin isolation level read committed' };
export const end: Statement = { name: 'asms_end', text: 'commit' };
export const giveUp: Statement = { name: 'asms_give_up', text: 'rollback' };

const alive = (moment: string) => `(expires is null or expires > ${moment})`;

export const readStatement: Statement = {
  name: 'asms_read',
  text: `select key, value from ${prefix}kv where key = any($1) and ${alive('$2')}`,
};

export const lockStatement: Statement = {
  name: 'asms_lock',
  text: `select key, case when expires <= $2 then null else value end from ${prefix}kv
    where key = any($1) order by key for update`,
};

/** The answer of these two, by key: undefined where there is no value. */
export function valuesOf(keys: readonly string[], rows: readonly Row[]): Map<string, string | undefined> {
  const values = new Map<string, string | undefined>(keys.map((key) => [key, undefined]));
  for (const [key, value] of rows) if (typeof value === 'string') values.set(String(key), value);
  return values;
}

/** The statement of a range and its values, but for the limit and the time. */
export function rangeStatement({ prefix: under, after, before, reverse }: Range): [Statement, string[]] {
  const end = prefixEnd(under);
  const inside = after !== undefined && compareKeys(after, under) >= 0;
  const to = before !== undefined && (end === undefined || compareKeys(before, end) < 0) ? before : end;
  const direction = reverse === true ? 'desc' : 'asc';
  const text = `select key, value from ${prefix}kv
    where key ${inside ? '>' : '>='} $1${to === undefined ? '' : ' and key < $4'} and ${alive('$2')}
    order by key ${direction} limit $3`;
  const name = `asms_range_${direction}${inside ? '_after' : ''}${to === undefined ? '' : '_to'}`;
  return [{ name, text }, [inside ? after : under, ...(to === undefined ? [] : [to])]];
}

/** Whole entries: from a key, at this moment, at most so many. */
export const wholeStatement: Statement = {
  name: 'asms_whole',
  text: `select key, value, expires, scope, terms, term_list from ${prefix}kv
    where key >= $1 and ${alive('$2')} order by key limit $3`,
};

/** Those with a text, in the order of their ids: from an id, at this moment, at most so many. */
export const textsStatement: Statement = {
  name: 'asms_texts',
  text: `select key, value, expires, scope, terms, term_list, id from ${prefix}kv
    where id > $1 and term_list is not null and ${alive('$2')} order by id limit $3`,
};

export const placedEntriesOf = (rows: readonly Row[]): PlacedEntry[] =>
  wholeEntriesOf(rows).map((entry, i) => ({ ...entry, place: Number(rows[i]?.[6]) }));

export const wholeEntriesOf = (rows: readonly Row[]): WholeEntry[] =>
  rows.map(([key, value, expires, scope, words, list]) => ({
    key: String(key),
    value: String(value),
    expires: expires === null || expires === undefined ? undefined : Number(expires),
    // The list begins with the digest of the scope.
    text:
      typeof list === 'string'
        ? { scope: String(scope), terms: list.split(' ').slice(1), words: Number(words) }
        : undefined,
  }));

export const entriesOf = (rows: readonly Row[]): Entry[] =>
  rows.map(([key, value]) => ({ key: String(key), value: String(value) }));

/** Passes over what another server is deleting. */
export const sweepStatement: Statement = {
  name: 'asms_sweep',
  text: `delete from ${prefix}kv where key in (
    select key from ${prefix}kv where expires <= $1 order by expires limit $2 for update skip locked
  ) returning 1`,
};

/** Tokens of commits that are so old that nobody asks for them any more. */
export const sweepTokensStatement: Statement = {
  name: 'asms_sweep_tokens',
  text: `delete from ${prefix}commits where token in (
    select token from ${prefix}commits where token < $1 order by token limit $2 for update skip locked
  ) returning 1`,
};
