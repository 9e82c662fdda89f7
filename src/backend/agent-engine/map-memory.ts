import { createHash } from 'node:crypto';
import { isObject, type JsonObject } from '../../model/json.ts';
import type { Memory, MemoryScope } from '../../model/memory.ts';
import { timeOf } from './map-event.ts';
import { lastSegment } from './paths.ts';
import { textOf } from './wire.ts';
import type {
  GenerateMemoriesResponse,
  RetrieveMemoriesResponse,
  Memory as WireMemory,
} from './wire-types.ts';

/** Maps a memory of Memory Bank (docs/protocols/agent-engine.md, "Memory Bank"). */
export function toMemory(wire: WireMemory, distance?: unknown): Memory {
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

export function scopeOf(wire: WireMemory): MemoryScope | undefined {
  const entries = Object.entries(isObject(wire.scope) ? wire.scope : {}).filter(
    (entry): entry is [string, string] => typeof entry[1] === 'string',
  );
  return entries.length === 0 ? undefined : Object.fromEntries(entries);
}

/** Maps a RetrieveMemoriesResponse. */
export function toRetrieved(body: RetrieveMemoriesResponse): Memory[] {
  const found = Array.isArray(body.retrievedMemories) ? body.retrievedMemories : [];
  return found
    .filter(isObject)
    .flatMap((hit) => (isObject(hit.memory) ? [toMemory(hit.memory, hit.distance)] : []));
}

/** Maps a GenerateMemoriesResponse: the created and changed memories, some of which may have only a name. */
export function toGenerated(response: GenerateMemoriesResponse | undefined): Memory[] {
  const made = Array.isArray(response?.generatedMemories) ? response.generatedMemories : [];
  return made
    .filter(isObject)
    .flatMap(({ memory, action }) => (isObject(memory) && action !== 'DELETED' ? [toMemory(memory)] : []));
}

/**
 * Maps a MemoryEntry of the class method async_search_memory. An entry without an id gets a hash of its content, so
 * that the same entry always has the same id; no other verb accepts that id.
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
