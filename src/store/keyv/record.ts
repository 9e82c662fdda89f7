import { SessionError } from '../../errors.ts';

/** An entry as the adapter holds it, under a slot of its own. A slot is written once and never changed. */
export interface StoredEntry {
  key: string;
  value: string;
  expires?: number | undefined;
  text?: StoredText | undefined;
}

export interface StoredText {
  /** Grows: later texts have greater ids. An entry keeps its own. */
  id: number;
  scope: string;
  terms: readonly string[];
  /** How many of the terms are words; the others are tags. */
  words: number;
}

/** All that a commit changes, in one text: it is written before anything else, so that nothing is half there. */
export interface Intent {
  /** One more than that of the commit before. */
  number: number;
  puts: readonly (readonly [slot: string, entry: string])[];
  drops: readonly string[];
}

export const encodeStored = ({ key, value, expires, text }: StoredEntry): string =>
  JSON.stringify([key, value, expires ?? null, text ?? null]);

/** @throws SessionError FAILED_PRECONDITION */
export function decodeStored(record: string): StoredEntry {
  const [key, value, expires, text] = parse(record) as [string, string, number | null, StoredText | null];
  if (typeof key !== 'string' || typeof value !== 'string') throw damaged();
  return { key, value, expires: expires ?? undefined, text: text ?? undefined };
}

/** Undefined for one that was cut off while it was written. */
export function decodeIntent(text: string | undefined): Intent | undefined {
  try {
    const intent = JSON.parse(text ?? '') as Partial<Intent>;
    const { number, puts, drops } = intent;
    return number !== undefined && puts !== undefined && drops !== undefined
      ? { number, puts, drops }
      : undefined;
  } catch {
    return undefined;
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw damaged(cause);
  }
}

export const damaged = (cause?: unknown): SessionError =>
  new SessionError('FAILED_PRECONDITION', 'The session store is damaged: its Keyv adapter lost an entry.', {
    hint: 'Restore what the adapter keeps from a backup, or choose another store with --store.',
    cause,
  });
