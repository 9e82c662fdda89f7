import { compact, type Event, type Part } from '../../model/event.ts';
import { isObject, type JsonObject } from '../../model/json.ts';
import { toTime } from '../../model/time.ts';
import { artifactName } from './map-session.ts';
import { type CallOrigin, maskArguments, maskOverridden } from './mask.ts';
import { listField, numberField, objectField, textField, timeField } from './wire.ts';

/** What mapping an event needs beyond the event's own JSON. */
export interface EventContext {
  /** The agent's key: the author of all events that no user wrote. */
  agent: string;
  /** Given to every event, since Vectara has no invocations. */
  invocationId: string;
  /** Whether the operator wants the arguments of client tool calls in clear. */
  unmask: boolean;
  /** The `tool_input` event with an id, where it is known. */
  callOf?(eventId: string): JsonObject | undefined;
  /** Milliseconds since the epoch, for events that come without a time. */
  now(): number;
}

/** What a mapper makes of an event. `about` goes to `customMetadata.vectara`, beside the type. */
type Mapped = Partial<Omit<Event, 'content' | 'customMetadata'>> & {
  parts?: Part[] | undefined;
  role?: 'user' | 'model' | undefined;
  about?: JsonObject | undefined;
};

/**
 * Maps a Vectara event to the common model (docs/protocols/vectara.md, "Events"). The original type is kept in
 * `customMetadata.vectara.type`.
 */
export function toEvent(wire: JsonObject, context: EventContext): Event {
  const type = textField(wire, 'type') ?? 'unknown';
  const { parts, role, about, ...fields } = byType(type)(wire, context);
  const hideReason = textField(wire, 'hide_reason');
  const author = fields.author ?? context.agent;
  return compact({
    id: textField(wire, 'id') ?? '',
    author,
    invocationId: context.invocationId,
    timestamp: timeField(wire, 'created_at', context.now()),
    content:
      parts === undefined || parts.length === 0
        ? undefined
        : { role: role ?? (author === 'user' ? 'user' : 'model'), parts },
    ...fields,
    customMetadata: { vectara: compact({ type, ...about }) },
    ...(hideReason !== undefined || wire.hidden === true ? { hidden: true, hideReason } : {}),
  }) as Event;
}

type Mapper = (wire: JsonObject, context: EventContext) => Mapped;

const text = (value: string | undefined): Part[] | undefined =>
  value === undefined || value === '' ? undefined : [{ text: value }];

/**
 * Text that is not the agent's answer: loaded instructions, a hand-over, a summary. Marked as a thought it stays
 * out of the text of a run, and `partMetadata` says what it is.
 */
const aside = (type: string, value: string | undefined): Part[] | undefined =>
  text(value)?.map((part) => ({ ...part, thought: true, partMetadata: { type } }));

const mappers: Record<string, Mapper> = {
  input_message: (wire) => ({ author: 'user', parts: listField(wire, 'messages').map(messagePart) }),
  agent_output: (wire) => ({ parts: text(textField(wire, 'content')) }),
  thinking: (wire) => ({ parts: text(textField(wire, 'content'))?.map((p) => ({ ...p, thought: true })) }),
  structured_output: (wire) => ({
    parts: [{ text: JSON.stringify(wire.content ?? null) }],
    about: { schemaName: textField(wire, 'schema_name') },
  }),
  tool_input: (wire, context) => ({ parts: [callPart(wire, context)], about: callFacts(wire) }),
  tool_output: (wire) => ({
    role: 'user',
    parts: [
      {
        functionResponse: {
          ...idOf(wire),
          name: textField(wire, 'tool_name') ?? '',
          response: objectField(wire, 'tool_output') ?? {},
        },
      },
    ],
    about: {
      toolConfigurationName: textField(wire, 'tool_configuration_name'),
      error: wire.error === true ? true : undefined,
      // The values may be secrets: only the names of the arguments are shown.
      overriddenArguments: namesOf(objectField(wire, 'resolved_argument_overrides')),
    },
  }),
  skill_load: (wire) => ({
    parts: aside('skill_load', textField(wire, 'content')),
    about: { skillName: textField(wire, 'skill_name') },
  }),
  artifact_upload: (wire) => {
    const artifacts = listField(wire, 'artifacts').filter(isObject);
    const named = artifacts.flatMap((artifact) => {
      const name = artifactName(artifact);
      return name === undefined ? [] : [{ name, artifact }];
    });
    return {
      author: 'user',
      parts: named.map(({ name, artifact }) => ({
        fileData: compact({
          fileUri: `artifact:${name}`,
          mimeType: textField(artifact, 'mime_type'),
          displayName: textField(artifact, 'filename'),
        }),
      })),
      actions: { artifactDelta: Object.fromEntries(named.map(({ name }) => [name, 0])) },
    };
  },
  image_read: (wire) => ({
    parts: [{ fileData: { fileUri: `artifact:${textField(wire, 'artifact_id') ?? ''}` } }],
    about: { detail: textField(wire, 'detail') },
  }),
  step_transition: (wire) => ({
    parts: aside('step_transition', textField(wire, 'content')),
    about: { fromStep: textField(wire, 'from_step'), toStep: textField(wire, 'to_step') },
  }),
  compaction: (wire) => ({
    parts: aside('compaction', textField(wire, 'summary_text')),
    about: {
      turnsCompacted: numberField(wire, 'turns_compacted'),
      eventsCompacted: numberField(wire, 'events_compacted'),
      summaryKey: textField(wire, 'summary_key'),
    },
  }),
  context_limit_exceeded: (wire) => ({
    errorCode: 'CONTEXT_LIMIT_EXCEEDED',
    errorMessage: textField(wire, 'message'),
    about: {
      contextLimit: numberField(wire, 'context_limit'),
      actualTokens: numberField(wire, 'actual_tokens'),
    },
  }),
  step_transition_limit_exceeded: (wire) => ({
    errorCode: 'STEP_TRANSITION_LIMIT_EXCEEDED',
    errorMessage: textField(wire, 'message'),
    about: { transitionLimit: numberField(wire, 'transition_limit') },
  }),
  session_interrupted: () => ({ interrupted: true }),
  client_tool_pending: pendingCalls,
};

