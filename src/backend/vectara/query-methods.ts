import * as z from 'zod';
import { invalidArgument } from '../../errors.ts';
import { type Event, textOf } from '../../model/event.ts';
import { isObject, type JsonObject } from '../../model/json.ts';
import type { Owner } from '../types.ts';
import type { Vectara } from './client.ts';
import { contextOf } from './events.ts';
import { ownSession } from './own-session.ts';
import { inputBody } from './query-input.ts';
import { eventsPath, openRun } from './query-interrupt.ts';
import { wholeEvents } from './query-stream.ts';

const sessionId = z.string();
const eventId = z.string().regex(/^aev_[0-9A-Za-z_-]{1,200}$/);
const methods = {
  input_message: z
    .strictObject({
      sessionId,
      text: z.string().min(1).optional(),
      skill: z
        .string()
        .regex(/^[0-9A-Za-z_.-]{1,100}$/)
        .optional(),
      since: z.union([z.literal('start'), eventId]).optional(),
      behavior: z.enum(['steer', 'follow_up']).optional(),
    })
    .refine((value) => value.text !== undefined || value.skill !== undefined),
  interrupt: z.strictObject({ sessionId }),
  compact: z.strictObject({
    sessionId,
    compactUpToEventId: eventId.optional(),
    compactionMessage: z.string().min(1).optional(),
  }),
} as const;

const shapes: Record<keyof typeof methods, string> = {
  input_message:
    '{sessionId, text and/or skill, since?: "start" or an event id, behavior?: "steer" or "follow_up"}',
  interrupt: '{sessionId}',
  compact: '{sessionId, compactUpToEventId?, compactionMessage?}',
};

/**
 * Sends an input other than a plain message and waits for the whole answer: `input_message` (with skills, `since`
 * and `behavior`), `interrupt` or `compact`.
 */
export async function callMethod(
  vectara: Vectara,
  owner: Owner,
  call: { classMethod: string; input: JsonObject },
  signal: AbortSignal,
): Promise<{ sessionId: string; text: string; events: Event[] }> {
  const { classMethod } = call;
  if (!isMethod(classMethod))
    throw invalidArgument(
      'A Vectara agent does not have this classMethod.',
      'Use input_message, interrupt or compact; tool outputs go through submit_tool_outputs.',
    );
  const { sessionId: id, body } = bodyOf(classMethod, call.input);
  const ref = { ...owner, sessionId: id };
  const { wire, at } = await ownSession(vectara, ref, signal);
  const run = openRun(vectara, at, wire, signal);
  // Cancelling an interrupt or a compaction must not interrupt the agent.
  if (classMethod !== 'input_message') run.finished();
  try {
    const answer = await vectara.json('interact', {
      method: 'POST',
      path: eventsPath(at),
      retry: 'quota',
      timeoutMs: vectara.settings.runTimeoutMs,
      body,
      signal,
    });
    run.finished();
    const events = wholeEvents(answer, contextOf(vectara, wire, ref));
    const last = events.findLast((event) => answerTypes.has(String(typeOf(event))));
    return { sessionId: id, text: last === undefined ? '' : textOf(last), events };
  } catch (error) {
    if (!signal.aborted) run.finished();
    throw error;
  } finally {
    await run.close();
  }
}

const isMethod = (name: string): name is keyof typeof methods => Object.hasOwn(methods, name);

/** The last event of one of these types is the answer of a turn. */
const answerTypes = new Set(['agent_output', 'structured_output']);

function typeOf(event: Event): unknown {
  const about = event.customMetadata?.vectara;
  return isObject(about) ? about.type : undefined;
}

function bodyOf(
  classMethod: keyof typeof methods,
  input: JsonObject,
): { sessionId: string; body: JsonObject | FormData } {
  if (classMethod === 'input_message') {
    const given = checked(classMethod, methods.input_message.safeParse(input));
    const messages = [
      ...(given.skill === undefined ? [] : [{ type: 'skill', skill_name: given.skill }]),
      ...(given.text === undefined ? [] : [{ type: 'text', content: given.text }]),
    ];
    const { since, behavior } = given;
    const options = { stream: false, since, behavior, maxFileBytes: 0 };
    return { sessionId: given.sessionId, body: inputBody(messages, [], options) };
  }
  if (classMethod === 'interrupt') {
    const given = checked(classMethod, methods.interrupt.safeParse(input));
    return { sessionId: given.sessionId, body: { type: 'interrupt', stream_response: false } };
  }
  const given = checked(classMethod, methods.compact.safeParse(input));
  return {
    sessionId: given.sessionId,
    body: {
      type: 'compact',
      stream_response: false,
      ...(given.compactUpToEventId === undefined ? {} : { compact_up_to_event_id: given.compactUpToEventId }),
      ...(given.compactionMessage === undefined ? {} : { compaction_message: given.compactionMessage }),
    },
  };
}

function checked<T>(
  classMethod: keyof typeof methods,
  result: { success: true; data: T } | { success: false },
): T {
  if (result.success) return result.data;
  throw invalidArgument(
    `The input of ${classMethod} has missing or unknown fields.`,
    `Give ${shapes[classMethod]}.`,
  );
}
