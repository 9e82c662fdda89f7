import { SessionError } from '../../errors.ts';
import { leaseHolds } from '../../store/clocks.ts';
import type { Claim, TurnRecord } from './turn-index.ts';

export const isClaimed = (turn: TurnRecord, now: number): turn is TurnRecord & { claim: Claim } =>
  turn.claim !== undefined && leaseHolds(turn.claim.until, now);

/**
 * Whether a turn is to be offered now. One that was never claimed is, even where the clock of whoever handed it over is
 * ahead of ours.
 */
export const isDue = ({ due, since }: Pick<TurnRecord, 'due' | 'since'>, now: number): boolean =>
  due === since || !leaseHolds(due, now);

export const renewed = (turn: TurnRecord, claim: Claim, now: number): TurnRecord & { claim: Claim } => ({
  ...turn,
  claim: { ...claim, until: Math.max(claim.until, now + claim.leaseMs) },
});

/**
 * Refuses a write under a claim that was lost.
 * @throws SessionError ABORTED
 */
export function checkClaim(turn: TurnRecord | undefined, claim: string | undefined, now: number): void {
  if (claim === undefined) return;
  if (turn === undefined || !isClaimed(turn, now) || turn.claim.token !== claim) throw claimLost();
}

/** The turn after a write under its claim. */
export const renewedBy = (
  turn: TurnRecord | undefined,
  claim: string | undefined,
  now: number,
): TurnRecord | undefined =>
  claim === undefined || turn?.claim === undefined ? turn : renewed(turn, turn.claim, now);

export const claimLost = (): SessionError =>
  new SessionError('ABORTED', 'The claim is no longer valid: its lease ran out, or the turn has ended.', {
    hint: 'Call take_turn again: it answers the turn with a new claim if nobody else took it.',
  });
