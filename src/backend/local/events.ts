import type { Event } from '../../model/event.ts';
import { checkId } from '../../model/ids.ts';
import type { Page } from '../../model/page.ts';
import { type LastEvent, previewOf } from '../../model/session.ts';
import { parseTime } from '../../model/time.ts';
import type { Entry, Write } from '../../store/types.ts';
import { eventNotFound } from '../shared/errors.ts';
import type { EventQuery, Guard, SessionRef } from '../types.ts';
import { callsOf, type EventRecord, type OpenCall } from './event-record.ts';
import * as keys from './keys.ts';
import {
  checkRevision,
  type Head,
  headWrites,
  type Local,
  parseHead,
  readHead,
  touched,
  updateNamed,
} from './session-record.ts';

/** One call of `list` reads at most this many events, and this many bytes of them. */
const scanLimit = 2000;
const scanBytes = 8 * 1024 * 1024;

/** What the index from event ids holds for an event that was deleted: its id is not free again. */
export const deletedMark = '-';

const parseRecord = (value: string): EventRecord => JSON.parse(value) as EventRecord;

/** Open tool calls, oldest first; at most 1,000. */
export async function readOpenCalls(local: Local, uid: string): Promise<OpenCall[]> {
  const rows = await local.store.range({ prefix: keys.openCalls(uid), limit: 1000 });
  return rows
    .map((row) => JSON.parse(row.value) as OpenCall)
    .sort((a, b) => a.seq - b.seq || a.place - b.place);
}

export async function readEvent(local: Local, uid: string, seq: number): Promise<EventRecord | undefined> {
  const [value] = await local.store.get([keys.eventKey(uid, seq)]);
  return value === undefined ? undefined : parseRecord(value);
}

/** The number of an event, deleted ones included: they still mark a place in the order. */
export async function seqOf(
  local: Local,
  uid: string,
  eventId: string,
): Promise<{ seq: number; deleted: boolean }> {
  const [value] = await local.store.get([keys.eventIdKey(uid, checkId('eventId', eventId))]);
  if (value === undefined) throw eventNotFound();
  const deleted = value.startsWith(deletedMark);
  return { seq: Number(deleted ? value.slice(1) : value), deleted };
}

export async function getEvent(local: Local, ref: SessionRef, eventId: string): Promise<Event> {
  const head = await readHead(local, ref);
  const { seq } = await seqOf(local, head.uid, eventId);
  const record = await readEvent(local, head.uid, seq);
  if (record === undefined) throw eventNotFound();
  return record.event;
}

export async function listEvents(local: Local, ref: SessionRef, query: EventQuery): Promise<Page<Event>> {
  const head = await readHead(local, ref);
  const after = query.afterTime === undefined ? undefined : parseTime('afterTime', query.afterTime);
  const first = Math.max(
    query.afterEventId === undefined ? 0 : (await seqOf(local, head.uid, query.afterEventId)).seq + 1,
    after === undefined ? 0 : await firstAfterTime(local, head, after),
  );
  const reverse = query.order === 'desc';
  const wanted = ({ event }: EventRecord) =>
    (query.includeHidden === true || event.hidden !== true) &&
    (after === undefined || Date.parse(event.timestamp) > after);
  const items: Event[] = [];
  let cursor = query.cursor === undefined ? undefined : keys.unfixed(query.cursor);
  let scanned = 0;
  let bytes = 0;
  while (scanned < scanLimit && bytes < scanBytes) {
    const limit = Math.min(query.pageSize - items.length + 1, 32);
    const rows = await eventRows(local, head.uid, { first, cursor, reverse, limit });
    for (const row of rows) {
      if (items.length === query.pageSize)
        return { items, cursor: cursor === undefined ? undefined : keys.fixed(cursor) };
      const record = parseRecord(row.value);
      if (wanted(record)) items.push(record.event);
      cursor = seqOfKey(row.key);
      scanned += 1;
      bytes += row.value.length;
    }
    if (rows.length < limit) return { items };
  }
  return { items, cursor: cursor === undefined ? undefined : keys.fixed(cursor) };
}

