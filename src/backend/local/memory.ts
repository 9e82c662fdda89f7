import { fuseRanks } from '../../embeddings/fuse.ts';
import { invalidArgument } from '../../errors.ts';
import { checkId, newTimedId } from '../../model/ids.ts';
import { canonicalJson } from '../../model/json.ts';
import type { Memory, MemoryScope } from '../../model/memory.ts';
import type { Page, PageQuery } from '../../model/page.ts';
import { toTime } from '../../model/time.ts';
import { slices } from '../../store/slices.ts';
import type { Put, Write } from '../../store/types.ts';
import { memoryNotFound } from '../shared/errors.ts';
import { checkFact, checkScope } from '../shared/rules.ts';
import type { MemoryChoice, Owner } from '../types.ts';
import { parseStored } from './damage.ts';
import * as keys from './keys.ts';
import { lendToMemories } from './lend-memories.ts';
import { maxFactLength } from './limits.ts';
import type { Local } from './session-record.ts';
import { groupOf } from './vector-record.ts';

/** Most memories that one call of `list` reads. */
const scanLimit = 2000;
/** Of each search, by words and by meaning, so many are fused at least. */
const leastFused = 50;
/** Of the memories that hold words of a query, so many lend each other of their scores. */
const candidates = 200;
/** Memories that are looked through at once. */
const slice = 200;

/** The scope of a memory that names none: the pair that ADK uses with Memory Bank. */
export const scopeOf = (owner: Owner, scope: MemoryScope | undefined): MemoryScope =>
  scope ?? { app_name: owner.app, user_id: owner.userId };

// The owner is part of the search, so that no scope can reach the memories of another user.
const searchScope = (owner: Owner, scope: MemoryScope): string =>
  canonicalJson([owner.app, owner.userId, scope]);

/** The writes of a new memory. Where vectors are made, it waits for one. */
export const newMemoryWrites = (local: Local, owner: Owner, memory: Memory): Put[] => [
  memoryPut(owner, memory),
  ...(local.meaning === undefined ? [] : [{ key: keys.waitingMemoryKey(owner, memory.id), value: '' }]),
];

/** All that is stored of memories, vectors included. */
const dropMemories = (owner: Owner, memoryIds: readonly string[]): Write[] =>
  memoryIds.flatMap((id) => [
    { drop: keys.memoryKey(owner, id) },
    { drop: keys.memoryVectorKey(owner, id) },
    { drop: keys.waitingMemoryKey(owner, id) },
  ]);

/** The write that stores a memory, as one that can be found. */
export function memoryPut(owner: Owner, memory: Memory): Put {
  return {
    key: keys.memoryKey(owner, memory.id),
    value: JSON.stringify(memory),
    text: { scope: searchScope(owner, memory.scope ?? {}), body: memory.fact },
  };
}

export async function createMemory(
  local: Local,
  owner: Owner,
  input: { fact: string; scope?: MemoryScope | undefined },
): Promise<Memory> {
  checkScope(input.scope);
  checkFact(input.fact);
  if (input.fact.length > maxFactLength)
    throw invalidArgument(
      `The fact has more than ${maxFactLength} characters.`,
      'Split it into several facts.',
    );
  const now = local.now();
  const time = toTime(now);
  const memory: Memory = {
    id: newTimedId('m', now),
    fact: input.fact,
    scope: scopeOf(owner, input.scope),
    createTime: time,
    updateTime: time,
  };
  await local.store.update([], () => ({
    result: undefined,
    writes: newMemoryWrites(local, owner, memory),
  }));
  return memory;
}

export async function deleteMemory(local: Local, owner: Owner, memoryId: string): Promise<void> {
  const key = keys.memoryKey(owner, checkId('memoryId', memoryId));
  await local.store.update([key], ([value]) => {
    if (value === undefined) throw memoryNotFound();
    return { result: undefined, writes: dropMemories(owner, [memoryId]) };
  });
}

/** Newest first. Without a scope: all of the owner's. */
export async function listMemories(
  local: Local,
  owner: Owner,
  query: PageQuery & { scope?: MemoryScope | undefined },
): Promise<Page<Memory>> {
  checkScope(query.scope);
  const prefix = keys.memories(owner);
  const wanted = query.scope === undefined ? undefined : canonicalJson(query.scope);
  const items: Memory[] = [];
  let cursor = query.cursor;
  for (let scanned = 0; scanned < scanLimit; ) {
    const limit = 100;
    const before = cursor === undefined ? undefined : prefix + cursor;
    const rows = await local.store.range({ prefix, before, limit, reverse: true });
    for (const row of rows) {
      if (items.length === query.pageSize) return { items, cursor };
      const memory = parseStored<Memory>('A memory', row.value);
      if (wanted === undefined || canonicalJson(memory.scope) === wanted) items.push(memory);
      cursor = row.key.slice(prefix.length);
      scanned += 1;
    }
    if (rows.length < limit) return { items };
  }
  return { items, cursor };
}

