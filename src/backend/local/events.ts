import { quote, SessionError } from '../../errors.ts';
import type { Event } from '../../model/event.ts';
import { checkId } from '../../model/ids.ts';
import { isObject } from '../../model/json.ts';
import { parseTime } from '../../model/time.ts';
import type { Entry } from '../../store/types.ts';
import { eventNotFound, sessionNotFound } from '../shared/errors.ts';
import type { EventPage, EventQuery, SessionRef } from '../types.ts';
import type { OpenCall } from './call-record.ts';
import { damaged, parseInside } from './damage.ts';
import { eventIdAt, seqOfEventId } from './event-id.ts';
import type { EventRecord } from './event-record.ts';
import * as keys from './keys.ts';
import { type Head, type Local, readHead } from './session-record.ts';

/**
 * One call of `list` reads at most this many bytes of events once it has found one to show. Hidden events alone
 * never end a page: whoever waits for the next event would take an empty page for its absence.
 */
const scanBytes = 8 * 1024 * 1024;
/** Events that are read at a time: more as more of them turn out to be hidden. */
export const leastRead = 32;
export const mostRead = 512;

/** What the index from event ids holds for an event that was deleted: its id is not free again. */
export const deletedMark = '-';

/** @throws SessionError FAILED_PRECONDITION when the row is no event; NOT_FOUND for a session that is being deleted */
export function parseRecord(value: string): EventRecord {
  const record = parseInside<EventRecord>('An event', value);
  if (!isObject(record.event) || typeof record.event.id !== 'string') throw damaged('An event');
  return record;
}

/** A record for work that can continue without it; undefined when it is damaged. */
export function tryRecord(value: string): EventRecord | undefined {
  try {
    return parseRecord(value);
  } catch {
    return undefined;
  }
}

/** Open tool calls, oldest first; at most 1,000. */
export async function readOpenCalls(local: Local, uid: string): Promise<OpenCall[]> {
  const rows = await local.store.range({ prefix: keys.openCalls(uid), limit: 1000 });
  return rows
    .map((row) => parseInside<OpenCall>('An open tool call', row.value))
    .sort((a, b) => a.seq - b.seq || a.place - b.place);
}

/**
 * Names the event of a row that is damaged. One that is blank belongs to a session that is being deleted.
 * @throws SessionError FAILED_PRECONDITION; NOT_FOUND for a session that is being deleted
 */
export async function refuseDamaged(local: Local, uid: string, row: Entry): Promise<never> {
  if (row.value === '') throw sessionNotFound();
  const seq = String(seqOfKey(row.key));
  const prefix = keys.eventIds(uid);
  for (let after: string | undefined; ; ) {
    const rows = await local.store.range({ prefix, after, limit: 1000 });
    const found = rows.find(({ value }) => value === seq);
    if (found !== undefined) throw damagedEvent(keys.partsOf(found.key).at(-1) ?? '');
    after = rows.at(-1)?.key;
    if (after === undefined) throw damagedEvent(eventIdAt(uid, seqOfKey(row.key)));
  }
}

const damagedEvent = (eventId: string): SessionError =>
  new SessionError('FAILED_PRECONDITION', `The event ${quote(eventId)} is damaged in the store.`, {
    hint: 'Delete it with delete_event to read the others, or ask the operator to run `agent-sessions-mcp doctor` and to restore a backup.',
    details: { eventId },
  });

export async function readEvent(local: Local, uid: string, seq: number): Promise<EventRecord | undefined> {
  const [value] = await local.store.get([keys.eventKey(uid, seq)]);
  return value === undefined ? undefined : parseRecord(value);
}

/** The keys that tell whether an id is known in a session, and where: their values are for `placeOf`. */
export function placeKeys(uid: string, eventId: string): string[] {
  const seq = seqOfEventId(uid, eventId);
  return [keys.eventIdKey(uid, eventId), ...(seq === undefined ? [] : [keys.eventKey(uid, seq)])];
}

/** The number of an event, deleted ones included; undefined for an id that no event has had. */
export function placeOf(
  uid: string,
  eventId: string,
  [indexed, record]: readonly (string | undefined)[],
): { seq: number; deleted: boolean } | undefined {
  // A blank row belongs to a session that is being deleted.
  if (indexed === '') return undefined;
  if (indexed !== undefined) {
    const deleted = indexed.startsWith(deletedMark);
    return { seq: Number(deleted ? indexed.slice(1) : indexed), deleted };
  }
  const seq = seqOfEventId(uid, eventId);
  if (seq === undefined || record === undefined) return undefined;
  // In its place may be an event with an id of the caller's. One that is damaged has this id for all we know.
  const there = tryRecord(record)?.event.id ?? eventId;
  return there === eventId ? { seq, deleted: false } : undefined;
}

