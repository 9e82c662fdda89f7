import type { SessionRef } from '../types.ts';
import * as keys from './keys.ts';

/** The open turn of a session, as its head holds it. */
export interface TurnRecord {
  agent: string;
  /** Author of the event that handed over, its id and its number. */
  by: string;
  eventId: string;
  seq: number;
  /** Milliseconds since the epoch. */
  since: number;
  /** The beginning of the note; the event has it whole. */
  note?: string | undefined;
  /** How often it was claimed. */
  tries: number;
  /** Why the last try failed. */
  failure?: string | undefined;
  /** How often agents that servers run have handed it on since somebody else did, and who that was. */
  handOvers?: number | undefined;
  origin?: string | undefined;
  /** Nobody finished it, so it came back to whoever handed it over. */
  returned?: true | undefined;
  /**
   * When it is to be offered: since it was handed over, some time after a failure, or when a lease was to run out. A
   * renewed lease leaves it as it is, so that renewing costs no write; whoever finds the entry then puts it in its new
   * place.
   */
  due: number;
  claim?: Claim | undefined;
}

export interface Claim {
  token: string;
  worker?: string | undefined;
  leaseMs: number;
  until: number;
}

/** Where the turn of a session stands: in the lists of turns, with its claimant, and with the parent session. */
export function turnPlaces(
  ref: SessionRef,
  turn: TurnRecord | undefined,
  parentUid: string | undefined,
): string[] {
  if (turn === undefined) return [];
  const { agent, due, since, claim } = turn;
  return [
    keys.userTurnKey(ref, agent, due, since),
    keys.appTurnKey(ref, agent, due, since),
    keys.agentTurnKey(ref, agent, due, since),
    ...(claim?.worker === undefined ? [] : [keys.workerTurnKey(ref, agent, claim.worker)]),
    ...(parentUid === undefined ? [] : [keys.openPartKey(parentUid, ref.sessionId)]),
  ];
}
