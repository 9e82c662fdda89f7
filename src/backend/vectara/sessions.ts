import { SessionError } from '../../errors.ts';
import { compact } from '../../model/event.ts';
import type { JsonObject } from '../../model/json.ts';
import type { Session } from '../../model/session.ts';
import { path } from '../../net/url.ts';
import { sessionExists } from '../shared/errors.ts';
import { refuseGuard } from '../shared/rules.ts';
import type { ForkOptions, Guard, NewSession, Owner, SessionChange, SessionRef } from '../types.ts';
import { objectOf, type Vectara } from './client.ts';
import { notFound } from './errors.ts';
import { ownerOf, stateOf, toSession } from './map-session.ts';
import { changedMetadata, mergedMetadata, newMetadata } from './metadata.ts';
import { checkOwner, checkSessionKey, eventPath, sessionPath, treeOf } from './paths.ts';
import { objectField, textField } from './wire.ts';

/**
 * The session as Vectara has it, if it is the owner's: every other operation begins here. A session of
 * another user, of another agent or without an owner is as if it were not there.
 * @throws SessionError NOT_FOUND
 */
export async function ownSession(
  vectara: Vectara,
  ref: SessionRef,
  signal?: AbortSignal,
): Promise<JsonObject> {
  const at = sessionPath(ref);
  const read = () => vectara.json('getSession', { method: 'GET', path: at, retry: 'read', signal });
  const wire = objectOf(await vectara.settled(at, read, signal));
  if (!isOf(wire, ref)) throw notFound('session');
  return wire;
}

/** Whether an object that came back is the session that was asked for. */
function isOf(wire: JsonObject, ref: SessionRef): boolean {
  return ownerOf(wire) === ref.userId && textField(wire, 'key') === ref.sessionId && isBelow(wire, ref.app);
}

/** Whether a session is one of the agent or alias. */
export function isBelow(wire: JsonObject, app: string): boolean {
  const tree = treeOf(app);
  const key = textField(wire, tree.kind === 'alias' ? 'alias_key' : 'agent_key');
  return key === undefined || key === tree.key;
}

function mapped(wire: JsonObject, ref: SessionRef): Session {
  const session = isOf(wire, ref) ? toSession(wire, ref.app) : undefined;
  if (session === undefined) throw notFound('session');
  return session;
}

export async function getSession(vectara: Vectara, ref: SessionRef): Promise<Session> {
  return mapped(await ownSession(vectara, ref), ref);
}

export async function createSession(vectara: Vectara, owner: Owner, input: NewSession): Promise<Session> {
  refuseMissing(input);
  return insertSession(vectara, owner, input.sessionId, {
    name: input.displayName,
    metadata: newMetadata(vectara, owner.userId, input.state ?? {}),
  });
}

/** A copy made by Vectara itself: visible events under new ids, and artifacts (vectara-api.md §3.3). */
export async function forkSession(vectara: Vectara, ref: SessionRef, options: ForkOptions): Promise<Session> {
  const source = await ownSession(vectara, ref);
  if (options.upToEventId !== undefined)
    await vectara.json('getEvent', {
      method: 'GET',
      path: eventPath(ref, options.upToEventId),
      retry: 'read',
    });
  return insertSession(vectara, ref, options.newSessionId, {
    name: options.displayName ?? textField(source, 'name'),
    metadata: objectField(source, 'metadata'),
    from_session: compact({
      session_key: ref.sessionId,
      // Through an alias the new session may go to another agent than the old one did.
      agent_key: textField(source, 'agent_key'),
      include_up_to_event_id: options.upToEventId,
    }),
  });
}

