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
import { parseStored } from './damage.ts';
import * as keys from './keys.ts';
import { checkSize, maxStateBytes } from './limits.ts';
import {
  checkRevision,
  deleteDamaged,
  deleteWrites,
  edited,
  type Head,
  headWrites,
  isExpired,
  type Local,
  parseHead,
  readHead,
  refOf,
  storedHead,
  toSession,
  tryHead,
} from './session-record.ts';

/** Sessions that one call of `list` looks at; a filter that few match ends a page early, with a cursor. */
const scanLimit = 2000;

export const parseState = (value: string | undefined): JsonObject =>
  value === undefined ? {} : parseStored('The state', value);

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
  return (await readWhole(local, head)) ?? toSession(head, state);
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
  const place = insertKeys(head);
  const shared = [keys.userStateKey(ref), keys.appStateKey(head.app)];
  await local.store.update(
    [...place, ...shared, ...(journal === undefined ? [] : [journal])],
    ([taken, app, userApp, userState, appState, entry]) => {
      if (journal !== undefined && entry === undefined) throw buildingSwept();
      return {
        result: undefined,
        writes: [
          ...insertWrites(head, { taken, app, userApp }, local.now()),
          { key: keys.stateKey(head.uid), value: stateText(splitState(state).session) },
          { key: keys.baseStateKey(head.uid, 0), value: stateText(splitState(base).session) },
          ...(latest === undefined
            ? []
            : [{ key: keys.baseStateKey(head.uid, latest.seq), value: stateText(latest.state) }]),
          ...sharedStateWrites(ref, state, userState, appState),
          ...(journal === undefined ? [] : [{ drop: journal }]),
        ],
      };
    },
  );
}

/** The journal entry of a copy is gone: maintenance took its process for dead and swept what it had built. */
export const buildingSwept = (): SessionError =>
  new SessionError('ABORTED', 'The copy stood still for so long that it was taken for abandoned.', {
    hint: 'Nothing is left of it: begin again.',
  });

/** The keys that `insertWrites` wants the values of. */
export const insertKeys = (head: Head): string[] => [
  keys.headKey(refOf(head)),
  keys.appKey(head.app),
  keys.userAppKey(head.userId, head.app),
];

/**
 * The writes that make a session visible. What is left of an expired one with its id goes.
 * @throws SessionError ALREADY_EXISTS when the owner has a session with this id
 */
export function insertWrites(
  head: Head,
  found: { taken: string | undefined; app: string | undefined; userApp: string | undefined },
  now: number,
): Write[] {
  const old = found.taken === undefined ? undefined : storedHead(found.taken);
  if (old !== undefined && !isExpired(old, now)) throw sessionExists();
  return [
    ...(old === undefined ? [] : deleteWrites(old, head.created)),
    ...headWrites(undefined, head),
    ...(found.app === undefined
      ? [{ key: keys.appKey(head.app), value: JSON.stringify({ created: head.created }) }]
      : []),
    ...(found.userApp === undefined ? [{ key: keys.userAppKey(head.userId, head.app), value: '' }] : []),
  ];
}

/** A session with the state that its readers see, both of one moment. Undefined once the session is another. */
export async function readWhole(local: Local, seen: Head): Promise<Session | undefined> {
  const [value, session, user, app] = await local.store.get([
    keys.headKey(refOf(seen)),
    keys.stateKey(seen.uid),
    keys.userStateKey(refOf(seen)),
    keys.appStateKey(seen.app),
  ]);
  const head = parseHead(value, local.now());
  if (head.uid !== seen.uid) return undefined;
  return toSession(
    head,
    mergeState({ session: parseState(session), user: parseState(user), app: parseState(app) }),
  );
}

export async function getSession(local: Local, ref: SessionRef): Promise<Session> {
  for (;;) {
    const session = await readWhole(local, await readHead(local, ref));
    if (session !== undefined) return session;
  }
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
        ...edited(before, now),
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
  return (await readWhole(local, after)) ?? toSession(after);
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
    const salvaged =
      value !== undefined && tryHead(value) === undefined
        ? deleteDamaged(keys.headKey(ref), value, now)
        : undefined;
    if (salvaged !== undefined) return { result: undefined, writes: salvaged };
    const head = parseHead(value, now);
    checkRevision(head, guard);
    return { result: undefined, writes: deleteWrites(head, now) };
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
      const head = heads[i] === undefined ? undefined : tryHead(heads[i]);
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
