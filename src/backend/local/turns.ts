import { checkId } from '../../model/ids.ts';
import { handOverOf } from '../../model/turn.ts';
import type { SessionRef, TakenTurn, TurnRequest, TurnScope } from '../types.ts';
import { isClaimed, isDue, renewed } from './claim.ts';
import { readEvent } from './events.ts';
import * as keys from './keys.ts';
import {
  type Head,
  headWrites,
  isExpired,
  type Local,
  parseHead,
  refOf,
  toTurn,
  tryHead,
} from './session-record.ts';
import type { Claim, TurnRecord } from './turn-index.ts';
import { claimed, givenUp, isLast } from './turn-record.ts';

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
export async function lookForTurn(local: Local, scope: TurnScope, request: TurnRequest): Promise<Look> {
  const held = await heldTurn(local, scope, request);
  if (held !== undefined) return { taken: held, blockers: [] };
  const blockers: string[] = [];
  // When a turn is offered again that somebody else has just taken.
  let lost: number | undefined;
  for (let after: string | undefined; ; ) {
    const found: Candidates =
      request.sessionId === undefined || scope.userId === undefined
        ? await dueTurns(local, scope, request.agent, after)
        : await turnOf(local, { ...scope, sessionId: request.sessionId }, request.agent);
    for (const head of found.heads) {
      const blocker = head.parts === true ? await openPart(local, head) : undefined;
      if (blocker !== undefined) {
        blockers.push(blocker);
        continue;
      }
      const { taken, due } = await claimTurn(local, head, request);
      if (taken !== undefined) return { taken, blockers };
      lost = earlier(lost, due);
    }
    if (found.next === undefined) return { due: earlier(found.due, lost), blockers };
    after = found.next;
  }
}

const earlier = (a: number | undefined, b: number | undefined): number | undefined =>
  a === undefined || b === undefined ? (a ?? b) : Math.min(a, b);

/** The key of a part whose turn is open. One that has expired holds nothing up, though it is still to be deleted. */
async function openPart(local: Local, { uid, app, userId }: Head): Promise<string | undefined> {
  for (let after: string | undefined; ; ) {
    const [row] = await local.store.range({ prefix: keys.openParts(uid), after, limit: 1 });
    if (row === undefined) return undefined;
    const sessionId = keys.partsOf(row.key).at(-1) ?? '';
    const [value] = await local.store.get([keys.headKey({ app, userId, sessionId })]);
    if (headWithTurn(local, value) !== undefined) return row.key;
    after = row.key;
  }
}

type HeadWithTurn = Head & { turn: TurnRecord };

/** A session that is there and has an open turn. */
function headWithTurn(local: Local, value: string | undefined): HeadWithTurn | undefined {
  const head = value === undefined ? undefined : tryHead(value);
  if (head?.turn === undefined || isExpired(head, local.now())) return undefined;
  return { ...head, turn: head.turn };
}

/** The turn that this copy of the agent holds already, its lease renewed. */
async function heldTurn(
  local: Local,
  scope: TurnScope,
  { agent, worker, sessionId }: TurnRequest,
): Promise<Look['taken']> {
  if (worker === undefined || scope.app === undefined) return undefined;
  const rows = await local.store.range({ prefix: keys.workerTurns(scope, agent, worker), limit: 10 });
  for (const row of rows) {
    const [id, userId] = keys.partsOf(row.key).reverse();
    if (id === undefined || userId === undefined || (sessionId !== undefined && sessionId !== id)) continue;
    const ref = { app: scope.app, userId, sessionId: id };
    const now = local.now();
    const taken = await local.store.update<Look['taken']>([keys.headKey(ref)], ([value]) => {
      const head = headWithTurn(local, value);
      if (head === undefined) return { result: undefined, writes: [{ drop: row.key }] };
      const { turn } = head;
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
  scope: TurnScope,
  agent: string,
  after: string | undefined,
): Promise<Candidates> {
  const prefix = keys.turnList(scope, agent);
  const now = local.now();
  const rows = await local.store.range({ prefix, after, limit: pageSize });
  const found = rows.map(({ key }) => placeOf(scope, prefix, key));
  const due = found.filter((place) => isDue(place, now)).sort((a, b) => a.since - b.since);
  const later = found.find((place) => !isDue(place, now));
  const except = scope.app === undefined ? scope.exceptApps : [];
  const served = due.filter(({ ref }) => !except.includes(ref.app));
  const values = await local.store.get(served.map(({ ref }) => keys.headKey(ref)));
  const heads: Head[] = [];
  for (const [i, value] of values.entries()) {
    const head = headWithTurn(local, value);
    if (head !== undefined) heads.push(head);
    else await dropPlace(local, served[i]);
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

function placeOf(scope: TurnScope, prefix: string, key: string): Place {
  const [due = '', since = '', ...rest] = keys.partsOf(key.slice(prefix.length));
  // What the scope names is in no key of its list.
  const named = [scope.app, scope.userId].filter((part) => part !== undefined);
  const [app = '', userId = '', sessionId = ''] = [...named, ...rest];
  return {
    key,
    ref: { app, userId, sessionId },
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
  const now = local.now();
  if (isClaimed(head.turn, now)) return { heads: [], due: head.turn.claim.until };
  return isDue(head.turn, now) ? { heads: [head] } : { heads: [], due: head.turn.due };
}

/** Claims the turn of a session if it is still free; of those who try at once, one gets it. */
async function claimTurn(
  local: Local,
  seen: Head,
  request: TurnRequest,
): Promise<Pick<Look, 'taken' | 'due'>> {
  const ref = refOf(seen);
  const now = local.now();
  return local.store.update<Pick<Look, 'taken' | 'due'>>([keys.headKey(ref)], ([value]) => {
    const head = headWithTurn(local, value);
    if (head === undefined || head.turn.agent !== request.agent) return { result: {}, writes: [] };
    const { turn } = head;
    if (isClaimed(turn, now)) {
      const next: Head = { ...head, turn: { ...turn, due: turn.claim.until } };
      return {
        result: { due: turn.claim.until },
        writes: turn.due < turn.claim.until ? headWrites(head, next) : [],
      };
    }
    if (!isDue(turn, now)) return { result: { due: turn.due }, writes: [] };
    if (isLast(turn)) return { result: {}, writes: givenUp(head, turn, now).writes };
    const taken = claimed(turn, request, now);
    const next: Head = { ...head, turn: taken };
    return { result: { taken: { ref, head: next, turn: taken } }, writes: headWrites(head, next) };
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
  return {
    ref,
    turn: toTurn(turn),
    claim: turn.claim.token,
    handOvers: turn.handOvers ?? 0,
    note: note ?? turn.note,
    actedUpTo,
  };
}