function eventRows(
  local: Local,
  uid: string,
  from: { first: number; cursor: number | undefined; reverse: boolean; limit: number },
): Promise<Entry[]> {
  const prefix = keys.events(uid);
  const low = from.reverse || from.cursor === undefined ? from.first : Math.max(from.first, from.cursor + 1);
  return local.store.range({
    prefix,
    // The least key of a number is its own, so what comes after the number before it begins with it.
    ...(low > 0 ? { after: keys.eventKey(uid, low - 1) } : {}),
    ...(from.reverse && from.cursor !== undefined ? { before: keys.eventKey(uid, from.cursor) } : {}),
    limit: from.limit,
    reverse: from.reverse,
  });
}

const seqOfKey = (key: string): number => keys.unfixed(key.slice(key.lastIndexOf('/') + 1));

/**
 * The number of the first event at which any event so far is later than `ms`, found by halving: timestamps
 * may come in any order, but their high-water mark only rises.
 */
async function firstAfterTime(local: Local, head: Head, ms: number): Promise<number> {
  let low = 0;
  let high = head.next;
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    const [row] = await eventRows(local, head.uid, {
      first: middle,
      cursor: undefined,
      reverse: false,
      limit: 1,
    });
    if (row === undefined || parseRecord(row.value).highWater > ms) high = middle;
    else low = seqOfKey(row.key) + 1;
  }
  return low;
}

export function setVisibility(
  local: Local,
  ref: SessionRef,
  eventId: string,
  hidden: boolean,
): Promise<Event> {
  return changeEvent(local, ref, eventId, {}, (record) => {
    const { hidden: _hidden, hideReason: _reason, ...event } = record.event;
    return { ...record, event: hidden ? { ...event, hidden: true, hideReason: 'manual' } : event };
  });
}

export async function deleteEvent(
  local: Local,
  ref: SessionRef,
  eventId: string,
  guard: Guard = {},
): Promise<void> {
  await changeEvent(local, ref, eventId, guard, () => undefined);
}

/** Replaces an event by what `change` makes of it, or deletes it. State that the event set stays as it is. */
export async function changeEvent(
  local: Local,
  ref: SessionRef,
  eventId: string,
  guard: Guard,
  change: (record: EventRecord) => EventRecord | undefined,
): Promise<Event> {
  const now = local.now();
  for (;;) {
    const seen = await readHead(local, ref);
    const { uid } = seen;
    const { seq } = await seqOf(local, uid, eventId);
    const tail = await eventRows(local, uid, { first: 0, cursor: undefined, reverse: true, limit: 20 });
    const changed = await updateNamed(
      local.store,
      { head: keys.headKey(ref), event: keys.eventKey(uid, seq) },
      ({ head: headValue, event: value }) => {
        const before = parseHead(headValue, now);
        // Another change than an append may have touched the tail that was read: look again.
        const stale = before.revision !== seen.revision && before.next === seen.next;
        if (before.uid !== uid || stale) return { result: undefined, writes: [] };
        checkRevision(before, guard);
        if (value === undefined) throw eventNotFound();
        const record = parseRecord(value);
        const next = change(record);
        const head: Head = {
          ...touched(before, now),
          count: next === undefined ? before.count - 1 : before.count,
          last: before.next === seen.next ? lastVisible(tail, seq, next) : before.last,
        };
        return {
          result: next?.event ?? record.event,
          writes: [...headWrites(before, head), ...recordWrites(uid, seq, record, next)],
        };
      },
    );
    if (changed !== undefined) return changed;
  }
}

function recordWrites(uid: string, seq: number, record: EventRecord, next: EventRecord | undefined): Write[] {
  if (next !== undefined) return [{ key: keys.eventKey(uid, seq), value: JSON.stringify(next) }];
  return [
    { drop: keys.eventKey(uid, seq) },
    { key: keys.eventIdKey(uid, record.event.id), value: `${deletedMark}${seq}` },
    ...callsOf(record.event).map((call) => ({ drop: keys.openCallKey(uid, call.id) })),
  ];
}

function lastVisible(
  tail: readonly Entry[],
  seq: number,
  next: EventRecord | undefined,
): LastEvent | undefined {
  for (const row of tail) {
    const record = seqOfKey(row.key) === seq ? next : parseRecord(row.value);
    if (record !== undefined && record.event.hidden !== true) return previewOf(record.event);
  }
  return undefined;
}
