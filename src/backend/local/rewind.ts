import { SessionError } from '../../errors.ts';
import { compact, type Event } from '../../model/event.ts';
import type { Write } from '../../store/types.ts';
import { eventNotFound } from '../shared/errors.ts';
import type { Guard, Rewound, SessionRef } from '../types.ts';
import { type CallRow, callsAt } from './calls-at.ts';
import { parseStored } from './damage.ts';
import { type EventRecord, type EventTrace, rewound as reason } from './event-record.ts';
import { indexedText } from './event-text.ts';
import { parseRecord, readEvent, seqOf, seqOfKey } from './events.ts';
import * as keys from './keys.ts';
import { type LogEntry, logOf, stateAfter } from './session-log.ts';
import {
  checkGuard,
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
import { signals } from './turn-record.ts';

/** Events that one rewinding undoes: they change in one transaction. */
const mostEvents = 5000;

/** What a rewinding replaced, for the way back. */
interface Undo {
  /** The events that it hid or undid, by their numbers, and how they were before. */
  events: ({ seq: number } & Pick<Event, 'hidden' | 'hideReason'> & Pick<EventRecord, 'undone'>)[];
  /** Numbers of the traces of deleted events that it undid. */
  traces: number[];
  /** As in the head that it left: no event has come and nothing was changed since. */
  next: number;
  edits: number;
  state?: string | undefined;
  last: Pick<Head, 'last' | 'lastAt' | 'invocationId' | 'turn'>;
  /** Rows of tool calls as they were. */
  calls: CallRow[];
}

/**
 * Hides the events after one, and sets the session's own state and its open tool calls to what they were right after
 * it, in one update. A turn that one of these events handed over is withdrawn. Nothing is destroyed: `undoRewind`
 * takes it back.
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
    const { seq } = await seqOf(local, uid, eventId);
    const target = await readEvent(local, uid, seq);
    if (target === undefined) throw eventNotFound();
    if (target.undone !== undefined) throw rewoundAway();
    const { event } = target;
    const later: LogEntry[] = [];
    for await (const entry of logOf(local, uid, seen.next, seq + 1)) {
      // What was rewound before may have been shown again.
      if (entry.undone === undefined || isVisible(entry)) later.push(entry);
      if (later.length > mostEvents) throw tooMany();
    }
    const state = stateText(await stateAfter(local, uid, seq));
    const calls = await callsAt(local, uid, seq);
    const last = event.hidden === true ? await lastVisibleUpTo(local, uid, seq) : { seq, event };
    const now = local.now();
    const changing = later.map((entry) => rowKey(uid, entry));
    const rewound = await local.store.update(
      [keys.headKey(ref), keys.stateKey(uid), ...calls.map(({ key }) => key), ...changing],
      ([headValue, stateBefore, ...values]) => {
        const before = parseHead(headValue, now);
        checkGuard(before, guard, now);
        if (!isSame(before, seen)) return { result: undefined, writes: [] };
        const head: Head = {
          ...edited(before, now),
          ...(last === undefined ? { last: undefined, lastAt: undefined } : lastOf(last.event, last.seq)),
          invocationId: event.invocationId,
          turn: before.turn !== undefined && before.turn.seq > seq ? undefined : before.turn,
        };
        const undo: Undo = {
          events: later.flatMap(({ seq: at, event: one, undone }) =>
            one === undefined ? [] : [{ seq: at, hidden: one.hidden, hideReason: one.hideReason, undone }],
          ),
          traces: later.flatMap(({ seq: at, event: one }) => (one === undefined ? [at] : [])),
          next: head.next,
          edits: head.edits ?? 0,
          state: stateBefore,
          last: {
            last: before.last,
            lastAt: before.lastAt,
            invocationId: before.invocationId,
            turn: before.turn,
          },
          calls: calls.map(({ key }, i) => ({ key, value: values[i] })),
        };
        const rows = values.slice(calls.length);
        return {
          result: {
            events: later.filter(isVisible).length,
            session: toMark(head),
          },
          writes: [
            ...headWrites(before, head),
            ...later.flatMap(({ event: one }, i) =>
              one === undefined
                ? traceWrite(changing[i] ?? '', rows[i], head.next)
                : hideWrite(head, changing[i] ?? '', rows[i]),
            ),
            ...stateWrites(head, state),
            ...calls.map(callWrite),
            { key: keys.undoKey(uid), value: JSON.stringify(undo) },
          ],
        };
      },
    );
    if (rewound !== undefined) return rewound;
  }
}

/**
 * Takes the last rewinding back, as long as the session is as that left it.
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
    const eventKeys = undo.events.map(({ seq }) => keys.eventKey(uid, seq));
    const traceKeys = undo.traces.map((seq) => keys.traceKey(uid, seq));
    const undone = await local.store.update(
      [keys.headKey(ref), keys.undoKey(uid), ...eventKeys, ...traceKeys],
      ([headValue, there, ...rows]) => {
        const before = parseHead(headValue, now);
        checkGuard(before, guard, now);
        if (before.uid !== uid || there !== text) return { result: undefined, writes: [] };
        if (before.next !== undo.next || before.edits !== undo.edits) throw changedSince();
        const head: Head = { ...edited(before, now), ...undo.last };
        return {
          result: {
            events: undo.events.filter(({ hidden }) => hidden !== true).length,
            session: toMark(head),
          },
          writes: [
            ...headWrites(before, head),
            ...undo.events.flatMap((was, i) => showWrite(head, eventKeys[i] ?? '', rows[i], was)),
            ...traceKeys.flatMap((key, i) => traceWrite(key, rows[eventKeys.length + i], undefined)),
            ...stateWrites(head, undo.state ?? '{}'),
            ...(head.turn === undefined ? [] : signals(head, head.turn, now)),
            ...undo.calls.map(callWrite),
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

const isVisible = ({ event }: LogEntry): boolean => event !== undefined && event.hidden !== true;

const rowKey = (uid: string, { seq, event }: LogEntry): string =>
  event === undefined ? keys.traceKey(uid, seq) : keys.eventKey(uid, seq);

/** The write that hides an event and notes that what it did is undone. */
function hideWrite(head: Head, key: string, value: string | undefined): Write[] {
  if (value === undefined) return [];
  const record = parseRecord(value);
  const event: Event = { ...record.event, hidden: true, hideReason: reason };
  return [
    eventWrite(head, key, { ...record, event, undone: record.undone ?? head.next }),
    { drop: keys.vectorKey(head.uid, seqOfKey(key)) },
  ];
}

/** The write that takes `hideWrite` back. */
function showWrite(head: Head, key: string, value: string | undefined, was: Undo['events'][number]): Write[] {
  if (value === undefined) return [];
  const record = parseRecord(value);
  const { hidden, hideReason, undone } = was;
  return [
    eventWrite(head, key, { ...record, event: compact({ ...record.event, hidden, hideReason }), undone }),
  ];
}

const eventWrite = (head: Head, key: string, record: EventRecord): Write => ({
  key,
  value: JSON.stringify(record),
  text: indexedText(head, record.event),
});

/** The write that notes in the trace of a deleted event whether what it did is undone. */
function traceWrite(key: string, value: string | undefined, undone: number | undefined): Write[] {
  if (value === undefined) return [];
  const trace = parseStored<EventTrace>('The trace of an event', value);
  return [{ key, value: JSON.stringify({ ...trace, undone } satisfies EventTrace) }];
}

/** A state that is set whole is also a base for forks: see `updateSession`. */
const stateWrites = (head: Head, text: string): Write[] => [
  { key: keys.stateKey(head.uid), value: text },
  { key: keys.baseStateKey(head.uid, head.next), value: text },
];

const callWrite = ({ key, value }: CallRow): Write => (value === undefined ? { drop: key } : { key, value });

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

const tooMany = (): SessionError =>
  new SessionError('RESOURCE_EXHAUSTED', `More than ${mostEvents} events are too many to rewind at once.`, {
    hint: 'Rewind to a later event first, or fork the session up to this event.',
  });

const rewoundAway = (): SessionError =>
  new SessionError('FAILED_PRECONDITION', 'A rewinding has taken this event away.', {
    hint: 'Rewind to an event before it, take the last rewinding back with undo, or fork the session up to this event.',
  });

const nothingToUndo = (): SessionError =>
  new SessionError('FAILED_PRECONDITION', 'The session was not rewound.', {
    hint: 'Give toEventId, the last event that is to stay.',
  });

const changedSince = (): SessionError =>
  new SessionError(
    'FAILED_PRECONDITION',
    'Events have been added since the session was rewound, or it was changed.',
    {
      hint: 'Show single events again with set_event_visibility; list_events with includeHidden shows them.',
    },
  );
