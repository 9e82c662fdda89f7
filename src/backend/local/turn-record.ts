import { SessionError } from '../../errors.ts';
import { compact, type Event } from '../../model/event.ts';
import { newId } from '../../model/ids.ts';
import { cutEnd, preview } from '../../model/text.ts';
import { toTime } from '../../model/time.ts';
import { endsTurn, handOverOf, mostTries, withNote } from '../../model/turn.ts';
import type { Write } from '../../store/types.ts';
import type { TurnFailure } from '../types.ts';
import type { AppendOptions } from './append-options.ts';
import { noCalls } from './call-record.ts';
import { claimLost, isClaimed, renewed } from './claim.ts';
import { eventIdAt, invocationIdAt } from './event-id.ts';
import { addEvent } from './event-record.ts';
import * as keys from './keys.ts';
import { type Head, headWrites } from './session-record.ts';
import type { Claim, TurnRecord } from './turn-index.ts';

/** Characters of a note that the head holds: it is rewritten with every append. */
const notePreview = 300;
/** How long the mark of a hand-over is kept for those who wait for one. */
const signalMs = 60 * 60 * 1000;

/** Whether a turn had all its tries. */
export const isLast = (turn: TurnRecord): boolean => turn.tries >= mostTries;

/** What an event does to the turn of its session. `endedBy`: the event is the repeated answer that has this number. */
export type TurnStep =
  | { endedBy: number }
  | { endedBy?: undefined; turn: Pick<Head, 'turn' | 'turnEnd'> | undefined; writes: Write[] };

const unchanged: TurnStep = { turn: undefined, writes: [] };

/**
 * The turn after an event that is about to get the next number.
 * @throws SessionError ABORTED when the claim was lost, or another agent works on the turn; FAILED_PRECONDITION
 * when the agent whose turn is claimed speaks without the claim
 */
export function stepTurn(
  head: Head,
  event: Event,
  claim: string | undefined,
  now: number,
  { opensNoTurn, endsNoTurn, byServer }: AppendOptions = {},
): TurnStep {
  const handOver = opensNoTurn === true ? undefined : handOverOf(event);
  const open = head.turn;
  // Most sessions: nobody hands over, and nobody was handed anything.
  if (open === undefined && handOver === undefined && claim === undefined) return unchanged;
  const holder = open !== undefined && isClaimed(open, now) ? open.claim : undefined;
  if (claim !== undefined && holder?.token !== claim) {
    if (head.turnEnd?.token === claim) return { endedBy: head.turnEnd.seq };
    throw claimLost();
  }
  if (claim === undefined && holder !== undefined) {
    if (event.author === open?.agent) throw claimMissing();
    if (handOver !== undefined) throw turnClaimed(holder.until, now);
  }
  const acts = open !== undefined && (claim !== undefined || event.author === open.agent);
  const ends = handOver !== undefined || (acts && endsNoTurn !== true && endsTurn(event));
  if (!ends)
    return holder === undefined || claim === undefined || open === undefined
      ? unchanged
      : { turn: { turn: renewed(open, holder, now) }, writes: [] };
  const turn =
    handOver === undefined ? undefined : opened(head, event, now, byServer === true ? open : undefined);
  return {
    turn: {
      turn,
      turnEnd: claim === undefined ? head.turnEnd : { token: claim, seq: head.next },
    },
    writes: [
      ...(acts ? [{ key: keys.actedKey(head.uid, open.agent), value: event.id }] : []),
      ...(open === undefined ? [] : [endedWrite(head, open, event)]),
      ...(turn === undefined ? [] : signals(head, turn, now)),
    ],
  };
}

/** Notes which event ended a turn, for whoever asks how the turn ended. */
export const endedWrite = (head: Head, { eventId }: TurnRecord, by: Event): Write => ({
  key: keys.endedTurnKey(head.uid, eventId),
  value: by.id,
});

/** `after`: the turn that a server handed on. */
function opened(head: Head, event: Event, now: number, after?: TurnRecord): TurnRecord | undefined {
  const handOver = handOverOf(event);
  if (handOver === undefined) return undefined;
  const note = handOver.note === undefined ? undefined : preview(cutEnd(handOver.note, 1000), notePreview);
  return {
    agent: handOver.agent,
    by: event.author,
    eventId: event.id,
    seq: head.next,
    since: now,
    ...(note === undefined ? {} : { note }),
    tries: 0,
    ...(after === undefined
      ? {}
      : { handOvers: (after.handOvers ?? 0) + 1, origin: after.origin ?? after.by }),
    due: now,
  };
}

/** The writes that wake those who wait for a turn. Each has another value, since equal ones wake nobody. */
export function signals(head: Head, { agent, eventId, tries }: TurnRecord, now: number): Write[] {
  const { app, userId } = head;
  return [{ app, userId }, { app }, {}].map((scope) => ({
    key: keys.turnSignalKey(scope, agent),
    value: `${eventId} ${tries} ${now}`,
    expires: now + signalMs,
  }));
}

/** The turn of a session as it is when somebody has claimed it. */
export function claimed(
  turn: TurnRecord,
  { leaseMs, worker }: { leaseMs: number; worker?: string | undefined },
  now: number,
): TurnRecord & { claim: Claim } {
  const until = now + leaseMs;
  const token = newId('t');
  return {
    ...turn,
    tries: turn.tries + 1,
    due: until,
    claim: { token, leaseMs, until, ...(worker === undefined ? {} : { worker }) },
  };
}

/**
 * The writes that end a turn which nobody finished in all its tries, or which is not to be tried again, with an event
 * that says so. It goes back to whoever handed it over, or to another; from there it goes nowhere.
 */
export function givenUp(
  head: Head,
  turn: TurnRecord,
  now: number,
  failure?: TurnFailure,
  to: string | null = turn.returned === true ? null : turn.by,
): { head: Head; writes: Write[] } {
  const reason =
    failure !== undefined && !isLast(turn)
      ? failure.message
      : `The turn was claimed ${turn.tries} times and never finished.${turn.failure === undefined ? '' : ` The last failure: ${turn.failure}`}`;
  const event: Event = compact({
    id: eventIdAt(head.uid, head.next),
    author: turn.agent,
    invocationId: head.invocationId ?? invocationIdAt(head.uid, head.next),
    timestamp: toTime(now),
    ...(to === null ? {} : { actions: { transferAgent: to }, ...withNote(reason) }),
    interrupted: true,
    turnComplete: true,
    errorCode: failure?.code ?? 'DEADLINE_EXCEEDED',
    errorMessage: reason,
  });
  const added = addEvent(head, event, noCalls(), now);
  const next = opened(
    head,
    event,
    now,
    turn.handOvers === undefined || to === turn.origin ? undefined : turn,
  );
  const after: Head = { ...added.head, turn: next && { ...next, returned: true } };
  return {
    head: after,
    writes: [
      ...added.writes,
      ...headWrites(head, after),
      endedWrite(head, turn, event),
      ...(after.turn === undefined ? [] : signals(head, after.turn, now)),
    ],
  };
}

const claimMissing = (): SessionError =>
  new SessionError('FAILED_PRECONDITION', 'The turn of this agent is claimed.', {
    hint: 'Pass the claim that take_turn answered, or call take_turn to wait for the next turn.',
  });

const turnClaimed = (until: number, now: number): SessionError =>
  new SessionError('ABORTED', 'An agent is working on the turn of this session.', {
    hint: 'Wait with wait_for_events until it has answered, or until its lease has run out; get_session shows when.',
    retryAfter: Math.ceil((until - now) / 1000),
  });
