import { invalidArgument, SessionError } from '../../errors.ts';
import type { JsonObject } from '../../model/json.ts';
import { splitState } from '../../model/state.ts';
import type { Vectara } from './client.ts';
import { idField, ownerField } from './filter.ts';
import { objectField } from './wire.ts';

/** The metadata of a new session, its owner included. @throws SessionError for keys that callers cannot set */
export function newMetadata(vectara: Vectara, userId: string, state: JsonObject): JsonObject {
  refuseSharedState(state);
  const own = splitState(state).session;
  refuseProtected(vectara, own);
  return { ...own, [ownerField]: userId };
}

/** The metadata that replaces the state. The owner and protected keys stay as they were. */
export function changedMetadata(
  vectara: Vectara,
  userId: string,
  before: JsonObject,
  state: JsonObject,
): JsonObject {
  const current = objectField(before, 'metadata') ?? {};
  const kept = Object.entries(current).filter(
    ([key]) => key === idField || vectara.settings.protectedMetadata.has(key),
  );
  // A caller that reads, changes and writes back the state sends protected keys with their present values.
  const own = Object.fromEntries(
    Object.entries(state).filter(
      ([key, value]) => !kept.some(([k, v]) => k === key && JSON.stringify(v) === JSON.stringify(value)),
    ),
  );
  return { ...newMetadata(vectara, userId, own), ...Object.fromEntries(kept) };
}

function refuseProtected(vectara: Vectara, state: JsonObject): void {
  for (const key of [ownerField, idField])
    if (Object.hasOwn(state, key))
      throw invalidArgument(
        `The state contains the key ${key}, which identifies the session's owner and cannot be set.`,
        'Leave that key out of the state.',
      );
  if (Object.keys(state).some((key) => vectara.settings.protectedMetadata.has(key)))
    throw invalidArgument(
      'The state sets a key that the operator has protected because agents trust it.',
      'Leave that key out, or send it back with the value that get_session shows.',
    );
}

function refuseSharedState(state: JsonObject): void {
  const { user, app } = splitState(state);
  if (Object.keys(user).length + Object.keys(app).length > 0)
    throw new SessionError(
      'UNIMPLEMENTED',
      'The vectara backend has no state that sessions share, so no user: and app: keys.',
      { hint: 'Use keys without a prefix; they belong to the one session.' },
    );
}

/** The metadata with single keys of the state set; undefined when `delta` sets nothing. */
export function mergedMetadata(
  vectara: Vectara,
  before: JsonObject,
  delta: JsonObject,
): JsonObject | undefined {
  refuseSharedState(delta);
  const state = splitState(delta).session;
  refuseProtected(vectara, state);
  return Object.keys(state).length === 0 ? undefined : { ...objectField(before, 'metadata'), ...state };
}
