import type { Event } from '../../model/event.ts';
import { isObject, type JsonObject } from '../../model/json.ts';

/** One key that an event set. */
export interface Change {
  eventId: string;
  /** The place of the event among all events. */
  index: number;
  key: string;
  before: unknown;
  after: unknown;
  /** Whether the value before is known: the session's first state is not among its events. */
  isFirst: boolean;
}

/** What each event changed, in order. Values under `temp:` never reach the state. */
export function changesOf(events: readonly Event[]): Change[] {
  const now = new Map<string, unknown>();
  const changes: Change[] = [];
  for (const [index, { id, actions }] of events.entries())
    for (const [key, after] of Object.entries(actions?.stateDelta ?? {})) {
      if (key.startsWith('temp:')) continue;
      changes.push({ eventId: id, index, key, before: now.get(key), after, isFirst: !now.has(key) });
      now.set(key, after);
    }
  return changes;
}

/** A key of the state at some event. */
export interface Entry {
  key: string;
  value: unknown;
  /** The event that set it; undefined when none did. */
  setBy: string | undefined;
  /** Only later events set it, so that its value then is not known. */
  isUnknown: boolean;
}

/**
 * The state right after an event. Keys that no event sets have had their present value from the start, or were set by
 * no event; those that only later events set had a value, or none, that nobody wrote down.
 */
export function stateAt(present: JsonObject | undefined, changes: readonly Change[], index: number): Entry[] {
  const entries = new Map<string, Entry>();
  for (const [key, value] of Object.entries(isObject(present) ? present : {}))
    entries.set(key, { key, value, setBy: undefined, isUnknown: false });
  for (const { key, eventId, after, index: at } of changes) {
    const known = entries.get(key);
    if (at <= index) entries.set(key, { key, value: after, setBy: eventId, isUnknown: false });
    else if (known?.setBy === undefined)
      entries.set(key, { key, value: undefined, setBy: undefined, isUnknown: true });
  }
  return [...entries.values()].sort((a, b) => (a.key < b.key ? -1 : 1));
}
