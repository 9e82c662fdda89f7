import { invalidArgument, SessionError } from '../../errors.ts';
import { canonicalJson, isObject, type JsonObject } from '../../model/json.ts';
import type { Page } from '../../model/page.ts';
import type { Session, SessionOrder } from '../../model/session.ts';
import { splitState } from '../../model/state.ts';
import { readAfterWrite } from '../../net/deadline.ts';
import { readWritten } from '../../net/retry.ts';
import { sessionExists } from '../shared/errors.ts';
import { refuseGuard } from '../shared/rules.ts';
import type { Guard, NewSession, Owner, SessionChange, SessionQuery, SessionRef } from '../types.ts';
import { checkApp } from './apps.ts';
import type { Adk } from './client.ts';
import type { CreateWay } from './dialects.ts';
import { notAdk, unsupported } from './errors.ts';
import { nameState, shows, stateOf, toListedSession, toSession, withoutTemp } from './map-session.ts';
import { checked, sessionPath, sessionsPath } from './paths.ts';
import { readSession } from './read-session.ts';
import { refuseMark } from './run-mark.ts';
import { belongsTo, toWireSession, type WireSession } from './wire.ts';

export async function getSession(adk: Adk, ref: SessionRef): Promise<Session> {
  return toSession(await readSession(adk, checked(ref)), ref);
}

/** Refuses what ADK sessions do not have: labels and an expiry time. */
function checkFields(fields: Pick<SessionChange, 'labels' | 'expireTime'>): void {
  const given = (['labels', 'expireTime'] as const).filter(
    (name) => fields[name] !== undefined && Object.keys(fields[name]).length > 0,
  );
  if (given.length > 0)
    throw unsupported(
      `keep ${given.join(' and ')} with a session`,
      'Leave it out, put it into state, or use another backend.',
    );
}

/** The request of each way to create a session under the caller's own id. */
const requests: Record<CreateWay, (id: string, state: JsonObject) => { ownPath: boolean; body: JsonObject }> =
  {
    path: (_id, state) => ({ ownPath: true, body: { state } }),
    body: (id, state) => ({ ownPath: false, body: { sessionId: id, state } }),
    raw: (_id, state) => ({ ownPath: true, body: state }),
  };

/**
 * Creates a session and checks that the answer has the id and the state that were asked for: some servers ignore
 * one or the other without an error. A session that was created wrong is deleted again.
 */
export async function createSession(adk: Adk, owner: Owner, input: NewSession): Promise<Session> {
  checkFields(input);
  refuseMark(input.state);
  const dialect = await adk.dialectToWrite();
  const state = {
    ...withoutTemp(input.state ?? {}),
    ...(input.displayName === undefined ? {} : nameState(input.displayName, { state: input.state })),
  };
  if (!dialect.nullInState && Object.values(state).includes(null))
    throw invalidArgument(
      `An ADK server in ${dialect.label} cannot keep null in state.`,
      'Leave the key out of state.',
    );
  const { sessionId } = input;
  const parent = await sessionsPath(adk, owner);
  await checkApp(adk, owner.app);
  if (sessionId === undefined) {
    const made = await post(adk, parent, { state });
    if (belongsTo(made, owner) && shows(made, state)) return toSession(made, owner);
    await dropStray(adk, owner, made);
    throw madeWrong();
  }
  const ref = checked({ ...owner, sessionId });
  const own = await sessionPath(adk, ref);
  for (const way of dialect.createWays) {
    const { ownPath, body } = requests[way](sessionId, state);
    const made = await post(adk, ownPath ? own : parent, body).catch(async (error: unknown) => {
      throw (await isTaken(adk, ref, error)) ? sessionExists() : error;
    });
    if (made.id === sessionId && belongsTo(made, owner) && shows(made, state)) return toSession(made, owner);
    await dropStray(adk, owner, made);
  }
  throw madeWrong();
}

async function post(adk: Adk, path: string, body: JsonObject): Promise<WireSession> {
  const lookWith = 'list_sessions';
  const answer = await adk.http.json({ method: 'POST', path, body, retry: 'quota', lookWith });
  return readWritten(lookWith, () => toWireSession(answer));
}

/** Whether creating failed because the id is taken. Servers answer that with various errors, so the id is read. */
async function isTaken(adk: Adk, ref: SessionRef, error: unknown): Promise<boolean> {
  if (!(error instanceof SessionError)) return false;
  if (!['INVALID_ARGUMENT', 'ABORTED', 'INTERNAL'].includes(error.code)) return false;
  return readSession(adk, ref).then(
    () => true,
    () => false,
  );
}

/** Deletes a session that was created wrong. One that has events was there before and stays. */
async function dropStray(adk: Adk, owner: Owner, made: WireSession): Promise<void> {
  if (made.events.length > 0) return;
  await adk.http
    .json({
      method: 'DELETE',
      path: await sessionPath(adk, { ...owner, sessionId: made.id }),
      retry: 'quota',
    })
    .catch(() => undefined);
}

function madeWrong(): SessionError {
  return new SessionError(
    'FAILED_PRECONDITION',
    'The ADK server created the session with another id or state than requested, so the session was deleted again.',
    { hint: 'Ask the operator to set ADK_DIALECT, or create the session without sessionId and state.' },
  );
}

