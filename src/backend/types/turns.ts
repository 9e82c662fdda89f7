import type { Turn } from '../../model/turn.ts';
import type { SessionRef } from './owner.ts';

/** Who wants a turn. */
export interface TurnRequest {
  agent: string;
  /** Only this session's turn. */
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
  /** The whole note of the hand-over. */
  note?: string | undefined;
  /** The last event of the agent's last turn in this session; absent: it had none. */
  actedUpTo?: string | undefined;
}

export interface TurnVerbs {
  /**
   * Waits for a turn that was handed to an agent, and claims it for one taker: of the user, or without a userId
   * of all users of the app; the oldest first. A turn whose lease runs out is offered again, `mostTries` times
   * in all, and then goes back to whoever handed it over. Undefined when the time is up or the signal aborted.
   */
  take?(
    scope: { app: string; userId?: string | undefined },
    request: TurnRequest,
    signal: AbortSignal,
  ): Promise<TakenTurn | undefined>;
}
