import { compact, type Event } from '../../model/event.ts';
import { preview } from '../../model/text.ts';
import { toTime } from '../../model/time.ts';
import type { GiveBack, SessionRef, TakenTurn, WithdrawnBy } from '../types.ts';
import { noCalls } from './call-record.ts';
import { isClaimed, isDue } from './claim.ts';
import { eventIdAt, invocationIdAt } from './event-id.ts';
import { addEvent } from './event-record.ts';
import * as keys from './keys.ts';
import { type Head, headWrites, type Local, readHead, tryHead } from './session-record.ts';
import type { TurnRecord } from './turn-index.ts';
import { endedWrite, givenUp, isLast, signals } from './turn-record.ts';

/** Characters of the reason of a failure that the head holds. */
const failureLength = 300;

/** Gives a claimed turn back that its taker does not finish. False when the claim was lost. */
export async function giveBack(
  local: Local,
  { ref, claim }: Pick<TakenTurn, 'ref' | 'claim'>,
  how: GiveBack,
): Promise<boolean> {
  const now = local.now();
  return local.store.update([keys.headKey(ref)], ([value]) => {
    const head = value === undefined ? undefined : tryHead(value);
    if (head?.turn?.claim?.token !== claim) return { result: false, writes: [] };
    const { claim: _claim, ...open } = head.turn;
    const failure = how.how === 'offer' ? open.failure : preview(how.failure.message, failureLength);
    const turn: TurnRecord = { ...open, failure };
    if (how.how === 'return' && how.toOrigin === true) {
      const origin = turn.origin === undefined || turn.origin === turn.agent ? null : turn.origin;
      return { result: true, writes: givenUp(head, turn, now, how.failure, origin).writes };
    }
    if (how.how === 'return' || (how.how === 'retry' && isLast(turn)))
      return { result: true, writes: givenUp(head, turn, now, how.failure).writes };
    const after: TurnRecord =
      how.how === 'offer'
        ? { ...turn, tries: turn.tries - 1, due: now }
        : { ...turn, due: now + Math.max(how.afterMs, 0) };
    const next: Head = { ...head, turn: after };
    return { result: true, writes: [...headWrites(head, next), ...signals(head, after, now)] };
  });
}

/** Ends a turn that nobody is to act on any more, whoever works on it. */
export async function withdrawTurn(
  local: Local,
  ref: SessionRef,
  eventId: string,
  { author, writtenBy }: WithdrawnBy,
): Promise<boolean> {
  const now = local.now();
  await readHead(local, ref);
  return local.store.update([keys.headKey(ref)], ([value]) => {
    const head = value === undefined ? undefined : tryHead(value);
    const turn = head?.turn;
    if (head === undefined || turn?.eventId !== eventId) return { result: false, writes: [] };
    const event: Event = compact({
      id: eventIdAt(head.uid, head.next),
      author,
      writtenBy,
      invocationId: head.invocationId ?? invocationIdAt(head.uid, head.next),
      timestamp: toTime(now),
      interrupted: true,
      turnComplete: true,
      errorCode: 'CANCELLED',
      errorMessage: 'The turn was withdrawn.',
    });
    const added = addEvent(head, event, noCalls(), now);
    const after: Head = { ...added.head, turn: undefined };
    return {
      result: true,
      writes: [...added.writes, ...headWrites(head, after), endedWrite(head, turn, event)],
    };
  });
}

/** The id of the event that ended a turn. */
export async function endOfTurn(local: Local, ref: SessionRef, eventId: string): Promise<string | undefined> {
  const { uid } = await readHead(local, ref);
  const [value] = await local.store.get([keys.endedTurnKey(uid, eventId)]);
  return value;
}

/**
 * Gives back the turns that nobody finished in all their tries, where no copy of the agent is left to ask for them: whoever
 * handed over waits otherwise for ever.
 */
export async function returnTurns(local: Local, stopped: () => boolean): Promise<void> {
  for (let after: string | undefined; !stopped(); ) {
    const rows = await local.store.range({ prefix: keys.allTurns, after, limit: 200 });
    for (const { key } of rows) {
      const [, app = '', , due = '', since = '', userId = '', sessionId = ''] = keys.partsOf(key);
      const now = local.now();
      if (!isDue({ due: keys.unfixed(due), since: keys.unfixed(since) }, now) || stopped()) continue;
      await local.store.update([keys.headKey({ app, userId, sessionId })], ([value]) => {
        const head = value === undefined ? undefined : tryHead(value);
        const turn = head?.turn;
        const spent = turn !== undefined && isLast(turn) && !isClaimed(turn, now);
        if (head === undefined || !spent) return { result: undefined, writes: [] };
        return { result: undefined, writes: givenUp(head, turn, now).writes };
      });
    }
    after = rows.at(-1)?.key;
    if (after === undefined) return;
  }
}
