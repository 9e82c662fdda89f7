/** Whose data: every call names an app and a user, and a backend reaches nothing outside them. */
export interface Owner {
  app: string;
  userId: string;
}

export interface SessionRef extends Owner {
  sessionId: string;
}

/** Refuses the write with ABORTED unless the session still has this revision. */
export interface Guard {
  expectedRevision?: number | undefined;
}

/** What a write to a session returns in addition to its object. */
export interface SessionMark {
  id: string;
  revision?: number | undefined;
  updateTime: string;
}
