import { invalidArgument, SessionError } from '../../errors.ts';
import { canonicalJson, isObject, type JsonObject } from '../../model/json.ts';
import type { Memory, MemoryScope } from '../../model/memory.ts';
import type { Page, PageQuery } from '../../model/page.ts';
import { readAfterWrite } from '../../net/deadline.ts';
import { memoryNotFound } from '../shared/errors.ts';
import { checkFact, checkScope } from '../shared/rules.ts';
import type { MemoryAddition, Owner, SessionRef } from '../types.ts';
import { classMethodsOf } from './apps.ts';
import { type AgentEngineClient, isCode, objectOf, ownedSession, pageOf, write } from './client.ts';
import { eventPages } from './find-event.ts';
import { listPages } from './list-pages.ts';
import { idsOf, toEvent } from './map-event.ts';
import { scopeOf, toFoundEntry, toGenerated, toMemory, toRetrieved } from './map-memory.ts';
import { literal } from './map-session.ts';
import { finishOperation, runOperation } from './operations.ts';
import { enginePath, idIn, lastSegment, memoryPath, nameOf, sessionPath } from './paths.ts';
import { checkOwner } from './sessions.ts';
import type {
  GenerateMemoriesRequest,
  QueryReasoningEngineRequest,
  RetrieveMemoriesRequest,
  Memory as WireMemory,
} from './wire-types.ts';

/** Milliseconds to wait for the facts of a session: less than the 60 s after which most clients give up a call. */
const generateMs = 45_000;
/** Most memories that an addition shows. */
const shown = 20;
/** Events in one ingest request. */
const ingestPage = 100;

/**
 * The scope of a call. Only the scope keeps one user's memories from another's, so it always contains the caller's
 * user_id. A missing user_id is filled in; another user's is refused.
 */
function ownScope(client: AgentEngineClient, owner: Owner, scope: MemoryScope | undefined): MemoryScope {
  checkOwner(owner);
  const { memory } = client;
  const own =
    scope === undefined && memory.scope === 'app-and-user'
      ? { app_name: memory.appName ?? owner.app, user_id: owner.userId }
      : { ...scope, user_id: scope?.user_id ?? owner.userId };
  if (own.user_id !== owner.userId)
    throw invalidArgument(
      'scope.user_id is not the user of this call.',
      'Leave user_id out of the scope: the server fills it in.',
    );
  checkScope(own);
  return own;
}

/** Whether to use the engine's own class method: the operator chose that, and the engine has the method. */
async function byClassMethod(client: AgentEngineClient, app: string, classMethod: string): Promise<boolean> {
  if (client.memory.via !== 'class-methods') return false;
  return (await classMethodsOf(client, app)).some((method) => method.name === classMethod);
}

const memoriesPath = (client: AgentEngineClient, app: string): string =>
  `${enginePath(client.endpoint, app)}/memories`;

export async function searchMemory(
  client: AgentEngineClient,
  owner: Owner,
  query: { text: string; limit: number; scope?: MemoryScope | undefined },
): Promise<Memory[]> {
  if (await byClassMethod(client, owner.app, 'async_search_memory')) {
    refuseScope(query.scope);
    const output = await callAgent(client, owner.app, 'async_search_memory', {
      user_id: owner.userId,
      query: query.text,
    });
    const entries = isObject(output) && Array.isArray(output.memories) ? (output.memories as unknown[]) : [];
    return entries.filter(isObject).map(toFoundEntry).slice(0, query.limit);
  }
  const scope = ownScope(client, owner, query.scope);
  const body = await client.http.json({
    method: 'POST',
    path: `${memoriesPath(client, owner.app)}:retrieve`,
    body: {
      scope,
      similaritySearchParams: { searchQuery: query.text, topK: Math.min(100, query.limit) },
    } satisfies RetrieveMemoriesRequest,
    retry: 'read',
  });
  // Checked here again, so that another user's memory is never shown, however the service matches scopes.
  const { items: retrievedMemories } = pageOf(body, 'retrievedMemories');
  return toRetrieved({ retrievedMemories }).filter((memory) => isOwn(memory.scope, owner));
}

const isOwn = (scope: MemoryScope | undefined, owner: Owner): boolean => scope?.user_id === owner.userId;

function refuseScope(scope: MemoryScope | undefined): void {
  if (scope !== undefined)
    throw new SessionError('UNIMPLEMENTED', 'The engine’s own memory methods do not accept a scope.', {
      hint: 'Leave the scope out, or ask the operator to set agentEngine.memory.via to memory-bank.',
    });
}

async function callAgent(client: AgentEngineClient, app: string, classMethod: string, input: JsonObject) {
  const { output } = await write(client, {
    method: 'POST',
    path: `${enginePath(client.endpoint, app)}:query`,
    body: { classMethod, input } satisfies QueryReasoningEngineRequest,
    retry: 'quota',
    lookWith: 'search_memory',
  });
  return output;
}

