import type { StandardSchemaWithJSON } from '@modelcontextprotocol/server';
import * as z from 'zod';
import { isObject, type JsonObject } from '../../model/json.ts';

/**
 * A schema as the SDK takes it, with its JSON Schema made once: the SDK would convert it again for every
 * tools/list. Validation is left to us, since a refusal of the SDK's has not the form of our errors, and an
 * output of ours that has one field more must not fail a call.
 */
export function published(schema: z.ZodType): StandardSchemaWithJSON<JsonObject> {
  // The input side describes objects as open unless they are strict: right for arguments, and for results
  // it keeps clients from refusing what a service adds one day.
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
 * Drops what costs tokens or trips hosts: bounds of safe integers, empty member schemas, the dialect's name,
 * and the members of what is marked `brief`, whose description says enough.
 */
function portable(node: unknown, parent?: string): unknown {
  if (Array.isArray(node)) return node.map((item) => portable(item));
  if (!isObject(node)) return node;
  if (node.brief === true)
    return { type: node.type, ...(node.description === undefined ? {} : { description: node.description }) };
  const isMembers = parent === 'properties';
  const kept = Object.entries(node).filter(([key, value]) => {
    if (isMembers) return true;
    if (noise.has(key)) return false;
    if (key === 'minimum') return value !== Number.MIN_SAFE_INTEGER;
    if (key === 'maximum') return value !== Number.MAX_SAFE_INTEGER;
    return !(key === 'additionalProperties' && isObject(value) && Object.keys(value).length === 0);
  });
  return Object.fromEntries(kept.map(([key, value]) => [key, portable(value, isMembers ? undefined : key)]));
}
