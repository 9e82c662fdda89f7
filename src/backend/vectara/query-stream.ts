import { SessionError } from '../../errors.ts';
import { compact, type Event } from '../../model/event.ts';
import { newId } from '../../model/ids.ts';
import { isObject, type JsonObject } from '../../model/json.ts';
import { sse } from '../../net/sse.ts';
import { runBrokeOff } from '../shared/errors.ts';
import { type EventContext, toEvent, transientEvent } from './map-event.ts';
import { listField, numberField, objectField, textField, timeField } from './wire.ts';

/**
 * Yields the events of a streamed answer (docs/protocols/vectara.md, "Streams"): pieces of text and reasoning as
 * partial events, everything else as it comes. Only `end` ends it.
 * @throws SessionError UNAVAILABLE when the agent reported an error, or when the stream broke off before `end`
 */
export async function* streamedEvents(
  chunks: AsyncIterable<Uint8Array>,
  context: EventContext,
): AsyncGenerator<Event, void> {
  const stream = openStream(context);
  const messages = sse(chunks);
  try {
    while (!stream.ended()) {
      const { value, done } = await messages.next().catch((error: unknown) => {
        throw stream.failure() ?? broken(error);
      });
      if (done) throw stream.failure() ?? runBrokeOff();
      // A message that is no JSON is skipped. If the stream was cut there, the next read throws.
      yield* stream.take(parse(value.data));
    }
  } finally {
    await messages.return();
  }
  const failure = stream.failure();
  if (failure !== undefined) throw failure;
}

/** A connection that failed under way is reported like one that was closed before `end`. */
function broken(error: unknown): unknown {
  return error instanceof SessionError && error.code === 'UNAVAILABLE' ? runBrokeOff(error) : error;
}

/** The events of an answer without a stream. @throws SessionError as `streamedEvents` */
export function wholeEvents(answer: unknown, context: EventContext): Event[] {
  const stream = openStream(context);
  const wires = isObject(answer) ? listField(answer, 'events').filter(isObject) : [];
  const events = wires.flatMap((wire) => stream.take(wire));
  const failure = stream.failure();
  if (failure !== undefined) throw failure;
  return events;
}

/** Events that say that a turn ended without its answer. */
const limits = {
  context_limit_exceeded: {
    message: 'The turn ended without an answer: the session no longer fits into the context of the model.',
    hint: 'Call query with classMethod "compact" and input {sessionId}, which shortens the session, then send the message again.',
  },
  step_transition_limit_exceeded: {
    message: 'The turn ended without an answer: the agent changed its step more often than Vectara allows.',
    hint: "Call list_events to see how far the agent came, and ask the agent's owner to check its steps.",
  },
} as const;
type Limit = keyof typeof limits;
const isLimit = (type: string): type is Limit => Object.hasOwn(limits, type);

const answerTypes: ReadonlySet<string> = new Set([
  'agent_output',
  'structured_output',
  'streaming_agent_output',
  'streaming_agent_output_end',
]);

function endedAtLimit(limit: Limit): SessionError {
  const { message, hint } = limits[limit];
  return new SessionError('FAILED_PRECONDITION', message, { hint, details: { limit } });
}

interface OpenStream {
  take(wire: JsonObject): Event[];
  ended(): boolean;
  failure(): SessionError | undefined;
}

