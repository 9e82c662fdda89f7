import { invalidArgument, SessionError } from '../../errors.ts';
import { compact } from '../../model/event.ts';
import { canonicalJson, type JsonObject } from '../../model/json.ts';
import { toTime } from '../../model/time.ts';
import type { Feedback, SessionRef } from '../types.ts';
import { changeEvent } from './change-event.ts';
import { listEvents } from './events.ts';
import type { Local } from './session-record.ts';

const maxPerEvent = 50;
const maxTextLength = 4000;

/**
 * Adds feedback to the event that it speaks of: the given one, or the last of the given run. The same
 * feedback twice is one.
 */
export async function registerFeedback(local: Local, ref: SessionRef, feedback: Feedback): Promise<void> {
  const { score, text, invocationId } = feedback;
  if ((text?.length ?? 0) > maxTextLength)
    throw invalidArgument(`text is longer than ${maxTextLength} characters.`, 'Shorten it.');
  const eventId = feedback.eventId ?? (await lastEventOf(local, ref, invocationId));
  await changeEvent(local, ref, eventId, {}, (record) => {
    if (invocationId !== undefined && record.event.invocationId !== invocationId)
      throw invalidArgument(
        'The event belongs to another invocation.',
        'Give eventId alone, or the invocationId that the event has.',
      );
    const known = record.event.feedback ?? [];
    const same = (entry: JsonObject) =>
      canonicalJson([entry.score, entry.text]) === canonicalJson([score, text]);
    if (known.some(same)) return record;
    if (known.length >= maxPerEvent)
      throw new SessionError(
        'RESOURCE_EXHAUSTED',
        `An event holds at most ${maxPerEvent} pieces of feedback.`,
        {
          hint: 'Append an event with the further feedback.',
        },
      );
    const entry = compact({ score, text, createTime: toTime(local.now()) });
    return { ...record, event: { ...record.event, feedback: [...known, entry] } };
  });
}

/** The agent's last event of an invocation, among the latest events of the session. */
async function lastEventOf(local: Local, ref: SessionRef, invocationId: string | undefined): Promise<string> {
  if (invocationId === undefined)
    throw invalidArgument(
      'Neither eventId nor invocationId is given.',
      'Give the eventId or the invocationId that the feedback is about.',
    );
  let cursor: string | undefined;
  for (let pages = 0; pages < 10; pages += 1) {
    const page = await listEvents(local, ref, { order: 'desc', pageSize: 100, cursor });
    const found = page.items.find((e) => e.invocationId === invocationId && e.author !== 'user');
    if (found !== undefined) return found.id;
    if (page.cursor === undefined) break;
    cursor = page.cursor;
  }
  throw new SessionError('NOT_FOUND', 'The latest events have no answer of this invocation.', {
    hint: 'Give the eventId of the answer; list_events shows it.',
  });
}
