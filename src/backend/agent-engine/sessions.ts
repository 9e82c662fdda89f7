import { invalidArgument, SessionError } from '../../errors.ts';
import { matchesFilter } from '../../model/filter.ts';
import { checkId, newId } from '../../model/ids.ts';
import { canonicalJson, isObject, type JsonObject } from '../../model/json.ts';
import type { Page } from '../../model/page.ts';
import type { Session } from '../../model/session.ts';
import { splitState } from '../../model/state.ts';
import { toTime } from '../../model/time.ts';
import { readAfterWrite } from '../../net/deadline.ts';
import { queryString } from '../../net/url.ts';
import { sessionNotFound } from '../shared/errors.ts';
import { checkExpireTime, checkLabels, refuseGuard } from '../shared/rules.ts';
import type { Guard, NewSession, Owner, SessionChange, SessionQuery, SessionRef } from '../types.ts';
import { appendEvent } from './append-event.ts';
import { type AgentEngineClient, isCode, ownedSession, retryWatch, write } from './client.ts';
import { refusalOf } from './errors.ts';
import { listPages } from './list-pages.ts';
import { toFilter, toOrderBy, toSession, toWireState } from './map-session.ts';
import { finishOperation, notFinished, type Outcome, runOperation } from './operations.ts';
import { checkSessionId, enginePath, idIn, lastSegment, sessionPath } from './paths.ts';
import type { Session as WireSession } from './wire-types.ts';

/** Checks a user id by the service's own limit of 128 characters. @throws SessionError INVALID_ARGUMENT */
export function checkOwner(owner: Owner): void {
  if (checkId('userId', owner.userId).length > 128)
    throw invalidArgument('userId is longer than 128 characters.', 'Use a shorter userId.');
}

function engineNotFound(cause: unknown): SessionError {
  return new SessionError('NOT_FOUND', 'There is no such app.', {
    hint: 'Call list_apps to see which engines exist, or set GOOGLE_CLOUD_AGENT_ENGINE_ID.',
    cause,
  });
}

export async function createSession(
  client: AgentEngineClient,
  owner: Owner,
  input: NewSession,
): Promise<Session> {
  checkOwner(owner);
  const { sessionId } = input;
  const path = `${enginePath(client.endpoint, owner.app)}/sessions`;
  const body = {
    userId: owner.userId,
    ...fieldsOf(input, client.now()),
    ...(input.state === undefined ? {} : { sessionState: toWireState(input.state) }),
  };
  const begun = client.now();
  const retries = retryWatch();
  const query = queryString({ sessionId: sessionId === undefined ? undefined : checkSessionId(sessionId) });
  const lookWith = sessionId === undefined ? 'list_sessions' : 'get_session';
  let created: Outcome;
  try {
    created = await runOperation(client, {
      method: 'POST',
      path: path + query,
      body,
      // Without an id in the request, repeating it could create a second session.
      retry: sessionId === undefined ? 'quota' : 'idempotent',
      onRetry: retries.onRetry,
      lookWith,
    });
  } catch (error) {
    if (isCode(error, 'NOT_FOUND')) throw engineNotFound(error);
    if (sessionId === undefined || !isTaken(error)) throw error;
    const own = retries.repeated() ? await createdBefore(client, { ...owner, sessionId }, begun) : undefined;
    if (own !== undefined) return own;
    throw new SessionError('ALREADY_EXISTS', 'A session with this sessionId already exists.', {
      hint: 'Create the session under another id or without an id: ids are unique across all users of an engine.',
      cause: error,
    });
  }
  const { name, response } = created;
  const id = sessionId ?? (idIn(name, 'sessions') || lastSegment(response?.name));
  if (id === '')
    throw new SessionError('UNAVAILABLE', 'Agent Engine did not say which session it created.', {
      hint: 'Call list_sessions to see whether the session was created.',
    });
  const ref = { ...owner, sessionId: id };
  // The session in the operation lacks the merged state and the expiry (docs/protocols/agent-engine.md, "Sessions").
  const made = await readAfterWrite(() => readNew(client, ref));
  if (made === undefined && response === undefined) throw notFinished(lookWith);
  // The service has shown the session, so it exists, also when it cannot be read yet.
  return toSession(made ?? { ...body, name: `sessions/${id}`, createTime: toTime(begun) }, owner.app);
}

/**
 * Whether an id was refused because it is taken. The service answers INVALID_ARGUMENT and says so only in the text
 * (docs/protocols/agent-engine.md, "Sessions").
 */
const isTaken = (error: unknown): boolean =>
  isCode(error, 'ALREADY_EXISTS') ||
  (isCode(error, 'INVALID_ARGUMENT') && /already exists/.test(refusalOf(error)?.message ?? ''));

/** Reads a new session, which may be unknown for some seconds (docs/protocols/agent-engine.md, "Sessions"). */
async function readNew(client: AgentEngineClient, ref: SessionRef): Promise<WireSession> {
  for (let attempt = 1, pause = 300; ; attempt += 1, pause *= 1.5) {
    try {
      return await ownedSession(client, ref);
    } catch (error) {
      if (!isCode(error, 'NOT_FOUND') || attempt === 5) throw error;
      await client.wait(pause);
    }
  }
}

