import { setTimeout as sleep } from 'node:timers/promises';
import { invalidArgument, SessionError } from '../../errors.ts';
import { compact, type Part } from '../../model/event.ts';
import { isObject, type JsonObject } from '../../model/json.ts';
import type { ToolCall, ToolOutput } from '../../model/tool-call.ts';
import { toolCallNotOpen } from '../shared/errors.ts';
import type { Appended, SessionRef } from '../types.ts';
import { objectOf, type Vectara, writtenObject } from './client.ts';
import { contextOf, latestEvents, readEvent } from './events.ts';
import { servicePageSize } from './list-pages.ts';
import { shownArguments, toEvent } from './map-event.ts';
import { besideOwner } from './own-session.ts';
import { sessionPath } from './paths.ts';
import { wholeEvents } from './query-stream.ts';
import { listField, objectField, textField, timeField } from './wire.ts';

interface Outstanding {
  eventId: string;
  call: JsonObject;
  /** The call's `tool_input` event; undefined when it cannot be read. */
  made: JsonObject | undefined;
}

/**
 * Lists the client tool calls that the session waits for, oldest first. Vectara sends their arguments with secrets
 * in clear (docs/protocols/vectara.md, "Client tool calls"): unless the operator switched masking off, only values
 * are shown that the agent wrote into its `tool_input` event.
 */
export async function listToolCalls(vectara: Vectara, ref: SessionRef): Promise<ToolCall[]> {
  const { wire, read: open } = await besideOwner(vectara, ref, (at) => outstanding(vectara, at));
  const context = contextOf(vectara, wire, ref);
  const { unmask } = context;
  const calls = open.map(({ eventId, call, made }): ToolCall => {
    const given = objectField(call, 'arguments') ?? {};
    const args = shownArguments(call, made, unmask);
    return compact({
      id: callId(eventId, made),
      name: textField(call, 'tool_name'),
      args,
      eventId,
      author: context.agent,
      invocationId: context.invocationId,
      createTime: made === undefined ? undefined : timeField(made, 'created_at'),
      longRunning: true,
      masked: JSON.stringify(args) === JSON.stringify(given) ? undefined : true,
    });
  });
  return calls.sort((a, b) => Date.parse(a.createTime ?? '') - Date.parse(b.createTime ?? '') || 0);
}

/** The id of the call in the events; when its event cannot be read, the event's id. */
const callId = (eventId: string, made: JsonObject | undefined): string =>
  (made && textField(made, 'tool_call_id')) ?? eventId;

async function outstanding(vectara: Vectara, ref: SessionRef): Promise<Outstanding[]> {
  const answer = objectOf(
    await vectara.json('listToolCalls', {
      method: 'GET',
      path: `${sessionPath(ref)}/outstanding_client_tool_calls`,
      retry: 'read',
    }),
  );
  const calls = listField(answer, 'client_tool_calls').filter(isObject);
  return Promise.all(
    calls.map(async (call) => {
      const eventId = textField(call, 'event_id') ?? '';
      return { eventId, call, made: await originEvent(vectara, ref, eventId) };
    }),
  );
}

/** The role that may list calls may not always read events. Arguments of a call that cannot be read stay masked. */
async function originEvent(
  vectara: Vectara,
  ref: SessionRef,
  eventId: string,
): Promise<JsonObject | undefined> {
  try {
    const wire = await readEvent(vectara, ref, eventId);
    return textField(wire, 'type') === 'tool_input' ? wire : undefined;
  } catch (error) {
    if (error instanceof SessionError && error.code !== 'CANCELLED') return undefined;
    throw error;
  }
}

/**
 * Answers all outstanding calls in one request, as Vectara requires; the agent then goes on. Returns the stored
 * output of the last call. What the agent makes of it is in later events.
 */
