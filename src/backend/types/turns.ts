import type { Turn } from '../../model/turn.ts';
import type { Owner, SessionRef } from './owner.ts';

/** Whose turns, of which apps. */
export type TurnScope =
  | Owner
  /** Of all users of the app. */
  | { app: string; userId?: undefined }
  /** Of all users of all apps but these. */
  | { app?: undefined; userId?: undefined; exceptApps: readonly string[] };

/** Who wants a turn. */
export interface TurnRequest {
  agent: string;
  /** Only this session's turn, where the scope names its user. */
  sessionId?: string | undefined;
  /** The copy of the agent that asks. The turn that it holds is answered again, its lease renewed. */
  worker?: string | undefined;
  /** Milliseconds for which the turn is claimed, and for which it is waited for. */
  leaseMs: number;
  waitMs: number;
}

export interface TakenTurn {
  ref: SessionRef;
  turn: Turn;
  /** Proves to `events.append` that the turn is still the taker's. */
  claim: string;
  /** How often agents that servers run have handed it on since somebody else did. */
  handOvers: number;
  /** The whole note of the hand-over. */
  note?: string | undefined;
  /** The last event of the agent's last turn in this session; absent: it had none. */
  actedUpTo?: string | undefined;
}

/** Why a turn was not finished, in words that whoever handed it over may read. */
export interface TurnFailure {
  code: string;
  message: string;
}

/**
 * What becomes of a turn that its taker does not finish. `offer`: it is offered again at once, as if it had not been
 * taken. `retry`: it is offered again after `afterMs`, and was a try. `return`: it goes back to whoever handed it over, or to
 * whoever had handed it over before agents that servers run began to hand it on.
 */
export type GiveBack =
  | { how: 'offer' }
  | { how: 'retry'; failure: TurnFailure; afterMs: number }
  | { how: 'return'; failure: TurnFailure; toOrigin?: true };

/** Who withdraws a turn: the author of the event that says so, and the principal that wrote it. */
export interface WithdrawnBy {
  author: string;
  writtenBy?: string | undefined;
}

export interface TurnVerbs {
  /**
   * Waits for a turn that was handed to an agent, and claims it for one taker; the oldest first. A turn whose lease runs
   * out is offered again, `mostTries` times in all, and then goes back to whoever handed it over. Undefined when the time
   * is up or the signal aborted.
   */
  take?(scope: TurnScope, request: TurnRequest, signal: AbortSignal): Promise<TakenTurn | undefined>;
  /** Gives a claimed turn back unfinished. A retry after the last try returns it. False when the claim was lost. */
  giveBack?(taken: Pick<TakenTurn, 'ref' | 'claim'>, how: GiveBack): Promise<boolean>;
  /**
   * Ends the open turn that an event opened, by an event of whoever withdraws it: nobody is offered it any more, and
   * who works on it is refused. False when it has ended already.
   */
  withdraw?(ref: SessionRef, eventId: string, by: WithdrawnBy): Promise<boolean>;
  /** The id of the event that ended the turn which this event opened. Undefined: it is open, or there was none. */
  endOf?(ref: SessionRef, eventId: string): Promise<string | undefined>;
}
