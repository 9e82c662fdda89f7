import { createHash } from 'node:crypto';
import { invalidArgument } from '../../errors.ts';
import type { Owner, SessionRef, TurnScope } from '../types.ts';

/**
 * Every key of the local backend. Parts are percent-encoded and joined by "/", so that no id, whatever it
 * holds, reads like another's key; numbers have a fixed width, so that keys sort as the numbers do.
 *
 * What belongs to one session lies under `x/<uid>/`, where uid is random and new with every creation: a
 * session that is created again under an old id never meets what is left of the old one.
 */
function key(first: string, ...parts: readonly string[]): string {
  let path = encode(first);
  for (const part of parts) path += `/${encode(part)}`;
  return path;
}

const under = (first: string, ...parts: readonly string[]): string => `${key(first, ...parts)}/`;

function encode(part: string): string {
  if (/^[\w-]+$/.test(part)) return part;
  if (!part.isWellFormed())
    throw invalidArgument('An id contains broken Unicode.', 'Pass ids as other tools returned them.');
  return encodeURIComponent(part);
}

/** Nine base-36 digits hold milliseconds until the year 5188, and a hundred million million events. */
export const fixed = (n: number): string => n.toString(36).padStart(9, '0');
export const unfixed = (text: string): number => Number.parseInt(text, 36);

/** The parts of a key, decoded. */
export const partsOf = (k: string): string[] => k.split('/').map(decodeURIComponent);

export const appKey = (app: string): string => key('a', app);
export const allApps = 'a/';
export const userAppKey = (userId: string, app: string): string => key('au', userId, app);
export const allUserApps = 'au/';
export const userApps = (userId: string): string => under('au', userId);

export const headKey = (ref: SessionRef): string => key('s', ref.app, ref.userId, ref.sessionId);
export const allHeads = 's/';
export const appHeads = (app: string): string => under('s', app);
export const appStateKey = (app: string): string => key('ga', app);
export const userStateKey = (owner: Owner): string => key('gu', owner.app, owner.userId);

export type Clock = 'updateTime' | 'createTime';
const listName = { updateTime: 'u', createTime: 'c' } as const;

/** Lists of sessions in order of time: one per user, one per app. The session's id is the last part. */
export const userList = (owner: Owner, by: Clock): string =>
  under(`l${listName[by]}`, owner.app, owner.userId);
export const appList = (app: string, by: Clock): string => under(`m${listName[by]}`, app);
export const userListKey = (ref: SessionRef, by: Clock, ms: number): string =>
  userList(ref, by) + key(fixed(ms), ref.sessionId);
export const appListKey = (ref: SessionRef, by: Clock, ms: number): string =>
  appList(ref.app, by) + key(fixed(ms), ref.userId, ref.sessionId);

/** Sessions in order of their expiry. */
export const expiryKey = (ref: SessionRef, ms: number): string =>
  key('z', fixed(ms), ref.app, ref.userId, ref.sessionId);
export const expiries = 'z/';
export const expiriesUntil = (ms: number): string => `z/${fixed(ms + 1)}/`;

/** Open turns by agent, in the order in which they are to be offered: one list per user, one per app, one of all apps. */
export function turnList(scope: TurnScope, agent: string): string {
  if (scope.app === undefined) return under('hg', agent);
  return scope.userId === undefined
    ? under('ha', scope.app, agent)
    : under('hu', scope.app, scope.userId, agent);
}
export const allTurns = 'ha/';
export const userTurnKey = (ref: SessionRef, agent: string, due: number, since: number): string =>
  key('hu', ref.app, ref.userId, agent, fixed(due), fixed(since), ref.sessionId);
export const appTurnKey = (ref: SessionRef, agent: string, due: number, since: number): string =>
  key('ha', ref.app, agent, fixed(due), fixed(since), ref.userId, ref.sessionId);
export const agentTurnKey = (ref: SessionRef, agent: string, due: number, since: number): string =>
  key('hg', agent, fixed(due), fixed(since), ref.app, ref.userId, ref.sessionId);
/** Turns by the copy of an agent that has claimed them. */
export const workerTurns = (
  { app, userId }: { app: string; userId?: string | undefined },
  agent: string,
  worker: string,
): string =>
  userId === undefined ? under('hw', app, agent, worker) : under('hw', app, agent, worker, userId);
export const workerTurnKey = (ref: SessionRef, agent: string, worker: string): string =>
  key('hw', ref.app, agent, worker, ref.userId, ref.sessionId);
/** Changes whenever a turn is handed to the agent: what those who wait for one watch. */
export function turnSignalKey({ app, userId }: Pick<TurnScope, 'app' | 'userId'>, agent: string): string {
  if (app === undefined) return key('jg', agent);
  return userId === undefined ? key('ja', app, agent) : key('ju', app, userId, agent);
}

