/** Whose data: every call names an app and a user, and a backend reaches nothing outside them. */
export interface Owner {
  app: string;
  userId: string;
}

export interface SessionRef extends Owner {
  sessionId: string;
}

/** What a write counts on: refused with ABORTED where it no longer holds. */
export interface Guard {
  /** The revision that the session still has. */
  expectedRevision?: number | undefined;
  /** The claim of `turns.take`: the turn is still the writer's, and its lease is renewed. */
  claim?: string | undefined;
}

/** What a write to a session returns in addition to its object. */
export interface SessionMark {
  id: string;
  revision?: number | undefined;
  updateTime: string;
}
