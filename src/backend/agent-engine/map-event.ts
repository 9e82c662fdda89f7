import { compact, type Event, type EventMetadata, type NewEvent, type Part } from '../../model/event.ts';
import { isObject, type JsonObject } from '../../model/json.ts';
import { toTime } from '../../model/time.ts';
import { lastSegment } from './paths.ts';
import { fieldOf, readFields, textOf } from './wire.ts';
import type {
  EventActions,
  SessionEvent,
  EventMetadata as WireMetadata,
  Part as WirePart,
} from './wire-types.ts';

/**
 * SessionEvent ↔ our event (docs/protocols/agent-engine.md, Events). The service gives an event its id. A
 * caller's own id is kept in customMetadata under this key, which no reader of ours shows there.
 */
const ownIdKey = 'agentSessionsEventId';
/** Where ADK's Python and JavaScript keep the usage of an event without a rawEvent. */
const usageKey = '_usage_metadata';

const innerObject = (source: JsonObject, name: string): JsonObject | undefined => {
  const value = fieldOf(source, name);
  return isObject(value) && Object.keys(value).length > 0 ? value : undefined;
};

/** Every id by which a caller may ask for this event: ours, the service's, and the one its agent gave it. */
export function idsOf(wire: SessionEvent): string[] {
  const metadata = innerObject(wire, 'eventMetadata');
  const custom = metadata === undefined ? undefined : innerObject(metadata, 'customMetadata');
  const raw = innerObject(wire, 'rawEvent');
  const ids = [custom?.[ownIdKey], lastSegment(wire.name), raw?.id];
  return ids.filter((id): id is string => typeof id === 'string' && id !== '');
}

export function toEvent(wire: SessionEvent): Event {
  const raw = innerObject(wire, 'rawEvent');
  const event: Event = {
    id: idsOf(wire)[0] ?? '',
    author: textOf(wire, 'author') ?? '',
    invocationId: textOf(wire, 'invocationId') ?? '',
    timestamp: timeOf(wire.timestamp),
  };
  // The verbatim event knows more; who spoke, when, and in which turn, the envelope says.
  readFields(raw ?? wire, event);
  const metadata = raw === undefined ? innerObject(wire, 'eventMetadata') : undefined;
  if (metadata !== undefined) readFields(metadata, event);
  const { customMetadata } = event;
  if (customMetadata === undefined) return event;
  const { [ownIdKey]: _ownId, [usageKey]: usage, ...custom } = customMetadata;
  if (isObject(usage)) event.usageMetadata ??= usage;
  delete event.customMetadata;
  if (Object.keys(custom).length > 0) event.customMetadata = custom;
  return event;
}

const serviceTime = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3,9}Z$/;

/** RFC 3339 with milliseconds, of RFC 3339 with any digits or of ADK's epoch numbers. */
export function timeOf(value: unknown): string {
  // The service's own form, in which nearly all times come, is only cut.
  if (typeof value === 'string' && serviceTime.test(value)) return `${value.slice(0, 23)}Z`;
  // Seconds in Python and Go, milliseconds in JavaScript; between the two lies the year 5138.
  const number = typeof value === 'number' ? Math.round(value > 1e11 ? value : value * 1000) : Number.NaN;
  const ms = typeof value === 'string' ? Date.parse(value) : number;
  // JavaScript dates end there.
  return toTime(Math.abs(ms) <= 8.64e15 ? ms : 0);
}

/** An event of a running agent's stream, in ADK's own form. */
export function toStreamEvent(wire: JsonObject, fallback: { id: string; invocationId: string }): Event {
  return readFields<Event>(wire, {
    id: textOf(wire, 'id') ?? fallback.id,
    author: textOf(wire, 'author') ?? 'model',
    invocationId: textOf(wire, 'invocationId') ?? fallback.invocationId,
    timestamp: timeOf(wire.timestamp ?? Date.now()),
  });
}

/** An event to append, with all that the service requires. */
export interface EventDraft extends NewEvent {
  invocationId: string;
  timestamp: string;
}

/** Part fields that SessionEvent has no place for. */
const rawPart = (part: Part): boolean =>
  part.mediaResolution !== undefined ||
  part.partMetadata !== undefined ||
  part.inlineData?.displayName !== undefined ||
  part.fileData?.displayName !== undefined ||
  part.functionResponse?.willContinue !== undefined ||
  part.functionResponse?.scheduling !== undefined;

/**
 * The body of appendEvent. What only ADK knows goes along in rawEvent, as ADK's services do. `bare` leaves
 * the loosely typed metadata to rawEvent too, for a service that knows fewer of its fields than the agent.
 */
export function toWireEvent(event: EventDraft, options: { bare: boolean } = { bare: false }): SessionEvent {
  const { id, author, invocationId, timestamp, content, actions, ...metadata } = event;
  const { errorCode, errorMessage, usageMetadata, customMetadata, ...rest } = metadata;
  const { groundingMetadata, inputTranscription, outputTranscription, ...flags } = rest;
  const custom = { ...customMetadata, ...(id === undefined ? {} : { [ownIdKey]: id }) };
  const loose = { groundingMetadata, inputTranscription, outputTranscription };
  const eventMetadata = compact<WireMetadata>({
    ...flags,
    ...(options.bare ? {} : loose),
    customMetadata: Object.keys(custom).length === 0 ? undefined : custom,
  });
  const needsRaw =
    usageMetadata !== undefined ||
    (content?.parts ?? []).some(rawPart) ||
    (options.bare && Object.values(loose).some((value) => value !== undefined));
  return compact<SessionEvent>({
    author,
    invocationId,
    timestamp,
    content:
      content === undefined || content.parts.length === 0
        ? undefined
        : compact({ role: content.role, parts: content.parts.map(toWirePart) }),
    actions: actions === undefined ? undefined : compact<EventActions>({ ...actions }),
    errorCode,
    errorMessage,
    eventMetadata: Object.keys(eventMetadata).length === 0 ? undefined : eventMetadata,
    rawEvent: needsRaw ? toRaw(event) : undefined,
  });
}

function toWirePart(part: Part): WirePart {
  const { mediaResolution: _resolution, partMetadata: _metadata, ...known } = part;
  const { inlineData, fileData, functionResponse, executableCode, ...rest } = known;
  return compact<WirePart>({
    ...rest,
    inlineData: inlineData && { mimeType: inlineData.mimeType, data: inlineData.data },
    // The service requires a type; a reader can do no better than to guess it again.
    fileData: fileData && {
      mimeType: fileData.mimeType ?? 'application/octet-stream',
      fileUri: fileData.fileUri,
    },
    functionResponse:
      functionResponse &&
      compact({
        id: functionResponse.id,
        name: functionResponse.name,
        response: functionResponse.response ?? {},
        parts: functionResponse.parts,
      }),
    executableCode: executableCode && {
      language: executableCode.language ?? 'PYTHON',
      code: executableCode.code,
    },
  });
}

/** The event as ADK writes it. Id and time are left out: ADK's readers take both from the envelope. */
function toRaw(event: EventDraft): JsonObject {
  const { id: _id, timestamp: _timestamp, actions, ...fields } = event;
  const metadata: EventMetadata & JsonObject = { ...fields };
  const { transferAgent, ...others } = actions ?? {};
  return compact<JsonObject>({
    ...metadata,
    actions:
      actions === undefined ? undefined : compact<JsonObject>({ ...others, transferToAgent: transferAgent }),
  });
}
