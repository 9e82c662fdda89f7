import { SessionError } from '../../errors.ts';
import type { JsonObject } from '../../model/json.ts';
import { sessionExists } from '../shared/errors.ts';
import type { Owner, SessionRef } from '../types.ts';
import { objectOf, type Vectara } from './client.ts';
import { notFound } from './errors.ts';
import { ownerOf } from './map-session.ts';
import { checkSessionKey, separateKey, sessionPath, treeOf } from './paths.ts';
import { type OwnSession, textField } from './wire.ts';

/**
 * The owner's session with an id: every other operation begins here. A session of another user, of another agent or
 * without an owner is answered exactly as one that does not exist.
 * @throws SessionError NOT_FOUND
 */
export async function ownSession(
  vectara: Vectara,
  ref: SessionRef,
  signal?: AbortSignal,
): Promise<OwnSession> {
  for (const at of placesOf(ref)) {
    const wire = await vectara
      .settled(sessionPath(at), () => read(vectara, at, signal), signal)
      .catch(absentIfNotFound);
    if (wire !== undefined && isOwn(wire, at)) return { wire, at };
  }
  throw notFound('session');
}

/**
 * Reads below a session and checks its owner at the same time, in one round trip. What was read is returned only if the
 * session is the owner's. Below a key that is not the session's id, and below a new session, it is read afterwards.
 */
export async function besideOwner<T>(
  vectara: Vectara,
  ref: SessionRef,
  read: (at: SessionRef) => Promise<T>,
  own: () => Promise<OwnSession> = () => ownSession(vectara, ref),
): Promise<OwnSession & { read: T }> {
  const early = vectara.isSettling(sessionPath(ref)) ? undefined : read(ref);
  early?.catch(() => {});
  const session = await own();
  const isThere = early !== undefined && session.at.sessionId === ref.sessionId;
  return { ...session, read: await (isThere ? early : read(session.at)) };
}

/**
 * The key for a new session with the caller's own id. All users of an agent share the keys of its sessions, so
 * refusing a key would tell one user about another's session. A session whose key is taken therefore gets a key of
 * its own, and is still found by its id. Both keys are looked up each time, so that the time taken is the same.
 * @throws SessionError ALREADY_EXISTS when the owner has a session with this id
 */
export async function freeKey(vectara: Vectara, owner: Owner, sessionId: string): Promise<string> {
  const places = placesOf({ ...owner, sessionId: checkSessionKey('sessionId', sessionId) });
  const found = await Promise.all(places.map((at) => read(vectara, at).catch(absentIfNotFound)));
  if (places.some((at, i) => found[i] !== undefined && isOwn(found[i], at))) throw sessionExists();
  return found[0] === undefined ? sessionId : separateKey(owner.userId, sessionId);
}

/** Both places where the session with an id may be. */
const placesOf = (ref: SessionRef): SessionRef[] => [
  ref,
  { ...ref, sessionId: separateKey(ref.userId, ref.sessionId) },
];

async function read(vectara: Vectara, at: SessionRef, signal?: AbortSignal): Promise<JsonObject> {
  const path = sessionPath(at);
  return asSession(await vectara.json('getSession', { method: 'GET', path, retry: 'read', signal }));
}

/** An answer that must be a session. @throws SessionError UNAVAILABLE */
export function asSession(answer: unknown): JsonObject {
  const wire = objectOf(answer);
  if (textField(wire, 'key') !== undefined) return wire;
  throw new SessionError('UNAVAILABLE', 'The answer of Vectara is not a session.', {
    hint: 'Try again later; if it stays so, check the address of the service.',
  });
}

function absentIfNotFound(error: unknown): undefined {
  if (error instanceof SessionError && error.code === 'NOT_FOUND') return undefined;
  throw error;
}

/** Whether Vectara's answer is the session that was asked for. */
export function isOwn(wire: JsonObject, at: SessionRef): boolean {
  return ownerOf(wire) === at.userId && textField(wire, 'key') === at.sessionId && isBelow(wire, at.app);
}

/** Whether a session belongs to the agent or alias. */
export function isBelow(wire: JsonObject, app: string): boolean {
  const tree = treeOf(app);
  const key = textField(wire, tree.kind === 'alias' ? 'alias_key' : 'agent_key');
  return key === undefined || key === tree.key;
}
