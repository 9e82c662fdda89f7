import type { Content, EventActions, EventMetadata, Part } from '../../model/event.ts';
import { isObject, type JsonObject } from '../../model/json.ts';
import {
  textOrAbsent as id,
  filledOrAbsent as object,
  objectsOrAbsent as objects,
  textsOrAbsent as texts,
  versionsOrAbsent as versions,
  objectOrAbsent as whole,
} from '../shared/wire.ts';

/**
 * Reads the fields of an event from any of the forms in which they come: SessionEvent of the REST API,
 * ADK events in camelCase (rawEvent, written by ADK's JavaScript) and in snake_case (the stream of a running
 * agent, and Python's rawEvent). Loose: what is unknown or of the wrong kind is passed over, and proto3's
 * way of leaving out what is empty is followed (docs/protocols/agent-engine.md, Events).
 */
export interface EventFields extends EventMetadata {
  content?: Content | undefined;
  actions?: EventActions | undefined;
}

/** undefined: not there. */
type Read = (value: unknown) => unknown;

/** A table of fields. It is walked by what an object has, since most have few of the fields there are. */
type Table = ReadonlyMap<string, Read>;
const table = (fields: Record<string, Read>): Table => new Map(Object.entries(fields));

const camelNames = new Map<string, string>();

/** Names come from a handful of schemas; what else turns up is not kept for ever. */
function camelOf(name: string): string {
  if (!name.includes('_')) return name;
  const known = camelNames.get(name);
  if (known !== undefined) return known;
  const camel = name.replace(/_([a-z])/g, (_all, c: string) => c.toUpperCase());
  if (camelNames.size < 1000) camelNames.set(name, camel);
  return camel;
}

function readBy(fields: Table, source: JsonObject, into: JsonObject = {}): JsonObject {
  for (const key of Object.keys(source)) {
    const name = camelOf(key);
    const value = fields.get(name)?.(source[key]);
    if (value !== undefined && into[name] === undefined) into[name] = value;
  }
  return into;
}

const text: Read = (value) => (typeof value === 'string' && value !== '' ? value : undefined);
/** An empty text is a text: it says which kind of part this is. */
const anyText: Read = (value) => (typeof value === 'string' ? value : undefined);
const flag: Read = (value) => (typeof value === 'boolean' ? value : undefined);
const message =
  (fields: Table, defaults: JsonObject): Read =>
  (value) =>
    isObject(value) ? { ...defaults, ...readBy(fields, value) } : undefined;

const partFields = table({
  text: anyText,
  thought: (value) => (value === true ? true : undefined),
  thoughtSignature: text,
  inlineData: message(table({ mimeType: text, data: text, displayName: text }), {
    mimeType: 'application/octet-stream',
    data: '',
  }),
  fileData: message(table({ fileUri: text, mimeType: text, displayName: text }), { fileUri: '' }),
  functionCall: message(table({ id, name: text, args: whole, partialArgs: objects, willContinue: flag }), {
    name: '',
  }),
  functionResponse: message(
    table({ id, name: text, response: whole, parts: objects, willContinue: flag, scheduling: text }),
    { name: '' },
  ),
  executableCode: message(table({ code: text, language: text }), { code: '' }),
  codeExecutionResult: message(table({ outcome: text, output: text }), { outcome: 'OUTCOME_UNSPECIFIED' }),
  videoMetadata: object,
  mediaResolution: object,
  partMetadata: object,
});

const actionFields = table({
  stateDelta: object,
  artifactDelta: versions,
  transferAgent: text,
  // ADK's name for it.
  transferToAgent: text,
  escalate: flag,
  skipSummarization: flag,
  requestedAuthConfigs: object,
});

const eventFields = table({
  content: readContent,
  actions: readActions,
  errorCode: id,
  errorMessage: text,
  partial: flag,
  turnComplete: flag,
  interrupted: flag,
  branch: text,
  longRunningToolIds: texts,
  customMetadata: object,
  groundingMetadata: object,
  usageMetadata: object,
  inputTranscription: object,
  outputTranscription: object,
});

/** Puts the event's fields of a source into an object that has not got them yet, and returns that. */
export function readFields<T extends EventFields>(source: JsonObject, into: T): T {
  readBy(eventFields, source, into as T & JsonObject);
  return into;
}

function readContent(source: unknown): Content | undefined {
  if (!isObject(source)) return undefined;
  const parts = (Array.isArray(source.parts) ? (source.parts as unknown[]) : [])
    .filter(isObject)
    .map((part): Part => readBy(partFields, part))
    .filter((part) => Object.keys(part).length > 0);
  const role = source.role === 'user' || source.role === 'model' ? source.role : undefined;
  if (parts.length === 0 && role === undefined) return undefined;
  return role === undefined ? { parts } : { role, parts };
}

function readActions(source: unknown): EventActions | undefined {
  if (!isObject(source)) return undefined;
  const { transferToAgent, ...actions } = readBy(actionFields, source);
  if (transferToAgent !== undefined) actions.transferAgent ??= transferToAgent;
  return Object.keys(actions).length === 0 ? undefined : actions;
}

const snakeNames = new Map<string, string>();

function snakeOf(name: string): string {
  const known = snakeNames.get(name);
  if (known !== undefined) return known;
  const snake = name.replace(/[A-Z]/g, (c) => `_${c.toLowerCase()}`);
  snakeNames.set(name, snake);
  return snake;
}

/** A field of a known name by its camelCase form, or else by its snake_case one. */
export const fieldOf = (source: JsonObject, name: string): unknown => source[name] ?? source[snakeOf(name)];

/** Like `fieldOf`, for a text that is not empty. Numbers are ids that somebody did not quote. */
export function textOf(source: JsonObject, name: string): string | undefined {
  return id(fieldOf(source, name));
}