/** Collects what the messages of one answer say. */
function openStream(given: EventContext): OpenStream {
  // The run's tool_input events: they tell which arguments of a pending call the agent wrote itself.
  const calls = new Map<string, JsonObject>();
  const context: EventContext = { ...given, callOf: (id) => calls.get(id) ?? given.callOf?.(id) };
  const reported = new Set<string>();
  let text = '';
  let ended = false;
  let errors: unknown[] | undefined;
  let limit: Limit | undefined;

  const partial = (wire: JsonObject, thought: boolean): Event[] => {
    const piece = textField(wire, 'content') ?? textField(wire, 'message') ?? '';
    if (piece === '') return [];
    const part = { text: piece, ...(thought ? { thought } : {}) };
    return [transient(wire, { content: { role: 'model', parts: [part] } })];
  };
  const transient = (wire: JsonObject, fields: Partial<Event>): Event => {
    const { customMetadata: _custom, ...rest } = fields;
    return transientEvent(
      { ...rest, timestamp: timeField(wire, 'created_at', context.now()) },
      textField(wire, 'type') ?? 'unknown',
      context,
    );
  };
  const finishText = (wire: JsonObject): Event[] => {
    const whole = text;
    text = '';
    const id = textField(wire, 'event_id');
    if (whole === '' || (id !== undefined && reported.has(id))) return [];
    if (id !== undefined) reported.add(id);
    return [toEvent({ ...wire, type: 'agent_output', id: id ?? newId('e'), content: whole }, context)];
  };

  const live: Record<string, (wire: JsonObject) => Event[]> = {
    streaming_agent_output(wire) {
      text += textField(wire, 'content') ?? '';
      return partial(wire, false);
    },
    streaming_agent_output_end: finishText,
    streaming_thinking: (wire) => partial(wire, true),
    streaming_thinking_end: () => [],
    tool_activity(wire) {
      const inner = objectField(wire, 'agent_event');
      if (inner === undefined) return partial(wire, true);
      const { content, author, longRunningToolIds: _ids, ...rest } = toEvent(inner, context);
      // The text of a sub-agent is not this agent's answer, so it is marked as a thought.
      const parts = content?.parts.map((p) => (p.text === undefined ? p : { ...p, thought: true }));
      return [
        transient(wire, {
          ...rest,
          author,
          branch: textField(wire, 'tool_name'),
          content: parts === undefined ? undefined : { ...content, parts },
        }),
      ];
    },
    context_consumed: (wire) => [transient(wire, { usageMetadata: usageOf(wire) })],
    compaction_started: (wire) => [transient(wire, {})],
    error(wire) {
      errors = listField(wire, 'messages');
      return [];
    },
    end(wire) {
      ended = true;
      return finishText(wire);
    },
  };

  return {
    ended: () => ended,
    failure: () => (errors !== undefined ? agentFailed(errors) : limit && endedAtLimit(limit)),
    take(wire) {
      const type = textField(wire, 'type') ?? '';
      if (isLimit(type)) limit = type;
      // A turn that still answers has passed the limit, for example after a compaction.
      if (answerTypes.has(type)) limit = undefined;
      const handler = Object.hasOwn(live, type) ? live[type] : undefined;
      if (handler !== undefined) return handler(wire);
      const id = textField(wire, 'id');
      // A message of an unknown type without an id is not a stored event.
      if (id === undefined) return [];
      if (reported.has(id)) return [];
      reported.add(id);
      if (type === 'tool_input') calls.set(id, wire);
      // The stored answer replaces its pieces.
      if (type === 'agent_output') text = '';
      return [toEvent(wire, context)];
    },
  };
}

/** Token counts of the last model call, under the names that ADK takes from Gemini's usage metadata. */
function usageOf(wire: JsonObject): JsonObject | undefined {
  const usage = objectField(wire, 'session_context_usage');
  if (usage === undefined) return undefined;
  const input = objectField(usage, 'input_tokens') ?? {};
  const output = objectField(usage, 'output_tokens') ?? {};
  return compact({
    promptTokenCount: numberField(input, 'count'),
    cachedContentTokenCount: numberField(input, 'cached_tokens'),
    candidatesTokenCount: numberField(output, 'count'),
    thoughtsTokenCount: numberField(output, 'reasoning_tokens'),
    totalTokenCount: numberField(usage, 'total_tokens'),
  });
}

function parse(data: string): JsonObject {
  try {
    const value = JSON.parse(data) as unknown;
    return isObject(value) ? value : {};
  } catch {
    return {};
  }
}

function agentFailed(messages: unknown[]): SessionError {
  return new SessionError('UNAVAILABLE', 'The agent ended its work with an error.', {
    hint: 'Call list_events to see how far it came before you send the message again.',
    cause: messages,
  });
}
