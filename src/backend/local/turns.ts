import { checkId } from '../../model/ids.ts';
import { handOverOf, mostTries } from '../../model/turn.ts';
import type { SessionRef, TakenTurn, TurnRequest } from '../types.ts';
import { readEvent } from './events.ts';
import * as keys from './keys.ts';
import { type Head, headWrites, type Local, parseHead, refOf, toTurn, tryHead } from './session-record.ts';
import type { Claim, TurnRecord } from './turn-index.ts';
import { claimed, givenUp, isClaimed, renewed } from './turn-record.ts';

/** Turns that are considered at a time: the oldest of them is taken. */
const pageSize = 100;

/** What a look for a turn found: one, or what to wait for until the next look. */
export interface Look {
  taken?: { ref: SessionRef; head: Head; turn: TurnRecord & { claim: Claim } } | undefined;
  /** Milliseconds since the epoch at which the next lease runs out. */
  due?: number | undefined;
  /** Keys of which one must go before a turn that waits for other sessions can be taken. */
  blockers: string[];
}

/** Looks for a turn and claims it. Never waits. */
export async function lookForTurn(local: Local, scope: keys.TurnScope, request: TurnRequest): Promise<Look> {
  const held = await heldTurn(local, scope, request);
  if (held !== undefined) return { taken: held, blockers: [] };
  const blockers: string[] = [];
  for (let after: string | undefined; ; ) {
    const found: Candidates =
      request.sessionId === undefined
        ? await dueTurns(local, scope, request.agent, after)
        : await turnOf(
            local,
            { ...scope, userId: scope.userId ?? '', sessionId: request.sessionId },
            request.agent,
          );
    for (const head of found.heads) {
      const blocker = head.parts === true ? await openPart(local, head.uid) : undefined;
      if (blocker !== undefined) {
        blockers.push(blocker);
        continue;
      }
      const taken = await claimTurn(local, head, request);
      if (taken !== undefined) return { taken, blockers };
    }
    if (found.next === undefined) return { due: found.due, blockers };
    after = found.next;
  }
}

async function openPart(local: Local, uid: string): Promise<string | undefined> {
  const [row] = await local.store.range({ prefix: keys.openParts(uid), limit: 1 });
  return row?.key;
}

/** The turn that this copy of the agent holds already, its lease renewed. */
async function heldTurn(
  local: Local,
  scope: keys.TurnScope,
  { agent, worker, sessionId }: TurnRequest,
): Promise<Look['taken']> {
  if (worker === undefined) return undefined;
  const rows = await local.store.range({ prefix: keys.workerTurns(scope, agent, worker), limit: 10 });
  for (const row of rows) {
    const [id, userId] = keys.partsOf(row.key).reverse();
    if (id === undefined || userId === undefined || (sessionId !== undefined && sessionId !== id)) continue;
    const ref = { app: scope.app, userId, sessionId: id };
    const now = local.now();
    const taken = await local.store.update<Look['taken']>([keys.headKey(ref)], ([value]) => {
      const head = value === undefined ? undefined : tryHead(value);
      const turn = head?.turn;
      if (head === undefined || turn === undefined) return { result: undefined, writes: [{ drop: row.key }] };
      if (turn.agent !== agent || turn.claim?.worker !== worker || !isClaimed(turn, now))
        return { result: undefined, writes: [] };
      const kept = renewed(turn, turn.claim, now);
      const next: Head = { ...head, turn: kept };
      return { result: { ref, head: next, turn: kept }, writes: headWrites(head, next) };
    });
    if (taken !== undefined) return taken;
  }
  return undefined;
}

interface Candidates {
  /** Heads whose turn may be free, oldest first. */
  heads: Head[];
  due?: number | undefined;
  /** Where more of them begin. */
  next?: string | undefined;
}

async function dueTurns(
  local: Local,
  scope: keys.TurnScope,
  agent: string,
  after: string | undefined,
): Promise<Candidates> {
  const prefix = keys.turnList(scope, agent);
  const now = local.now();
  const rows = await local.store.range({ prefix, after, limit: pageSize });
  const found = rows.map(({ key }) => placeOf(scope, prefix, key));
  const due = found.filter((place) => place.due <= now).sort((a, b) => a.since - b.since);
  const later = found.find((place) => place.due > now);
  const values = await local.store.get(due.map(({ ref }) => keys.headKey(ref)));
  const heads: Head[] = [];
  for (const [i, value] of values.entries()) {
    const head = value === undefined ? undefined : tryHead(value);
    if (head !== undefined) heads.push(head);
    else await dropPlace(local, due[i]);
  }
  const isWhole = later !== undefined || rows.length < pageSize;
  return { heads, due: later?.due, next: isWhole ? undefined : rows.at(-1)?.key };
}

interface Place {
  key: string;
  ref: SessionRef;
  due: number;
  since: number;
}

