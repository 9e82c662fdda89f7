import type { JsonObject } from '../../model/json.ts';
import { applyDelta, splitState } from '../../model/state.ts';
import type { Write } from '../../store/types.ts';
import type { Owner } from '../types.ts';
import { parseStored } from './damage.ts';
import * as keys from './keys.ts';
import { checkSize, maxStateBytes } from './limits.ts';

export const parseState = (value: string | undefined): JsonObject =>
  value === undefined ? {} : parseStored('The state', value);

/** The writes of the shared parts of a state delta. */
export function sharedStateWrites(
  owner: Owner,
  delta: JsonObject,
  userState: string | undefined,
  appState: string | undefined,
): Write[] {
  if (Object.keys(delta).length === 0) return [];
  const parts = splitState(delta);
  return [
    ...stateWrite(keys.userStateKey(owner), parts.user, userState),
    ...stateWrite(keys.appStateKey(owner.app), parts.app, appState),
  ];
}

/** The write that merges a delta into a stored state; none for an empty delta. */
export function stateWrite(key: string, delta: JsonObject, stored: string | undefined): Write[] {
  if (Object.keys(delta).length === 0) return [];
  return [{ key, value: stateText(applyDelta(parseState(stored), delta)) }];
}

/** A state as it is stored. @throws SessionError RESOURCE_EXHAUSTED when it is too large */
export function stateText(state: JsonObject): string {
  const value = JSON.stringify(state);
  checkSize('The state', Buffer.byteLength(value), maxStateBytes, 'Save large values as artifacts.');
  return value;
}
