import type { Direction } from '../../embeddings/vector.ts';
import { newLongId } from '../../model/ids.ts';
import type { Entry, Write } from '../../store/types.ts';
import type { EmbedJob } from './embed-batches.ts';
import { indexedText } from './event-text.ts';
import { eventRows, seqOfKey, tryRecord } from './events.ts';
import * as keys from './keys.ts';
import { type Head, isExpired, type Local, refOf, tryHead } from './session-record.ts';
import { logText, markOf, markText, type VectorMark, vectorOf, vectorText } from './vector-record.ts';

/** Events that are read at once. */
const slice = 64;
const headsAtOnce = 200;

/** A session that has events without vectors. */
export interface SessionToEmbed {
  head: Head;
  /** As it is stored. */
  mark: string | undefined;
}

/** Sessions that were written to since a time and whose events do not all have vectors of the model. */
export async function* sessionsToEmbed(
  local: Local,
  tag: string,
  since: number,
): AsyncGenerator<SessionToEmbed, void> {
  const pages = since <= 0 ? allHeads(local) : changedHeads(local, since);
  for await (const values of pages) {
    const heads = values.flatMap((value) => (value === undefined ? undefined : tryHead(value)) ?? []);
    const marks = await local.store.get(heads.map((head) => keys.vectorMarkKey(refOf(head), head.uid)));
    for (const [i, head] of heads.entries())
      if (!isExpired(head, local.now()) && textsWithout(head, markOf(tag, marks[i])) > 0)
        yield { head, mark: marks[i] };
  }
}

/** How many events of a session wait for vectors, at most. One that was edited is looked through for them. */
export function textsWithout(head: Head, mark: VectorMark | undefined): number {
  const waiting = head.next - (mark?.next ?? 0);
  return mark === undefined || mark.edits === (head.edits ?? 0) ? waiting : Math.max(1, waiting);
}

async function* allHeads(local: Local): AsyncGenerator<string[], void> {
  for (let after: string | undefined; ; ) {
    const rows = await local.store.range({ prefix: keys.allHeads, after, limit: headsAtOnce });
    after = rows.at(-1)?.key;
    if (after === undefined) return;
    yield rows.map(({ value }) => value);
  }
}

async function* changedHeads(local: Local, since: number): AsyncGenerator<(string | undefined)[], void> {
  // A session that is written to meanwhile moves to the end, and is a later round's.
  const before = keys.fixed(local.now() + 1);
  for (let app: string | undefined; ; ) {
    const [row] = await local.store.range({ prefix: keys.allApps, after: app, limit: 1 });
    if (row === undefined) return;
    app = row.key;
    const name = keys.partsOf(app)[1] ?? '';
    const prefix = keys.appList(name, 'updateTime');
    for (let after = prefix + keys.fixed(since); ; ) {
      const rows = await local.store.range({ prefix, after, before: prefix + before, limit: headsAtOnce });
      const last = rows.at(-1);
      if (last === undefined) break;
      after = last.key;
      yield local.store.get(
        rows.map(({ key }) => {
          const [userId = '', sessionId = ''] = keys.partsOf(key).slice(-2);
          return keys.headKey({ app: name, userId, sessionId });
        }),
      );
    }
  }
}

/**
 * The work on one session, slice by slice in the order of its events. In one that was edited, events may have been shown
 * again, and others hidden by a program that knows no vectors: all are looked through.
 */
export async function* embedSession(
  local: Local,
  tag: string,
  { head, mark }: SessionToEmbed,
): AsyncGenerator<EmbedJob, void> {
  const known = markOf(tag, mark);
  const edits = head.edits ?? 0;
  const whole = known !== undefined && known.edits !== edits;
  let before = mark;
  let next = known === undefined || whole ? 0 : known.next;
  for (;;) {
    const rows = await eventRows(local, head.uid, {
      first: 0,
      cursor: next - 1,
      reverse: false,
      limit: slice,
    });
    const last = rows.at(-1);
    if (last === undefined) break;
    next = seqOfKey(last.key) + 1;
    const vectors = whole ? await local.store.get(rows.map((row) => vectorKeyOf(head, row))) : [];
    const texts = rows.flatMap((row, i) => {
      const text = textOf(head, row);
      const there = vectors[i] !== undefined && vectorOf(tag, vectors[i]) !== undefined;
      return text === undefined || there ? [] : [{ row, text }];
    });
    const drops = rows.flatMap((row, i) =>
      vectors[i] !== undefined && textOf(head, row) === undefined ? [{ drop: vectorKeyOf(head, row) }] : [],
    );
    if (texts.length === 0 && drops.length === 0) continue;
    const after = whole ? before : markText({ tag, next, edits });
    yield jobOf(local, tag, head, { before, after, texts, drops });
    before = after;
  }
  const done = markText({ tag, next: Math.max(next, head.next), edits });
  if (done !== before)
    yield jobOf(local, tag, head, { before, after: done, texts: [], drops: [], told: whole });
}

const vectorKeyOf = (head: Head, row: Entry): string => keys.vectorKey(head.uid, seqOfKey(row.key));

function textOf(head: Head, row: Entry): string | undefined {
  const record = tryRecord(row.value);
  return record === undefined ? undefined : indexedText(head, record.event)?.body;
}

interface SessionSlice {
  /** The session's mark, before and after. */
  before: string | undefined;
  after: string | undefined;
  texts: readonly { row: Entry; text: string }[];
  drops: readonly Write[];
  /** Whoever has the session's vectors in memory is to read all of them, also if none is made here. */
  told?: boolean;
}

function jobOf(
  local: Local,
  tag: string,
  head: Head,
  { before, after, texts, drops, told = false }: SessionSlice,
): EmbedJob {
  const owner = refOf(head);
  const markKey = keys.vectorMarkKey(owner, head.uid);
  const logKey = keys.vectorLogKey(owner);
  const logId = newLongId('x', local.now());
  return {
    texts: texts.map(({ text }) => text),
    /**
     * Nothing is written where the session is gone or another process has done this; no vector of an event that has
     * changed.
     */
    write: (directions: readonly (Direction | undefined)[]) =>
      local.store.update(
        [keys.headKey(owner), markKey, logKey, ...texts.map(({ row }) => row.key)],
        ([headValue, mark, log, ...events]) => {
          const there = headValue === undefined ? undefined : tryHead(headValue);
          if (there?.uid !== head.uid || mark !== before) return { result: undefined, writes: [] };
          const puts = texts.flatMap(({ row }, i) => {
            const direction = directions[i];
            if (direction === undefined || events[i] !== row.value) return [];
            return [{ key: vectorKeyOf(head, row), value: vectorText(tag, direction) }];
          });
          return {
            result: undefined,
            writes: [
              ...puts,
              ...drops,
              ...(after === undefined ? [] : [{ key: markKey, value: after }]),
              ...(puts.length === 0 && !told
                ? []
                : [{ key: logKey, value: logText(log, logId, [head.uid]) }]),
            ],
          };
        },
      ),
  };
}
