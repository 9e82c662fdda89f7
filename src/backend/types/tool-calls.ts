import type { ToolCall, ToolOutput } from '../../model/tool-call.ts';
import type { Appended } from './events.ts';
import type { Guard, SessionRef } from './owner.ts';

/** The principal that answers, and the claim of the turn that the calls belong to. */
export interface SubmitOptions extends Pick<Guard, 'claim'> {
  writtenBy?: string | undefined;
}

export interface ToolCallVerbs {
  /** Calls without an answer, oldest first. */
  list?(ref: SessionRef): Promise<ToolCall[]>;
  /** Answers calls in one event. NOT_FOUND names a call that is not outstanding. */
  submit?(ref: SessionRef, outputs: readonly ToolOutput[], options?: SubmitOptions): Promise<Appended>;
}
