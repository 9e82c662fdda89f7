import { SessionError } from '../../errors.ts';
import type { Event, NewEvent } from '../../model/event.ts';
import { splitState } from '../../model/state.ts';
import { checkNewEvent, sameEvent } from '../shared/rules.ts';
import type { Appended, Guard, SessionRef } from '../types.ts';
import { addEvent, draft, toEvent } from './event-record.ts';
import { deletedMark, readEvent, readOpenCalls } from './events.ts';
import * as keys from './keys.ts';
import {
  checkRevision,
  type Head,
  headWrites,
  type Local,
  parseHead,
  readHead,
  toMark,
  updateNamed,
} from './session-record.ts';
import { sharedStateWrites, stateWrite } from './sessions.ts';

/**
 * Stores one event at the end of a session, together with the state that it sets. What is read before the
 * update is only where its keys are; what counts is read again within it.
 */
export async function appendEvent(
  local: Local,
  ref: SessionRef,
  input: NewEvent,
  guard: Guard = {},
): Promise<Appended> {
  checkNewEvent(input);
  const now = local.now();
  const delta = splitState(input.actions?.stateDelta ?? {});
  const hasOwnDelta = Object.keys(delta.session).length > 0;
  for (;;) {
    // Only these need keys inside the session, and so a look at its uid first.
    const before =
      input.id !== undefined || hasOwnDelta || hasNamelessAnswer(input)
        ? await readHead(local, ref)
        : undefined;
    const made = draft(before === undefined ? input : await withAnsweredIds(local, before.uid, input), now);
    const outcome = await updateNamed<'head' | 'known' | 'state' | 'user' | 'app', Outcome>(
      local.store,
      {
        head: keys.headKey(ref),
        known: before && input.id !== undefined ? keys.eventIdKey(before.uid, input.id) : undefined,
        state: before && hasOwnDelta ? keys.stateKey(before.uid) : undefined,
        user: Object.keys(delta.user).length > 0 ? keys.userStateKey(ref) : undefined,
        app: Object.keys(delta.app).length > 0 ? keys.appStateKey(ref.app) : undefined,
      },
      (values) => {
        const head = parseHead(values.head, now);
        if (before !== undefined && before.uid !== head.uid) return { result: { kind: 'moved' }, writes: [] };
        if (values.known !== undefined)
          return { result: { kind: 'known', head, at: values.known }, writes: [] };
        checkRevision(head, guard);
        const event = toEvent(made, head);
        const added = addEvent(head, event, now);
        return {
          result: { kind: 'added', head: added.head, event },
          writes: [
            ...added.writes,
            ...headWrites(head, added.head),
            ...stateWrite(keys.stateKey(head.uid), delta.session, values.state),
            ...sharedStateWrites(ref, { ...delta.user, ...delta.app }, values.user, values.app),
          ],
        };
      },
    );
    if (outcome.kind === 'moved') continue;
    if (outcome.kind === 'added') return { event: outcome.event, session: toMark(outcome.head) };
    return { event: await repeated(local, outcome.head, outcome.at, input), session: toMark(outcome.head) };
  }
}

type Outcome =
  | { kind: 'moved' }
  | { kind: 'known'; head: Head; at: string }
  | { kind: 'added'; head: Head; event: Event };

/** The stored event of a repeated append. The same id with other content is a mistake, not a repetition. */
async function repeated(local: Local, head: Head, at: string, wanted: NewEvent): Promise<Event> {
  const record = at.startsWith(deletedMark) ? undefined : await readEvent(local, head.uid, Number(at));
  if (record === undefined)
    throw new SessionError('FAILED_PRECONDITION', 'The event with this eventId was deleted.', {
      hint: 'Append under another eventId, or without one.',
    });
  return sameEvent(record.event, wanted);
}

const hasNamelessAnswer = (input: NewEvent): boolean =>
  input.content?.parts.some(
    (part) => part.functionResponse !== undefined && part.functionResponse.id === undefined,
  ) ?? false;

/** A response without an id answers the oldest call of its name that is still open. */
async function withAnsweredIds(local: Local, uid: string, input: NewEvent): Promise<NewEvent> {
  if (!hasNamelessAnswer(input) || input.content === undefined) return input;
  const open = await readOpenCalls(local, uid);
  const parts = input.content.parts.map((part) => {
    const response = part.functionResponse;
    if (response === undefined || response.id !== undefined) return part;
    const index = open.findIndex((call) => call.name === response.name);
    const [call] = index < 0 ? [] : open.splice(index, 1);
    return call === undefined ? part : { ...part, functionResponse: { ...response, id: call.id } };
  });
  return { ...input, content: { ...input.content, parts } };
}
