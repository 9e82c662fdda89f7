import { SessionError } from '../../errors.ts';
import { matchesFilter } from '../../model/filter.ts';
import { checkId, newId } from '../../model/ids.ts';
import type { JsonObject } from '../../model/json.ts';
import type { Page } from '../../model/page.ts';
import type { Session } from '../../model/session.ts';
import { applyDelta, mergeState, splitState } from '../../model/state.ts';
import type { Write } from '../../store/types.ts';
import { sessionExists, sessionNotFound } from '../shared/errors.ts';
import { checkExpireTime, checkLabels } from '../shared/rules.ts';
import type { Guard, NewSession, Owner, SessionChange, SessionQuery, SessionRef } from '../types.ts';
import * as keys from './keys.ts';
import { checkSize, maxStateBytes } from './limits.ts';
import {
  checkRevision,
  deleteWrites,
  type Head,
  headWrites,
  type Local,
  parseHead,
  readHead,
  refOf,
  toSession,
  touched,
  updateNamed,
} from './session-record.ts';

/** Sessions that one call of `list` looks at; a filter that few match ends a page early, with a cursor. */
const scanLimit = 2000;

export const parseState = (value: string | undefined): JsonObject =>
  value === undefined ? {} : (JSON.parse(value) as JsonObject);

/** The writes of the shared parts of a state delta. */
export function sharedStateWrites(
  owner: Owner,
  delta: JsonObject,
  userState: string | undefined,
  appState: string | undefined,
): Write[] {
  const parts = splitState(delta);
  return [
    ...stateWrite(keys.userStateKey(owner), parts.user, userState),
    ...stateWrite(keys.appStateKey(owner.app), parts.app, appState),
  ];
}

/** The write that merges a delta into a stored state; none for an empty delta. */
export function stateWrite(key: string, delta: JsonObject, stored: string | undefined): Write[] {
  if (Object.keys(delta).length === 0) return [];
  return [{ key, value: stateText(applyDelta(parseState(stored), delta)) }];
}

function stateText(state: JsonObject): string {
  const value = JSON.stringify(state);
  checkSize('The state', Buffer.byteLength(value), maxStateBytes, 'Save large values as artifacts.');
  return value;
}

export async function createSession(local: Local, owner: Owner, input: NewSession): Promise<Session> {
  const now = local.now();
  const sessionId = input.sessionId === undefined ? newId('s', now) : checkId('sessionId', input.sessionId);
  const head = newHead({ ...owner, sessionId }, input, now);
  const state = input.state ?? {};
  await insertSession(local, head, state);
  return toSession(head, await readState(local, head));
}

/** A head for a session that is not stored yet. */
export function newHead(ref: SessionRef, input: NewSession & Pick<Head, 'forkedFrom'>, now: number): Head {
  checkLabels(input.labels);
  return {
    uid: newId('x', now),
    id: ref.sessionId,
    app: checkId('app', ref.app),
    userId: checkId('userId', ref.userId),
    displayName: input.displayName,
    labels: input.labels,
    created: now,
    updated: now,
    expires: checkExpireTime(input.expireTime, now),
    revision: 1,
    count: 0,
    next: 0,
    highWater: 0,
    forkedFrom: input.forkedFrom,
  };
}

/** What a session was built up from aside, before it is inserted. */
export interface Built {
  /** Its own keys before its first event. Default: the state. */
  base?: JsonObject | undefined;
  /** Its own keys as they were set whole before the event of this number. */
  latest?: { seq: number; state: JsonObject } | undefined;
  /** The entry that would have swept it had its builder died. Gone: it was taken for dead. */
  journal?: string | undefined;
}

/**
 * Makes a session, and ends the journal of its building in the same update.
 * @throws SessionError ALREADY_EXISTS when the owner has a session with this id, ABORTED when the journal is gone
 */
export async function insertSession(
  local: Local,
  head: Head,
  state: JsonObject,
  { base = state, latest, journal }: Built = {},
): Promise<void> {
  const ref = refOf(head);
  await updateNamed(
    local.store,
    {
      taken: keys.headKey(ref),
      app: keys.appKey(head.app),
      userApp: keys.userAppKey(head.userId, head.app),
      userState: keys.userStateKey(ref),
      appState: keys.appStateKey(head.app),
      built: journal,
    },
    ({ taken, app, userApp, userState, appState, built }) => {
      const old = taken === undefined ? undefined : (JSON.parse(taken) as Head);
      if (old !== undefined && !isExpired(old, local.now())) throw sessionExists();
      if (journal !== undefined && built === undefined) throw buildingSwept();
      return {
        result: undefined,
        writes: [
          ...(old === undefined ? [] : deleteWrites(old, head.created)),
          ...headWrites(undefined, head),
          { key: keys.stateKey(head.uid), value: stateText(splitState(state).session) },
          { key: keys.baseStateKey(head.uid, 0), value: stateText(splitState(base).session) },
          ...(latest === undefined
            ? []
            : [{ key: keys.baseStateKey(head.uid, latest.seq), value: stateText(latest.state) }]),
          ...sharedStateWrites(ref, state, userState, appState),
          ...(app === undefined
            ? [{ key: keys.appKey(head.app), value: JSON.stringify({ created: head.created }) }]
            : []),
          ...(userApp === undefined ? [{ key: keys.userAppKey(head.userId, head.app), value: '' }] : []),
          ...(journal === undefined ? [] : [{ drop: journal }]),
        ],
      };
    },
  );
}

