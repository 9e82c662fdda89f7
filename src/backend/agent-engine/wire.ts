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
 * The fields of an event, read from any of its forms: SessionEvent of the REST API, ADK's events in camelCase
 * (rawEvent of ADK's JavaScript) and in snake_case (the stream of a running agent, and rawEvent of ADK's Python).
 * Unknown fields and values of another type are skipped; empty values count as absent, as in proto3 JSON
 * (docs/protocols/agent-engine.md, "Events").
 */
export interface EventFields extends EventMetadata {
  content?: Content | undefined;
  actions?: EventActions | undefined;
}

/** Reads one value; undefined when it is absent or of another type. */
type Read = (value: unknown) => unknown;

/** Readers by field name. Reading walks the fields of the object, since most objects have few of all fields. */
type Table = ReadonlyMap<string, Read>;
const table = (fields: Record<string, Read>): Table => new Map(Object.entries(fields));

const camelNames = new Map<string, string>();

/** The camelCase form of a name. Names come from few schemas and are cached; the limit bounds memory for others. */
function camelOf(name: string): string {
  if (!name.includes('_')) return name;
  const known = camelNames.get(name);
  if (known !== undefined) return known;
  const camel = name.replace(/_([a-z])/g, (_all, c: string) => c.toUpperCase());
  if (camelNames.size < 1000) camelNames.set(name, camel);
  return camel;
}

function readBy(fields: Table, source: JsonObject, into: JsonObject = {}, skip = ''): JsonObject {
  for (const key of Object.keys(source)) {
    const name = camelOf(key);
    if (name === skip) continue;
    const value = fields.get(name)?.(source[key]);
    if (value !== undefined && into[name] === undefined) into[name] = value;
  }
  return into;
}

const text: Read = (value) => (typeof value === 'string' && value !== '' ? value : undefined);
/** A text that may be empty: the field's presence says which kind of part this is. */
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
  // ADK's name of transferAgent.
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

/** Copies the event's fields of `source` into `into`, except `skip` and those that `into` has already. Returns `into`. */
export function readFields<T extends EventFields>(source: JsonObject, into: T, skip?: keyof EventFields): T {
  readBy(eventFields, source, into as T & JsonObject, skip);
  return into;
}

function readContent(source: unknown): Content | undefined {
  if (!isObject(source)) return undefined;
  const parts: Part[] = [];
  for (const part of Array.isArray(source.parts) ? (source.parts as unknown[]) : []) {
    const read = isObject(part) ? readBy(partFields, part) : {};
    if (Object.keys(read).length > 0) parts.push(read);
  }
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

/** A field by its camelCase name, or by the snake_case form of that name. */
export const fieldOf = (source: JsonObject, name: string): unknown => source[name] ?? source[snakeOf(name)];

/** As `fieldOf`, for a text that is not empty. A number counts as an id that was written without quotes. */
export function textOf(source: JsonObject, name: string): string | undefined {
  return id(fieldOf(source, name));
}
