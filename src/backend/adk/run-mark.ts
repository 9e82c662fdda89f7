import { invalidArgument } from '../../errors.ts';
import { isObject, type JsonObject } from '../../model/json.ts';

/** The state key of a run's mark. It is ours alone: nobody sees it, and no caller sets it. */
const markKey = '__mcp_run__';

/** What tells a run of ours among the events of a session. */
export interface RunMark {
  invocationId: string;
  /** Of the request that began the run. */
  digest: string;
}

/**
 * The part of a run's state delta that marks it. Servers store a run's delta with the user's message and set the
 * server's own invocation id beside it, which all events of the run have; the state holds the last mark alone.
 */
export const markDelta = ({ invocationId, digest }: RunMark): JsonObject => ({
  [markKey]: { invocationId, digest },
});

/** The mark in a user's message. What an agent writes under the key is none. */
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

/** For state and state deltas of callers. @throws SessionError INVALID_ARGUMENT */
export function refuseMark(state: JsonObject | undefined): void {
  if (state !== undefined && Object.hasOwn(state, markKey))
    throw invalidArgument(`The state key ${markKey} is reserved for this server.`, 'Use another key.');
}
