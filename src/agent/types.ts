import type { SessionError } from '../errors.ts';
import type { Content, Event, NewEvent } from '../model/event.ts';
import type { JsonObject } from '../model/json.ts';

/**
 * A piece of an agent's turn. With `partial` it is a piece of text for those who watch, stored by nobody, and
 * a later event holds the text whole. The others are stored as they come; what they lack, such as the id, the
 * author and the invocation, is filled in. The last event of a turn has `turnComplete`.
 */
export type AgentEvent = Omit<NewEvent, 'id' | 'author' | 'invocationId' | 'timestamp'>;

/** What an agent gets to work on. */
export interface Turn {
  sessionId: string;
  /** The names of the other agents of the app, to which this one may hand over by `actions.transferAgent`. */
  team: readonly string[];
  /** How many agents have handed over before in this run; what this agent said in it then is its history. */
  leg: number;
  invocationId: string;
  /** What is to be answered. Stored already: it is the first of `history`. */
  message: Content;
  /**
   * What this agent notes about the session for itself, such as the ids of a remote conversation. It is no part
   * of the session's state: no caller sets it, and a fork begins without it.
   */
  notes: { read(): Promise<JsonObject>; save(notes: JsonObject): Promise<void> };
  /** The session's visible events, latest first. Read only as far as they are asked for. */
  history(): AsyncGenerator<Event, void>;
  /** Facts remembered of this user, best first. */
  recall(text: string, limit: number): Promise<string[]>;
}

/** A function that a model may call. */
export interface AgentTool {
  name: string;
  description?: string | undefined;
  /** JSON Schema. */
  parameters?: JsonObject | undefined;
}

/** Tools of other servers, which an agent of ours calls itself. */
export interface ToolHost {
  list(): Promise<readonly AgentTool[]>;
  /** The result, or `{error}` with words for the model; never rejects for a failure of the tool. */
  call(name: string, args: JsonObject, signal: AbortSignal): Promise<JsonObject>;
}

/** An MCP server that an agent may use: started as a program, or reached by its address. */
export interface ToolServer {
  command?: string | undefined;
  args?: readonly string[] | undefined;
  /** Environment of the program beside what every program gets. */
  env?: Readonly<Record<string, string>> | undefined;
  url?: string | undefined;
  token?: string | undefined;
  /** The tools that the agent may call; absent: all. */
  tools?: readonly string[] | undefined;
}

export interface Agent {
  /** The author of its events. */
  name: string;
  /** Why the agent cannot take a message, if it cannot: asked before anything is stored. */
  refusal?(message: Content): SessionError | undefined;
  /** Throws SessionError when it cannot answer; ends soon after the signal is aborted. */
  run(turn: Turn, signal: AbortSignal): AsyncGenerator<AgentEvent, void>;
}

/** The agents of a server, by the app that they are bound to. */
export interface Agents {
  /** Which agents each app has, and of which kind. */
  readonly bound: readonly { app: string; kind: string; name: string }[];
  /** The author names of the app's agents, the one first that is asked when none is named. */
  team(app: string): readonly string[];
  /** @throws SessionError FAILED_PRECONDITION where the app has none of this name, or none at all */
  open(app: string, name?: string): Promise<Agent>;
}
