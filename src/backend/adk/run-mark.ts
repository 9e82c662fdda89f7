import { invalidArgument } from '../../errors.ts';
import { isObject, type JsonObject } from '../../model/json.ts';

/** The state key of a run's mark. Results never show it, and callers cannot set it. */
const markKey = '__mcp_run__';

/** Identifies a run that this server began (docs/protocols/adk.md, "Runs"). */
export interface RunMark {
  invocationId: string;
  /** The digest of the request that began the run. */
  digest: string;
}

/**
 * The part of a run's state delta that marks it. Servers store the delta with the user's message, beside their own
 * invocation id, which all events of the run have. The state holds only the last mark.
 */
export const markDelta = ({ invocationId, digest }: RunMark): JsonObject => ({
  [markKey]: { invocationId, digest },
});

/** The mark in a user's message. An agent that writes under the same key makes no mark. */
export function markIn(event: JsonObject): RunMark | undefined {
  const delta = event.author === 'user' && isObject(event.actions) ? event.actions.stateDelta : undefined;
  const mark = isObject(delta) && Object.hasOwn(delta, markKey) ? delta[markKey] : undefined;
  if (!isObject(mark)) return undefined;
  const { invocationId, digest } = mark;
  return typeof invocationId === 'string' && typeof digest === 'string'
    ? { invocationId, digest }
    : undefined;
}

export function withoutMark(state: JsonObject): JsonObject {
  const { [markKey]: _mark, ...rest } = state;
  return rest;
}

/** Keeps callers from setting a mark. @throws SessionError INVALID_ARGUMENT */
export function refuseMark(state: JsonObject | undefined): void {
  if (state !== undefined && Object.hasOwn(state, markKey))
    throw invalidArgument(`The state key ${markKey} is reserved for this server.`, 'Use another key.');
}
