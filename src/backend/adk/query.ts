import * as z from 'zod';
import { invalidArgument, SessionError } from '../../errors.ts';
import { type Content, contentSchema, type Event, textOf } from '../../model/event.ts';
import { isObject, type JsonObject } from '../../model/json.ts';
import { toTime } from '../../model/time.ts';
import { withoutDeadline } from '../../net/deadline.ts';
import { sse } from '../../net/sse.ts';
import type { Owner, RunInput, SessionRef } from '../types.ts';
import type { Adk } from './client.ts';
import type { Dialect } from './dialects.ts';
import { notAdk, runGoesOn } from './errors.ts';
import { toEvent } from './map-event.ts';
import { mergeArtifactFrames } from './merge-artifact-frames.ts';
import { checked, sessionPath } from './paths.ts';
import { readSession } from './read-session.ts';
import { markDelta, refuseMark } from './run-mark.ts';

/**
 * Runs the agent by POST /run_sse, with token streaming unless `input.streaming` is false. An event of the agent
 * with an errorCode is yielded like any other. An error frame, a stream without events and a stream that broke off
 * throw.
 */
export async function* streamRun(
  adk: Adk,
  ref: SessionRef,
  input: RunInput,
  signal: AbortSignal,
): AsyncGenerator<Event, void> {
  if (input.classMethod !== undefined && input.classMethod !== 'run_sse')
    throw invalidArgument(
      'An ADK agent has no streaming class method of this name.',
      'Leave classMethod out, or call query with classMethod "run", which returns all events at once.',
    );
  refuseMark(input.stateDelta);
  const { invocationId, digest } = input;
  const mark = digest === undefined ? undefined : markDelta({ invocationId, digest });
  const stateDelta = mark === undefined ? input.stateDelta : { ...input.stateDelta, ...mark };
  const dialect = await startable(adk, ref);
  const body = { ...runBody(ref, input.message, stateDelta), streaming: streamingOf(input.input) };
  if (signal.aborted) throw cancelled(dialect);
  const connection = new AbortController();
  const events = streamedEvents(adk, body, dialect, connection);
  let ended = false;
  let onAbort = () => {};
  const listener = () => onAbort();
  signal.addEventListener('abort', listener, { once: true });
  const next = () =>
    new Promise<IteratorResult<Event, void> | undefined>((resolve, reject) => {
      onAbort = () => resolve(undefined);
      events.next().then(
        (result) => {
          ended = result.done === true;
          resolve(result);
        },
        (error: unknown) => {
          ended = true;
          reject(error);
        },
      );
    });
  try {
    for (;;) {
      const result = await next();
      // An event that arrived just before the cancellation is dropped: nobody reads it any more.
      if (result === undefined || signal.aborted) throw cancelled(dialect);
      if (result.done === true) return;
      yield result.value;
    }
  } finally {
    signal.removeEventListener('abort', listener);
    if (!ended) leave(adk, ref, dialect, events, connection);
  }
}

/**
 * Gives up a run. Where disconnecting ends the run, the connection is closed. Otherwise it stays open and is read to
 * its end, which shows when the session is free for the next run.
 */
function leave(
  adk: Adk,
  ref: SessionRef,
  dialect: Dialect,
  events: AsyncGenerator<Event, void>,
  connection: AbortController,
): void {
  const rest = withoutDeadline(async () => {
    for await (const _event of events);
  });
  giveUp(adk, ref, dialect, connection, rest);
}

/** @param rest resolves or rejects when the run is over */
function giveUp(
  adk: Adk,
  ref: SessionRef,
  dialect: Dialect,
  connection: AbortController,
  rest: Promise<unknown>,
): void {
  const key = sessionKey(ref);
  if (dialect.disconnectEndsRun === true) connection.abort();
  else adk.orphans.set(key, connection);
  // The run is over, whether it succeeded or failed.
  const over = () => {
    if (adk.orphans.get(key) === connection) adk.orphans.delete(key);
    adk.sessionCache.forget(ref);
  };
  rest.then(over, over);
}

const sessionKey = ({ app, userId, sessionId }: SessionRef): string =>
  JSON.stringify([app, userId, sessionId]);

