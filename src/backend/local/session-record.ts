import { SessionError } from '../../errors.ts';
import type { Event } from '../../model/event.ts';
import { canonicalJson, type JsonObject } from '../../model/json.ts';
import { type EventPreview, previewOf, type Session } from '../../model/session.ts';
import { toTime } from '../../model/time.ts';
import type { Turn } from '../../model/turn.ts';
import type { Decision, Store, Write } from '../../store/types.ts';
import { sessionNotFound } from '../shared/errors.ts';
import type { Guard, Owner, SessionMark, SessionRef } from '../types.ts';
import { checkClaim } from './claim.ts';
import { damaged, parseStored } from './damage.ts';
import * as keys from './keys.ts';
import type { NearSearch } from './near-search.ts';
import { type TurnRecord, turnPlaces } from './turn-index.ts';

/** The record of a session: small, and rewritten with every append. State and events have records of their own. */
export interface Head {
  uid: string;
  id: string;
  app: string;
  userId: string;
  displayName?: string | undefined;
  labels?: Record<string, string> | undefined;
  /** Milliseconds since the epoch. */
  created: number;
  updated: number;
  expires?: number | undefined;
  revision: number;
  /** Events that are there, and the number that the next one gets. */
  count: number;
  next: number;
  /** The latest timestamp of any event so far. */
  highWater: number;
  invocationId?: string | undefined;
  /** The invocation that an agent runs now, or ran when its process died. */
  run?: string | undefined;
  /** The last visible event. */
  last?: EventPreview | undefined;
  /** Its number. The first release replaces `last` alone, so the number counts only beside the id that it is for. */
  lastAt?: { id: string; seq: number } | undefined;
  /** Number of changes other than appends. A copy during which it changed mixes two states and is begun again. */
  edits?: number | undefined;
  forkedFrom?: Session['forkedFrom'];
  /** Which agent is to act. */
  turn?: TurnRecord | undefined;
  /** The claim under which the last turn ended, and the number of the event that ended it. */
  turnEnd?: { token: string; seq: number } | undefined;
  /** The session that this one is a part of. */
  parent?: { id: string; uid: string } | undefined;
  /** Whether sessions were split off from this one. */
  parts?: true | undefined;
}

/** What the parts of the local backend share. */
export interface Local {
  store: Store;
  now(): number;
  /** Ends the run of a session if its process is dead, and answers the head as it is then. */
  settle?: ((head: Head) => Promise<Head>) | undefined;
  /** Where embeddings are configured. */
  meaning?: NearSearch | undefined;
}

/** The last visible event and its number, as a head holds them. */
export const lastOf = (event: Event, seq: number): Pick<Head, 'last' | 'lastAt'> => ({
  last: previewOf(event),
  lastAt: { id: event.id, seq },
});

/** The number of the last visible event, if the head has it. */
export const lastSeqIn = (head: Head): number | undefined =>
  head.lastAt?.id === head.last?.id ? head.lastAt?.seq : undefined;

export const refOf = (head: Head): SessionRef => ({ app: head.app, userId: head.userId, sessionId: head.id });

/** @throws SessionError FAILED_PRECONDITION when the row is not a session's head */
export function storedHead(value: string): Head {
  const head = parseStored<Head>('The session', value);
  if (typeof head.uid !== 'string' || typeof head.next !== 'number') throw damaged('The session');
  return head;
}

/** A head for work that can continue without it; undefined when it is damaged. */
export function tryHead(value: string): Head | undefined {
  try {
    return storedHead(value);
  } catch {
    return undefined;
  }
}

export const isExpired = (head: Head, now: number): boolean =>
  head.expires !== undefined && head.expires <= now;

/** @throws SessionError NOT_FOUND */
export function parseHead(value: string | undefined, now: number): Head {
  const head = value === undefined ? undefined : storedHead(value);
  if (head === undefined || isExpired(head, now)) throw sessionNotFound();
  return head;
}

/** Heads that this process has written lately, with their texts. */
const written = new Map<string, { text: string; head: Head }>();
const mostWritten = 500;

/**
 * The head that an append begins with: most appends find what the one before them in their session has written, and
 * need not parse it. Its parts are shared, so it is for callers that build new heads and hand out no part of it.
 * @throws SessionError NOT_FOUND
 */
export function headToAppendTo(key: string, value: string | undefined, now: number): Head {
  const known = written.get(key);
  if (value === undefined || known?.text !== value) return parseHead(value, now);
  if (isExpired(known.head, now)) throw sessionNotFound();
  return known.head;
}

export async function readHead(local: Local, ref: SessionRef): Promise<Head> {
  const [value] = await local.store.get([keys.headKey(ref)]);
  const head = parseHead(value, local.now());
  return head.run === undefined || local.settle === undefined ? head : local.settle(head);
}

/** @throws SessionError ABORTED with `currentRevision` */
export function checkRevision(head: Head, guard: Guard): void {
  if (guard.expectedRevision === undefined || guard.expectedRevision === head.revision) return;
  throw new SessionError(
    'ABORTED',
    `The session has revision ${head.revision}, not ${guard.expectedRevision}.`,
    {
      hint: 'Somebody wrote in between: read what is new with list_events, then repeat with the current revision.',
      details: { currentRevision: head.revision },
    },
  );
}

/** @throws SessionError ABORTED */
export function checkGuard(head: Head, guard: Guard, now: number): void {
  checkRevision(head, guard);
  checkClaim(head.turn, guard.claim, now);
}

