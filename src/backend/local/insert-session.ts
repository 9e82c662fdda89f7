import { SessionError } from '../../errors.ts';
import { checkId, newLongId } from '../../model/ids.ts';
import type { JsonObject } from '../../model/json.ts';
import { splitState } from '../../model/state.ts';
import type { Write } from '../../store/types.ts';
import { sessionExists } from '../shared/errors.ts';
import { checkExpireTime, checkLabels } from '../shared/rules.ts';
import type { NewSession, SessionRef } from '../types.ts';
import * as keys from './keys.ts';
import {
  deleteWrites,
  type Head,
  headWrites,
  isExpired,
  type Local,
  refOf,
  sessionIdWrite,
  storedHead,
} from './session-record.ts';
import { sharedStateWrites, stateText } from './state-record.ts';

/** A head for a session that is not stored yet. */
export function newHead(ref: SessionRef, input: NewSession & Pick<Head, 'forkedFrom'>, now: number): Head {
  checkLabels(input.labels);
  return {
    uid: newLongId('x', now),
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

/** What a session was built from, before it is inserted. */
export interface Built {
  /** Its own keys before its first event. Default: the state. */
  base?: JsonObject | undefined;
  /** Its own keys as they were set whole before the event of this number. */
  latest?: { seq: number; state: JsonObject } | undefined;
  /** The journal entry that sweeps it if its builder dies. Without the entry, the builder counted as dead. */
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

/** The journal entry of a copy is gone: its process counted as dead, and maintenance swept what it had built. */
export const buildingSwept = (): SessionError =>
  new SessionError('ABORTED', 'The copy made no progress for so long that it was discarded.', {
    hint: 'Nothing of it was kept. Start the copy again.',
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
    ...(old === undefined ? [] : deleteWrites(old)),
    ...headWrites(undefined, head),
    sessionIdWrite(head),
    ...(found.app === undefined
      ? [{ key: keys.appKey(head.app), value: JSON.stringify({ created: head.created }) }]
      : []),
    ...(found.userApp === undefined ? [{ key: keys.userAppKey(head.userId, head.app), value: '' }] : []),
  ];
}
