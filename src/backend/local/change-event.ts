import { SessionError } from '../../errors.ts';
import type { Event } from '../../model/event.ts';
import type { Write } from '../../store/types.ts';
import { callsOf } from '../shared/call-rules.ts';
import { eventNotFound } from '../shared/errors.ts';
import type { Guard, SessionRef } from '../types.ts';
import type { OpenCall } from './call-record.ts';
import { parseStored } from './damage.ts';
import { type EventRecord, traceOf } from './event-record.ts';
import { indexedText } from './event-text.ts';
import {
  deletedMark,
  eventRows,
  findEvent,
  leastRead,
  mostRead,
  parseRecord,
  placeKeys,
  placeOf,
  seqOf,
  seqOfKey,
  tryRecord,
} from './events.ts';
import * as keys from './keys.ts';
import {
  checkGuard,
  edited,
  type Head,
  headWrites,
  type Local,
  lastOf,
  lastSeqIn,
  parseHead,
  readHead,
} from './session-record.ts';

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
  await changeEvent(local, ref, eventId, guard, () => undefined).catch(async (error: unknown) => {
    const damage = error instanceof SessionError && error.code === 'FAILED_PRECONDITION';
    if (!damage || !(await deleteDamagedEvent(local, ref, eventId, guard))) throw error;
  });
}

/**
 * Deletes an event whose record cannot be read, so that it does not keep callers from all others. What it did to
 * the state is known to the present state alone. False when the record can be read.
 */
async function deleteDamagedEvent(
  local: Local,
  ref: SessionRef,
  eventId: string,
  guard: Guard,
): Promise<boolean> {
  const now = local.now();
  for (;;) {
    const seen = await readHead(local, ref);
    const { uid } = seen;
    const { seq } = await seqOf(local, uid, eventId);
    const lastSeq = await lastSeqOf(local, seen);
    const previous = seq === lastSeq ? await lastVisibleBefore(local, uid, seq) : undefined;
    const deleted = await local.store.update(
      [keys.headKey(ref), keys.eventKey(uid, seq)],
      ([headValue, value]) => {
        const before = parseHead(headValue, now);
        if (before.uid !== uid) return { result: undefined, writes: [] };
        checkGuard(before, guard, now);
        if (value === undefined) throw eventNotFound();
        if (tryRecord(value) !== undefined) return { result: false, writes: [] };
        const last = lastAfter(before, seen, lastSeq, seq, undefined, previous);
        if (last === undefined) return { result: undefined, writes: [] };
        return {
          result: true,
          writes: [
            ...headWrites(before, { ...edited(before, now), count: before.count - 1, ...last }),
            { drop: keys.eventKey(uid, seq) },
            { drop: keys.vectorKey(uid, seq) },
            { key: keys.eventIdKey(uid, eventId), value: `${deletedMark}${seq}` },
          ],
        };
      },
    );
    if (deleted !== undefined) return deleted;
  }
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
    const { seq, event } = await findEvent(local, uid, eventId);
    const lastSeq = await lastSeqOf(local, seen);
    // The visible event before is needed only when the last visible one disappears.
    const previous = seq === lastSeq ? await lastVisibleBefore(local, uid, seq) : undefined;
    const ids = callsOf(event).map((call) => call.id);
    const changed = await local.store.update(
      [keys.headKey(ref), keys.eventKey(uid, seq), ...ids.map((id) => keys.openCallKey(uid, id))],
      ([headValue, value, ...calls]) => {
        const before = parseHead(headValue, now);
        if (before.uid !== uid) return { result: undefined, writes: [] };
        checkGuard(before, guard, now);
        if (value === undefined) throw eventNotFound();
        const record = parseRecord(value);
        const next = change(record);
        const last = lastAfter(before, seen, lastSeq, seq, next?.event, previous);
        if (last === undefined) return { result: undefined, writes: [] };
        const head: Head = {
          ...edited(before, now),
          count: next === undefined ? before.count - 1 : before.count,
          ...last,
        };
        return {
          result: next?.event ?? record.event,
          writes: [
            ...headWrites(before, head),
            ...(next === undefined
              ? deletedWrites(uid, seq, record, calls)
              : [
                  {
                    key: keys.eventKey(uid, seq),
                    value: JSON.stringify(next),
                    text: indexedText(before, next.event),
                  },
                  ...(next.event.hidden === true ? [{ drop: keys.vectorKey(uid, seq) }] : []),
                ]),
          ],
        };
      },
    );
    if (changed !== undefined) return changed;
  }
}

/**
 * The last visible event once the one with the number `seq` has become `next`. Undefined where that depends on
 * events that may have changed since they were looked at.
 */
function lastAfter(
  before: Head,
  seen: Head,
  seenLast: number | undefined,
  seq: number,
  next: Event | undefined,
  previous: { seq: number; event: Event } | undefined,
): Pick<Head, 'last' | 'lastAt'> | undefined {
  // Where a head knows the event without its number, that was looked up with the head.
  const lastSeq = lastSeqIn(before) ?? (before.last?.id === seen.last?.id ? seenLast : undefined);
  if (before.last !== undefined && lastSeq === undefined) return undefined;
  const visible = next !== undefined && next.hidden !== true;
  if (visible && (lastSeq === undefined || seq >= lastSeq)) return lastOf(next, seq);
  if (visible || seq !== lastSeq) return { last: before.last, lastAt: before.lastAt };
  if (seq !== seenLast || (before.edits ?? 0) !== (seen.edits ?? 0)) return undefined;
  return previous === undefined
    ? { last: undefined, lastAt: undefined }
    : lastOf(previous.event, previous.seq);
}

async function lastSeqOf(local: Local, head: Head): Promise<number | undefined> {
  const known = lastSeqIn(head);
  if (known !== undefined || head.last === undefined) return known;
  const values = await local.store.get(placeKeys(head.uid, head.last.id));
  // An event that cannot be found counts as older than all others.
  return placeOf(head.uid, head.last.id, values)?.seq ?? -1;
}

async function lastVisibleBefore(
  local: Local,
  uid: string,
  seq: number,
): Promise<{ seq: number; event: Event } | undefined> {
  let cursor = seq;
  for (let limit = leastRead; ; limit = Math.min(2 * limit, mostRead)) {
    const rows = await eventRows(local, uid, { first: 0, cursor, reverse: true, limit });
    for (const row of rows) {
      const event = tryRecord(row.value)?.event;
      if (event !== undefined && event.hidden !== true) return { seq: seqOfKey(row.key), event };
      cursor = seqOfKey(row.key);
    }
    if (rows.length < limit) return undefined;
  }
}

/** The writes that delete an event. What it did to the state and to tool calls stays, for forks to find. */
function deletedWrites(
  uid: string,
  seq: number,
  record: EventRecord,
  openCalls: readonly (string | undefined)[],
): Write[] {
  const trace = traceOf(record);
  const open = openCalls.flatMap((call) =>
    call === undefined ? [] : [parseStored<OpenCall>('An open tool call', call)],
  );
  return [
    { drop: keys.eventKey(uid, seq) },
    { drop: keys.vectorKey(uid, seq) },
    { key: keys.eventIdKey(uid, record.event.id), value: `${deletedMark}${seq}` },
    ...(trace === undefined ? [] : [{ key: keys.traceKey(uid, seq), value: JSON.stringify(trace) }]),
    // An id may have been used again by a later event, whose call is not this one's.
    ...open.filter((call) => call.seq === seq).map((call) => ({ drop: keys.openCallKey(uid, call.id) })),
  ];
}