/** The session that an earlier attempt of the same call created, if its answer was lost. */
async function createdBefore(
  client: AgentEngineClient,
  ref: SessionRef,
  begun: number,
): Promise<Session | undefined> {
  try {
    const session = toSession(await ownedSession(client, ref), ref.app);
    // The clocks of the two machines may differ by up to a minute.
    return Date.parse(session.createTime) > begun - 60_000 ? session : undefined;
  } catch (error) {
    if (isCode(error, 'NOT_FOUND')) return undefined;
    throw error;
  }
}

function fieldsOf(input: Pick<NewSession, 'displayName' | 'labels' | 'expireTime'>, now: number): JsonObject {
  checkLabels(input.labels);
  const expires = checkExpireTime(input.expireTime, now);
  return {
    ...(input.displayName === undefined ? {} : { displayName: input.displayName }),
    ...(input.labels === undefined ? {} : { labels: input.labels }),
    ...(expires === undefined ? {} : { expireTime: toTime(expires) }),
  };
}

export async function getSession(client: AgentEngineClient, ref: SessionRef): Promise<Session> {
  return toSession(await ownedSession(client, ref), ref.app);
}

/** Lists the sessions of a user, or of the whole engine, without their state. */
export async function listSessions(client: AgentEngineClient, query: SessionQuery): Promise<Page<Session>> {
  const terms = query.filter ?? [];
  const pages = listPages<WireSession>(client, {
    path: `${enginePath(client.endpoint, query.app)}/sessions`,
    field: 'sessions',
    params: {
      pageSize: query.pageSize,
      filter: toFilter(query.userId, terms),
      orderBy: toOrderBy(query.orderBy ?? 'updateTime desc'),
    },
    token: query.cursor,
  });
  try {
    for await (const { items: found, token } of pages) {
      // Checked here again, so that another user's session is never shown, however the service reads the filter.
      const items = found
        .map((wire) => toSession(wire, query.app, 'listed'))
        .filter((s) => (query.userId === undefined || s.userId === query.userId) && matchesFilter(s, terms));
      if (items.length > 0 || token === undefined) return { items, cursor: token };
    }
  } catch (error) {
    throw isCode(error, 'NOT_FOUND') ? engineNotFound(error) : error;
  }
  return { items: [], cursor: undefined };
}

export async function updateSession(
  client: AgentEngineClient,
  ref: SessionRef,
  change: SessionChange,
  guard: Guard | undefined,
): Promise<Session> {
  refuseGuard('agent-engine', guard);
  const fields = {
    ...fieldsOf(change, client.now()),
    ...(change.state === undefined ? {} : { sessionState: toWireState(change.state) }),
  };
  const before = await ownedSession(client, ref);
  const path = sessionPath(client.endpoint, ref);
  const updateMask = Object.keys(fields).join(',');
  if (updateMask === '') return toSession(before, ref.app);
  const patched = await write<WireSession>(client, {
    method: 'PATCH',
    path: path + queryString({ updateMask }),
    body: fields,
    retry: 'idempotent',
    lookWith: 'get_session',
  }).catch(asSessionNotFound);
  // The answer to a PATCH may lack the merged state. An answer that has the expiry has the state, too.
  const after =
    typeof patched.expireTime === 'string'
      ? patched
      : ((await readAfterWrite(() => ownedSession(client, ref))) ?? { ...before, ...fields });
  const missing = notTaken(change.state, after);
  if (missing === undefined) return toSession(after, ref.app);
  await setSharedState(client, ref, missing);
  const sessionState = { ...after.sessionState, ...missing };
  return toSession(
    (await readAfterWrite(() => ownedSession(client, ref))) ?? { ...after, sessionState },
    ref.app,
  );
}

/**
 * Sets shared keys by an event, which is known to change them for all sessions. Whether PATCH does is unverified
 * (docs/protocols/agent-engine.md, "Not verified").
 */
async function setSharedState(
  client: AgentEngineClient,
  ref: SessionRef,
  stateDelta: JsonObject,
): Promise<void> {
  await appendEvent(
    client,
    ref,
    { author: 'user', invocationId: newId('i'), actions: { stateDelta } },
    undefined,
  );
}

function asSessionNotFound(error: unknown): never {
  throw isCode(error, 'NOT_FOUND') ? sessionNotFound() : error;
}

/** The shared keys whose values in the session differ from what was set. */
function notTaken(state: JsonObject | undefined, wire: JsonObject): JsonObject | undefined {
  const { user, app } = splitState(state ?? {});
  const shown = isObject(wire.sessionState) ? wire.sessionState : {};
  const missing = Object.entries({ ...user, ...app }).filter(
    ([key, value]) => canonicalJson(shown[key] ?? null) !== canonicalJson(value ?? null),
  );
  return missing.length === 0 ? undefined : Object.fromEntries(missing);
}

export async function deleteSession(
  client: AgentEngineClient,
  ref: SessionRef,
  guard: Guard | undefined,
): Promise<void> {
  refuseGuard('agent-engine', guard);
  await ownedSession(client, ref);
  await finishOperation(client, {
    method: 'DELETE',
    path: sessionPath(client.endpoint, ref),
    retry: 'idempotent',
    lookWith: 'get_session',
  }).catch(asSessionNotFound);
}
