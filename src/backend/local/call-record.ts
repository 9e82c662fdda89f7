import { SessionError } from '../../errors.ts';
import type { Event, NewEvent } from '../../model/event.ts';
import type { Write } from '../../store/types.ts';
import { answersOf, type CallAnswer, callsOf, endsCall, type MadeCall } from '../shared/call-rules.ts';
import { parseStored } from './damage.ts';
import * as keys from './keys.ts';

/** A tool call that waits for its answer, found in the event that made it. */
export interface OpenCall {
  id: string;
  /** Number of the event, and the call's place among those of the event. */
  seq: number;
  place: number;
  name?: string | undefined;
  longRunning?: boolean | undefined;
}

/** The stored records of the calls that an event makes or answers. */
export interface KnownCalls {
  open: Map<string, OpenCall>;
  answered: Set<string>;
}

/** Ids of all calls that an event makes or answers. */
export const callIdsOf = (event: Pick<NewEvent, 'author' | 'content' | 'longRunningToolIds' | 'partial'>) => [
  ...new Set([...callsOf(event), ...answersOf(event)].map((call) => call.id)),
];

/** The keys whose values `knownCalls` reads. */
export const callKeys = (uid: string, ids: readonly string[]): string[] =>
  ids.flatMap((id) => [keys.openCallKey(uid, id), keys.answeredCallKey(uid, id)]);

export function knownCalls(ids: readonly string[], values: readonly (string | undefined)[]): KnownCalls {
  const known: KnownCalls = { open: new Map(), answered: new Set() };
  for (const [i, id] of ids.entries()) {
    const [open, answered] = values.slice(2 * i, 2 * i + 2);
    if (open !== undefined) known.open.set(id, parseStored('An open tool call', open));
    if (answered !== undefined) known.answered.add(id);
  }
  return known;
}

/** Ids that an event gives to new calls although calls of these ids still wait for their answers. */
export const takenIds = (event: Event, known: KnownCalls): string[] =>
  callsOf(event).flatMap((call) => (call.bare !== true && known.open.has(call.id) ? [call.id] : []));

export function callIdTaken(): SessionError {
  return new SessionError('ALREADY_EXISTS', 'Another tool call with this id is still open.', {
    hint: 'Give the functionCall another id, or answer the earlier call first; list_tool_calls shows it.',
  });
}

/** @throws SessionError FAILED_PRECONDITION for an answer to a call that has one: the first one stands */
export function checkAnswers(event: Event, known: KnownCalls): void {
  if (answersOf(event).some(({ id }) => known.answered.has(id) && !known.open.has(id)))
    throw new SessionError('FAILED_PRECONDITION', 'The tool call has been answered already.', {
      hint: 'Read the answer with list_events; call list_tool_calls for the calls that are still open.',
    });
}

/** The writes that keep the calls of a session as an event leaves them. Changes `known` accordingly. */
export function callWrites(
  uid: string,
  seq: number,
  calls: readonly MadeCall[],
  answers: readonly CallAnswer[],
  known: KnownCalls,
): Write[] {
  const writes: Write[] = [];
  for (const [place, { bare, ...call }] of calls.entries()) {
    if (bare === true && known.open.has(call.id)) continue;
    const open: OpenCall = { ...call, seq, place };
    writes.push({ key: keys.openCallKey(uid, call.id), value: JSON.stringify(open) });
    if (known.answered.delete(call.id)) writes.push({ drop: keys.answeredCallKey(uid, call.id) });
    known.open.set(call.id, open);
  }
  for (const answer of answers) {
    const open = known.open.get(answer.id);
    if (open === undefined || !endsCall(answer, open)) continue;
    known.open.delete(answer.id);
    known.answered.add(answer.id);
    writes.push(
      { drop: keys.openCallKey(uid, answer.id) },
      { key: keys.answeredCallKey(uid, answer.id), value: String(seq) },
    );
  }
  return writes;
}

export const noCalls = (): KnownCalls => ({ open: new Map(), answered: new Set() });
