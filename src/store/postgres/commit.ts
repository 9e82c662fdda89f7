import { randomBytes } from 'node:crypto';
import { prefixEnd } from '../keys.ts';
import type { Put, Write } from '../types.ts';
import type { Statement } from './connection.ts';
import { prefix } from './names.ts';
import { indexedText } from './text-index.ts';

type Values = ReadonlyMap<string, string | undefined>;

/**
 * Writes if what was read is still so, in one transaction. Answers null when it has written, else the values of the
 * keys read, in the order of `readOrder`.
 */
export const commitStatement: Statement = {
  name: 'asms_commit',
  text: `select ${prefix}commit($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)`,
};

/**
 * A commit with this token has happened (false), or never will (true). The answer is the same however often it is
 * asked for.
 */
export const forestallStatement: Statement = {
  name: 'asms_forestall',
  text: `insert into ${prefix}commits (token, forestalled) values ($1, true)
    on conflict (token) do update set token = excluded.token returning forestalled`,
};

export interface Commit {
  values: unknown[];
  /** The keys that were read, as the answer orders them. */
  readOrder: string[];
}

/**
 * What the function of a commit is called with.
 * @param token names the commit, so that its outcome can be asked for when the connection is lost
 * @param seen what was read, by key
 */
export function commitOf(token: string, now: number, seen: Values, writes: readonly Write[]): Commit {
  const puts = writes.filter((write): write is Put => 'key' in write);
  const dropped = writes.flatMap((write) => ('drop' in write ? write.drop : []));
  const prefixes = writes.flatMap((write) => ('dropPrefix' in write ? write.dropPrefix : []));
  const written = new Set([...puts.map((put) => put.key), ...dropped]);
  const [changed, kept]: [string[], string[]] = [[], []];
  for (const [key, value] of seen) {
    // Dropping what is not there changes nothing, but that nothing is there must stay so.
    const changes = written.has(key) && (value !== undefined || !dropped.includes(key));
    (changes ? changed : kept).push(key);
  }
  const valuesOf = (keys: readonly string[]) => keys.map((key) => seen.get(key) ?? null);
  const texts = puts.map((put) => (put.text === undefined ? undefined : indexedText(put.text)));
  const isNew = (key: string) => seen.has(key) && seen.get(key) === undefined;
  return {
    readOrder: [...changed, ...kept],
    values: [
      token,
      now,
      changed,
      valuesOf(changed),
      kept,
      valuesOf(kept),
      prefixes,
      prefixes.map((one) => prefixEnd(one) ?? null),
      dropped,
      puts.map((put) => put.key),
      puts.map((put) => isNew(put.key)),
      puts.map((put) => put.value),
      puts.map((put) => put.expires ?? null),
      texts.map((text) => text?.scope ?? null),
      texts.map((text) => text?.terms ?? null),
      texts.map((text) => text?.list ?? null),
    ],
  };
}

/**
 * A UUID of version 7: its first 48 bits are the time in milliseconds, so that old tokens lie together and are found
 * by their order (RFC 9562, section 5.7).
 */
export function newToken(now: number): string {
  const hex = randomBytes(10).toString('hex');
  const time = now.toString(16).padStart(12, '0').slice(-12);
  const variant = ((Number.parseInt(hex.slice(3, 4), 16) & 0x3) | 0x8).toString(16);
  return `${time.slice(0, 8)}-${time.slice(8)}-7${hex.slice(0, 3)}-${variant}${hex.slice(4, 7)}-${hex.slice(7, 19)}`;
}

/** The least token of this time. */
export const leastToken = (now: number): string =>
  `${now
    .toString(16)
    .padStart(12, '0')
    .replace(/^(.{8})/, '$1-')}-0000-0000-000000000000`;
