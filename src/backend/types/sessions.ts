import type { FilterTerm } from '../../model/filter.ts';
import type { JsonObject } from '../../model/json.ts';
import type { Page, PageQuery } from '../../model/page.ts';
import type { Session, SessionOrder } from '../../model/session.ts';
import type { Guard, Owner, SessionMark, SessionRef } from './owner.ts';

export interface NewSession {
  /** The caller's own id. ALREADY_EXISTS when it is taken. */
  sessionId?: string | undefined;
  displayName?: string | undefined;
  labels?: Record<string, string> | undefined;
  /** Initial state; `app:` and `user:` keys go to the shared state, `temp:` keys are dropped. */
  state?: JsonObject | undefined;
  /** RFC 3339; the session and all below it are deleted then. */
  expireTime?: string | undefined;
  /**
   * Where turns are handed out: the session that this one is a part of, of the same user. Its turn is offered when
   * none of its parts has an open one. NOT_FOUND when it does not exist.
   */
  parentSessionId?: string | undefined;
}

export interface SessionChange {
  displayName?: string | undefined;
  labels?: Record<string, string> | undefined;
  /** Replaces the session's own keys whole; `user:` and `app:` keys that are given are set, others stay. */
  state?: JsonObject | undefined;
  expireTime?: string | undefined;
  /** Takes the expiry away, where the backend `forgetsExpiry`: the session lives until it is deleted. */
  noExpiry?: boolean | undefined;
}

export interface SessionQuery extends PageQuery {
  app: string;
  /** Absent: all users of the app. Only an admin's call comes without it. */
  userId?: string | undefined;
  filter?: readonly FilterTerm[] | undefined;
  orderBy?: SessionOrder | undefined;
  /** Only sessions with these words in their name or events, best first whatever the order. Needs `events.search`. */
  text?: string | undefined;
  /** Only sessions that were last updated after, or before, these RFC 3339 times. */
  updatedAfter?: string | undefined;
  updatedBefore?: string | undefined;
}

export interface ForkOptions {
  newSessionId?: string | undefined;
  displayName?: string | undefined;
  /** The last event to copy; absent: all. */
  upToEventId?: string | undefined;
}

/** How many events a rewinding hid, or showed again. */
export interface Rewound {
  events: number;
  session: SessionMark;
}

export interface SessionVerbs {
  list?(query: SessionQuery): Promise<Page<Session>>;
  create?(owner: Owner, session: NewSession): Promise<Session>;
  get?(ref: SessionRef): Promise<Session>;
  update?(ref: SessionRef, change: SessionChange, guard?: Guard): Promise<Session>;
  delete?(ref: SessionRef, guard?: Guard): Promise<void>;
  fork?(ref: SessionRef, options: ForkOptions): Promise<Session>;
  /** Goes back to what the session was after an event, in one write, or takes the last such write back. */
  rewind?(ref: SessionRef, to: { eventId: string } | { undo: true }, guard?: Guard): Promise<Rewound>;
  /**
   * Calls back soon after the session may have changed, whichever process changed it, until the returned
   * function is called. Calls are coalesced; the callee looks for itself what is new.
   */
  watch?(ref: SessionRef, onChange: () => void): () => void;
}
