import type { JsonObject } from './json.ts';

/**
 * State keys carry their scope as a prefix, as in ADK and Agent Engine: `user:` is shared by all sessions of
 * a user in an app, `app:` by all sessions of the app, `temp:` lives for one invocation and is never stored
 * in state; no prefix means this session.
 */
export interface ScopedState {
  session: JsonObject;
  user: JsonObject;
  app: JsonObject;
}

// Object.fromEntries and spreads define own properties, so a key such as "__proto__" is a key like any other.

/** Sorts a state or a state delta by scope. Prefixes stay on the keys; `temp:` keys are dropped. */
export function splitState(state: JsonObject): ScopedState {
  const entries = Object.entries(state).filter(([key]) => !key.startsWith('temp:'));
  const pick = (wanted: keyof ScopedState) =>
    Object.fromEntries(entries.filter(([key]) => scopeOf(key) === wanted));
  return { session: pick('session'), user: pick('user'), app: pick('app') };
}

function scopeOf(key: string): keyof ScopedState {
  if (key.startsWith('app:')) return 'app';
  if (key.startsWith('user:')) return 'user';
  return 'session';
}

/** The view that a session's reader gets: all three scopes in one object, prefixes kept. */
export function mergeState(parts: ScopedState): JsonObject {
  return { ...parts.app, ...parts.user, ...parts.session };
}

/**
 * Applies a delta: shallow, key by key; a value replaces the old one whole and null is stored as null, as
 * Agent Engine was recorded to do (docs/protocols/agent-engine.md, "State").
 */
export function applyDelta(state: JsonObject, delta: JsonObject): JsonObject {
  return { ...state, ...delta };
}