/** Adds a session to memory: by Memory Bank's generate or ingest, or by the engine's own method. */
export async function addSession(
  client: AgentEngineClient,
  ref: SessionRef,
  options: { scope?: MemoryScope | undefined },
): Promise<MemoryAddition> {
  const scope = ownScope(client, ref, options.scope);
  const session = await ownedSession(client, ref);
  if (await byClassMethod(client, ref.app, 'async_add_session_to_memory')) {
    refuseScope(options.scope);
    const input = { user_id: ref.userId, session_id: ref.sessionId };
    const known = await callAgent(client, ref.app, 'async_get_session', input);
    await callAgent(client, ref.app, 'async_add_session_to_memory', { session: known });
    return {
      memories: [],
      count: 0,
      note: 'The engine’s own method accepted the session and does not say which memories it made.',
    };
  }
  if (client.memory.write === 'ingest') return await ingest(client, ref, scope);
  const name =
    typeof session.name === 'string'
      ? session.name
      : nameOf(client.endpoint, sessionPath(client.endpoint, ref));
  const { done, response } = await runOperation(client, {
    method: 'POST',
    path: `${memoriesPath(client, ref.app)}:generate`,
    body: { vertexSessionSource: { session: name }, scope } satisfies GenerateMemoriesRequest,
    retry: 'quota',
    lookWith: 'list_memories',
    waitMs: generateMs,
  });
  if (!done)
    return {
      memories: [],
      count: 0,
      note: 'Memory Bank is still extracting facts from the session: call list_memories a little later to see them.',
    };
  const made = toGenerated(response);
  const memories = await Promise.all(made.slice(0, shown).map((memory) => whole(client, ref.app, memory)));
  return {
    memories,
    count: made.length,
    note: 'A model of Memory Bank extracted the facts and merged them with known ones.',
  };
}

/** Reads a memory of which the answer holds only the name. */
async function whole(client: AgentEngineClient, app: string, memory: Memory): Promise<Memory> {
  if (memory.fact !== '' && memory.createTime !== undefined) return memory;
  const path = memoryPath(client.endpoint, app, memory.id);
  const read = await readAfterWrite(() => client.http.json({ method: 'GET', path, retry: 'read' }));
  return isObject(read) ? toMemory(read) : memory;
}

/** Sends the session's events to Memory Bank. Each has an id, so that an event that is sent again counts once. */
async function ingest(
  client: AgentEngineClient,
  ref: SessionRef,
  scope: MemoryScope,
): Promise<MemoryAddition> {
  for await (const { events } of eventPages(client, ref, { pageSize: ingestPage })) {
    const sent = events.flatMap((wire) => {
      const { content, timestamp, partial } = toEvent(wire);
      const says = content?.parts.some((part) => part.text || part.inlineData || part.fileData) ?? false;
      return says && partial !== true
        ? [{ content: wire.content, eventId: lastSegment(wire.name) || idsOf(wire)[0], eventTime: timestamp }]
        : [];
    });
    if (sent.length === 0) continue;
    await write(client, {
      method: 'POST',
      path: `${memoriesPath(client, ref.app)}:ingestEvents`,
      body: { streamId: ref.sessionId, scope, directContentsSource: { events: sent } },
      retry: 'idempotent',
      lookWith: 'list_memories',
    });
  }
  return {
    memories: [],
    count: 0,
    note: 'Memory Bank accepted the session’s events and extracts facts from them later: call list_memories then.',
  };
}

export async function createMemory(
  client: AgentEngineClient,
  owner: Owner,
  input: { fact: string; scope?: MemoryScope | undefined },
): Promise<Memory> {
  const scope = ownScope(client, owner, input.scope);
  checkFact(input.fact);
  const { name, response } = await finishOperation(client, {
    method: 'POST',
    path: memoriesPath(client, owner.app),
    body: { fact: input.fact, scope } satisfies WireMemory,
    retry: 'quota',
    lookWith: 'list_memories',
  });
  const id = lastSegment(response?.name) || idIn(name, 'memories');
  if (id === '')
    throw new SessionError('UNAVAILABLE', 'Agent Engine did not say which memory it created.', {
      hint: 'Call list_memories to see whether the memory was created.',
    });
  const made = await whole(client, owner.app, { ...toMemory(response ?? {}), id });
  return { ...made, fact: made.fact || input.fact, scope: made.scope ?? scope };
}

/** Lists the memories of one scope, newest first (docs/protocols/agent-engine.md, "Memory Bank"). */
export async function listMemories(
  client: AgentEngineClient,
  owner: Owner,
  query: PageQuery & { scope?: MemoryScope | undefined },
): Promise<Page<Memory>> {
  const scope = ownScope(client, owner, query.scope);
  const pages = listPages<WireMemory>(client, {
    path: memoriesPath(client, owner.app),
    field: 'memories',
    params: { pageSize: query.pageSize, filter: `scope=${literal(canonicalJson(scope))}` },
    token: query.cursor,
  });
  for await (const { items: found, token } of pages) {
    const items = found.map((wire) => toMemory(wire)).filter((memory) => isOwn(memory.scope, owner));
    if (items.length > 0 || token === undefined) return { items, cursor: token };
  }
  return { items: [], cursor: undefined };
}

export async function deleteMemory(client: AgentEngineClient, owner: Owner, memoryId: string): Promise<void> {
  const path = memoryPath(client.endpoint, owner.app, memoryId);
  try {
    const memory = objectOf<WireMemory>(await client.http.json({ method: 'GET', path, retry: 'read' }));
    if (!isOwn(scopeOf(memory), owner)) throw memoryNotFound();
    const retry = 'idempotent';
    await finishOperation(client, { method: 'DELETE', path, retry, lookWith: 'list_memories' });
  } catch (error) {
    throw isCode(error, 'NOT_FOUND') ? memoryNotFound() : error;
  }
}
