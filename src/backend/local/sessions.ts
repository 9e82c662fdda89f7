import { checkId, newId } from '../../model/ids.ts';
import type { JsonObject } from '../../model/json.ts';
import type { Session } from '../../model/session.ts';
import { mergeState, splitState } from '../../model/state.ts';
import type { Put, Write } from '../../store/types.ts';
import { checkExpireTime, checkLabels } from '../shared/rules.ts';
import type { Guard, NewSession, Owner, SessionChange, SessionRef } from '../types.ts';
import { renewedBy } from './claim.ts';
import { insertSession, newHead } from './insert-session.ts';
import * as keys from './keys.ts';
import { dropTrash } from './maintenance.ts';
import {
  checkGuard,
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
  sessionIdWrite,
  storedHead,
  toSession,
  tryHead,
} from './session-record.ts';
import { parseState, sharedStateWrites, stateText } from './state-record.ts';

/** Most parts of a session that are counted. */
const mostCounted = 1000;
/** Most apps in which a session is looked for. */
const mostApps = 1000;

export async function createSession(local: Local, owner: Owner, input: NewSession): Promise<Session> {
  const now = local.now();
  const sessionId = input.sessionId === undefined ? newId('s') : checkId('sessionId', input.sessionId);
  const parent =
    input.parentSessionId === undefined
      ? undefined
      : await markParent(local, { ...owner, sessionId: checkId('parentSessionId', input.parentSessionId) });
  const head: Head = { ...newHead({ ...owner, sessionId }, input, now), parent };
  const state = input.state ?? {};
  await insertSession(local, head, state);
  return asChanged(local, head, state);
}

/** Notes in a session that it has parts, so that all others need not be asked for theirs. */
async function markParent(local: Local, ref: SessionRef): Promise<NonNullable<Head['parent']>> {
  const now = local.now();
  return local.store.update([keys.headKey(ref)], ([value]) => {
    const head = parseHead(value, now);
    const result = { id: head.id, uid: head.uid };
    if (head.parts === true) return { result, writes: [] };
    return { result, writes: headWrites(head, { ...head, parts: true }) };
  });
}

/** Sessions split off from this one whose turn is open. */
async function countOpenParts(local: Local, head: Head): Promise<number | undefined> {
  if (head.parts !== true) return undefined;
  return (await local.store.range({ prefix: keys.openParts(head.uid), limit: mostCounted })).length;
}

/** A session with its whole state, both read at one moment. Undefined when it is gone, or its id names a new one. */
async function readWhole(local: Local, seen: Head): Promise<Session | undefined> {
  const [value, session, user, app] = await local.store.get([
    keys.headKey(refOf(seen)),
    keys.stateKey(seen.uid),
    keys.userStateKey(refOf(seen)),
    keys.appStateKey(seen.app),
  ]);
  const head = value === undefined ? undefined : storedHead(value);
  if (head?.uid !== seen.uid || isExpired(head, local.now())) return undefined;
  const state = mergeState({ session: parseState(session), user: parseState(user), app: parseState(app) });
  return { ...toSession(head, state), openParts: await countOpenParts(local, head) };
}

/**
 * The answer to a change: the session as the change left it. Its whole state is read after it, and may be newer; the
 * revision is never newer than what the caller knows, so that a write that is guarded by it overlooks nothing. What
 * cannot be read, because the session was deleted meanwhile or the store is gone, is left out: the change is stored.
 */
export async function asChanged(local: Local, head: Head, state?: JsonObject): Promise<Session> {
  const whole = await readWhole(local, head).catch(() => undefined);
  if (whole === undefined) return toSession(head, state);
  return { ...toSession(head, whole.state), openParts: whole.openParts };
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
      checkGuard(before, guard, now);
      const head: Head = {
        ...edited(before, now),
        displayName: change.displayName ?? before.displayName,
        labels: change.labels ?? before.labels,
        expires: change.noExpiry === true ? undefined : (expires ?? before.expires),
        turn: renewedBy(before.turn, guard.claim, now),
      };
      return {
        result: head,
        writes: [
          ...headWrites(before, head),
          ...(head.displayName === before.displayName ? [] : [sessionIdWrite(head)]),
          ...replacedState(head, change.state, userState, appState),
        ],
      };
    },
  );
  return asChanged(local, after);
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

/**
 * A delete of a session with no more events than this answers when its text has left the store, or after this many
 * milliseconds; the rest is for maintenance, as larger sessions are.
 */
const erasedBefore = { events: 200, ms: 250 };

export async function deleteSession(local: Local, ref: SessionRef, guard: Guard = {}): Promise<void> {
  const now = local.now();
  const left = await local.store.update([keys.headKey(ref)], ([value]) => {
    const { writes, events } = deletionOf(keys.headKey(ref), value, now, guard);
    const rest = writes.find((write): write is Put => 'key' in write);
    return { result: events > erasedBefore.events ? undefined : rest, writes };
  });
  if (left === undefined) return;
  const until = performance.now() + erasedBefore.ms;
  // The session is deleted, whatever becomes of this.
  await dropTrash(local, left, () => performance.now() > until).catch(() => {});
}

function deletionOf(
  key: string,
  value: string | undefined,
  now: number,
  guard: Guard,
): { writes: Write[]; events: number } {
  const salvaged =
    value !== undefined && tryHead(value) === undefined ? deleteDamaged(key, value) : undefined;
  if (salvaged !== undefined) return { writes: salvaged, events: Number.POSITIVE_INFINITY };
  const head = parseHead(value, now);
  checkGuard(head, guard, now);
  return { writes: deleteWrites(head), events: head.next };
}

/** The apps in which the user has a session of this id. */
export async function appsOfSession(local: Local, userId: string, sessionId: string): Promise<string[]> {
  const rows = await local.store.range({ prefix: keys.userApps(userId), limit: mostApps });
  const apps = rows.map((row) => keys.partsOf(row.key).at(-1) ?? '');
  const heads = await local.store.get(apps.map((app) => keys.headKey({ app, userId, sessionId })));
  const now = local.now();
  return apps.filter((_, i) => {
    const head = heads[i] === undefined ? undefined : tryHead(heads[i]);
    return head !== undefined && !isExpired(head, now);
  });
}