function placeOf(scope: keys.TurnScope, prefix: string, key: string): Place {
  const [due = '', since = '', ...rest] = keys.partsOf(key.slice(prefix.length));
  const [userId = '', sessionId = ''] = scope.userId === undefined ? rest : [scope.userId, ...rest];
  return {
    key,
    ref: { app: scope.app, userId, sessionId },
    due: keys.unfixed(due),
    since: keys.unfixed(since),
  };
}

/** An entry of a session that is not there, which a session's record lost to a bad disk leaves. */
async function dropPlace(local: Local, place: Place | undefined): Promise<void> {
  if (place === undefined) return;
  await local.store.update([keys.headKey(place.ref)], ([value]) => ({
    result: undefined,
    writes: value === undefined ? [{ drop: place.key }] : [],
  }));
}

/** @throws SessionError NOT_FOUND when there is no such session */
async function turnOf(local: Local, ref: SessionRef, agent: string): Promise<Candidates> {
  const [value] = await local.store.get([
    keys.headKey({ ...ref, sessionId: checkId('sessionId', ref.sessionId) }),
  ]);
  const head = parseHead(value, local.now());
  if (head.turn?.agent !== agent) return { heads: [] };
  const claim = isClaimed(head.turn, local.now()) ? head.turn.claim : undefined;
  return claim === undefined ? { heads: [head] } : { heads: [], due: claim.until };
}

/** Claims the turn of a session if it is still free; of those who try at once, one gets it. */
async function claimTurn(local: Local, seen: Head, request: TurnRequest): Promise<Look['taken']> {
  const ref = refOf(seen);
  const now = local.now();
  return local.store.update<Look['taken']>([keys.headKey(ref)], ([value]) => {
    const head = value === undefined ? undefined : tryHead(value);
    const turn = head?.turn;
    if (head === undefined || turn === undefined || turn.agent !== request.agent)
      return { result: undefined, writes: [] };
    if (isClaimed(turn, now)) {
      const next: Head = { ...head, turn: { ...turn, due: turn.claim.until } };
      return { result: undefined, writes: turn.due < turn.claim.until ? headWrites(head, next) : [] };
    }
    if (turn.tries >= mostTries) return { result: undefined, writes: givenUp(head, turn, now).writes };
    const taken = claimed(turn, request, now);
    const next: Head = { ...head, turn: taken };
    return { result: { ref, head: next, turn: taken }, writes: headWrites(head, next) };
  });
}

/**
 * Gives back the turns that nobody finished in all their tries, where no copy of the agent is left to ask for them: whoever
 * handed over waits otherwise for ever.
 */
export async function returnTurns(local: Local, stopped: () => boolean): Promise<void> {
  for (let after: string | undefined; !stopped(); ) {
    const rows = await local.store.range({ prefix: keys.allTurns, after, limit: 200 });
    for (const { key } of rows) {
      const [, app = '', , due = '', , userId = '', sessionId = ''] = keys.partsOf(key);
      const now = local.now();
      if (keys.unfixed(due) > now || stopped()) continue;
      await local.store.update([keys.headKey({ app, userId, sessionId })], ([value]) => {
        const head = value === undefined ? undefined : tryHead(value);
        const turn = head?.turn;
        const spent = turn !== undefined && turn.tries >= mostTries && !isClaimed(turn, now);
        if (head === undefined || !spent) return { result: undefined, writes: [] };
        return { result: undefined, writes: givenUp(head, turn, now).writes };
      });
    }
    after = rows.at(-1)?.key;
    if (after === undefined) return;
  }
}

/** Puts a turn back that was claimed for somebody who is gone: as if it had not been claimed. */
export async function releaseTurn(local: Local, { ref, claim }: TakenTurn): Promise<void> {
  const now = local.now();
  await local.store.update([keys.headKey(ref)], ([value]) => {
    const head = value === undefined ? undefined : tryHead(value);
    if (head?.turn?.claim?.token !== claim) return { result: undefined, writes: [] };
    const { claim: _claim, ...turn } = head.turn;
    const next: Head = { ...head, turn: { ...turn, tries: turn.tries - 1, due: now } };
    return { result: undefined, writes: headWrites(head, next) };
  });
}

/** The turn as its taker gets it, with what the head does not hold. */
export async function describeTaken(
  local: Local,
  { ref, head, turn }: NonNullable<Look['taken']>,
): Promise<TakenTurn> {
  const [[actedUpTo], record] = await Promise.all([
    local.store.get([keys.actedKey(head.uid, turn.agent)]),
    readEvent(local, head.uid, turn.seq),
  ]);
  const note = record === undefined ? undefined : handOverOf(record.event)?.note;
  return { ref, turn: toTurn(turn), claim: turn.claim.token, note: note ?? turn.note, actedUpTo };
}
