import { SessionError } from '../../errors.ts';
import { isObject } from '../../model/json.ts';
import type { Store } from '../../store/types.ts';
import { sessionNotFound } from '../shared/errors.ts';
import * as keys from './keys.ts';

/** A record that was changed from outside: by a bad disk, or by hand. */
export function damaged(what: string, cause?: unknown): SessionError {
  return new SessionError('FAILED_PRECONDITION', `${what} is damaged in the store.`, {
    hint: 'Ask the operator to run `agent-sessions-mcp doctor`, which names damaged records, and to restore a backup.',
    cause,
  });
}

/**
 * The object that a row holds.
 * @throws SessionError FAILED_PRECONDITION when the row holds no JSON object
 */
export function parseStored<T>(what: string, text: string): T {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw damaged(what, error);
  }
  if (!isObject(value)) throw damaged(what);
  return value as T;
}

/**
 * The object that a row inside a session holds. A blank row belongs to a session that is being deleted.
 * @throws SessionError as `parseStored`; NOT_FOUND for a session that is being deleted
 */
export function parseInside<T>(what: string, text: string): T {
  if (text === '') throw sessionNotFound();
  return parseStored(what, text);
}

/** Remembers a damaged row, so that `damagedRecords` finds it without reading the whole store. */
export async function noteDamage(store: Store, key: string, value: string): Promise<void> {
  const note = { key: keys.damageKey(key), value: keys.hash(value) };
  const [known] = await store.get([note.key]);
  if (known !== note.value) await store.update([], () => ({ result: undefined, writes: [note] }));
}

/** Keys of rows that maintenance met and could not read, at most `limit`; not those that have changed since. */
export async function damagedRecords(store: Store, limit = 100): Promise<string[]> {
  const notes = await store.range({ prefix: keys.damages, limit });
  const named = notes.map((note) => keys.partsOf(note.key)[1] ?? '');
  const rows = await store.get(named);
  return named.filter((_, i) => rows[i] !== undefined && keys.hash(rows[i]) === notes[i]?.value);
}