export const insides = 'x/';
export const insideOf = (uid: string): string => under('x', uid);
/** What takes the last rewinding of a session back. */
export const undoKey = (uid: string): string => key('x', uid, 'w');
/** The id of the session that a uid belongs to. */
export const sessionIdKey = (uid: string): string => key('x', uid, 'o');
export const stateKey = (uid: string): string => key('x', uid, 's');
export const baseStates = (uid: string): string => under('x', uid, 'b');
export const baseStateKey = (uid: string, seq: number): string => key('x', uid, 'b', fixed(seq));
export const events = (uid: string): string => under('x', uid, 'e');
export const eventKey = (uid: string, seq: number): string => key('x', uid, 'e', fixed(seq));
export const eventIds = (uid: string): string => under('x', uid, 'i');
export const eventIdKey = (uid: string, eventId: string): string => key('x', uid, 'i', eventId);
export const openCalls = (uid: string): string => under('x', uid, 'c');
export const openCallKey = (uid: string, callId: string): string => key('x', uid, 'c', callId);
export const answeredCalls = (uid: string): string => under('x', uid, 'a');
export const answeredCallKey = (uid: string, callId: string): string => key('x', uid, 'a', callId);
/** What deleted events changed, by their numbers: see `EventTrace`. */
export const traces = (uid: string): string => under('x', uid, 'd');
export const traceKey = (uid: string, seq: number): string => key('x', uid, 'd', fixed(seq));
export const runKey = (uid: string, invocationId: string): string => key('x', uid, 'r', invocationId);
export const agentNotesKey = (uid: string, agent: string): string => key('x', uid, 'g', agent);
/** The id of the last event up to which an agent has acted on the session. */
export const actedKey = (uid: string, agent: string): string => key('x', uid, 't', agent);
/** The id of the event that ended a turn, by that of the event which had opened it. */
export const endedTurnKey = (uid: string, eventId: string): string => key('x', uid, 'f', eventId);
/**
 * Sessions that were split off from this one and whose turn is open. An entry belongs to the part, and goes with it: so
 * it is not among what goes with the session.
 */
export const openParts = (uid: string): string => under('ho', uid);
export const openPartKey = (uid: string, sessionId: string): string => key('ho', uid, sessionId);
/** Hidden events that `add_session_to_memory` passed over. */
export const passedOver = (uid: string, scope: string): string => under('x', uid, 'h', hash(scope));
export const memoryMarkKey = (uid: string, scope: string): string => key('x', uid, 'm', hash(scope));

/** Artifacts of a session, or of a user where the name begins with `user:`. */
export interface ArtifactPlace {
  latest: string;
  content: string;
}
export const sessionArtifacts = (uid: string): ArtifactPlace => ({
  latest: under('x', uid, 'n'),
  content: under('x', uid, 'v'),
});
export const userArtifacts = (owner: Owner): ArtifactPlace => ({
  latest: under('n', owner.app, owner.userId),
  content: under('v', owner.app, owner.userId),
});
export const latestKey = (place: ArtifactPlace, name: string): string => place.latest + key(name);
export const contentKey = (place: ArtifactPlace, name: string, version: number): string =>
  place.content + key(name, fixed(version));

export const allMemories = 'r/';
export const memories = (owner: Owner): string => under('r', owner.app, owner.userId);
export const memoryKey = (owner: Owner, memoryId: string): string =>
  key('r', owner.app, owner.userId, memoryId);

/** The vector of an event; it goes where the event is hidden or deleted. */
export const vectorKey = (uid: string, seq: number): string => key('x', uid, 'y', fixed(seq));
export const vectors = (uid: string): string => under('x', uid, 'y');
/** Up to where the events of a session have vectors: one key for each session of a user. */
export const vectorMarks = (owner: Owner): string => under('ys', owner.app, owner.userId);
export const vectorMarkKey = (owner: Owner, uid: string): string => key('ys', owner.app, owner.userId, uid);
/** The vector of a memory, and memories that wait for one. */
export const memoryVectors = (owner: Owner): string => under('ym', owner.app, owner.userId);
export const memoryVectorKey = (owner: Owner, memoryId: string): string =>
  key('ym', owner.app, owner.userId, memoryId);
export const waitingMemories = 'yw/';
export const waitingMemoryKey = (owner: Owner, memoryId: string): string =>
  key('yw', owner.app, owner.userId, memoryId);
/** Which vectors of a user were made last. */
export const vectorLogKey = (owner: Owner): string => key('yo', owner.app, owner.userId);
/** Of which model the vectors of the store are, and who makes them now. */
export const embeddingKey = key('embedding');

/** What users share between their sessions of an app: state, artifacts, memories, and then vectors of what is gone. */
export const appShared = (app: string): string[] =>
  ['gu', 'n', 'v', 'r', 'ym', 'yw', 'ys', 'yo'].map((kind) => under(kind, app));

/** Prefixes that are still to be dropped, after the time in the key. */
export const trash = 't/';
export const trashKey = (ms: number, id: string): string => key('t', fixed(ms), id);
export const trashUntil = (ms: number): string => `t/${fixed(ms + 1)}/`;

/** Keys of rows that could not be read. */
export const damages = 'q/';
export const damageKey = (of: string): string => key('q', of);

export const hash = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 32);

/** Written to check that the store accepts writes. */
export const readyKey = key('ready');

/** With what version of the index of words the store is indexed, and how far. */
export const indexedKey = key('indexed');
