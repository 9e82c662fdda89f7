import { invalidArgument } from '../../errors.ts';
import { textOf } from '../../model/event.ts';
import { checkId, newTimedId, timedId } from '../../model/ids.ts';
import { canonicalJson } from '../../model/json.ts';
import type { Memory, MemoryScope } from '../../model/memory.ts';
import type { Page, PageQuery } from '../../model/page.ts';
import { preview } from '../../model/text.ts';
import { toTime } from '../../model/time.ts';
import type { Put, Write } from '../../store/types.ts';
import { memoryNotFound } from '../shared/errors.ts';
import { checkFact, checkScope } from '../shared/rules.ts';
import type { MemoryAddition, Owner, SessionRef } from '../types.ts';
import { parseStored } from './damage.ts';
import type { EventRecord } from './event-record.ts';
import { parseRecord, seqOfKey } from './events.ts';
import * as keys from './keys.ts';
import { maxFactLength } from './limits.ts';
import { type Head, type Local, readHead, tryHead } from './session-record.ts';

/** Most memories that one call of `list` reads, and that `addSession` returns. */
const scanLimit = 2000;
const shown = 20;
/** Events that one update makes facts of. */
const slice = 200;

/** The scope of a memory that names none: the pair that ADK uses with Memory Bank. */
const scopeOf = (owner: Owner, scope: MemoryScope | undefined): MemoryScope =>
  scope ?? { app_name: owner.app, user_id: owner.userId };

// The owner is part of the search, so that no scope can reach the memories of another user.
const searchScope = (owner: Owner, scope: MemoryScope): string =>
  canonicalJson([owner.app, owner.userId, scope]);

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
  await local.store.update([], () => ({ result: undefined, writes: [memoryPut(owner, memory)] }));
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
  const hits = await local.store.search({
    scope: searchScope(owner, scopeOf(owner, query.scope)),
    text: query.text,
    limit: query.limit,
  });
  return hits.map((hit) => ({ ...parseStored<Memory>('A memory', hit.value), score: hit.score }));
}

/**
 * Makes one fact of the text of each visible event that no earlier call has made one of. There is no model
 * here to extract facts with, and the note says so. Ids follow from the events, so that a call that was cut
 * short and repeated makes nothing twice. Events that are hidden now are noted, for a later call to find them
 * visible.
 */
export async function addSessionToMemory(
  local: Local,
  ref: SessionRef,
  options: { scope?: MemoryScope | undefined },
): Promise<MemoryAddition> {
  checkScope(options.scope);
  const head = await readHead(local, ref);
  const scope = scopeOf(ref, options.scope);
  const memories: Memory[] = [];
  let count = 0;
  for await (const { found, writes } of newFacts(local, head, scope)) {
    await local.store.update([keys.headKey(ref)], ([value]) => {
      const there = value === undefined ? undefined : tryHead(value);
      return {
        result: undefined,
        writes: [
          ...found.map((memory) => memoryPut(ref, memory)),
          // The marks of a session that was deleted meanwhile are gone; its memories stay.
          ...(there?.uid === head.uid ? writes : []),
        ],
      };
    });
    count += found.length;
    memories.push(...found.slice(0, shown - memories.length));
  }
  return {
    memories,
    count,
    note: 'Every new text of the session became one fact, unchanged; no model extracted or merged facts.',
  };
}

interface NewFacts {
  found: Memory[];
  /** Marks on the session, so that the next call begins where this one ended. */
  writes: Write[];
}

/** Slice by slice: hidden events of earlier calls that are visible now, then the events after the mark. */
async function* newFacts(local: Local, head: Head, scope: MemoryScope): AsyncGenerator<NewFacts, void> {
  const { store } = local;
  const scopeText = canonicalJson(scope);
  const events = keys.events(head.uid);
  const passedOver = keys.passedOver(head.uid, scopeText);
  for (let after: string | undefined; ; ) {
    const notes = await store.range({ prefix: passedOver, after, limit: slice });
    const last = notes.at(-1);
    if (last === undefined) break;
    after = last.key;
    const values = await store.get(notes.map((note) => events + note.key.slice(passedOver.length)));
    const done = notes.flatMap((note, i) => {
      const record = values[i] === undefined ? undefined : parseRecord(values[i]);
      return record?.event.hidden === true ? [] : [{ note, record }];
    });
    if (done.length > 0)
      yield {
        found: done.flatMap(({ note, record }) =>
          record === undefined ? [] : factsOf(head, record, seqOfKey(note.key), scope, local.now()),
        ),
        writes: done.map(({ note }) => ({ drop: note.key })),
      };
  }
  const markKey = keys.memoryMarkKey(head.uid, scopeText);
  const [mark] = await store.get([markKey]);
  for (let after = mark === undefined ? undefined : events + mark; ; ) {
    const rows = await store.range({ prefix: events, after, limit: slice });
    const last = rows.at(-1);
    if (last === undefined) break;
    after = last.key;
    const records = rows.map((row) => parseRecord(row.value));
    yield {
      found: records.flatMap((record, i) =>
        factsOf(head, record, seqOfKey(rows[i]?.key ?? ''), scope, local.now()),
      ),
      writes: [
        ...rows.flatMap((row, i) =>
          records[i]?.event.hidden === true
            ? [{ key: passedOver + row.key.slice(events.length), value: '' }]
            : [],
        ),
        { key: markKey, value: last.key.slice(events.length) },
      ],
    };
  }
}

function factsOf(head: Head, { event }: EventRecord, seq: number, scope: MemoryScope, now: number): Memory[] {
  const text = textOf(event).trim();
  if (text === '' || event.hidden === true || event.partial === true) return [];
  const time = toTime(now);
  // Events of one session have different ids even when all are of one millisecond.
  const suffix = Number.parseInt(keys.hash(canonicalJson([head.uid, scope])).slice(0, 8), 16) + seq;
  return [
    {
      id: timedId('m', Date.parse(event.timestamp), suffix),
      fact: preview(text, maxFactLength - 1),
      scope,
      createTime: event.timestamp,
      updateTime: time,
      source: { sessionId: head.id, eventId: event.id, author: event.author },
    },
  ];
}
