import { invalidArgument, SessionError } from '../../errors.ts';
import type { Event, NewEvent } from '../../model/event.ts';
import { newId } from '../../model/ids.ts';
import { splitState } from '../../model/state.ts';
import { toolCallNotOpen } from '../shared/errors.ts';
import { checkNewEvent, sameEvent } from '../shared/rules.ts';
import type { Appended, Guard, SessionRef } from '../types.ts';
import type { AppendOptions } from './append-options.ts';
import {
  callIdsOf,
  callIdTaken,
  callKeys,
  checkAnswers,
  knownCalls,
  noCalls,
  type OpenCall,
  takenIds,
} from './call-record.ts';
import { claimLost } from './claim.ts';
import { seqOfEventId } from './event-id.ts';
import { addEvent, type Draft, draft, toEvent } from './event-record.ts';
import { placeKeys, placeOf, readEvent, readOpenCalls } from './events.ts';
import * as keys from './keys.ts';
import {
  checkRevision,
  type Head,
  headToAppendTo,
  headWrites,
  type Local,
  readHead,
  toMark,
} from './session-record.ts';
import { sharedStateWrites, stateWrite } from './state-record.ts';
import { stepTurn } from './turn-record.ts';

const noDelta: ReturnType<typeof splitState> = { session: {}, user: {}, app: {} };

/**
 * Stores one event at the end of a session, together with the state that it sets and the tool calls that it
 * makes or answers. What is read before the update is only where its keys are; what counts is read again
 * within it.
 */
export async function appendEvent(
  local: Local,
  ref: SessionRef,
  input: NewEvent,
  guard: Guard = {},
  options: AppendOptions = {},
): Promise<Appended> {
  checkNewEvent(input);
  const now = local.now();
  const { stateDelta } = input.actions ?? {};
  const delta = stateDelta === undefined ? noDelta : splitState(stateDelta);
  const hasOwnDelta = Object.keys(delta.session).length > 0;
  let renamed = input;
  for (;;) {
    // Only these need keys inside the session, and so a look at its uid first.
    const inside =
      input.id !== undefined || hasOwnDelta || callIdsOf(input).length > 0 || hasNamelessAnswer(input);
    const before = inside ? await readHead(local, ref) : undefined;
    const made = draft(
      before === undefined ? renamed : await withAnsweredIds(local, before.uid, renamed),
      now,
    );
    const outcome = await store(local, ref, { made, input, before, delta, hasOwnDelta, guard, options, now });
    if (outcome.kind === 'taken') renamed = withOtherIds(renamed, outcome.ids);
    if (outcome.kind === 'added') return { event: outcome.event, session: toMark(outcome.head) };
    if (outcome.kind === 'answered')
      return { event: await answered(local, outcome.head, outcome.at, input), session: toMark(outcome.head) };
    if (outcome.kind === 'known')
      return { event: await repeated(local, outcome, input), session: toMark(outcome.head) };
  }
}

type Outcome =
  /** The session was made anew since it was looked at. */
  | { kind: 'moved' }
  | { kind: 'taken'; ids: readonly string[] }
  | { kind: 'known'; head: Head; seq: number; deleted: boolean }
  /** The turn has ended: by this very event, if the call is a repetition. */
  | { kind: 'answered'; head: Head; at: string }
  | { kind: 'added'; head: Head; event: Event };

interface Appending {
  made: Draft;
  input: NewEvent;
  before: Head | undefined;
  delta: ReturnType<typeof splitState>;
  hasOwnDelta: boolean;
  guard: Guard;
  options: AppendOptions;
  now: number;
}