/** The writes that replace a head, its place in the lists and its expiry. */
export function headWrites(before: Head | undefined, after: Head): Write[] {
  const old = before === undefined ? [] : placesOf(before, after);
  const fresh = placesOf(after, before);
  const key = keys.headKey(refOf(after));
  const value = JSON.stringify(after);
  if (written.size >= mostWritten) written.clear();
  written.set(key, { text: value, head: after });
  return [{ key, value }, ...old.map((drop) => ({ drop })), ...fresh.map((key) => ({ key, value: '' }))];
}

/** The writes that delete a session whose head is damaged. Undefined when it no longer tells where its contents are. */
export function deleteDamaged(key: string, value: string): Write[] | undefined {
  const uid = /"uid":"(x[0-9a-z]{34})"/.exec(value)?.[1];
  if (uid === undefined) return undefined;
  const [, app = '', userId = ''] = keys.partsOf(key);
  return [
    { drop: key },
    { drop: keys.vectorMarkKey({ app, userId }, uid) },
    { key: keys.trashKey(0, uid), value: keys.insideOf(uid) },
  ];
}

/**
 * Of a session with more events than this, a delete drops the head alone, and the rest in slices after it: all at once
 * would keep every other writer waiting, since each word of an event leaves the index singly.
 */
const mostDroppedAtOnce = 16;

/** The writes that delete a session. What lies under its uid is dropped at once if there is little of it. */
export function deleteWrites(head: Head): Write[] {
  const inside = keys.insideOf(head.uid);
  return [
    { drop: keys.headKey(refOf(head)) },
    ...placesOf(head).map((drop) => ({ drop })),
    { drop: keys.vectorMarkKey(head, head.uid) },
    head.next <= mostDroppedAtOnce
      ? { dropPrefix: inside }
      : { key: keys.trashKey(0, head.uid), value: inside },
  ];
}

/** Where a head stands in lists and calendars; with another head, only where that one does not stand. */
function placesOf(head: Head, other?: Head): string[] {
  const ref = refOf(head);
  const { updated, created, expires } = head;
  return [
    ...(updated === other?.updated
      ? []
      : [keys.userListKey(ref, 'updateTime', updated), keys.appListKey(ref, 'updateTime', updated)]),
    ...(created === other?.created
      ? []
      : [keys.userListKey(ref, 'createTime', created), keys.appListKey(ref, 'createTime', created)]),
    ...(expires === undefined || expires === other?.expires ? [] : [keys.expiryKey(ref, expires)]),
    ...turnPlacesOf(head, other),
  ];
}

function turnPlacesOf(head: Head, other: Head | undefined): string[] {
  if (head.turn === undefined) return [];
  const places = turnPlaces(refOf(head), head.turn, head.parent?.uid);
  if (other?.turn === undefined) return places;
  const others = new Set(turnPlaces(refOf(other), other.turn, other.parent?.uid));
  return places.filter((place) => !others.has(place));
}

/** The write by which the insides of a session tell whose they are, and by which its name is found. */
export function sessionIdWrite(head: Head): Write {
  const named = head.displayName === undefined || head.displayName.trim() === '';
  return {
    key: keys.sessionIdKey(head.uid),
    value: head.id,
    ...(named ? {} : { text: { scope: nameScope(head), body: head.displayName ?? '' } }),
  };
}

/** The names of all sessions of a user in an app are searched together. */
export const nameScope = (owner: Owner): string => canonicalJson([owner.app, owner.userId, 'names']);

/** The next revision of a head. Time never runs backwards within a session. */
export function touched(head: Head, now: number): Head {
  return { ...head, updated: Math.max(now, head.updated), revision: head.revision + 1 };
}

/** The next revision of a head whose session changes other than by a new event. */
export function edited(head: Head, now: number): Head {
  return { ...touched(head, now), edits: (head.edits ?? 0) + 1 };
}

export function toMark(head: Head): SessionMark {
  return { id: head.id, revision: head.revision, updateTime: toTime(head.updated) };
}

export function toSession(head: Head, state?: JsonObject): Session {
  return {
    id: head.id,
    app: head.app,
    userId: head.userId,
    displayName: head.displayName,
    labels: head.labels,
    state,
    createTime: toTime(head.created),
    updateTime: toTime(head.updated),
    expireTime: head.expires === undefined ? undefined : toTime(head.expires),
    revision: head.revision,
    eventCount: head.count,
    lastEvent: head.last,
    forkedFrom: head.forkedFrom,
    parentSessionId: head.parent?.id,
    turn: head.turn === undefined ? undefined : toTurn(head.turn),
  };
}

/** A turn without what only its claimant may know. */
export const toTurn = (turn: TurnRecord): Turn => ({
  agent: turn.agent,
  note: turn.note,
  handedOverBy: turn.by,
  eventId: turn.eventId,
  since: toTime(turn.since),
  tries: turn.tries,
  failure: turn.failure,
  retryTime: turn.failure === undefined || turn.claim !== undefined ? undefined : toTime(turn.due),
  worker: turn.claim?.worker,
  claimedUntil: turn.claim === undefined ? undefined : toTime(turn.claim.until),
});

/** `store.update` with names for the keys; a name without a key is not read. */
export function updateNamed<K extends string, T>(
  store: Store,
  named: Record<K, string | undefined>,
  decide: (values: Partial<Record<K, string>>) => Decision<T>,
): Promise<T> {
  const wanted = Object.entries<string | undefined>(named).filter(
    (pair): pair is [K, string] => pair[1] !== undefined,
  );
  return store.update(
    wanted.map(([, key]) => key),
    (values) =>
      decide(Object.fromEntries(wanted.map(([name], i) => [name, values[i]])) as Partial<Record<K, string>>),
  );
}
