import { compact, type Event, type EventMetadata, type NewEvent, type Part } from '../../model/event.ts';
import { isObject, type JsonObject } from '../../model/json.ts';
import { toTime } from '../../model/time.ts';
import { filledOrAbsent as filled, msOfText } from '../shared/wire.ts';
import { lastSegment } from './paths.ts';
import { fieldOf, readFields, textOf } from './wire.ts';
import type {
  EventActions,
  SessionEvent,
  EventMetadata as WireMetadata,
  Part as WirePart,
} from './wire-types.ts';

/**
 * The key in customMetadata under which this server keeps an event's id, since the service gives each event an id of
 * its own (docs/protocols/agent-engine.md, "Events"). Results do not show the key.
 */
const ownIdKey = 'agentSessionsEventId';
/** Likewise for the principal that stored an event. What a caller gives under this key is left out. */
const writtenByKey = 'agentSessionsWrittenBy';
/** Where ADK's Python and JavaScript keep the usage of an event without a rawEvent. */
const usageKey = '_usage_metadata';
const addedKeys: ReadonlySet<string> = new Set([ownIdKey, writtenByKey, usageKey]);

/** What this server added to an event: the envelope's customMetadata. */
const addedTo = (wire: SessionEvent): JsonObject | undefined =>
  filled(filled(wire.eventMetadata)?.customMetadata);

const idFields = (wire: SessionEvent): unknown[] => [
  addedTo(wire)?.[ownIdKey],
  lastSegment(wire.name),
  filled(wire.rawEvent)?.id,
];

const isId = (id: unknown): id is string => typeof id === 'string' && id !== '';

/** All ids that find this event: this server's, the service's, and the one that the agent gave it. */
export const idsOf = (wire: SessionEvent): string[] => idFields(wire).filter(isId);

/** The first of them, by which this server shows the event; empty when it has none. */
export const idOf = (wire: SessionEvent): string => idFields(wire).find(isId) ?? '';

/** @param id as `idOf` reads it; callers that have it already pass it, because pages hold a hundred events */
export function toEvent(wire: SessionEvent, id: string = idOf(wire)): Event {
  const event: Event = {
    id,
    author: textOf(wire, 'author') ?? '',
    invocationId: textOf(wire, 'invocationId') ?? '',
    timestamp: timeOf(wire.timestamp),
  };
  // rawEvent has more fields. Author, time and invocation always come from the envelope.
  const raw = filled(wire.rawEvent);
  const metadata = raw === undefined ? filled(wire.eventMetadata) : undefined;
  readFields(raw ?? wire, event, 'customMetadata');
  if (metadata !== undefined) readFields(metadata, event, 'customMetadata');
  const custom =
    filled(fieldOf(raw ?? wire, 'customMetadata')) ?? (metadata && filled(metadata.customMetadata));
  if (custom !== undefined) readCustom(custom, event);
  const writtenBy = addedTo(wire)?.[writtenByKey];
  if (typeof writtenBy === 'string') event.writtenBy = writtenBy;
  return event;
}

/** Reads the metadata that the event's author gave, without what servers and clients add to it. */
function readCustom(custom: JsonObject, event: Event): void {
  const given = Object.keys(custom).filter((key) => !addedKeys.has(key));
  if (given.length > 0) event.customMetadata = Object.fromEntries(given.map((key) => [key, custom[key]]));
  const usage = custom[usageKey];
  if (isObject(usage)) event.usageMetadata ??= usage;
}

const serviceTime = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3,9}Z$/;

/** A time with milliseconds, from RFC 3339 with any number of digits or from ADK's epoch numbers. */
export function timeOf(value: unknown): string {
  // Nearly all times have the service's own form, which is only cut: that is faster than parsing.
  if (typeof value === 'string' && serviceTime.test(value)) return `${value.slice(0, 23)}Z`;
  // Python and Go write seconds, JavaScript milliseconds. 1e11 seconds is the year 5138, 1e11 milliseconds 1973.
  const number = typeof value === 'number' ? Math.round(value > 1e11 ? value : value * 1000) : Number.NaN;
  const ms = typeof value === 'string' ? msOfText(value) : number;
  // A Date can hold no later time.
  return toTime(Math.abs(ms) <= 8.64e15 ? ms : 0);
}

/** Maps an event of a running agent's stream, which has ADK's own form. */
export function toStreamEvent(wire: JsonObject, fallback: { id: string; invocationId: string }): Event {
  return readFields<Event>(wire, {
    id: textOf(wire, 'id') ?? fallback.id,
    author: textOf(wire, 'author') ?? 'model',
    invocationId: textOf(wire, 'invocationId') ?? fallback.invocationId,
    timestamp: timeOf(wire.timestamp ?? Date.now()),
  });
}

/** An event to append, with all fields that the service requires. */
export interface EventDraft extends NewEvent {
  invocationId: string;
  timestamp: string;
}

/** Whether a part has fields that SessionEvent does not have. */
const rawPart = (part: Part): boolean =>
  part.mediaResolution !== undefined ||
  part.partMetadata !== undefined ||
  part.inlineData?.displayName !== undefined ||
  part.fileData?.displayName !== undefined ||
  part.functionResponse?.willContinue !== undefined ||
  part.functionResponse?.scheduling !== undefined;

/**
 * The body of appendEvent. Fields that only ADK has go into rawEvent, as ADK's own clients send them. `bare` puts the
 * loosely typed metadata only there, too, for a service that refused one of its fields.
 */
export function toWireEvent(event: EventDraft, options: { bare: boolean } = { bare: false }): SessionEvent {
  const { id, author, invocationId, timestamp, content, actions, writtenBy, ...metadata } = event;
  const { errorCode, errorMessage, usageMetadata, customMetadata, ...rest } = metadata;
  const { groundingMetadata, inputTranscription, outputTranscription, ...flags } = rest;
  const { [writtenByKey]: _given, ...given } = customMetadata ?? {};
  const custom = {
    ...given,
    ...(id === undefined ? {} : { [ownIdKey]: id }),
    ...(writtenBy === undefined ? {} : { [writtenByKey]: writtenBy }),
  };
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
    // The service requires a MIME type. This one means "unknown".
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

/** The event in ADK's form. Id and time are left out: ADK's readers take both from the envelope. */
function toRaw(event: EventDraft): JsonObject {
  const { id: _id, timestamp: _timestamp, writtenBy: _writtenBy, actions, ...fields } = event;
  const metadata: EventMetadata & JsonObject = { ...fields };
  const { transferAgent, ...others } = actions ?? {};
  return compact<JsonObject>({
    ...metadata,
    actions:
      actions === undefined ? undefined : compact<JsonObject>({ ...others, transferToAgent: transferAgent }),
  });
}
