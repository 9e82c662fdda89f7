import type { Content, Event } from '../../model/event.ts';
import type { JsonObject } from '../../model/json.ts';
import type { Owner, SessionRef } from './owner.ts';

/** What a run gets to work on. */
export interface RunInput {
  /** Without parts only where the backend has `runs`: the run goes on from what the session holds. */
  message: Content;
  stateDelta?: JsonObject | undefined;
  /** Given by our side; a service that mints its own reports it in the events. */
  invocationId: string;
  /** Of the whole request. A backend with `runMarks` notes it with the run. */
  digest?: string | undefined;
  /** The principal that asks; noted with the message where the backend keeps events itself. */
  writtenBy?: string | undefined;
  /**
   * The claim of a turn that the run answers: `message` is then what the turn was handed over with, which the session
   * holds already, and nothing is written once the turn is lost.
   */
  claim?: string | undefined;
  /** Which of the app's agents is asked; absent: its first, or its only one. */
  agent?: string | undefined;
  /** Agent Engine: which streaming class method to call. */
  classMethod?: string | undefined;
  /**
   * Where agents have methods of their own: further arguments of the one that is called, such as ADK's
   * `run_config`. Neither message nor session nor user can be replaced by it.
   */
  input?: JsonObject | undefined;
}

export interface QueryVerbs {
  /**
   * Runs the app's agent on a message and yields its events as they come. Events with `partial: true` are
   * pieces of text for progress and are stored by nobody; the others are in the session when they are
   * yielded or soon after. An agent that fails throws. Leaving the loop or aborting the signal ends the run.
   */
  stream?(ref: SessionRef, input: RunInput, signal: AbortSignal): AsyncGenerator<Event, void>;
  /** Calls a method of the agent that answers one JSON value. */
  call?(
    owner: Owner,
    call: { classMethod: string; input: JsonObject },
    signal: AbortSignal,
  ): Promise<unknown>;
}