export async function submitToolOutputs(
  vectara: Vectara,
  ref: SessionRef,
  outputs: readonly ToolOutput[],
): Promise<Appended> {
  const { wire, at, read: open } = await besideOwner(vectara, ref, (below) => outstanding(vectara, below));
  const answered = answersOf(open, outputs);
  const context = contextOf(vectara, wire, ref);
  const posted = vectara
    .json('interact', {
      method: 'POST',
      path: `${sessionPath(at)}/events`,
      // Repeated only after a refusal for quota: a second request could answer the calls twice.
      retry: 'quota',
      timeoutMs: vectara.settings.runTimeoutMs,
      body: outputBody(answered, false),
    })
    .then((answer) => listField(writtenObject('interact', answer), 'events').filter(isObject));
  // The caller waits for the stored outputs, not for the run: a later failure of the run is not reported here.
  posted.catch(() => {});
  const wait = new AbortController();
  const early = await Promise.race([
    posted,
    sleep(vectara.settings.submitWaitMs, undefined, { signal: wait.signal }),
  ]).finally(() => wait.abort());
  const stored =
    lastOutput(early ?? [], answered) ??
    (await storedOutput(vectara, at, answered)) ??
    lastOutput(await posted, answered);
  if (stored === undefined)
    throw new SessionError('UNAVAILABLE', 'Vectara accepted the outputs but does not show them.', {
      hint: 'Check with list_tool_calls and list_events before you send them again.',
    });
  // Throws when the answer says that the run failed after it took the outputs.
  if (early !== undefined) wholeEvents({ events: early }, context);
  const event = toEvent(stored, context);
  return { event, session: { id: ref.sessionId, updateTime: event.timestamp } };
}

/**
 * The body that answers all outstanding calls with the function responses of a message. A response without an id
 * answers the next call of its name. A response that holds only an error reports a failed tool.
 */
export async function responsesBody(
  vectara: Vectara,
  ref: SessionRef,
  responses: readonly NonNullable<Part['functionResponse']>[],
): Promise<JsonObject> {
  const open = await outstanding(vectara, ref);
  const named = new Set(responses.map((response) => response.id));
  const outputs = responses.map(({ id, name, response = {} }): ToolOutput => {
    const call =
      id === undefined
        ? open.find((o) => textField(o.call, 'tool_name') === name && !named.has(callId(o.eventId, o.made)))
        : undefined;
    const toolCallId = id ?? (call === undefined ? '' : callId(call.eventId, call.made));
    named.add(toolCallId);
    const { error, ...rest } = response;
    const failed = typeof error === 'string' && Object.keys(rest).length === 0;
    return failed ? { toolCallId, error } : { toolCallId, output: response };
  });
  return outputBody(answersOf(open, outputs), true);
}

const outputBody = (answers: readonly Answer[], stream: boolean): JsonObject => ({
  type: 'tool_output',
  stream_response: stream,
  tool_outputs: answers.map(({ entry }) => entry),
});

interface Answer {
  call: Outstanding;
  entry: JsonObject;
}

function answersOf(open: readonly Outstanding[], outputs: readonly ToolOutput[]): Answer[] {
  const answers = outputs.map((output) => {
    const call = open.find(
      (o) => o.eventId === output.toolCallId || callId(o.eventId, o.made) === output.toolCallId,
    );
    if (call === undefined) throw toolCallNotOpen();
    const result =
      output.error === undefined
        ? { type: 'success', output: output.output ?? {} }
        : { type: 'error', error: output.error };
    return { call, entry: { event_id: call.eventId, ...result } };
  });
  if (new Set(answers.map(({ call }) => call)).size < answers.length)
    throw invalidArgument('Two outputs answer the same tool call.', 'Give one output for each toolCallId.');
  if (answers.length < open.length)
    throw new SessionError(
      'FAILED_PRECONDITION',
      `${open.length} tool calls are open, and Vectara needs the outputs of all of them at once.`,
      { hint: 'Call list_tool_calls, and give one output, or an error, for every call.' },
    );
  return answers;
}

/** The last stored output of the calls; of any call, when an id could not be read. */
function lastOutput(wires: readonly JsonObject[], answers: readonly Answer[]): JsonObject | undefined {
  const ids = new Set(answers.map(({ call }) => call.made && textField(call.made, 'tool_call_id')));
  const outputs = wires.filter((wire) => textField(wire, 'type') === 'tool_output');
  return (
    outputs.findLast((wire) => ids.has(textField(wire, 'tool_call_id') ?? '')) ??
    (ids.has(undefined) ? outputs.at(-1) : undefined)
  );
}

async function storedOutput(
  vectara: Vectara,
  at: SessionRef,
  answers: readonly Answer[],
): Promise<JsonObject | undefined> {
  try {
    // The outputs were sent a moment ago, so they are among the latest events.
    return lastOutput((await latestEvents(vectara, at, servicePageSize)).reverse(), answers);
  } catch (error) {
    // The role that may talk to the agent may not always read its events: then the answer itself must do.
    if (error instanceof SessionError && error.code === 'PERMISSION_DENIED') return undefined;
    throw error;
  }
}
