import * as z from 'zod';
import { invalidArgument } from '../../errors.ts';
import { contentSchema, type Event, textOf } from '../../model/event.ts';
import { isObject, type JsonObject } from '../../model/json.ts';
import { once } from '../../model/once.ts';
import { toTime } from '../../model/time.ts';
import { withoutDeadline } from '../../net/deadline.ts';
import { lostAnswer } from '../../net/retry.ts';
import type { Owner } from '../types.ts';
import type { Adk } from './client.ts';
import { notAdk } from './errors.ts';
import { toEvent } from './map-event.ts';
import { refuseMark } from './run-mark.ts';
import { cancelled, giveUp, noEvents, runBody, startable } from './run-request.ts';

const runInput = once(() =>
  z
    .strictObject({
      sessionId: z.string(),
      message: z.string().min(1).optional(),
      newMessage: contentSchema().optional(),
      stateDelta: z.record(z.string(), z.unknown()).optional(),
    })
    .refine((input) => (input.message === undefined) !== (input.newMessage === undefined)),
);

/**
 * Calls the class method `run`, which answers all events of a run at once, by POST /run:
 * https://google.github.io/adk-docs/runtime/api-server/
 */
export async function callMethod(
  adk: Adk,
  owner: Owner,
  call: { classMethod: string; input: JsonObject },
  signal: AbortSignal,
): Promise<{ sessionId: string; text: string; events: Event[] }> {
  const given = runInput().safeParse(call.input);
  if (call.classMethod !== 'run' || !given.success)
    throw invalidArgument(
      call.classMethod === 'run'
        ? 'The input of classMethod "run" has missing or unknown fields.'
        : 'An ADK agent does not have this classMethod.',
      'Use classMethod "run" with input {sessionId, message or newMessage: {role, parts}, stateDelta?}.',
    );
  const { sessionId, message, newMessage, stateDelta } = given.data;
  refuseMark(stateDelta);
  const ref = { ...owner, sessionId };
  const dialect = await startable(adk, ref);
  const content = newMessage ?? { parts: [{ text: message ?? '' }] };
  if (signal.aborted) throw cancelled(dialect);
  const connection = new AbortController();
  const posted = withoutDeadline(() =>
    adk.http.json({
      method: 'POST',
      path: '/run',
      retry: 'quota',
      lookWith: 'list_events',
      timeoutMs: adk.runIdleMs,
      signal: connection.signal,
      body: runBody(ref, content, stateDelta),
    }),
  );
  const answer = await new Promise<unknown>((resolve, reject) => {
    posted.then(resolve, reject);
    signal.addEventListener(
      'abort',
      () => {
        giveUp(adk, ref, dialect, connection, posted);
        reject(cancelled(dialect));
      },
      { once: true },
    );
  });
  const wires = Array.isArray(answer) ? answer.filter(isObject) : undefined;
  if (wires === undefined) throw lostAnswer(notAdk(), 'list_events');
  if (wires.length === 0) throw noEvents();
  const events = wires.map((wire, i) => toEvent(wire, { id: `#${i}`, timestamp: toTime(Date.now()) }));
  return { sessionId, text: textOf(events.at(-1) ?? {}), events };
}
