import type { Content, Event, Part } from '../../model/event.ts';
import { newId } from '../../model/ids.ts';
import type { ToolCall, ToolOutput } from '../../model/tool-call.ts';
import { answersOf, callsOf, endsCall, type MadeCall } from './call-rules.ts';
import { toolCallNotOpen } from './errors.ts';
import { checkOutputs } from './rules.ts';

/** A call can only be answered by its id, so one that comes without gets one. */
export function withCallIds(content: Content): Content {
  const parts = content.parts.map(
    (part): Part =>
      part.functionCall === undefined || part.functionCall.id !== undefined
        ? part
        : { ...part, functionCall: { ...part.functionCall, id: newId('c') } },
  );
  return { ...content, parts };
}

/**
 * Calls that wait for an answer after all these events, oldest first: functionCalls, and long-running ids that
 * no part explains.
 */
export function openCalls(events: Iterable<Event>): ToolCall[] {
  const open = new Map<string, ToolCall>();
  for (const event of events) {
    for (const call of callsOf(event))
      if (call.bare !== true || !open.has(call.id)) open.set(call.id, toolCallOf(event, call));
    for (const answer of answersOf(event)) {
      const call = open.get(answer.id);
      if (call !== undefined && endsCall(answer, call)) open.delete(answer.id);
    }
  }
  return [...open.values()];
}

/** A call as it is shown, with the arguments that its event has. */
export function toolCallOf(event: Event, { id, name, longRunning }: MadeCall): ToolCall {
  const part = event.content?.parts.find(({ functionCall }) => functionCall?.id === id);
  return {
    id,
    name,
    args: part?.functionCall?.args,
    eventId: event.id,
    author: event.author,
    invocationId: event.invocationId,
    createTime: event.timestamp,
    longRunning,
  };
}

/**
 * The content that answers calls, and the invocation of the first of them.
 * @throws SessionError NOT_FOUND when a call is not open, INVALID_ARGUMENT when two outputs are for one
 */
export function answerTo(
  open: readonly ToolCall[],
  outputs: readonly ToolOutput[],
): { invocationId: string | undefined; content: Content } {
  checkOutputs(outputs);
  const answered = outputs.map((output): { call: ToolCall; part: Part } => {
    const call = open.find(({ id }) => id === output.toolCallId);
    if (call === undefined) throw toolCallNotOpen();
    const response = output.error === undefined ? (output.output ?? {}) : { error: output.error };
    return { call, part: { functionResponse: { id: call.id, name: call.name ?? call.id, response } } };
  });
  return {
    invocationId: answered[0]?.call.invocationId,
    content: { role: 'user', parts: answered.map(({ part }) => part) },
  };
}
