import { createHash } from 'node:crypto';
import { isObject, type JsonObject } from '../../model/json.ts';
import type { Memory, MemoryScope } from '../../model/memory.ts';
import { timeOf } from './map-event.ts';
import { lastSegment } from './paths.ts';
import { textOf } from './wire.ts';

/** Memory of Memory Bank as ours (agent-engine-api.md §3.1). */
export function toMemory(wire: JsonObject, distance?: unknown): Memory {
  const scope = scopeOf(wire);
  return {
    id: lastSegment(wire.name),
    fact: typeof wire.fact === 'string' ? wire.fact : '',
    ...(scope === undefined ? {} : { scope }),
    ...(typeof wire.createTime === 'string' ? { createTime: timeOf(wire.createTime) } : {}),
    ...(typeof wire.updateTime === 'string' ? { updateTime: timeOf(wire.updateTime) } : {}),
    ...(typeof distance === 'number' ? { distance } : {}),
  };
}

export function scopeOf(wire: JsonObject): MemoryScope | undefined {
  const entries = Object.entries(isObject(wire.scope) ? wire.scope : {}).filter(
    (entry): entry is [string, string] => typeof entry[1] === 'string',
  );
  return entries.length === 0 ? undefined : Object.fromEntries(entries);
}

/** RetrieveMemoriesResponse (§3.4). */
export function toRetrieved(body: JsonObject): Memory[] {
  const found = Array.isArray(body.retrievedMemories) ? (body.retrievedMemories as unknown[]) : [];
  return found
    .filter(isObject)
    .flatMap((hit) => (isObject(hit.memory) ? [toMemory(hit.memory, hit.distance)] : []));
}

/** GenerateMemoriesResponse (§3.3): what was made or changed; a memory may hold no more than its name. */
export function toGenerated(response: JsonObject | undefined): Memory[] {
  const made = Array.isArray(response?.generatedMemories) ? (response.generatedMemories as unknown[]) : [];
  return made
    .filter(isObject)
    .flatMap(({ memory, action }) => (isObject(memory) && action !== 'DELETED' ? [toMemory(memory)] : []));
}

/**
 * A MemoryEntry of the class method async_search_memory (§3.6). It has no id, so one is made from what it
 * says: the same entry has the same one, and no other verb takes it.
 */
export function toFoundEntry(entry: JsonObject): Memory {
  const { content, timestamp } = entry;
  const parts = isObject(content) && Array.isArray(content.parts) ? (content.parts as unknown[]) : [];
  const fact = parts.flatMap((part) => (isObject(part) ? (textOf(part, 'text') ?? []) : [])).join('\n');
  const digest = createHash('sha256')
    .update(JSON.stringify([fact, timestamp, entry.author]))
    .digest('hex');
  return {
    id: textOf(entry, 'id') ?? `entry-${digest.slice(0, 24)}`,
    fact,
    ...(timestamp === undefined || timestamp === null ? {} : { updateTime: timeOf(timestamp) }),
  };
}
