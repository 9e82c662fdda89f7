import { type Content, compact, type Event, type NewEvent } from '../../model/event.ts';
import type { JsonObject } from '../../model/json.ts';
import { splitState } from '../../model/state.ts';
import { parseTime, toTime } from '../../model/time.ts';
import type { Write } from '../../store/types.ts';
import { answersOf, type CallAnswer, callsOf } from '../shared/call-rules.ts';
import { withCallIds } from '../shared/open-calls.ts';
import { callWrites, type KnownCalls } from './call-record.ts';
import { eventIdAt, invocationIdAt } from './event-id.ts';
import { indexedText } from './event-text.ts';
import * as keys from './keys.ts';
import { checkSize, maxCopiedEventBytes, maxEventBytes } from './limits.ts';
import { type Head, lastOf, touched } from './session-record.ts';

/** What is stored of an event. */
export interface EventRecord {
  /** The latest timestamp of any event up to it: see `firstAfterTime`. */
  highWater: number;
  event: Event;
  /** The number that the next event had when a rewinding undid what this one had done. */
  undone?: number | undefined;
}

/**
 * What an event did that is no longer there, or that was hidden where its session was copied from. It keeps the
 * event's number, so that a fork up to any event finds the state and the open calls as they stood then.
 */
export interface EventTrace {
  /** The session's own keys that the event set. */
  state?: JsonObject | undefined;
  answers?: CallAnswer[] | undefined;
  /** As in the record of an event. */
  undone?: number | undefined;
}

/** Why an event is hidden that a rewinding undid. */
export const rewound = 'rewound';

/** Undefined for an event that changed nothing but the list of events. */
export function traceOf({ event, undone }: Pick<EventRecord, 'event' | 'undone'>): EventTrace | undefined {
  const state = ownDelta(event);
  const answers = answersOf(event);
  if (Object.keys(state).length === 0 && answers.length === 0) return undefined;
  return {
    ...(Object.keys(state).length === 0 ? {} : { state }),
    ...(answers.length === 0 ? {} : { answers }),
    ...(undone === undefined ? {} : { undone }),
  };
}

/** The session's own keys that an event sets. */
export const ownDelta = (event: Event): JsonObject => splitState(event.actions?.stateDelta ?? {}).session;

/** An event with everything filled in that does not depend on its place in the session. */
export interface Draft extends NewEvent {
  timestamp: string;
}

export function draft(input: NewEvent, now: number): Draft {
  return {
    ...input,
    timestamp: input.timestamp === undefined ? toTime(now) : toTime(parseTime('timestamp', input.timestamp)),
    content: input.content === undefined ? undefined : withCallIds(input.content),
  };
}

/** The event as the next of its session. A user's message opens an invocation; others belong to the one that runs. */
export function toEvent(from: Draft, head: Pick<Head, 'uid' | 'next' | 'invocationId'>): Event {
  const { id, actions, content, ...rest } = from;
  const running = from.author === 'user' && !hasResponse(content) ? undefined : head.invocationId;
  return compact({
    id: id ?? eventIdAt(head.uid, head.next),
    ...rest,
    invocationId: from.invocationId ?? running ?? invocationIdAt(head.uid, head.next),
    content,
    actions: actions === undefined ? undefined : compact(actions),
  });
}

const hasResponse = (content: Content | undefined): boolean =>
  content?.parts.some((part) => part.functionResponse !== undefined) ?? false;

export interface Added {
  head: Head;
  writes: Write[];
}

/** The head after an event has joined its session, and the writes of the event itself. */
export function addEvent(before: Head, event: Event, known: KnownCalls, now: number): Added {
  const placed = placeEvent(before, { event }, before.next, known, maxEventBytes);
  return { head: { ...placed.head, ...changedAt(before, now) }, writes: placed.writes };
}

const changedAt = (before: Head, now: number): Pick<Head, 'updated' | 'revision'> => {
  const { updated, revision } = touched(before, now);
  return { updated, revision };
};

/** An event in its place: as number `seq`, which no earlier event of the session has reached. */
export function placeEvent(
  before: Head,
  { event, undone }: Pick<EventRecord, 'event' | 'undone'>,
  seq: number,
  known: KnownCalls,
  mostBytes = maxCopiedEventBytes,
): Added {
  const highWater = Math.max(before.highWater, Date.parse(event.timestamp));
  const value = JSON.stringify({ highWater, event, undone } satisfies EventRecord);
  checkSize(
    'The event',
    Buffer.byteLength(value),
    mostBytes,
    'Save large content as an artifact and name it in the event.',
  );
  const shown = event.hidden !== true;
  return {
    head: {
      ...before,
      count: before.count + 1,
      next: seq + 1,
      highWater,
      invocationId: event.invocationId,
      ...(shown ? lastOf(event, seq) : {}),
    },
    writes: [
      { key: keys.eventKey(before.uid, seq), value, text: indexedText(before, event) },
      // An id that says its number itself needs no place in the index.
      ...(event.id === eventIdAt(before.uid, seq)
        ? []
        : [{ key: keys.eventIdKey(before.uid, event.id), value: String(seq) }]),
      ...(undone === undefined ? callWrites(before.uid, seq, callsOf(event), answersOf(event), known) : []),
    ],
  };
}

/** The writes that keep what an event did which is not among those of its session. Changes `known` accordingly. */
export const traceWrites = (uid: string, seq: number, trace: EventTrace, known: KnownCalls): Write[] => [
  { key: keys.traceKey(uid, seq), value: JSON.stringify(trace) },
  ...(trace.undone === undefined ? callWrites(uid, seq, [], trace.answers ?? [], known) : []),
];
