import { SessionError } from '../../errors.ts';
import type { Event } from '../../model/event.ts';
import type { Entry, Write } from '../../store/types.ts';
import type { Guard, Rewound, SessionRef } from '../types.ts';
import { answersOf, callsOf, callWrites, noCalls } from './call-record.ts';
import { parseStored } from './damage.ts';
import type { EventRecord } from './event-record.ts';
import { indexedText } from './event-text.ts';
import { findEvent, parseRecord, seqOfKey } from './events.ts';
import * as keys from './keys.ts';
import { logOf, rowsOf, stateAfter } from './session-log.ts';
import {
  checkRevision,
  edited,
  type Head,
  headWrites,
  type Local,
  lastOf,
  parseHead,
  readHead,
  toMark,
} from './session-record.ts';
import { stateText } from './state-record.ts';

/** Events that one rewinding hides: they change in one transaction. */
const mostEvents = 5000;
const reason = 'rewound';

/** What a rewinding replaced, for the way back. */
interface Undo {
  /** Numbers of the events that it hid. */
  hidden: number[];
  /** The number that the next event had. No event may have come since. */
  next: number;
  state?: string | undefined;
  last: Pick<Head, 'last' | 'lastAt' | 'invocationId'>;
  /** Rows of tool calls as they were; undefined where there was none. */
  calls: { key: string; value?: string | undefined }[];
}

/**
 * Hides the events after one, and sets the session's own state and its open tool calls to what they were right after
 * it, in one update. Nothing is destroyed: `undoRewind` takes it back.
 */
export async function rewindSession(
  local: Local,
  ref: SessionRef,
  eventId: string,
  guard: Guard = {},
): Promise<Rewound> {
  for (;;) {
    const seen = await readHead(local, ref);
    if (seen.run !== undefined) throw runGoesOn();
    const { uid } = seen;
    const { seq, event } = await findEvent(local, uid, eventId);
    const hidden: number[] = [];
    for await (const row of rowsOf(local, keys.events(uid), seq + 1, seen.next))
      if (parseRecord(row.value).event.hidden !== true) hidden.push(row.seq);
    if (hidden.length > mostEvents) throw tooMany(hidden.length);
    const state = stateText(await stateAfter(local, uid, seq));
    const calls = await callsAt(local, uid, seq);
    const last = event.hidden === true ? await lastVisibleUpTo(local, uid, seq) : { seq, event };
    const now = local.now();
    const eventKeys = hidden.map((one) => keys.eventKey(uid, one));
    const rewound = await local.store.update(
      [keys.headKey(ref), keys.stateKey(uid), ...calls.map(({ key }) => key), ...eventKeys],
      ([headValue, stateBefore, ...values]) => {
        const before = parseHead(headValue, now);
        checkRevision(before, guard);
        if (!isSame(before, seen)) return { result: undefined, writes: [] };
        const head: Head = {
          ...edited(before, now),
          ...(last === undefined ? { last: undefined, lastAt: undefined } : lastOf(last.event, last.seq)),
          invocationId: event.invocationId,
        };
        const undo: Undo = {
          hidden,
          next: before.next,
          state: stateBefore,
          last: { last: before.last, lastAt: before.lastAt, invocationId: before.invocationId },
          calls: calls.map(({ key }, i) => ({ key, value: values[i] })),
        };
        const records = values.slice(calls.length);
        return {
          result: { events: hidden.length, session: toMark(head) },
          writes: [
            ...headWrites(before, head),
            ...eventKeys.flatMap((key, i) => visibility(head, key, records[i], true)),
            ...stateWrites(head, state),
            ...calls.map(({ key, value }): Write => (value === undefined ? { drop: key } : { key, value })),
            { key: keys.undoKey(uid), value: JSON.stringify(undo) },
          ],
        };
      },
    );
    if (rewound !== undefined) return rewound;
  }
}

/**
 * Takes the last rewinding back, as long as no event has come since.
 * @throws SessionError FAILED_PRECONDITION
 */