/**
 * The number of an event, deleted ones included: they still mark a place in the order.
 * @throws SessionError NOT_FOUND
 */
export async function seqOf(
  local: Local,
  uid: string,
  eventId: string,
): Promise<{ seq: number; deleted: boolean }> {
  const values = await local.store.get(placeKeys(uid, checkId('eventId', eventId)));
  const place = placeOf(uid, eventId, values);
  if (place === undefined) throw eventNotFound();
  return place;
}

/** An event and its number. @throws SessionError NOT_FOUND */
export async function findEvent(
  local: Local,
  uid: string,
  eventId: string,
): Promise<{ seq: number; event: Event }> {
  const { seq } = await seqOf(local, uid, eventId);
  const record = await readEvent(local, uid, seq);
  if (record === undefined) throw eventNotFound();
  return { seq, event: record.event };
}

export async function getEvent(local: Local, ref: SessionRef, eventId: string): Promise<Event> {
  const head = await readHead(local, ref);
  return (await findEvent(local, head.uid, eventId)).event;
}

export async function listEvents(local: Local, ref: SessionRef, query: EventQuery): Promise<EventPage> {
  const head = await readHead(local, ref);
  const after = query.afterTime === undefined ? undefined : parseTime('afterTime', query.afterTime);
  const first = Math.max(
    query.afterEventId === undefined ? 0 : (await seqOf(local, head.uid, query.afterEventId)).seq + 1,
    after === undefined ? 0 : await firstAfterTime(local, head, after),
    (query.numbers?.first ?? 1) - 1,
  );
  const end = query.numbers?.last;
  const reverse = query.order === 'desc';
  const wanted = ({ event }: EventRecord) =>
    (query.includeHidden === true || event.hidden !== true) &&
    (query.author === undefined || event.author === query.author) &&
    (after === undefined || Date.parse(event.timestamp) > after);
  const items: Event[] = [];
  const numbers: number[] = [];
  let cursor = query.cursor === undefined ? undefined : keys.unfixed(query.cursor);
  let bytes = 0;
  for (let read = leastRead; items.length === 0 || bytes < scanBytes; read = Math.min(2 * read, mostRead)) {
    const limit = Math.min(Math.max(query.pageSize - items.length + 1, items.length === 0 ? read : 1), read);
    const rows = await eventRows(local, head.uid, { first, end, cursor, reverse, limit });
    for (const row of rows) {
      if (items.length === query.pageSize)
        return { items, numbers, cursor: cursor === undefined ? undefined : keys.fixed(cursor) };
      const record = tryRecord(row.value) ?? (await refuseDamaged(local, head.uid, row));
      if (wanted(record)) {
        items.push(record.event);
        numbers.push(seqOfKey(row.key) + 1);
        bytes += row.value.length;
      }
      cursor = seqOfKey(row.key);
    }
    if (rows.length < limit) return { items, numbers };
  }
  return { items, numbers, cursor: cursor === undefined ? undefined : keys.fixed(cursor) };
}

/** Rows of events from number `first` up to, and without, number `end`, on from a cursor. Numbers count from 0. */
export function eventRows(
  local: Local,
  uid: string,
  from: {
    first: number;
    end?: number | undefined;
    cursor: number | undefined;
    reverse: boolean;
    limit: number;
  },
): Promise<Entry[]> {
  const prefix = keys.events(uid);
  const low = from.reverse || from.cursor === undefined ? from.first : Math.max(from.first, from.cursor + 1);
  const ends = [from.end, from.reverse ? from.cursor : undefined].filter((seq) => seq !== undefined);
  return local.store.range({
    prefix,
    // The least key of a number is its own, so what comes after the number before it begins with it.
    ...(low > 0 ? { after: keys.eventKey(uid, low - 1) } : {}),
    ...(ends.length > 0 ? { before: keys.eventKey(uid, Math.min(...ends)) } : {}),
    limit: from.limit,
    reverse: from.reverse,
  });
}

export const seqOfKey = (key: string): number => keys.unfixed(key.slice(key.lastIndexOf('/') + 1));

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
