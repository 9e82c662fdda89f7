import { type Content, compact, type Event, type NewEvent, type Part } from '../../model/event.ts';
import { newId } from '../../model/ids.ts';
import { previewOf } from '../../model/session.ts';
import { parseTime, toTime } from '../../model/time.ts';
import type { Write } from '../../store/types.ts';
import * as keys from './keys.ts';
import { checkSize, maxEventBytes } from './limits.ts';
import { type Head, touched } from './session-record.ts';

/** What is stored of an event: itself, and the latest timestamp of any event up to it (see `firstAfterTime`). */
export interface EventRecord {
  highWater: number;
  event: Event;
}

/** A tool call that waits for its answer, found in the event that made it. */
export interface OpenCall {
  id: string;
  /** Number of the event, and the call's place among those of the event. */
  seq: number;
  place: number;
  name?: string | undefined;
  longRunning?: boolean | undefined;
}

/** An event with everything filled in that does not depend on the session it goes to. */
export interface Draft extends NewEvent {
  id: string;
  timestamp: string;
  /** The invocation that the event opens, should it open one. */
  freshInvocationId: string;
}

export function draft(input: NewEvent, now: number): Draft {
  const minted = newId('e', now);
  return {
    ...input,
    id: input.id ?? minted,
    timestamp: input.timestamp === undefined ? toTime(now) : toTime(parseTime('timestamp', input.timestamp)),
    content: input.content === undefined ? undefined : withCallIds(input.content, now),
    freshInvocationId: `i${minted.slice(1)}`,
  };
}

// A call can only be answered by its id, so one that comes without gets one.
function withCallIds(content: Content, now: number): Content {
  const parts = content.parts.map(
    (part): Part =>
      part.functionCall === undefined || part.functionCall.id !== undefined
        ? part
        : { ...part, functionCall: { ...part.functionCall, id: newId('c', now) } },
  );
  return { ...content, parts };
}

/** The event as it will be stored. A user's message opens an invocation; others belong to the one that runs. */
export function toEvent(from: Draft, head: Pick<Head, 'invocationId'>): Event {
  const { freshInvocationId, actions, content, ...rest } = from;
  const running = from.author === 'user' && !hasResponse(content) ? undefined : head.invocationId;
  return compact({
    ...rest,
    invocationId: from.invocationId ?? running ?? freshInvocationId,
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
export function addEvent(before: Head, event: Event, now: number): Added {
  const seq = before.next;
  const highWater = Math.max(before.highWater, Date.parse(event.timestamp));
  const value = JSON.stringify({ highWater, event } satisfies EventRecord);
  checkSize(
    'The event',
    Buffer.byteLength(value),
    maxEventBytes,
    'Save large content as an artifact and name it in the event.',
  );
  return {
    head: {
      ...touched(before, now),
      count: before.count + 1,
      next: seq + 1,
      highWater,
      invocationId: event.invocationId,
      last: event.hidden === true ? before.last : previewOf(event),
    },
    writes: [
      { key: keys.eventKey(before.uid, seq), value },
      { key: keys.eventIdKey(before.uid, event.id), value: String(seq) },
      ...callsOf(event).map((call, place) => ({
        key: keys.openCallKey(before.uid, call.id),
        value: JSON.stringify({ ...call, seq, place } satisfies OpenCall),
      })),
      ...answersOf(event).map((id) => ({ drop: keys.openCallKey(before.uid, id) })),
    ],
  };
}

/** The tool calls that an event makes: its functionCalls, and long-running ids that no part explains. */
export function callsOf(event: Event): Omit<OpenCall, 'seq' | 'place'>[] {
  if (event.partial === true) return [];
  const long = event.longRunningToolIds ?? [];
  const made = (event.content?.parts ?? []).flatMap(({ functionCall: call }) =>
    call?.id === undefined
      ? []
      : [{ id: call.id, name: call.name, longRunning: long.includes(call.id) || undefined }],
  );
  const unexplained = long.filter((id) => !made.some((call) => call.id === id));
  return [...made, ...unexplained.map((id) => ({ id, longRunning: true }))];
}

/** Ids of the tool calls that an event answers. */
function answersOf(event: Event): string[] {
  if (event.partial === true) return [];
  return (event.content?.parts ?? []).flatMap(({ functionResponse }) =>
    functionResponse?.id === undefined ? [] : [functionResponse.id],
  );
}
