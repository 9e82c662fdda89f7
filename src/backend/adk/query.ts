import { invalidArgument, SessionError } from '../../errors.ts';
import type { Event } from '../../model/event.ts';
import { isObject, type JsonObject } from '../../model/json.ts';
import { toTime } from '../../model/time.ts';
import { withoutDeadline } from '../../net/deadline.ts';
import { lostAnswer } from '../../net/retry.ts';
import { sse } from '../../net/sse.ts';
import { runBrokeOff } from '../shared/errors.ts';
import type { RunInput, SessionRef } from '../types.ts';
import type { Adk } from './client.ts';
import type { Dialect } from './dialects.ts';
import { notAdk } from './errors.ts';
import { toEvent } from './map-event.ts';
import { mergeArtifactFrames } from './merge-artifact-frames.ts';
import { markDelta, refuseMark } from './run-mark.ts';
import { cancelled, giveUp, noEvents, runBody, startable } from './run-request.ts';

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
      const result = signal.aborted ? undefined : await next();
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

/** Gives up a run whose stream nobody reads any more. */
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
  if (!(headers.get('content-type') ?? '').startsWith('text/event-stream'))
    throw lostAnswer(notAdk(), 'list_events');
  const events = eventsOf(chunks);
  yield* dialect.splitsArtifactFrames ? mergeArtifactFrames(events, connection) : events;
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
    if (!isObject(wire)) throw runBrokeOff();
    const event = toEvent(wire, { id: `#${count}`, timestamp: toTime(Date.now()) });
    count += 1;
    inText = event.partial === true;
    yield event;
  }
  if (count === 0) throw noEvents();
  // Servers mark no last frame, but after the pieces of a text they always send the whole text.
  if (inText) throw runBrokeOff();
}

function parse(data: string): unknown {
  try {
    return JSON.parse(data) as unknown;
  } catch {
    return undefined;
  }
}
