import { checkId } from '../../model/ids.ts';
import type { ToolCall, ToolOutput } from '../../model/tool-call.ts';
import { answerTo, toolCallOf } from '../shared/open-calls.ts';
import type { Appended, SessionRef, SubmitOptions } from '../types.ts';
import { appendEvent } from './append.ts';
import { callKeys, knownCalls, type OpenCall } from './call-record.ts';
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
  return record === undefined ? undefined : toolCallOf(record.event, call);
}

/** Answers open calls in one event, within the invocation of the first of them. */
export async function submitToolOutputs(
  local: Local,
  ref: SessionRef,
  outputs: readonly ToolOutput[],
  { writtenBy, claim }: SubmitOptions = {},
): Promise<Appended> {
  const { uid } = await readHead(local, ref);
  // Looked up one by one: a list of open calls may end before these.
  const ids = outputs.map((output) => checkId('toolCallId', output.toolCallId));
  const { open } = knownCalls(ids, await local.store.get(callKeys(uid, ids)));
  const calls = await Promise.all([...open.values()].map((call) => describeCall(local, uid, call)));
  const answer = answerTo(
    calls.filter((call) => call !== undefined),
    outputs,
  );
  // Others may have answered since the calls were looked at.
  return appendEvent(
    local,
    ref,
    { author: 'user', writtenBy, ...answer },
    { claim },
    { answersOpenCalls: true },
  );
}