export async function deleteSession(adk: Adk, ref: SessionRef, guard?: Guard): Promise<void> {
  refuseGuard('adk', guard);
  const url = await sessionPath(adk, checked(ref));
  if (!(await adk.dialectToWrite()).deleteSaysMissing) await readSession(adk, ref);
  adk.sessionCache.forget(ref);
  await adk.http.json({ method: 'DELETE', path: url, retry: 'idempotent', lookWith: 'list_sessions' });
}

/**
 * Changes state and name by PATCH, which takes a state delta. A delta can set keys but not remove any, so a change
 * that removes a key is refused as a whole.
 */
export async function updateSession(
  adk: Adk,
  ref: SessionRef,
  change: SessionChange,
  guard?: Guard,
): Promise<Session> {
  refuseGuard('adk', guard);
  checkFields(change);
  refuseMark(change.state);
  await adk.dialectToWrite();
  const url = await sessionPath(adk, checked(ref));
  const before = await readSession(adk, ref);
  const now = stateOf(before);
  const wanted = change.state === undefined ? now : withoutTemp(change.state);
  const lost = Object.entries(splitState(now).session).some(
    ([key, value]) => value !== null && !Object.hasOwn(wanted, key),
  );
  if (lost)
    throw new SessionError('FAILED_PRECONDITION', 'An ADK server cannot remove keys from state.', {
      hint: 'Give every key that get_session shows; use null for a key that is no longer wanted.',
    });
  const delta = {
    ...Object.fromEntries(
      Object.entries(wanted).filter(
        ([key, value]) => !Object.hasOwn(now, key) || canonicalJson(now[key]) !== canonicalJson(value),
      ),
    ),
    ...(change.displayName === undefined ? {} : nameState(change.displayName, before)),
  };
  if (shows(before, delta)) return toSession(before, ref);
  adk.sessionCache.forget(ref);
  const answer = await adk.http.json({
    method: 'PATCH',
    path: url,
    body: { stateDelta: delta },
    retry: 'quota',
    lookWith: 'get_session',
  });
  // The change is stored, so a failed read must not make it look like a failed change.
  const answered = readWritten('get_session', () => toWireSession(answer));
  // The answer of a PATCH is the session, but other releases may leave out some of its state.
  const isWhole = answered.id === ref.sessionId && belongsTo(answered, ref) && shows(answered, delta);
  const after = isWhole ? answered : ((await readAfterWrite(() => readSession(adk, ref))) ?? answered);
  if (!shows(after, delta))
    throw new SessionError('ABORTED', 'The state was changed by somebody else at the same time.', {
      hint: 'Read the session with get_session, then repeat the change if it is still wanted.',
    });
  return toSession(after, ref);
}

/** Lists sessions. Servers send all sessions of a user at once, in any order: they are sorted and paged here. */
export async function listSessions(adk: Adk, query: SessionQuery): Promise<Page<Session>> {
  const { app, userId } = query;
  if (userId === undefined)
    throw unsupported(
      'list the sessions of all users',
      'Leave allUsers out, and pass userId: an ADK server lists the sessions of one user.',
    );
  if (query.filter?.some((term) => term.field !== 'userId'))
    throw unsupported('filter sessions by displayName or labels', 'Filter by userId only, or not at all.');
  const order = compareBy(query.orderBy ?? 'updateTime desc');
  const owner = { app, userId };
  const after = query.cursor === undefined ? undefined : parseCursor(query.cursor);
  const sessions = (await readSessions(adk, owner))
    .map((wire) => toListedSession(wire, owner))
    .filter((session) => query.filter?.every((term) => term.value === session.userId) ?? true)
    .filter((session) => after === undefined || order(session, after) > 0)
    .sort(order);
  const items = sessions.slice(0, query.pageSize);
  const last = items.at(-1);
  return {
    items,
    cursor:
      last !== undefined && sessions.length > items.length
        ? JSON.stringify([last.updateTime, last.id])
        : undefined,
  };
}

/** Reads all sessions of a user, without their events. */
export async function readSessions(adk: Adk, owner: Owner): Promise<WireSession[]> {
  const path = await sessionsPath(adk, owner);
  const answer = await adk.gate(() => adk.http.json({ method: 'GET', path, retry: 'read' }));
  return wiresOf(answer).filter((wire) => belongsTo(wire, owner));
}

/** TypeScript answers an object, Python and Java a list, Go null for none. */
function wiresOf(answer: unknown): WireSession[] {
  if (answer === null) return [];
  const list = isObject(answer) ? answer.sessions : answer;
  if (!Array.isArray(list)) throw notAdk();
  return list.map(toWireSession);
}

type Sorted = Pick<Session, 'updateTime' | 'id'>;

function compareBy(order: SessionOrder): (a: Sorted, b: Sorted) => number {
  if (order.startsWith('createTime'))
    throw unsupported('order sessions by createTime', 'Order by updateTime: ADK keeps no creation time.');
  const sign = order.endsWith('desc') ? -1 : 1;
  return (a, b) => sign * (compareText(a.updateTime, b.updateTime) || compareText(a.id, b.id));
}

const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

function parseCursor(cursor: string): Sorted {
  try {
    const [updateTime, id] = JSON.parse(cursor) as unknown[];
    if (typeof updateTime === 'string' && typeof id === 'string') return { updateTime, id };
  } catch {}
  throw invalidArgument('pageToken does not belong to this list.', 'Start again without pageToken.');
}
