import { isObject, type JsonObject } from '../../../src/model/json.ts';
import { badField, GoogleError } from './google-error.ts';
import { type Field, liveExtras, schema } from './schema.ts';

export interface CheckOptions {
  /** Collects the fields that are accepted and dropped. */
  note(text: string): void;
  /** For PATCH, whose mask says which fields count: required fields may be missing. */
  partial?: boolean;
  /** For messages that the fake sends: no field is required, and output-only fields are kept. */
  output?: boolean;
}

/**
 * Reads a proto3 JSON message as Google does and returns it as Google would store it: camelCase names,
 * defaults left out, times in UTC. Refuses unknown names, values of the wrong kind, two sides of a oneof
 * and missing required fields.
 * @throws GoogleError
 */
export function checkMessage(type: string, json: unknown, at: string, options: CheckOptions): JsonObject {
  const missing: string[] = [];
  const value = message(type, json, at, { ...options, missing });
  if (missing.length > 0 && options.output !== true && options.partial !== true) {
    const text = missing.map((field, i) => `${i + 1}.Field: ${field}; Message: Required field is not set.`);
    throw new GoogleError('INVALID_ARGUMENT', `List of found errors:\t${text.join('\t')}\t`, {
      fields: missing.map((field) => ({ field, description: 'Required field is not set.' })),
    });
  }
  return value;
}

type Walk = CheckOptions & { missing: string[] };

export const snake = (name: string): string => name.replace(/[A-Z]/g, (c) => `_${c.toLowerCase()}`);
const camel = (name: string): string => name.replace(/_([a-z0-9])/g, (_all, c: string) => c.toUpperCase());
const below = (at: string, name: string): string => (at === '' ? snake(name) : `${at}.${snake(name)}`);

function message(type: string, json: unknown, at: string, walk: Walk): JsonObject {
  const known = schema.messages[type];
  if (known === undefined) throw new Error(`The descriptors have no ${type}.`);
  if (!isObject(json)) throw invalid(at, `type.googleapis.com/google.cloud.aiplatform.v1beta1.${type}`, json);
  const result: JsonObject = {};
  const set = new Map<string, string>();
  for (const [written, inner] of Object.entries(json)) {
    const name = camel(written);
    const field = Object.hasOwn(known.fields, name) ? known.fields[name] : undefined;
    if (field === undefined) {
      if (liveExtras[type]?.includes(name)) {
        walk.note(`${type}.${name} is not in the descriptors`);
        continue;
      }
      const where = at === '' ? '' : ` at '${at}'`;
      const text = `Invalid JSON payload received. Unknown name "${written}"${where}: Cannot find field.`;
      throw badField(at, text);
    }
    if (
      inner === null &&
      field.type !== 'google.protobuf.Value' &&
      field.type !== 'google.protobuf.NullValue'
    )
      continue;
    if (field.behavior === 'OUTPUT_ONLY' && walk.output !== true) {
      walk.note(`${type}.${name} is output only`);
      continue;
    }
    for (const [oneof, members] of Object.entries(known.oneofs ?? {})) {
      if (!members.includes(name)) continue;
      if (set.has(oneof))
        throw badField(
          at,
          `Invalid value at '${at}' (oneof), oneof field '${oneof}' is already set. Cannot set '${name}'`,
        );
      set.set(oneof, name);
    }
    const inOneof = [...set.values()].includes(name);
    const value = fieldValue(field, inner, below(at, name), walk);
    if (inOneof || field.presence === true || !isDefault(field, value)) result[name] = value;
  }
  for (const [name, field] of Object.entries(known.fields))
    if (field.behavior === 'REQUIRED' && !Object.hasOwn(result, name)) walk.missing.push(below(at, name));
  return result;
}

function isDefault(field: Field, value: unknown): boolean {
  if (field.repeated === true) return Array.isArray(value) && value.length === 0;
  if (field.map !== undefined) return isObject(value) && Object.keys(value).length === 0;
  return value === false || value === 0 || value === '' || value === '0';
}