const buildingSwept = (): SessionError =>
  new SessionError('ABORTED', 'The copy stood still for so long that it was taken for abandoned.', {
    hint: 'Nothing is left of it: begin again.',
  });

const isExpired = (head: Head, now: number): boolean => head.expires !== undefined && head.expires <= now;

/** The merged state that readers of a session see. */
export async function readState(local: Local, head: Head): Promise<JsonObject> {
  const [session, user, app] = await local.store.get([
    keys.stateKey(head.uid),
    keys.userStateKey(head),
    keys.appStateKey(head.app),
  ]);
  return mergeState({ session: parseState(session), user: parseState(user), app: parseState(app) });
}

export async function getSession(local: Local, ref: SessionRef): Promise<Session> {
  const head = await readHead(local, ref);
  return toSession(head, await readState(local, head));
}

export async function updateSession(
  local: Local,
  ref: SessionRef,
  change: SessionChange,
  guard: Guard = {},
): Promise<Session> {
  const now = local.now();
  checkLabels(change.labels);
  const expires = checkExpireTime(change.expireTime, now);
  const after = await local.store.update(
    [keys.headKey(ref), keys.userStateKey(ref), keys.appStateKey(ref.app)],
    ([value, userState, appState]) => {
      const before = parseHead(value, now);
      checkRevision(before, guard);
      const head: Head = {
        ...touched(before, now),
        displayName: change.displayName ?? before.displayName,
        labels: change.labels ?? before.labels,
        expires: expires ?? before.expires,
      };
      return {
        result: head,
        writes: [...headWrites(before, head), ...replacedState(head, change.state, userState, appState)],
      };
    },
  );
  return toSession(after, await readState(local, after));
}

// A replaced state is also a base: a fork to an earlier event replays deltas from the base before that event.
function replacedState(
  head: Head,
  state: JsonObject | undefined,
  userState: string | undefined,
  appState: string | undefined,
): Write[] {
  if (state === undefined) return [];
  const text = stateText(splitState(state).session);
  return [
    { key: keys.stateKey(head.uid), value: text },
    { key: keys.baseStateKey(head.uid, head.next), value: text },
    ...sharedStateWrites(head, state, userState, appState),
  ];
}

export async function deleteSession(local: Local, ref: SessionRef, guard: Guard = {}): Promise<void> {
  const now = local.now();
  await local.store.update([keys.headKey(ref)], ([value]) => {
    const head = parseHead(value, now);
    checkRevision(head, guard);
    return { result: undefined, writes: deleteWrites(head, now) };
  });
}

/** Deletes a session that has expired, unless somebody gave it more time meanwhile. */
export async function deleteExpired(local: Local, ref: SessionRef): Promise<void> {
  const now = local.now();
  await local.store.update([keys.headKey(ref)], ([value]) => {
    const head = value === undefined ? undefined : (JSON.parse(value) as Head);
    return {
      result: undefined,
      writes: head !== undefined && isExpired(head, now) ? deleteWrites(head, now) : [],
    };
  });
}

/**
 * Sessions of a user, or of the whole app, without their state. A list by createTime is steady while others
 * write; in a list by updateTime a session that is written to moves to its new place.
 */
export async function listSessions(local: Local, query: SessionQuery): Promise<Page<Session>> {
  const { store } = local;
  const [field, direction] = (query.orderBy ?? 'updateTime desc').split(' ') as [keys.Clock, 'asc' | 'desc'];
  const { userId, app } = query;
  const prefix = userId === undefined ? keys.appList(app, field) : keys.userList({ app, userId }, field);
  const reverse = direction === 'desc';
  const items: Session[] = [];
  let cursor = query.cursor;
  let scanned = 0;
  while (scanned < scanLimit) {
    // One more than is wanted tells whether there is another page.
    const limit = query.filter === undefined ? query.pageSize - items.length + 1 : 100;
    const from =
      cursor === undefined ? {} : reverse ? { before: prefix + cursor } : { after: prefix + cursor };
    const rows = await store.range({ prefix, ...from, limit, reverse });
    const refs = rows.map((row) => refOfListKey(app, userId, row.key.slice(prefix.length)));
    const heads = await store.get(refs.map(keys.headKey));
    for (const [i, row] of rows.entries()) {
      if (items.length === query.pageSize) return { items, cursor };
      cursor = row.key.slice(prefix.length);
      scanned += 1;
      const head = heads[i] === undefined ? undefined : (JSON.parse(heads[i]) as Head);
      if (head === undefined || isExpired(head, local.now())) continue;
      const session = toSession(head);
      if (matchesFilter(session, query.filter ?? [])) items.push(session);
    }
    if (rows.length < limit) return { items };
  }
  return { items, cursor };
}

function refOfListKey(app: string, userId: string | undefined, rest: string): SessionRef {
  const parts = keys.partsOf(rest);
  const sessionId = parts.at(-1);
  const owner = userId ?? parts[1];
  if (sessionId === undefined || owner === undefined) throw sessionNotFound();
  return { app, userId: owner, sessionId };
}
