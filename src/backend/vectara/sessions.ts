import { SessionError } from '../../errors.ts';
import { compact } from '../../model/event.ts';
import type { JsonObject } from '../../model/json.ts';
import type { Session } from '../../model/session.ts';
import { lostAnswer, readWritten } from '../../net/retry.ts';
import { refuseGuard } from '../shared/rules.ts';
import type { ForkOptions, Guard, NewSession, Owner, SessionChange, SessionRef } from '../types.ts';
import { type Vectara, writtenObject } from './client.ts';
import { lookWith, notFound } from './errors.ts';
import { idField } from './filter.ts';
import { fieldsOf, labelsOf } from './labels.ts';
import { stateOf, toSession } from './map-session.ts';
import { changedMetadata, mergedMetadata, newMetadata } from './metadata.ts';
import { asSession, freeKey, isOwn, ownSession } from './own-session.ts';
import { checkOwner, eventPath, sessionPath, treeOf } from './paths.ts';
import { type OwnSession, objectField, textField } from './wire.ts';

function mapped(wire: JsonObject, at: SessionRef): Session {
  const session = isOwn(wire, at) ? toSession(wire, at.app) : undefined;
  if (session === undefined) throw notFound('session');
  return session;
}

export async function getSession(vectara: Vectara, ref: SessionRef): Promise<Session> {
  const { wire, at } = await ownSession(vectara, ref);
  return mapped(wire, at);
}

export async function createSession(vectara: Vectara, owner: Owner, input: NewSession): Promise<Session> {
  refuseExpiry(input);
  return insertSession(vectara, owner, input.sessionId, {
    name: input.displayName,
    ...fieldsOf(input.labels),
    metadata: newMetadata(vectara, owner.userId, input.state ?? {}),
  });
}

/**
 * Lets Vectara copy a session: the visible events under new ids, and the artifacts (docs/protocols/vectara.md,
 * "Sessions").
 */
export async function forkSession(vectara: Vectara, ref: SessionRef, options: ForkOptions): Promise<Session> {
  const { wire: source, at } = await ownSession(vectara, ref);
  if (options.upToEventId !== undefined)
    await vectara.json('getEvent', {
      method: 'GET',
      path: eventPath(at, options.upToEventId),
      retry: 'read',
    });
  const { [idField]: _id, ...metadata } = objectField(source, 'metadata') ?? {};
  return insertSession(vectara, ref, options.newSessionId, {
    name: options.displayName ?? textField(source, 'name'),
    metadata,
    from_session: compact({
      session_key: at.sessionId,
      // An alias may by now stand for another agent than the session's.
      agent_key: textField(source, 'agent_key'),
      include_up_to_event_id: options.upToEventId,
    }),
  });
}

async function insertSession(
  vectara: Vectara,
  owner: Owner,
  sessionId: string | undefined,
  body: JsonObject & { metadata: JsonObject },
): Promise<Session> {
  checkOwner(owner);
  if (sessionId === undefined) return postSession(vectara, owner, body);
  const key = await freeKey(vectara, owner, sessionId);
  try {
    return await postSession(vectara, owner, keyed(body, key, sessionId));
  } catch (error) {
    const code = error instanceof SessionError ? error.code : undefined;
    if (code !== 'INVALID_ARGUMENT' && code !== 'ABORTED') throw error;
    // The key may have been taken meanwhile: by the owner, who is told so, or by another user.
    const other = await freeKey(vectara, owner, sessionId);
    if (other === key) throw error;
    return postSession(vectara, owner, keyed(body, other, sessionId));
  }
}

const keyed = (body: JsonObject & { metadata: JsonObject }, key: string, sessionId: string): JsonObject =>
  key === sessionId
    ? { ...body, key }
    : { ...body, key, metadata: { ...body.metadata, [idField]: sessionId } };

async function postSession(vectara: Vectara, owner: Owner, body: JsonObject): Promise<Session> {
  const { settings } = vectara;
  const wire = writtenObject(
    'createSession',
    await vectara.json('createSession', {
      method: 'POST',
      path: `${treeOf(owner.app).base}/sessions`,
      retry: 'quota',
      body: compact({
        tti_minutes: settings.idleMinutes,
        ...body,
        secrets: settings.sessionSecrets,
      }),
    }),
  );
  const at = { ...owner, sessionId: textField(body, 'key') ?? textField(wire, 'key') ?? '' };
  if (!isOwn(wire, at))
    throw lostAnswer(
      new SessionError('UNAVAILABLE', 'Vectara answered with another session than the one to create.'),
      lookWith('createSession'),
    );
  vectara.created(sessionPath(at));
  return mapped(wire, at);
}

export async function updateSession(
  vectara: Vectara,
  ref: SessionRef,
  change: SessionChange,
  guard: Guard = {},
): Promise<Session> {
  refuseGuard('vectara', guard);
  refuseExpiry(change);
  const { wire: before, at } = await ownSession(vectara, ref);
  const metadata =
    change.state === undefined ? undefined : changedMetadata(vectara, ref.userId, before, change.state);
  const fields = fieldsOf(change.labels, labelsOf(before));
  const body = compact({ name: change.displayName, ...fields, metadata });
  if (Object.keys(body).length === 0) return mapped(before, at);
  const after = await patch(vectara, at, body);
  const left = Object.keys(stateOf(after)).filter((key) => metadata && !Object.hasOwn(metadata, key));
  if (metadata === undefined || left.length === 0) return mapped(after, at);
  // No document says whether metadata is replaced or merged. These keys are still there, so it was merged, and null
  // removes them.
  const gone = Object.fromEntries(left.map((key) => [key, null]));
  return mapped(await patch(vectara, at, { metadata: { ...metadata, ...gone } }), at);
}

/** Sets single keys of a session's state. */
export async function applyStateDelta(
  vectara: Vectara,
  { wire: before, at }: OwnSession,
  delta: JsonObject,
  signal?: AbortSignal,
): Promise<void> {
  const metadata = mergedMetadata(vectara, before, delta);
  if (metadata !== undefined) await patch(vectara, at, { metadata }, signal);
}

async function patch(vectara: Vectara, at: SessionRef, body: JsonObject, signal?: AbortSignal) {
  const answer = await vectara.json('updateSession', {
    method: 'PATCH',
    path: sessionPath(at),
    retry: 'idempotent',
    body,
    signal,
  });
  return readWritten(lookWith('updateSession'), () => asSession(answer));
}

export async function deleteSession(vectara: Vectara, ref: SessionRef, guard: Guard = {}): Promise<void> {
  refuseGuard('vectara', guard);
  const path = sessionPath((await ownSession(vectara, ref)).at);
  await vectara.json('deleteSession', { method: 'DELETE', path, retry: 'idempotent' });
  vectara.deleted(path);
}

function refuseExpiry(given: Pick<NewSession, 'expireTime'>): void {
  if (given.expireTime !== undefined)
    throw new SessionError('UNIMPLEMENTED', 'The vectara backend cannot set when a session expires.', {
      hint: 'Leave ttlSeconds out. The label tti_minutes sets the minutes without activity after which Vectara deletes the session.',
    });
}
