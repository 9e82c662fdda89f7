import { SessionError } from '../../errors.ts';
import { sessionNotFound } from '../shared/errors.ts';
import type { SessionRef } from '../types.ts';
import type { Adk } from './client.ts';
import { sessionPath } from './paths.ts';
import { belongsTo, toWireSession, type WireSession } from './wire.ts';

/**
 * Reads a whole session: no dialect can send a part of it.
 * @throws SessionError NOT_FOUND, also when the answer is about another session or user
 */
export async function readSession(adk: Adk, ref: SessionRef): Promise<WireSession> {
  const url = await sessionPath(adk, ref);
  const value = await adk
    .gate(() => adk.http.json({ method: 'GET', path: url, retry: 'read' }))
    .catch((error: unknown) => {
      if (
        error instanceof SessionError &&
        error.code === 'RESOURCE_EXHAUSTED' &&
        error.retryAfter === undefined
      )
        throw tooLarge(adk, error);
      throw error;
    });
  const session = toWireSession(value);
  if (!belongsTo(session, ref) || session.id !== ref.sessionId) throw sessionNotFound();
  return session;
}

function tooLarge(adk: Adk, cause: unknown): SessionError {
  return new SessionError(
    'RESOURCE_EXHAUSTED',
    `The session is larger than ${adk.maxAnswerBytes} bytes, and ADK servers return a session only as a whole.`,
    { hint: 'Ask the operator to raise adk.maxAnswerBytes, or continue in a new session.', cause },
  );
}