function store(local: Local, ref: SessionRef, appending: Appending): Promise<Outcome> {
  const { made, input, before, delta, hasOwnDelta, guard, options, now } = appending;
  const ids = before === undefined ? [] : callIdsOf(made);
  const optional = [
    before && hasOwnDelta ? keys.stateKey(before.uid) : undefined,
    Object.keys(delta.user).length > 0 ? keys.userStateKey(ref) : undefined,
    Object.keys(delta.app).length > 0 ? keys.appStateKey(ref.app) : undefined,
  ];
  const wanted = optional.filter((key) => key !== undefined);
  const own = before === undefined || input.id === undefined ? [] : placeKeys(before.uid, input.id);
  const headKey = keys.headKey(ref);
  return local.store.update<Outcome>(
    [headKey, ...wanted, ...own, ...(before === undefined ? [] : callKeys(before.uid, ids))],
    ([headValue, ...values]) => {
      const head = headToAppendTo(headKey, headValue, now);
      if (before !== undefined && before.uid !== head.uid) return { result: { kind: 'moved' }, writes: [] };
      const [state, user, app] = optional.map((key) =>
        key === undefined ? undefined : values[wanted.indexOf(key)],
      );
      if (input.id !== undefined) {
        const known = placeOf(head.uid, input.id, values.slice(wanted.length));
        if (known !== undefined) return { result: { kind: 'known', head, ...known }, writes: [] };
        if (seqOfEventId(head.uid, input.id) !== undefined) throw reservedId();
      }
      checkRevision(head, guard);
      const event = toEvent(made, head);
      const known = ids.length === 0 ? noCalls() : knownCalls(ids, values.slice(wanted.length + own.length));
      if (options.answersOpenCalls === true && ids.some((id) => !known.open.has(id))) throw toolCallNotOpen();
      const taken = takenIds(event, known);
      if (taken.length > 0 && options.renamesCalls === true)
        return { result: { kind: 'taken', ids: taken }, writes: [] };
      if (taken.length > 0) throw callIdTaken();
      checkAnswers(event, known);
      const step = stepTurn(head, event, guard.claim, now, options);
      if (step.endedBy !== undefined)
        return { result: { kind: 'answered', head, at: String(step.endedBy) }, writes: [] };
      const added = addEvent(head, event, known, now);
      const after = step.turn === undefined ? added.head : { ...added.head, ...step.turn };
      return {
        result: { kind: 'added', head: after, event },
        writes: [
          ...added.writes,
          ...headWrites(head, after),
          ...step.writes,
          ...(hasOwnDelta ? stateWrite(keys.stateKey(head.uid), delta.session, state) : []),
          ...sharedStateWrites(ref, { ...delta.user, ...delta.app }, user, app),
        ],
      };
    },
  );
}

/** The stored event of a repeated append. The same id with other content is a mistake, not a repetition. */
async function repeated(
  local: Local,
  { head, seq, deleted }: { head: Head; seq: number; deleted: boolean },
  wanted: NewEvent,
): Promise<Event> {
  const record = deleted ? undefined : await readEvent(local, head.uid, seq);
  if (record === undefined)
    throw new SessionError('FAILED_PRECONDITION', 'The event with this eventId was deleted.', {
      hint: 'Append under another eventId, or without one.',
    });
  return sameEvent(record.event, wanted);
}

/** The stored answer of a repeated append under a claim. With other content it comes after the turn's end. */
async function answered(local: Local, head: Head, at: string, wanted: NewEvent): Promise<Event> {
  const record = await readEvent(local, head.uid, Number(at));
  if (record === undefined || wanted.id !== undefined) throw claimLost();
  try {
    return sameEvent(record.event, wanted);
  } catch {
    throw claimLost();
  }
}

const reservedId = (): SessionError =>
  invalidArgument(
    'The eventId has the form of the ids that the session itself gives.',
    'Choose another eventId, or leave it out.',
  );

const hasNamelessAnswer = (input: NewEvent): boolean =>
  input.content?.parts.some(
    (part) => part.functionResponse !== undefined && part.functionResponse.id === undefined,
  ) ?? false;

/** A response without an id answers the oldest call of its name that is still open. */
async function withAnsweredIds(local: Local, uid: string, input: NewEvent): Promise<NewEvent> {
  if (!hasNamelessAnswer(input) || input.content === undefined) return input;
  const open: OpenCall[] = await readOpenCalls(local, uid);
  const parts = input.content.parts.map((part) => {
    const response = part.functionResponse;
    if (response === undefined || response.id !== undefined) return part;
    const index = open.findIndex((call) => call.name === response.name);
    const [call] = index < 0 ? [] : open.splice(index, 1);
    return call === undefined ? part : { ...part, functionResponse: { ...response, id: call.id } };
  });
  return { ...input, content: { ...input.content, parts } };
}

function withOtherIds(input: NewEvent, taken: readonly string[]): NewEvent {
  const fresh = new Map(taken.map((id) => [id, newId('c')]));
  const rename = (id: string) => fresh.get(id) ?? id;
  const parts = input.content?.parts.map((part) =>
    part.functionCall?.id === undefined
      ? part
      : { ...part, functionCall: { ...part.functionCall, id: rename(part.functionCall.id) } },
  );
  return {
    ...input,
    ...(input.content === undefined || parts === undefined ? {} : { content: { ...input.content, parts } }),
    ...(input.longRunningToolIds === undefined
      ? {}
      : { longRunningToolIds: input.longRunningToolIds.map(rename) }),
  };
}