// Object.hasOwn, because a type such as "constructor" is a member of every object.
function byType(type: string): Mapper {
  const mapper = Object.hasOwn(mappers, type) ? mappers[type] : undefined;
  return mapper ?? unknownType;
}

// Of an unknown type only the text is shown: its other fields may hold secrets.
const unknownType: Mapper = (wire) => ({ parts: aside('unknown', textField(wire, 'content')) });

function messagePart(message: unknown): Part {
  const wire = isObject(message) ? message : {};
  if (textField(wire, 'type') === 'skill') {
    const skillName = textField(wire, 'skill_name') ?? '';
    return { text: `/${skillName}`, partMetadata: { type: 'skill', skillName } };
  }
  return { text: textField(wire, 'content') ?? '' };
}

function idOf(wire: JsonObject): { id?: string } {
  const id = textField(wire, 'tool_call_id');
  return id === undefined ? {} : { id };
}

function callPart(wire: JsonObject, context: EventContext): Part {
  const said = objectField(wire, 'tool_input') ?? {};
  return {
    functionCall: {
      ...idOf(wire),
      name: textField(wire, 'tool_name') ?? '',
      args: context.unmask ? said : maskOverridden(said, overriddenPaths(wire)),
    },
  };
}

const callFacts = (wire: JsonObject): JsonObject => ({
  toolConfigurationName: textField(wire, 'tool_configuration_name'),
  overriddenArguments: overriddenPaths(wire).length === 0 ? undefined : overriddenPaths(wire),
});

const overriddenPaths = (wire: JsonObject): string[] =>
  listField(wire, 'argument_override_paths').filter((path) => typeof path === 'string');

/** The origin of a call's arguments, read from its `tool_input` event. */
function originOf(toolInput: JsonObject | undefined): CallOrigin | undefined {
  if (toolInput === undefined) return undefined;
  return { said: objectField(toolInput, 'tool_input') ?? {}, overridden: overriddenPaths(toolInput) };
}

/** The arguments of an outstanding call, masked unless the operator switched masking off. */
export function shownArguments(
  call: JsonObject,
  toolInput: JsonObject | undefined,
  unmask: boolean,
): JsonObject {
  const args = objectField(call, 'arguments') ?? {};
  return unmask ? args : maskArguments(args, originOf(toolInput));
}

function pendingCalls(wire: JsonObject, context: EventContext): Mapped {
  const calls = listField(wire, 'pending_calls')
    .filter(isObject)
    .map((call) => {
      const eventId = textField(call, 'event_id') ?? '';
      const toolInput = context.callOf?.(eventId);
      return {
        id: (toolInput && textField(toolInput, 'tool_call_id')) ?? eventId,
        name: textField(call, 'tool_name') ?? '',
        args: shownArguments(call, toolInput, context.unmask),
      };
    });
  return {
    parts: calls.map((functionCall) => ({ functionCall })),
    longRunningToolIds: calls.map((call) => call.id),
  };
}

const namesOf = (value: JsonObject | undefined): string[] | undefined =>
  value === undefined || Object.keys(value).length === 0 ? undefined : Object.keys(value);

/** An event of the stream that Vectara does not store. */
export function transientEvent(
  fields: Partial<Omit<Event, 'customMetadata'>>,
  type: string,
  context: EventContext,
): Event {
  return {
    id: '',
    author: context.agent,
    invocationId: context.invocationId,
    timestamp: toTime(context.now()),
    ...fields,
    partial: true,
    customMetadata: { vectara: { type } },
  };
}
