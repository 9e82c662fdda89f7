import type { Event, NewEvent } from '../../model/event.ts';
import type { JsonObject } from '../../model/json.ts';
import type { Session } from '../../model/session.ts';
import type { ArtifactContent } from './artifacts.ts';
import type { Owner, SessionRef } from './owner.ts';
import type { NewSession } from './sessions.ts';

/** A session that comes from another backend or from a file, with what it keeps of its life there. */
export interface ArrivingSession extends NewSession {
  /** RFC 3339; absent: now. */
  createTime?: string | undefined;
  forkedFrom?: Session['forkedFrom'];
  /** Ids of the tool calls that were open, where events that answered others may be missing. */
  openToolCalls?: readonly string[] | undefined;
}

/** A session that is taken in piece by piece. Nobody sees it before `commit`; a killed process leaves nothing. */
export interface StagedSession {
  /** The next event as it was: id, time, visibility and feedback stay, and its state delta sets nothing. */
  addEvent(event: Event): Promise<void>;
  /** One version of an artifact under the number it had. The versions of a name come in ascending order. */
  addArtifact(content: ArtifactContent): Promise<void>;
  /**
   * Makes the session appear, whole. `state` is the state that it has then; `user:` and `app:` keys in it are
   * set, others stay. ALREADY_EXISTS when somebody took its id meanwhile.
   */
  commit(state: JsonObject): Promise<Session>;
  /** Leaves nothing. */
  discard(): Promise<void>;
}

/** What copying whole sessions needs beyond the verbs that callers have. All optional: see `src/transfer`. */
export interface TransferVerbs {
  /** The session's own state (no shared keys) as it stood right after an event was accepted. */
  stateAt?(ref: SessionRef, eventId: string): Promise<JsonObject>;
  /** Begins a session that appears whole or not at all. ALREADY_EXISTS when its id is taken. */
  stage?(owner: Owner, session: ArrivingSession): Promise<StagedSession>;
  /**
   * Stores one event of a copy, under an id that the caller knows not to be stored: one request, nothing read
   * before or after it. Waits for quota for as long as it takes; `signal` ends the waiting with CANCELLED, and
   * a request that is on its way is still waited for.
   */
  append?(ref: SessionRef, event: NewEvent, options: { signal?: AbortSignal | undefined }): Promise<void>;
}
