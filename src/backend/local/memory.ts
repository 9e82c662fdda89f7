import { invalidArgument } from '../../errors.ts';
import { textOf } from '../../model/event.ts';
import { checkId, newId } from '../../model/ids.ts';
import { canonicalJson } from '../../model/json.ts';
import type { Memory, MemoryScope } from '../../model/memory.ts';
import type { Page, PageQuery } from '../../model/page.ts';
import { preview } from '../../model/text.ts';
import { toTime } from '../../model/time.ts';
import type { Put } from '../../store/types.ts';
import { memoryNotFound } from '../shared/errors.ts';
import { checkFact, checkScope } from '../shared/rules.ts';
import type { MemoryAddition, Owner, SessionRef } from '../types.ts';
import type { EventRecord } from './event-record.ts';
import * as keys from './keys.ts';
import { maxFactLength } from './limits.ts';
import { type Head, type Local, readHead } from './session-record.ts';

/** Memories that one call of `list` looks at, and that `addSession` shows of those it made. */
const scanLimit = 2000;
const shown = 20;

/** The scope of a memory that names none: the pair that ADK uses with Memory Bank. */
const scopeOf = (owner: Owner, scope: MemoryScope | undefined): MemoryScope =>
  scope ?? { app_name: owner.app, user_id: owner.userId };

// The owner is part of what is searched, so that a scope reaches nobody else's memories whatever it says.
const searchScope = (owner: Owner, scope: MemoryScope): string =>
  canonicalJson([owner.app, owner.userId, scope]);

function put(owner: Owner, memory: Memory): Put {
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
    id: newId('m', now),
    fact: input.fact,
    scope: scopeOf(owner, input.scope),
    createTime: time,
    updateTime: time,
  };
  await local.store.update([], () => ({ result: undefined, writes: [put(owner, memory)] }));
  return memory;
}

export async function deleteMemory(local: Local, owner: Owner, memoryId: string): Promise<void> {
  const key = keys.memoryKey(owner, checkId('memoryId', memoryId));
  await local.store.update([key], ([value]) => {
    if (value === undefined) throw memoryNotFound();
    return { result: undefined, writes: [{ drop: key }] };
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
      const memory = JSON.parse(row.value) as Memory;
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
  const hits = await local.store.search(
    searchScope(owner, scopeOf(owner, query.scope)),
    query.text,
    query.limit,
  );
  return hits.map((hit) => ({ ...(JSON.parse(hit.value) as Memory), score: hit.score }));
}

/**
 * Makes one fact of the text of each visible event that no earlier call has made one of. There is no model
 * here to extract facts with, and the note says so. Ids follow from the events, so that a call that was cut
 * short and repeated makes nothing twice.
 */
export async function addSessionToMemory(
  local: Local,
  ref: SessionRef,
  options: { scope?: MemoryScope | undefined },
): Promise<MemoryAddition> {
  checkScope(options.scope);
  const head = await readHead(local, ref);
  const scope = scopeOf(ref, options.scope);
  const markKey = keys.memoryMarkKey(head.uid, canonicalJson(scope));
  const [mark] = await local.store.get([markKey]);
  const prefix = keys.events(head.uid);
  const memories: Memory[] = [];
  let count = 0;
  let after = mark === undefined ? undefined : prefix + mark;
  for (;;) {
    const rows = await local.store.range({ prefix, after, limit: 200 });
    const last = rows.at(-1);
    if (last === undefined) break;
    const found = rows.flatMap((row) =>
      factsOf(head, JSON.parse(row.value) as EventRecord, scope, local.now()),
    );
    const writes = [
      ...found.map((memory) => put(ref, memory)),
      { key: markKey, value: last.key.slice(prefix.length) },
    ];
    await local.store.update([keys.headKey(ref)], ([value]) => ({
      result: undefined,
      // A session that was deleted meanwhile keeps no mark; what was remembered of it stays.
      writes: value === undefined ? writes.slice(0, -1) : writes,
    }));
    count += found.length;
    memories.push(...found.slice(0, shown - memories.length));
    after = last.key;
  }
  return {
    memories,
    count,
    note: 'Offline, every new text of the session became one fact as it stands; no model extracted or merged facts.',
  };
}

function factsOf(head: Head, { event }: EventRecord, scope: MemoryScope, now: number): Memory[] {
  const text = textOf(event).trim();
  if (text === '' || event.hidden === true || event.partial === true) return [];
  const time = toTime(now);
  const digest = BigInt(`0x${keys.hash(canonicalJson([head.uid, event.id, scope]))}`)
    .toString(36)
    .padStart(25, '0');
  return [
    {
      id: `m${keys.fixed(Math.max(0, Date.parse(event.timestamp)))}${digest}`,
      fact: preview(text, maxFactLength - 1),
      scope,
      createTime: event.timestamp,
      updateTime: time,
      source: { sessionId: head.id, eventId: event.id, author: event.author },
    },
  ];
}
