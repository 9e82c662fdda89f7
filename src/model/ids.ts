import { randomBytes } from 'node:crypto';
import { invalidArgument } from '../errors.ts';

/** First letter of an id: what kind of thing it names. */
export type IdKind = 's' | 'e' | 'i' | 'm' | 'c' | 'x';

/**
 * A new id: the kind's letter, nine base-36 digits of the time in milliseconds, then 128 random bits in
 * base 36. 35 characters of `[a-z0-9]`, first a letter: legal as a session id on every backend. Ids of
 * different milliseconds sort by age.
 */
export function newId(kind: IdKind, now: number = Date.now()): string {
  const random = BigInt(`0x${randomBytes(16).toString('hex')}`);
  return kind + now.toString(36).padStart(9, '0') + random.toString(36).padStart(25, '0');
}

/** Longest id, in UTF-16 units, that any backend is asked about. */
export const maxIdLength = 256;

/**
 * Checks an id that a caller chose or sent. Any well-formed Unicode text without control characters is an
 * id, because other people's systems mint them; what a backend cannot hold, it refuses itself.
 * @throws SessionError INVALID_ARGUMENT
 */
export function checkId(name: string, value: string): string {
  if (value === '')
    throw invalidArgument(`${name} is empty.`, `Pass the ${name} that another tool returned.`);
  if (value.length > maxIdLength)
    throw invalidArgument(
      `${name} is longer than ${maxIdLength} characters.`,
      `Use a shorter ${name}; ids that this server makes have 35 characters.`,
    );
  if (!value.isWellFormed() || /\p{Cc}/u.test(value))
    throw invalidArgument(
      `${name} holds control characters or broken Unicode.`,
      `Use letters, digits, "-", "_", "." or ":" in a ${name}.`,
    );
  return value;
}
