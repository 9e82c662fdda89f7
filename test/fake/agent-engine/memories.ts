import { canonicalJson, isObject, type JsonObject } from '../../../src/model/json.ts';
import { parseTerms } from './filter.ts';
import { badField, GoogleError } from './google-error.ts';
import type { Operations } from './operations.ts';
import type { Call } from './routes.ts';
import {
  engineName,
  location,
  newId,
  nowTime,
  pageOf,
  projectNumber,
  type StoredEngine,
  type StoredMemory,
  sessionOf,
} from './store.ts';

const memoryName = (engine: StoredEngine, memory: { id: string }): string =>
  `${engineName(engine)}/memories/${memory.id}`;

function showMemory(engine: StoredEngine, memory: StoredMemory): JsonObject {
  const { fact, scope, createTime, updateTime } = memory;
  return { name: memoryName(engine, memory), createTime, updateTime, fact, scope };
}

function checkScope(scope: unknown): Record<string, string> {
  const entries = Object.entries((scope ?? {}) as Record<string, string>);
  if (entries.length === 0 || entries.length > 5 || entries.some(([, value]) => value.includes('*')))
    throw badField('scope', 'List of found errors:\t1.Field: scope; Message: Invalid scope.\t');
  return Object.fromEntries(entries);
}

function remember(engine: StoredEngine, fact: string, scope: Record<string, string>) {
  const known = [...engine.memories.values()].find(
    (memory) => memory.fact === fact && canonicalJson(memory.scope) === canonicalJson(scope),
  );
  const time = nowTime();
  if (known !== undefined) {
    known.updateTime = time;
    return { memory: known, action: 'UPDATED' };
  }
  const memory = { id: newId(), fact, scope, createTime: time, updateTime: time };
  engine.memories.set(memory.id, memory);
  return { memory, action: 'CREATED' };
}

export function createMemory(engine: StoredEngine, call: Call, operations: Operations): JsonObject {
  const time = nowTime();
  const memory: StoredMemory = {
    id: call.params.memoryId ?? newId(),
    fact: String(call.body.fact),
    scope: checkScope(call.body.scope),
    createTime: time,
    updateTime: time,
  };
  engine.memories.set(memory.id, memory);
  const name = `${memoryName(engine, memory)}/operations/${newId()}`;
  return operations.begin(name, 'CreateMemory', 'Memory', showMemory(engine, memory));
}

function memoryOf(engine: StoredEngine, call: Call): StoredMemory {
  const memory = engine.memories.get(call.name.split('/').at(-1) ?? '');
  if (memory === undefined) throw new GoogleError('NOT_FOUND', `Memory ${call.name} not found.`);
  return memory;
}

export const getMemory = (engine: StoredEngine, call: Call): JsonObject =>
  showMemory(engine, memoryOf(engine, call));

export function listMemories(engine: StoredEngine, call: Call): JsonObject {
  const [term] = parseTerms(call.params.filter, /^scope$/);
  let scope: string | undefined;
  try {
    scope = term === undefined ? undefined : canonicalJson(JSON.parse(term.value));
  } catch {
    throw new GoogleError('INVALID_ARGUMENT', `Invalid filter: ${call.params.filter}`);
  }
  const found = [...engine.memories.values()]
    .filter((memory) => scope === undefined || canonicalJson(memory.scope) === scope)
    .sort((a, b) => (a.createTime < b.createTime ? 1 : -1));
  const { page, ...next } = pageOf(found, (memory) => memory.id, call.params);
  return { ...(page.length === 0 ? {} : { memories: page.map((m) => showMemory(engine, m)) }), ...next };
}

export function deleteMemory(engine: StoredEngine, call: Call, operations: Operations): JsonObject {
  engine.memories.delete(memoryOf(engine, call).id);
  const name = `projects/${projectNumber}/locations/${location}/operations/${newId()}`;
  return operations.begin(name, 'Delete', undefined, undefined);
}

/** Makes facts without a model: every text of a user and every direct memory is a fact. */
export function generateMemories(engine: StoredEngine, call: Call, operations: Operations): JsonObject {
  const { body } = call;
  const { facts, scope } = sourceOf(engine, body);
  const made = facts.map((fact) => remember(engine, fact, scope));
  const response =
    made.length === 0
      ? undefined
      : {
          // Only the name, as the live service may answer; clients read the rest.
          generatedMemories: made.map(({ memory, action }) => ({
            memory: { name: memoryName(engine, memory), fact: memory.fact },
            action,
          })),
        };
  const name = `${engineName(engine)}/operations/${newId()}`;
  return operations.begin(name, 'GenerateMemories', 'GenerateMemoriesResponse', response);
}