export async function searchMemory(
  local: Local,
  owner: Owner,
  query: { text: string; limit: number; scope?: MemoryScope | undefined },
): Promise<Memory[]> {
  checkScope(query.scope);
  const scope = scopeOf(owner, query.scope);
  const [hits, near] = await Promise.all([
    local.store.search({
      scope: searchScope(owner, scope),
      text: query.text,
      limit: Math.max(candidates, query.limit),
    }),
    nearMemories(local, owner, scope, query),
  ]);
  const scored = hits.map((hit) => ({ ...parseStored<Memory>('A memory', hit.value), score: hit.score }));
  const deep = near.length === 0 ? query.limit : Math.max(leastFused, query.limit);
  const found = await lendToMemories(local, owner, scope, scored, deep);
  if (near.length === 0) return found;
  const fused = fuseRanks(
    found.map(({ id }) => id),
    near.map(({ id }) => id),
  );
  const memories = new Map([...near, ...found].map((memory) => [memory.id, memory]));
  return [...fused]
    .flatMap(([id, score]) => {
      const memory = memories.get(id);
      return memory === undefined ? [] : [{ ...memory, score }];
    })
    .slice(0, query.limit);
}

/** The memories of a scope that mean most nearly the same as a query, best first. */
async function nearMemories(
  local: Local,
  owner: Owner,
  scope: MemoryScope,
  { text, limit }: { text: string; limit: number },
): Promise<Memory[]> {
  const { meaning } = local;
  if (meaning === undefined) return [];
  const group = groupOf(scope);
  const near = await meaning.nearest(owner, 'memories', { text, limit: Math.max(leastFused, limit), group });
  const values = await local.store.get(near.map(({ id }) => keys.memoryKey(owner, id)));
  return near.flatMap(({ id }, i) => {
    const memory = values[i] === undefined ? undefined : parseStored<Memory>('A memory', values[i]);
    // One that was stored again under its id may be of another scope.
    if (memory !== undefined && groupOf(memory.scope) === group) return [memory];
    meaning.forget(owner, 'memories', group, id);
    return [];
  });
}

/** How many memories there are in a scope, or of sessions, or of sessions in a scope. */
export async function countMemories(local: Local, owner: Owner, which: MemoryChoice): Promise<number> {
  checkScope(which.scope);
  let count = 0;
  for await (const chosen of chosenMemories(local, owner, which)) count += chosen.length;
  return count;
}

/** Deletes those memories, slice by slice; how many there were. */
export async function deleteMemories(local: Local, owner: Owner, which: MemoryChoice): Promise<number> {
  checkScope(which.scope);
  const pace = slices();
  let count = 0;
  for await (const chosen of chosenMemories(local, owner, which))
    for (let i = 0; i < chosen.length; ) {
      const some = chosen.slice(i, i + pace.size());
      const start = performance.now();
      await local.store.update([], () => ({ result: undefined, writes: dropMemories(owner, some) }));
      pace.took(performance.now() - start);
      i += some.length;
      count += some.length;
    }
  return count;
}

async function* chosenMemories(
  local: Local,
  owner: Owner,
  which: MemoryChoice,
): AsyncGenerator<string[], void> {
  const prefix = keys.memories(owner);
  const wanted = which.scope === undefined ? undefined : canonicalJson(which.scope);
  const sessionIds = which.sessionIds === undefined ? undefined : new Set(which.sessionIds);
  for (let after: string | undefined; ; ) {
    const rows = await local.store.range({ prefix, after, limit: slice });
    after = rows.at(-1)?.key;
    if (after === undefined) return;
    const chosen = rows.filter((row) => {
      const memory = parseStored<Memory>('A memory', row.value);
      return (
        (wanted === undefined || canonicalJson(memory.scope) === wanted) &&
        (sessionIds === undefined || sessionIds.has(memory.source?.sessionId ?? ''))
      );
    });
    if (chosen.length > 0) yield chosen.map(({ key }) => keys.partsOf(key).at(-1) ?? '');
  }
}
