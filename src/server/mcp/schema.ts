import type { StandardSchemaWithJSON } from '@modelcontextprotocol/server';
import * as z from 'zod';
import { isObject, type JsonObject } from '../../model/json.ts';

/**
 * A schema for the SDK. Its JSON Schema is made once, since the SDK would convert it for every tools/list. It accepts
 * everything: `runCall` validates arguments, because errors of the SDK have another form than ours, and an output with
 * an additional field must not fail a call. What an output requires is not said: it would cost each client 200 tokens.
 */
export function published(schema: z.ZodObject, kind: 'input' | 'output'): StandardSchemaWithJSON<JsonObject> {
  const { required, ...rest } = objectSchema(schema);
  const json = kind === 'output' || required === undefined ? rest : { ...rest, required };
  const make = () => json;
  return {
    '~standard': {
      version: 1,
      vendor: 'agent-sessions-mcp',
      validate: (value) => ({ value: value as JsonObject }),
      jsonSchema: { input: make, output: make },
    },
  };
}

/**
 * Put together from its members, many of which are shared by tools: to make them all anew is a good part of the time
 * until the first tools/list is answered.
 */
function objectSchema({ shape, def }: z.ZodObject): Record<string, unknown> {
  const entries = Object.entries(shape).map(([name, member]) => ({
    name,
    member,
    json: memberSchema(member),
  }));
  const required = entries.filter(({ member }) => member._zod.optin === undefined);
  const properties = entries.map(({ name, json }) => [name, json]);
  return {
    type: 'object',
    properties: portable(Object.fromEntries(properties), 'properties'),
    ...(required.length === 0 ? {} : { required: required.map(({ name }) => name) }),
    // Only strict objects forbid further fields. So clients accept fields that results get one day.
    ...(def.catchall?._zod.def.type === 'never' ? { additionalProperties: false } : {}),
  };
}

const members = new WeakMap<z.core.$ZodType, unknown>();

function memberSchema(member: z.core.$ZodType): unknown {
  const known = members.get(member);
  if (known !== undefined) return known;
  const json = briefSchema(member) ?? z.toJSONSchema(member, { io: 'input' });
  members.set(member, json);
  return json;
}

/** The schema of an object that is marked `brief`, or of a list of such: its members need not be made to be dropped. */
function briefSchema(member: z.core.$ZodType): unknown {
  const { brief, description, ...rest } = z.globalRegistry.get(member) ?? {};
  if (member instanceof z.ZodObject)
    return brief === true ? { type: 'object', brief, description } : undefined;
  // What is said of the list itself is left to the library.
  if (description !== undefined || Object.keys(rest).length > 0) return undefined;
  if (member instanceof z.ZodOptional) return briefSchema(member.def.innerType);
  if (!(member instanceof z.ZodArray) || member.def.checks?.length) return undefined;
  const items = briefSchema(member.element);
  return items && { type: 'array', items };
}

const noise = new Set(['$schema', 'propertyNames', 'id', 'minLength', 'maxLength', 'minItems', 'maxItems']);

/**
 * Drops what costs tokens or confuses hosts: bounds of lengths, which an error tells to the few who pass them, and of
 * safe integers, empty member schemas, the dialect's name, the members of objects that are marked `brief`, whose
 * description is enough, and fields that explain themselves in the results that have them (`unpublished`).
 */
function portable(node: unknown, parent?: string): unknown {
  if (Array.isArray(node)) return node.map((item) => portable(item));
  if (!isObject(node)) return node;
  if (node.brief === true)
    return { type: node.type, ...(node.description === undefined ? {} : { description: node.description }) };
  const isMembers = parent === 'properties';
  const kept = Object.entries(node).filter(([key, value]) => {
    if (isMembers) return !(isObject(value) && value.unpublished === true);
    if (noise.has(key)) return false;
    if (key === 'minimum') return value !== Number.MIN_SAFE_INTEGER;
    if (key === 'maximum') return value !== Number.MAX_SAFE_INTEGER;
    return !(key === 'additionalProperties' && isObject(value) && Object.keys(value).length === 0);
  });
  return Object.fromEntries(kept.map(([key, value]) => [key, portable(value, isMembers ? undefined : key)]));
}