async function insertSession(
  vectara: Vectara,
  owner: Owner,
  sessionId: string | undefined,
  body: JsonObject,
): Promise<Session> {
  checkOwner(owner);
  const { settings } = vectara;
  const at = `${treeOf(owner.app).base}/sessions`;
  // What Vectara does with a key that is taken is documented nowhere, so it is not put to the test.
  if (sessionId !== undefined) await refuseTaken(vectara, owner.app, checkSessionKey('sessionId', sessionId));
  const answer = await vectara
    .json('createSession', {
      method: 'POST',
      path: at,
      retry: 'quota',
      body: compact({
        key: sessionId,
        ...body,
        tti_minutes: settings.idleMinutes,
        secrets: settings.sessionSecrets,
      }),
    })
    .catch(async (error: unknown) => {
      const code = error instanceof SessionError ? error.code : undefined;
      if (sessionId !== undefined && (code === 'INVALID_ARGUMENT' || code === 'ABORTED'))
        await refuseTaken(vectara, owner.app, sessionId);
      throw error;
    });
  const wire = objectOf(answer);
  const ref = { ...owner, sessionId: sessionId ?? textField(wire, 'key') ?? '' };
  if (!isOf(wire, ref))
    throw new SessionError('UNAVAILABLE', 'Vectara answered with another session than the one it made.', {
      hint: 'Look with list_sessions whether the session is there before creating it again.',
    });
  vectara.created(sessionPath(ref));
  return mapped(wire, ref);
}

async function refuseTaken(vectara: Vectara, app: string, key: string): Promise<void> {
  const taken = await vectara
    .json('getSession', {
      method: 'GET',
      path: treeOf(app).base + path`/sessions/${key}`,
      retry: 'read',
    })
    .then(
      () => true,
      (error: unknown) => {
        if (error instanceof SessionError && error.code === 'NOT_FOUND') return false;
        throw error;
      },
    );
  if (taken) throw sessionExists();
}

export async function updateSession(
  vectara: Vectara,
  ref: SessionRef,
  change: SessionChange,
  guard: Guard = {},
): Promise<Session> {
  refuseGuard('vectara', guard);
  refuseMissing(change);
  const before = await ownSession(vectara, ref);
  const metadata =
    change.state === undefined ? undefined : changedMetadata(vectara, ref.userId, before, change.state);
  const body = compact({ name: change.displayName, metadata });
  if (Object.keys(body).length === 0) return mapped(before, ref);
  const after = await patch(vectara, ref, body);
  const left = Object.keys(stateOf(after)).filter((key) => metadata && !Object.hasOwn(metadata, key));
  if (metadata === undefined || left.length === 0) return mapped(after, ref);
  // Whether metadata is replaced or merged is documented nowhere: here it was merged. null takes a key away.
  const gone = Object.fromEntries(left.map((key) => [key, null]));
  return mapped(await patch(vectara, ref, { metadata: { ...metadata, ...gone } }), ref);
}

/** Sets single keys of a session's state, on top of what `before` holds. */
export async function applyStateDelta(
  vectara: Vectara,
  ref: SessionRef,
  before: JsonObject,
  delta: JsonObject,
  signal?: AbortSignal,
): Promise<void> {
  const metadata = mergedMetadata(vectara, before, delta);
  if (metadata !== undefined) await patch(vectara, ref, { metadata }, signal);
}

async function patch(vectara: Vectara, ref: SessionRef, body: JsonObject, signal?: AbortSignal) {
  return objectOf(
    await vectara.json('updateSession', {
      method: 'PATCH',
      path: sessionPath(ref),
      retry: 'idempotent',
      body,
      signal,
    }),
  );
}

export async function deleteSession(vectara: Vectara, ref: SessionRef, guard: Guard = {}): Promise<void> {
  refuseGuard('vectara', guard);
  await ownSession(vectara, ref);
  await vectara.json('deleteSession', { method: 'DELETE', path: sessionPath(ref), retry: 'idempotent' });
  vectara.deleted(sessionPath(ref));
}

function refuseMissing(given: Pick<NewSession, 'labels' | 'expireTime'>): void {
  refuseLabels(Object.keys(given.labels ?? {}).length > 0);
  if (given.expireTime !== undefined)
    throw new SessionError('UNIMPLEMENTED', 'The vectara backend cannot set when a session expires.', {
      hint: 'Leave expireTime out. The operator can set after how long without activity sessions are deleted.',
    });
}

export function refuseLabels(given: boolean): void {
  if (given)
    throw new SessionError('UNIMPLEMENTED', 'Sessions of the vectara backend have no labels.', {
      hint: 'Put what the labels say into the state.',
    });
}
