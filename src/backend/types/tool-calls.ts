import type { ToolCall, ToolOutput } from '../../model/tool-call.ts';
import type { Appended } from './events.ts';
import type { SessionRef } from './owner.ts';

export interface ToolCallVerbs {
  /** Calls without an answer, oldest first. */
  list?(ref: SessionRef): Promise<ToolCall[]>;
  /** Answers calls in one event. NOT_FOUND names a call that is not outstanding. */
  submit?(
    ref: SessionRef,
    outputs: readonly ToolOutput[],
    options?: { writtenBy?: string | undefined },
  ): Promise<Appended>;
}
