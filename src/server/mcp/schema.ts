import type { StandardSchemaWithJSON } from '@modelcontextprotocol/server';
import * as z from 'zod';
import { isObject, type JsonObject } from '../../model/json.ts';

/**
 * A schema for the SDK. Its JSON Schema is made once, since the SDK would convert it for every tools/list. It accepts
 * everything: `runCall` validates arguments, because errors of the SDK have another form than ours, and an output with
 * an additional field must not fail a call.
 */
export function published(schema: z.ZodType): StandardSchemaWithJSON<JsonObject> {
  // With `io: "input"` only strict objects forbid further fields. So clients accept fields that results get one day.
  const json = portable(z.toJSONSchema(schema, { io: 'input' })) as Record<string, unknown>;
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

const noise = new Set(['$schema', 'propertyNames', 'id']);

/**
 * Drops what costs tokens or confuses hosts: bounds of safe integers, empty member schemas, the dialect's name, and the
 * members of objects that are marked `brief`, whose description is enough, and fields that explain themselves in the
 * results that have them (`unpublished`).
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
