import { textOf } from '../../model/event.ts';
import { canonicalJson } from '../../model/json.ts';
import type { Memory, MemoryScope } from '../../model/memory.ts';
import { isSmallTalk } from '../../model/small-talk.ts';
import { preview } from '../../model/text.ts';
import { toTime } from '../../model/time.ts';
import type { Write } from '../../store/types.ts';
import { checkScope } from '../shared/rules.ts';
import type { FactChoice, MemoryAddition, SessionRef } from '../types.ts';
import type { EventRecord } from './event-record.ts';
import { eventRows, parseRecord, seqOfKey } from './events.ts';
import { factId } from './fact-id.ts';
import * as keys from './keys.ts';
import { maxFactLength } from './limits.ts';
import { newMemoryWrites, scopeOf } from './memory.ts';
import { type Head, type Local, readHead, refOf, tryHead } from './session-record.ts';

/** Memories that one answer shows. */
const shown = 20;
/** Events that one update makes facts of. */
const slice = 200;

/**
 * Makes one fact of the text of each visible event that no earlier call has made one of. There is no model
 * here to extract facts with, and the note says so. Ids follow from the events, so that a call that was cut
 * short and repeated makes nothing twice. Events that are hidden now are noted, for a later call to find them
 * visible.
 */
export async function addSessionToMemory(
  local: Local,
  ref: SessionRef,
  options: FactChoice,
): Promise<MemoryAddition> {
  checkScope(options.scope);
  const head = await readHead(local, ref);
  const scope = scopeOf(ref, options.scope);
  const memories: Memory[] = [];
  let count = 0;
  for await (const { found, writes } of factsToMake(local, head, scope, options.numbers)) {
    await local.store.update([keys.headKey(ref)], ([value]) => {
      const there = value === undefined ? undefined : tryHead(value);
      return {
        result: undefined,
        writes: [
          ...found.flatMap((memory) => newMemoryWrites(local, ref, memory)),
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
    note: 'Every new text of the session became one fact, unchanged, but for such as "ok" and "thank you"; no model extracted or merged facts.',
  };
}

/** How many facts `addSessionToMemory` would make now. */
export async function countFacts(local: Local, ref: SessionRef, options: FactChoice): Promise<number> {
  checkScope(options.scope);
  const head = await readHead(local, ref);
  let count = 0;
  for await (const { found } of factsToMake(local, head, scopeOf(ref, options.scope), options.numbers))
    count += found.length;
  return count;
}

/** The facts that are not stored yet. Those of a range may be, since it moves no mark. */
async function* factsToMake(
  local: Local,
  head: Head,
  scope: MemoryScope,
  numbers: FactChoice['numbers'],
): AsyncGenerator<NewFacts, void> {
  const slices =
    numbers === undefined ? newFacts(local, head, scope) : factsInRange(local, head, scope, numbers);
  for await (const { found, writes } of slices) {
    const stored = await local.store.get(found.map(({ id }) => keys.memoryKey(refOf(head), id)));
    yield { found: found.filter((_, i) => stored[i] === undefined), writes };
  }
}

/** The facts of a range of events. What comes before the range stays to be made. */
async function* factsInRange(
  local: Local,
  head: Head,
  scope: MemoryScope,
  { first, last }: NonNullable<FactChoice['numbers']>,
): AsyncGenerator<NewFacts, void> {
  const end = last ?? head.next;
  for (let cursor = first - 2; ; ) {
    const rows = await eventRows(local, head.uid, { first: 0, end, cursor, reverse: false, limit: slice });
    const lastRow = rows.at(-1);
    if (lastRow === undefined) return;
    cursor = seqOfKey(lastRow.key);
    yield {
      found: rows.flatMap((row) =>
        factsOf(head, parseRecord(row.value), seqOfKey(row.key), scope, local.now()),
      ),
      writes: [],
    };
  }
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
  if (text === '' || isSmallTalk(text) || event.hidden === true || event.partial === true) return [];
  const time = toTime(now);
  return [
    {
      id: factId(head.uid, scope, event.timestamp, seq),
      fact: preview(text, maxFactLength - 1),
      scope,
      createTime: event.timestamp,
      updateTime: time,
      source: { sessionId: head.id, eventId: event.id, author: event.author },
    },
  ];
}
