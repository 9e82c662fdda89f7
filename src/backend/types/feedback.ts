import type { SessionRef } from './owner.ts';

export interface Feedback {
  /** What the feedback speaks of. */
  eventId?: string | undefined;
  invocationId?: string | undefined;
  score: number;
  text?: string | undefined;
}

export interface FeedbackVerbs {
  register?(ref: SessionRef, feedback: Feedback): Promise<void>;
}
