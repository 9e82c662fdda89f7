import type { Content, Event, Part } from '../../model/event.ts';
import { newId } from '../../model/ids.ts';
import type { ToolCall, ToolOutput } from '../../model/tool-call.ts';
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
 * no part explains. A long-running tool may answer at once that it has begun; ADK takes the outcome from the
 * user, so only the user's answer ends such a call
 * (https://google.github.io/adk-docs/tools/function-tools/#long-run-tool).
 */
export function openCalls(events: Iterable<Event>): ToolCall[] {
  const open = new Map<string, ToolCall>();
  for (const event of events) {
    if (event.partial === true) continue;
    for (const call of callsOf(event))
      if (call.name !== undefined || !open.has(call.id)) open.set(call.id, call);
    for (const { functionResponse: answer } of event.content?.parts ?? []) {
      // A response that says `willContinue` is a piece of one.
      const call = answer?.id === undefined || answer.willContinue === true ? undefined : open.get(answer.id);
      if (call !== undefined && (call.longRunning !== true || event.author === 'user')) open.delete(call.id);
    }
  }
  return [...open.values()];
}

function callsOf(event: Event): ToolCall[] {
  const long = event.longRunningToolIds ?? [];
  const made = (event.content?.parts ?? []).flatMap(({ functionCall: call }) =>
    call?.id === undefined ? [] : [{ id: call.id, name: call.name, args: call.args }],
  );
  const bare = [...new Set(long)].filter((id) => !made.some((call) => call.id === id)).map((id) => ({ id }));
  return [...made, ...bare].map((call) => ({
    ...call,
    eventId: event.id,
    author: event.author,
    invocationId: event.invocationId,
    createTime: event.timestamp,
    ...(long.includes(call.id) ? { longRunning: true } : {}),
  }));
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
