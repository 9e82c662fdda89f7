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
 * The session with an id, if it is the owner's: every other operation begins here. A session of another user, of
 * another agent or without an owner is as if it were not there.
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
 * The key for a new session under the caller's own id. All users of an agent share the keys of its sessions, so a
 * key that somebody else has would tell one user about another if it were refused: the session then gets a key of
 * its own, and is found by its id all the same. Both keys are looked up each time, so that time tells nothing.
 * @throws SessionError ALREADY_EXISTS for a session of the owner's
 */
export async function freeKey(vectara: Vectara, owner: Owner, sessionId: string): Promise<string> {
  const places = placesOf({ ...owner, sessionId: checkSessionKey('sessionId', sessionId) });
  const found = await Promise.all(places.map((at) => read(vectara, at).catch(absentIfNotFound)));
  if (places.some((at, i) => found[i] !== undefined && isOwn(found[i], at))) throw sessionExists();
  return found[0] === undefined ? sessionId : separateKey(owner.userId, sessionId);
}

/** Where the session with an id may be. */
const placesOf = (ref: SessionRef): SessionRef[] => [
  ref,
  { ...ref, sessionId: separateKey(ref.userId, ref.sessionId) },
];

async function read(vectara: Vectara, at: SessionRef, signal?: AbortSignal): Promise<JsonObject> {
  const path = sessionPath(at);
  return objectOf(await vectara.json('getSession', { method: 'GET', path, retry: 'read', signal }));
}

function absentIfNotFound(error: unknown): undefined {
  if (error instanceof SessionError && error.code === 'NOT_FOUND') return undefined;
  throw error;
}

/** Whether an object that came back is the session that was asked for. */
export function isOwn(wire: JsonObject, at: SessionRef): boolean {
  return ownerOf(wire) === at.userId && textField(wire, 'key') === at.sessionId && isBelow(wire, at.app);
}

/** Whether a session is one of the agent or alias. */
export function isBelow(wire: JsonObject, app: string): boolean {
  const tree = treeOf(app);
  const key = textField(wire, tree.kind === 'alias' ? 'alias_key' : 'agent_key');
  return key === undefined || key === tree.key;
}
