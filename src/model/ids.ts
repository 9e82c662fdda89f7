import { randomFillSync } from 'node:crypto';
import { invalidArgument } from '../errors.ts';

/** First letter of an id: what kind of thing it names. */
export type IdKind = 's' | 'e' | 'i' | 'm' | 'c' | 'x' | 't';

/**
 * A new id: the kind's letter, nine base-36 digits of the time in milliseconds, then 128 random bits in
 * base 36. 35 characters of `[a-z0-9]`, first a letter: legal as a session id on every backend. Ids of
 * different milliseconds sort by age.
 */
export function newId(kind: IdKind, now: number = Date.now()): string {
  const random = BigInt(`0x${randomHex()}`);
  return kind + now.toString(36).padStart(9, '0') + random.toString(36).padStart(25, '0');
}

/**
 * Milliseconds since the epoch at which an id of `newId` was made. Others may have ids of this form too, so
 * whoever uses the time looks whether it is true.
 */
export function timeOfId(id: string): number | undefined {
  return /^[a-z][0-9a-z]{34}$/.test(id) ? Number.parseInt(id.slice(1, 10), 36) : undefined;
}

// Random bytes are drawn in stock: drawing 16 at a time would cost more than everything else in an append.
const stock = Buffer.alloc(4096);
let used = stock.length;

function randomHex(): string {
  if (used === stock.length) {
    randomFillSync(stock);
    used = 0;
  }
  used += 16;
  return stock.toString('hex', used - 16, used);
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