function sourceOf(
  engine: StoredEngine,
  body: JsonObject,
): { facts: string[]; scope: Record<string, string> } {
  const own = body.scope === undefined ? undefined : checkScope(body.scope);
  if (isObject(body.vertexSessionSource)) {
    const name = String(body.vertexSessionSource.session);
    const [, engineId, sessionId] = /reasoningEngines\/([^/]+)\/sessions\/([^/]+)$/.exec(name) ?? [];
    if (engineId !== engine.id || sessionId === undefined)
      throw badField('vertex_session_source.session', 'Invalid Session resource name.');
    const session = sessionOf(engine, name, sessionId);
    const events = session.events.map((event) => event.wire);
    return { facts: textsOf(events), scope: own ?? { user_id: session.userId } };
  }
  if (own === undefined) throw badField('scope', 'Required field is not set.');
  if (isObject(body.directMemoriesSource)) {
    const direct = body.directMemoriesSource.directMemories as { fact: string }[];
    return { facts: direct.map((memory) => memory.fact), scope: own };
  }
  const events = isObject(body.directContentsSource) ? body.directContentsSource.events : [];
  return { facts: textsOf(events as JsonObject[]), scope: own };
}

function textsOf(events: readonly JsonObject[]): string[] {
  return events.flatMap((event) => {
    const content = event.content as { role?: string; parts?: { text?: string }[] } | undefined;
    if (content?.role === 'model') return [];
    return (content?.parts ?? []).flatMap((part) => (part.text === undefined ? [] : [part.text]));
  });
}

/** A distance by shared words replaces the embedding. */
export function retrieveMemories(engine: StoredEngine, call: Call): JsonObject {
  const { body } = call;
  const scope = canonicalJson(checkScope(body.scope));
  const found = [...engine.memories.values()].filter((memory) => canonicalJson(memory.scope) === scope);
  const similar = body.similaritySearchParams;
  if (!isObject(similar)) {
    const simple = isObject(body.simpleRetrievalParams) ? body.simpleRetrievalParams : {};
    const params = { pageSize: String(simple.pageSize ?? 3), pageToken: String(simple.pageToken ?? '') };
    const { page, ...next } = pageOf(found, (memory) => memory.id, params);
    if (page.length === 0) return {};
    return { retrievedMemories: page.map((memory) => ({ memory: showMemory(engine, memory) })), ...next };
  }
  const words = wordsOf(String(similar.searchQuery));
  const topK = Math.min(100, Number(similar.topK ?? 0) || 3);
  const near = found
    .map((memory) => ({ memory, distance: distance(words, wordsOf(memory.fact)) }))
    .sort((a, b) => a.distance - b.distance)
    .slice(0, topK);
  if (near.length === 0) return {};
  return {
    retrievedMemories: near.map((hit) => ({
      memory: showMemory(engine, hit.memory),
      distance: hit.distance,
    })),
  };
}

const wordsOf = (text: string): Set<string> => new Set(text.toLowerCase().match(/\p{L}+/gu) ?? []);

function distance(a: Set<string>, b: Set<string>): number {
  const shared = [...a].filter((word) => b.has(word)).length;
  return 1 - shared / Math.max(1, Math.min(a.size, b.size)) + 0.001;
}

/** memories:ingestEvents, which the descriptors do not have. */
export function ingestEvents(engine: StoredEngine, body: JsonObject, operations: Operations): JsonObject {
  const allowed = ['streamId', 'scope', 'directContentsSource', 'generationTriggerConfig', 'forceFlush'];
  const unknown = Object.keys(body).find((key) => !allowed.includes(key));
  if (unknown !== undefined)
    throw badField('', `Invalid JSON payload received. Unknown name "${unknown}": Cannot find field.`);
  const scope = checkScope(body.scope);
  const source = body.directContentsSource as { events?: JsonObject[] } | undefined;
  for (const event of source?.events ?? []) {
    const key = JSON.stringify([body.streamId, scope, event.eventId]);
    if (engine.ingested.has(key)) continue;
    engine.ingested.add(key);
    for (const fact of textsOf([event])) remember(engine, fact, scope);
  }
  return operations.begin(
    `${engineName(engine)}/operations/${newId()}`,
    'IngestEvents',
    undefined,
    undefined,
  );
}
