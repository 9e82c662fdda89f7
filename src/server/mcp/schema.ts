import type { Tool as ListedTool, StandardSchemaWithJSON } from '@modelcontextprotocol/server';
import * as z from 'zod';
import { isObject, type JsonObject } from '../../model/json.ts';

export type PublishedSchema = ListedTool['inputSchema'];

/** The arguments or the result of a tool, by name. */
type Members = Readonly<Record<string, z.core.$ZodType>>;

/**
 * The JSON Schema that clients see. What an output requires is not said: it would cost each client 200 tokens.
 */
export function published(members: Members, kind: 'input' | 'output'): PublishedSchema {
  const properties = Object.entries(members).flatMap(([name, member]) => {
    const json = memberSchema(member);
    return json === null ? [] : [[name, json] as const];
  });
  const required = Object.keys(members).filter((name) => members[name]?._zod.optin === undefined);
  return {
    type: 'object',
    properties: Object.fromEntries(properties) as NonNullable<PublishedSchema['properties']>,
    // Clients accept fields that results get one day.
    ...(kind === 'output' ? {} : { additionalProperties: false }),
    ...(kind === 'output' || required.length === 0 ? {} : { required }),
  };
}

/**
 * The schema of every tool, for the SDK. It accepts everything: `runCall` validates arguments, because errors of the SDK
 * have another form than ours. What clients see of a tool is in the answer to tools/list, which is made once: the SDK
 * would convert and look through each schema for each answer.
 */
export const anyArguments: StandardSchemaWithJSON<JsonObject> = {
  '~standard': {
    version: 1,
    vendor: 'agent-sessions-mcp',
    validate: (value) => ({ value: value as JsonObject }),
    jsonSchema: { input: () => ({ type: 'object' }), output: () => ({ type: 'object' }) },
  },
};

/** The JSON Schema of a member; null for one that is not published. */
export function memberSchema(member: z.core.$ZodType): JsonObject | null {
  const json = briefSchema(member) ?? z.toJSONSchema(member, { io: 'input' });
  return isObject(json) && json.unpublished !== true ? (portable(json) as JsonObject) : null;
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
