import { SessionError } from '../../errors.ts';
import type { Content } from '../../model/event.ts';
import type { JsonObject } from '../../model/json.ts';
import { sessionKey } from '../shared/session-key.ts';
import type { SessionRef } from '../types.ts';
import type { Adk } from './client.ts';
import type { Dialect } from './dialects.ts';
import { runGoesOn } from './errors.ts';
import { checked, sessionPath } from './paths.ts';
import { readSession } from './read-session.ts';

/** Checks that a run can begin. @throws SessionError ABORTED while an earlier one goes on, NOT_FOUND */
export async function startable(adk: Adk, ref: SessionRef): Promise<Dialect> {
  const dialect = await adk.dialectToWrite();
  // A run names its session in the body, but an id that cannot stand in a path could never be read back.
  await sessionPath(adk, checked(ref));
  if (adk.orphans.has(sessionKey(ref))) throw runGoesOn();
  if (!dialect.runSaysMissing) await readSession(adk, ref);
  adk.sessionCache.forget(ref);
  return dialect;
}

export const runBody = (
  ref: SessionRef,
  message: Content,
  stateDelta: JsonObject | undefined,
): JsonObject => ({
  appName: ref.app,
  userId: ref.userId,
  sessionId: ref.sessionId,
  newMessage: { role: 'user', parts: message.parts },
  ...(stateDelta === undefined ? {} : { stateDelta }),
});

/**
 * Gives up a run. Where disconnecting ends the run, the connection is closed. Otherwise it stays open until `rest`, which
 * resolves or rejects at the end of the run, shows that the session is free for the next run.
 */
export function giveUp(
  adk: Adk,
  ref: SessionRef,
  dialect: Dialect,
  connection: AbortController,
  rest: Promise<unknown>,
): void {
  const key = sessionKey(ref);
  if (dialect.disconnectEndsRun === true) connection.abort();
  else adk.orphans.set(key, connection);
  // The run is over, whether it succeeded or failed.
  const over = () => {
    if (adk.orphans.get(key) === connection) adk.orphans.delete(key);
    adk.sessionCache.forget(ref);
  };
  rest.then(over, over);
}

export function noEvents(): SessionError {
  return new SessionError('UNAVAILABLE', 'The run ended without a single event.', {
    hint: 'Read the log of the ADK server: an agent that said nothing and an agent that failed look the same here.',
  });
}

export function cancelled(dialect: Dialect): SessionError {
  const hints = {
    true: 'The ADK server ends the run; call list_events to see how far it came.',
    false:
      'An ADK server in TypeScript continues the run: send the next message when it is over; list_events shows what it still adds.',
    undefined: 'The ADK server may continue the run; list_events shows what it still adds.',
  };
  return new SessionError('CANCELLED', 'The run was cancelled.', {
    hint: hints[`${dialect.disconnectEndsRun}`],
  });
}
