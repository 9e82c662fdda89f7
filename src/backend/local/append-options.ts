/** What is different where the backend itself stores an event. */
export interface AppendOptions {
  /** The event answers calls, all of which must wait for an answer: else NOT_FOUND. */
  answersOpenCalls?: boolean;
  /** An id of a new call that is taken is replaced: some models number their calls anew in every turn. */
  renamesCalls?: boolean;
  /** Whoever stores the event lets the next agent act itself, so nobody else is offered the turn. */
  opensNoTurn?: boolean;
  /** The agent goes on with the turn later, whatever the event says. */
  endsNoTurn?: boolean;
  /** An agent that a server runs hands its turn on. */
  byServer?: boolean;
}