export async function undoRewind(local: Local, ref: SessionRef, guard: Guard = {}): Promise<Rewound> {
  for (;;) {
    const seen = await readHead(local, ref);
    const { uid } = seen;
    const [text] = await local.store.get([keys.undoKey(uid)]);
    if (text === undefined) throw nothingToUndo();
    const undo = parseStored<Undo>('The undo of a rewinding', text);
    const now = local.now();
    const eventKeys = undo.hidden.map((one) => keys.eventKey(uid, one));
    const undone = await local.store.update(
      [keys.headKey(ref), keys.undoKey(uid), ...eventKeys],
      ([headValue, there, ...records]) => {
        const before = parseHead(headValue, now);
        checkRevision(before, guard);
        if (before.uid !== uid || there !== text) return { result: undefined, writes: [] };
        if (before.next !== undo.next) throw eventsSince();
        const head: Head = { ...edited(before, now), ...undo.last };
        return {
          result: { events: undo.hidden.length, session: toMark(head) },
          writes: [
            ...headWrites(before, head),
            ...eventKeys.flatMap((key, i) => visibility(head, key, records[i], false)),
            ...stateWrites(head, undo.state ?? '{}'),
            ...undo.calls.map(
              ({ key, value }): Write => (value === undefined ? { drop: key } : { key, value }),
            ),
            { drop: keys.undoKey(uid) },
          ],
        };
      },
    );
    if (undone !== undefined) return undone;
  }
}

const isSame = (head: Head, seen: Head): boolean =>
  head.uid === seen.uid && head.next === seen.next && (head.edits ?? 0) === (seen.edits ?? 0);

/** The write that hides an event, or shows one again that a rewinding hid. */
function visibility(head: Head, key: string, value: string | undefined, hide: boolean): Write[] {
  if (value === undefined) return [];
  const record = parseRecord(value);
  const { hidden, hideReason, ...event } = record.event;
  if (hide ? hidden === true : hideReason !== reason) return [];
  const next: EventRecord = {
    ...record,
    event: hide ? { ...event, hidden: true, hideReason: reason } : event,
  };
  return [{ key, value: JSON.stringify(next), text: indexedText(head, next.event) }];
}

/** A state that is set whole is also a base for forks: see `updateSession`. */
const stateWrites = (head: Head, text: string): Write[] => [
  { key: keys.stateKey(head.uid), value: text },
  { key: keys.baseStateKey(head.uid, head.next), value: text },
];

/** The rows of tool calls that were others right after an event, as they were then. */
async function callsAt(local: Local, uid: string, seq: number): Promise<Undo['calls']> {
  const then = noCalls();
  for await (const { seq: at, event, trace } of logOf(local, uid, seq + 1))
    callWrites(uid, at, event === undefined ? [] : callsOf(event), trace?.answers ?? answersIn(event), then);
  const rows: Undo['calls'] = [];
  const open = new Set<string>();
  for await (const { key, value } of allRows(local, keys.openCalls(uid))) {
    const id = keys.partsOf(key).at(-1) ?? '';
    open.add(id);
    if (!then.open.has(id)) rows.push({ key });
    else if (JSON.stringify(then.open.get(id)) !== value)
      rows.push({ key, value: JSON.stringify(then.open.get(id)) });
  }
  for (const [id, call] of then.open)
    if (!open.has(id)) rows.push({ key: keys.openCallKey(uid, id), value: JSON.stringify(call) });
  for await (const { key, value } of allRows(local, keys.answeredCalls(uid)))
    if (Number(value) > seq) rows.push({ key });
  return rows;
}

const answersIn = (event: Event | undefined) => (event === undefined ? [] : answersOf(event));

async function* allRows(local: Local, prefix: string): AsyncGenerator<Entry, void> {
  for (let after: string | undefined; ; ) {
    const rows = await local.store.range({ prefix, after, limit: 500 });
    yield* rows;
    after = rows.at(-1)?.key;
    if (after === undefined) return;
  }
}

async function lastVisibleUpTo(
  local: Local,
  uid: string,
  seq: number,
): Promise<{ seq: number; event: Event } | undefined> {
  for (let before = keys.eventKey(uid, seq); ; ) {
    const [row] = await local.store.range({ prefix: keys.events(uid), before, limit: 1, reverse: true });
    if (row === undefined) return undefined;
    const { event } = parseRecord(row.value);
    if (event.hidden !== true) return { seq: seqOfKey(row.key), event };
    before = row.key;
  }
}

const runGoesOn = (): SessionError =>
  new SessionError('ABORTED', 'An agent runs in this session.', {
    hint: 'Wait for its end with wait_for_events, then rewind again.',
  });

const tooMany = (count: number): SessionError =>
  new SessionError(
    'RESOURCE_EXHAUSTED',
    `${count} events are too many to rewind at once; at most ${mostEvents} are.`,
    {
      hint: 'Rewind to a later event first, or fork the session up to this event.',
    },
  );

const nothingToUndo = (): SessionError =>
  new SessionError('FAILED_PRECONDITION', 'The session was not rewound.', {
    hint: 'Give toEventId, the last event that is to stay.',
  });

const eventsSince = (): SessionError =>
  new SessionError('FAILED_PRECONDITION', 'Events have been added since the session was rewound.', {
    hint: 'Show single events again with set_event_visibility; list_events with includeHidden shows them.',
  });