/** Checks that a run can begin. @throws SessionError ABORTED while an earlier one goes on, NOT_FOUND */
async function startable(adk: Adk, ref: SessionRef): Promise<Dialect> {
  const dialect = await adk.dialectToWrite();
  // A run names its session in the body, but an id that cannot stand in a path could never be read back.
  await sessionPath(adk, checked(ref));
  if (adk.orphans.has(sessionKey(ref))) throw runGoesOn();
  if (!dialect.runSaysMissing) await readSession(adk, ref);
  adk.sessionCache.forget(ref);
  return dialect;
}

const runBody = (ref: SessionRef, message: Content, stateDelta: JsonObject | undefined): JsonObject => ({
  appName: ref.app,
  userId: ref.userId,
  sessionId: ref.sessionId,
  newMessage: { role: 'user', parts: message.parts },
  ...(stateDelta === undefined ? {} : { stateDelta }),
});

function streamingOf(input: JsonObject | undefined): boolean {
  const { streaming = true, ...rest } = input ?? {};
  if (typeof streaming === 'boolean' && Object.keys(rest).length === 0) return streaming;
  throw invalidArgument(
    'The input of the run has a field other than streaming.',
    'Give {streaming: false} to get only whole events, or leave input out.',
  );
}

async function* streamedEvents(
  adk: Adk,
  body: JsonObject,
  dialect: Dialect,
  connection: AbortController,
): AsyncGenerator<Event, void> {
  const { headers, chunks } = await adk.http.stream({
    method: 'POST',
    path: '/run_sse',
    retry: 'quota',
    lookWith: 'list_events',
    signal: connection.signal,
    timeoutMs: adk.runIdleMs,
    headers: { accept: 'text/event-stream, application/json' },
    body,
  });
  if (!(headers.get('content-type') ?? '').startsWith('text/event-stream')) throw notAdk();
  const events = eventsOf(chunks);
  yield* dialect.splitsArtifactFrames ? mergeArtifactFrames(events, connection) : events;
}

const runInput = z
  .strictObject({
    sessionId: z.string(),
    message: z.string().min(1).optional(),
    newMessage: contentSchema.optional(),
    stateDelta: z.record(z.string(), z.unknown()).optional(),
  })
  .refine((input) => (input.message === undefined) !== (input.newMessage === undefined));

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
  const given = runInput.safeParse(call.input);
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
  if (wires === undefined) throw notAdk();
  if (wires.length === 0) throw noEvents();
  const events = wires.map((wire, i) => toEvent(wire, { id: `#${i}`, timestamp: toTime(Date.now()) }));
  return { sessionId, text: textOf(events.at(-1) ?? {}), events };
}

async function* eventsOf(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Event, void> {
  let count = 0;
  let inText = false;
  for await (const message of sse(chunks)) {
    const wire = parse(message.data);
    if (message.event === 'error' || (isObject(wire) && 'error' in wire && wire.author === undefined))
      throw new SessionError('INTERNAL', 'The agent failed while it ran.', {
        hint: 'Call list_events to see how far the run came, and read the log of the ADK server, which says why it failed; list_apps names the agents of the server.',
        cause: new Error(message.data.slice(0, 500)),
      });
    if (!isObject(wire)) throw brokenOff();
    const event = toEvent(wire, { id: `#${count}`, timestamp: toTime(Date.now()) });
    count += 1;
    inText = event.partial === true;
    yield event;
  }
  if (count === 0) throw noEvents();
  // Servers mark no last frame, but after the pieces of a text they always send the whole text.
  if (inText) throw brokenOff();
}

function parse(data: string): unknown {
  try {
    return JSON.parse(data) as unknown;
  } catch {
    return undefined;
  }
}

function noEvents(): SessionError {
  return new SessionError('UNAVAILABLE', 'The run ended without a single event.', {
    hint: 'Read the log of the ADK server: an agent that said nothing and an agent that failed look the same here.',
  });
}

function brokenOff(): SessionError {
  return new SessionError('UNAVAILABLE', 'The stream of the run broke off.', {
    hint: 'The run may have continued: read list_events before you send the message again.',
  });
}

function cancelled(dialect: Dialect, cause?: unknown): SessionError {
  const hints = {
    true: 'The ADK server ends the run; call list_events to see how far it came.',
    false:
      'An ADK server in TypeScript continues the run: send the next message when it is over; list_events shows what it still adds.',
    undefined: 'The ADK server may continue the run; list_events shows what it still adds.',
  };
  return new SessionError('CANCELLED', 'The run was cancelled.', {
    hint: hints[`${dialect.disconnectEndsRun}`],
    cause,
  });
}
