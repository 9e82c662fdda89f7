import { randomFillSync } from 'node:crypto';
import { invalidArgument } from '../errors.ts';

/** First letter of an id: what kind of thing it names. */
export type IdKind = 's' | 'e' | 'i' | 'm' | 'c' | 'x' | 't';

/**
 * A new id: the kind's letter and 18 random digits, which cost a language model 7 tokens, since tokenizers take
 * three digits at a time; the same in letters costs three times as much. Legal as a session id on every backend.
 */
export function newId(kind: IdKind): string {
  return kind + String(randomBytes(8).readBigUInt64LE() % 10n ** 18n).padStart(18, '0');
}

let last = { ms: 0, suffix: 0 };

/**
 * A new id that sorts by age: the kind's letter, 13 digits of the time in milliseconds, and 8 that are random for
 * the first id of a millisecond and count on from there.
 */
export function newTimedId(kind: IdKind, ms: number = Date.now()): string {
  const suffix = ms === last.ms ? last.suffix + 1 : randomBytes(4).readUInt32LE();
  last = { ms, suffix };
  return timedId(kind, ms, suffix);
}

/** The id of this form with a suffix that says itself what is to differ. */
export const timedId = (kind: IdKind, ms: number, suffix: number): string =>
  kind + digits(Math.max(0, ms), 13) + digits(suffix % 1e8, 8);

const digits = (n: number, length: number): string => String(n).padStart(length, '0');

/**
 * A new id that nobody sees and that is never typed: the kind's letter, nine base-36 digits of the time in
 * milliseconds, then 128 random bits in base 36. 35 characters; all ids had this form once.
 */
export function newLongId(kind: IdKind, ms: number): string {
  const random = BigInt(`0x${randomBytes(16).toString('hex')}`);
  return kind + ms.toString(36).padStart(9, '0') + random.toString(36).padStart(25, '0');
}

/**
 * Milliseconds since the epoch at which an id of `newTimedId` or `newLongId` was made. Others may have ids of these
 * forms too, so whoever uses the time looks whether it is true.
 */
export function timeOfId(id: string): number | undefined {
  if (/^[a-z]\d{21}$/.test(id)) return Number(id.slice(1, 14));
  return /^[a-z][0-9a-z]{34}$/.test(id) ? Number.parseInt(id.slice(1, 10), 36) : undefined;
}

// Random bytes are drawn in stock: drawing a few at a time would cost more than everything else in an append.
const stock = Buffer.alloc(4096);
let used = stock.length;

/** Valid until the next call. */
function randomBytes(count: number): Buffer {
  if (used + count > stock.length) {
    randomFillSync(stock);
    used = 0;
  }
  used += count;
  return stock.subarray(used - count, used);
}

/** Longest id, in UTF-16 units, that any backend is asked about. */
export const maxIdLength = 256;

/**
 * What is wrong with an id that a caller chose or sent, as the end of a sentence; undefined if nothing is.
 * Any well-formed Unicode text without control characters is an id, because other people's systems mint
 * them; what a backend cannot hold, it refuses itself.
 */
export function idFault(value: string): string | undefined {
  if (value === '') return 'is empty';
  if (value.length > maxIdLength) return `is longer than ${maxIdLength} characters`;
  if (!value.isWellFormed() || /\p{Cc}/u.test(value)) return 'contains control characters or broken Unicode';
  return undefined;
}

/** @throws SessionError INVALID_ARGUMENT */
export function checkId(name: string, value: string): string {
  const fault = idFault(value);
  if (fault === undefined) return value;
  throw invalidArgument(
    `${name} ${fault}.`,
    'Pass ids as other tools returned them; for an id of your own use letters, digits, "-", "_", "." and ":".',
  );
}
