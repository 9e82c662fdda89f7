import { parseStored } from './damage.ts';
import { partsOf } from './keys.ts';
import { tryHead } from './session-record.ts';

/** Records that hold a JSON object, by the first part of their keys; see keys.ts. All others are plain texts. */
const kinds: Readonly<Record<string, string>> = {
  a: 'an app',
  ga: 'the shared state of an app',
  gu: 'the state of a user',
  n: 'an artifact of a user',
  v: 'the content of an artifact of a user',
  r: 'a memory',
};

/** The same of what lies under a session's uid. */
const kindsInside: Readonly<Record<string, string>> = {
  s: 'the state',
  b: 'an earlier state',
  e: 'an event',
  d: 'the trace of a deleted event',
  c: 'an open tool call',
  r: 'a run',
  g: 'what an agent noted',
  n: 'an artifact',
  v: 'the content of an artifact',
};

/**
 * Looks for damaged records, for a person who has to mend them. Show it every row of a store in the order of
 * the keys: it answers which record a damaged row is, and undefined for all others.
 */
export function recordCheck(): (key: string, value: string) => string | undefined {
  const sessions = new Map<string, string>();
  return (key, value) => {
    const [kind = '', ...rest] = parts(key);
    if (kind === 's') {
      const head = tryHead(value);
      const session = `session ${rest[2]} of user ${rest[1]} in app ${rest[0]}`;
      if (head === undefined) return session;
      sessions.set(head.uid, session);
      return undefined;
    }
    const inside = kind === 'x';
    const name = inside ? kindsInside[rest[1] ?? ''] : kinds[kind];
    if (name === undefined || isSound(value)) return undefined;
    if (inside)
      return `${name} (${rest[2] ?? 'current'}) of ${sessions.get(rest[0] ?? '') ?? 'a deleted session'}`;
    return `${name} (${rest.join(', ')})`;
  };
}

function parts(key: string): string[] {
  try {
    return partsOf(key);
  } catch {
    return [];
  }
}

function isSound(text: string): boolean {
  try {
    parseStored('A record', text);
    return true;
  } catch {
    return false;
  }
}
