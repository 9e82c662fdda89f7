import type { Part } from '../../model/event.ts';
import type { ToolCall, ToolOutput } from '../../model/tool-call.ts';
import { toolCallNotOpen } from '../shared/errors.ts';
import { checkOutputs } from '../shared/rules.ts';
import type { Appended, SessionRef } from '../types.ts';
import { appendEvent } from './append.ts';
import type { OpenCall } from './call-record.ts';
import { readEvent, readOpenCalls } from './events.ts';
import { type Local, readHead } from './session-record.ts';

export async function listToolCalls(local: Local, ref: SessionRef): Promise<ToolCall[]> {
  const head = await readHead(local, ref);
  const open = await readOpenCalls(local, head.uid);
  const calls = await Promise.all(open.map((call) => describeCall(local, head.uid, call)));
  return calls.filter((call) => call !== undefined);
}

async function describeCall(local: Local, uid: string, call: OpenCall): Promise<ToolCall | undefined> {
  const record = await readEvent(local, uid, call.seq);
  if (record === undefined) return undefined;
  const { event } = record;
  const part = event.content?.parts.find((p) => p.functionCall?.id === call.id);
  return {
    id: call.id,
    name: call.name,
    args: part?.functionCall?.args,
    eventId: event.id,
    author: event.author,
    invocationId: event.invocationId,
    createTime: event.timestamp,
    longRunning: call.longRunning,
  };
}

/** Answers open calls in one event, within the invocation of the first of them. */
export async function submitToolOutputs(
  local: Local,
  ref: SessionRef,
  outputs: readonly ToolOutput[],
): Promise<Appended> {
  checkOutputs(outputs);
  const open = await listToolCalls(local, ref);
  const answered = outputs.map((output): { call: ToolCall; part: Part } => {
    const call = open.find((c) => c.id === output.toolCallId);
    if (call === undefined) throw toolCallNotOpen();
    const response = output.error === undefined ? (output.output ?? {}) : { error: output.error };
    return { call, part: { functionResponse: { id: call.id, name: call.name ?? call.id, response } } };
  });
  return appendEvent(
    local,
    ref,
    {
      author: 'user',
      invocationId: answered[0]?.call.invocationId,
      content: { role: 'user', parts: answered.map(({ part }) => part) },
    },
    {},
    // Others may have answered since the calls were listed.
    { answersOpenCalls: true },
  );
}