function fieldValue(field: Field, json: unknown, at: string, walk: Walk): unknown {
  if (field.map !== undefined) {
    if (!isObject(json)) throw invalid(at, 'map', json);
    const entries = Object.entries(json).map(([key, inner]) => [
      key,
      single(field.type, inner, `${at}[${key}]`, walk),
    ]);
    return Object.fromEntries(entries) as JsonObject;
  }
  if (field.repeated !== true) return single(field.type, json, at, walk);
  if (!Array.isArray(json)) throw invalid(at, 'repeated', json);
  return (json as unknown[]).map((item, i) => single(field.type, item, `${at}[${i}]`, walk));
}

function single(type: string, json: unknown, at: string, walk: Walk): unknown {
  if (Object.hasOwn(schema.messages, type)) return message(type, json, at, walk);
  const members = schema.enums[type];
  if (members !== undefined) {
    if (typeof json === 'number' && members[json] !== undefined) return members[json];
    if (typeof json === 'string' && members.includes(json)) return json;
    throw invalid(at, `type.googleapis.com/google.cloud.aiplatform.v1beta1.${type}`, json);
  }
  const read = leaves[type];
  if (read === undefined) throw new Error(`The fake cannot read a ${type}.`);
  const value = read(json);
  if (value === undefined) throw invalid(at, `TYPE_${type.toUpperCase()}`, json);
  return value;
}

const integer = (json: unknown): number | undefined => {
  const value = typeof json === 'string' && /^-?\d+$/.test(json) ? Number(json) : json;
  return typeof value === 'number' && Number.isInteger(value) ? value : undefined;
};
const int64 = (json: unknown): string | undefined =>
  (typeof json === 'string' && /^-?\d+$/.test(json)) || (typeof json === 'number' && Number.isInteger(json))
    ? String(json)
    : undefined;
const number = (json: unknown) => (typeof json === 'number' ? json : undefined);
const text = (json: unknown) => (typeof json === 'string' ? json : undefined);

/** The value in its stored form; undefined when it is not of this type. */
const leaves: Record<string, (json: unknown) => unknown> = {
  string: text,
  bool: (json) => (typeof json === 'boolean' ? json : undefined),
  int32: integer,
  int64,
  uint32: integer,
  float: number,
  double: number,
  bytes: (json) =>
    typeof json === 'string' && /^[A-Za-z0-9+/_-]*={0,2}$/.test(json)
      ? Buffer.from(json, 'base64').toString('base64')
      : undefined,
  'google.protobuf.Struct': (json) => (isObject(json) ? json : undefined),
  'google.protobuf.Value': (json) => json,
  'google.protobuf.NullValue': (json) => (json === null ? 'NULL_VALUE' : undefined),
  'google.protobuf.Timestamp': (json) => (typeof json === 'string' ? timestamp(json) : undefined),
  'google.protobuf.Duration': (json) =>
    typeof json === 'string' && /^-?\d+(\.\d{1,9})?s$/.test(json) ? json : undefined,
  'google.protobuf.FieldMask': text,
  'google.protobuf.Any': (json) => (isObject(json) ? json : undefined),
  'google.protobuf.Empty': (json) => (isObject(json) ? {} : undefined),
};

/** As proto3 JSON writes it: UTC, with 0, 3, 6 or 9 digits. */
export function timestamp(value: string): string | undefined {
  const match = /^(\d{4}-\d\d-\d\d)[Tt](\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?([Zz]|[+-]\d\d:\d\d)$/.exec(value);
  const ms = match === null ? Number.NaN : Date.parse(value);
  if (match === null || Number.isNaN(ms)) return undefined;
  const digits = (match[3] ?? '').padEnd(9, '0').replace(/(000)+$/, '');
  return `${new Date(ms).toISOString().slice(0, 19)}${digits === '' ? '' : `.${digits}`}Z`;
}

function invalid(at: string, type: string, json: unknown): GoogleError {
  return badField(at, `Invalid value at '${at}' (${type}), ${JSON.stringify(json)}`);
}
