import { invalidArgument, SessionError } from '../../errors.ts';
import type { Event } from '../../model/event.ts';
import { isObject } from '../../model/json.ts';
import { toTime } from '../../model/time.ts';
import { sse } from '../../net/sse.ts';
import type { RunInput, SessionRef } from '../types.ts';
import type { Adk } from './client.ts';
import type { Dialect } from './dialects.ts';
import { notAdk } from './errors.ts';
import { toEvent } from './map-event.ts';
import { mergeArtifactFrames } from './merge-artifact-frames.ts';
import { checked, sessionPath } from './paths.ts';
import { readSession } from './read-session.ts';

/**
 * Runs the agent by POST /run_sse with token streaming. Told apart: an event of the agent with an errorCode
 * is yielded like any other; an error frame in the stream, a stream without one event, and one that broke
 * off each throw.
 */
export async function* streamRun(
  adk: Adk,
  ref: SessionRef,
  input: RunInput,
  signal: AbortSignal,
): AsyncGenerator<Event, void> {
  if (input.classMethod !== undefined)
    throw invalidArgument('An ADK agent has no class methods.', 'Leave classMethod out.');
  // Refuses what cannot be in a path, though a run names its session in the body.
  await sessionPath(adk, checked(ref));
  const dialect = await adk.dialect();
  if (!dialect.runSaysMissing) await readSession(adk, ref);
  adk.sessionCache.forget(ref);
  const left = new AbortController();
  try {
    const { headers, chunks } = await adk.http.stream({
      method: 'POST',
      path: '/run_sse',
      retry: 'quota',
      signal: AbortSignal.any([signal, left.signal]),
      timeoutMs: adk.runIdleMs,
      headers: { accept: 'text/event-stream, application/json' },
      body: {
        appName: ref.app,
        userId: ref.userId,
        sessionId: ref.sessionId,
        newMessage: { role: 'user', parts: input.message.parts },
        streaming: true,
        ...(input.stateDelta === undefined ? {} : { stateDelta: input.stateDelta }),
      },
    });
    if (!(headers.get('content-type') ?? '').startsWith('text/event-stream')) throw notAdk();
    const events = eventsOf(chunks);
    for await (const event of dialect.splitsArtifactFrames ? mergeArtifactFrames(events, left) : events) {
      // One that had come before the cancellation is of no use to anybody.
      if (signal.aborted) throw cancelled(dialect);
      yield event;
    }
  } catch (error) {
    throw error instanceof SessionError && error.code === 'CANCELLED' ? cancelled(dialect, error) : error;
  } finally {
    left.abort();
  }
}

async function* eventsOf(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Event, void> {
  let count = 0;
  let inText = false;
  for await (const message of sse(chunks)) {
    const wire = parse(message.data);
    if (message.event === 'error' || (isObject(wire) && 'error' in wire && wire.author === undefined))
      throw new SessionError('INTERNAL', 'The agent failed while it ran.', {
        hint: 'list_events shows how far it came, the log of the ADK server why it failed; list_apps names its agents.',
        cause: new Error(message.data.slice(0, 500)),
      });
    if (!isObject(wire)) throw brokenOff();
    const event = toEvent(wire, { id: `#${count}`, timestamp: toTime(Date.now()) });
    count += 1;
    inText = event.partial === true;
    yield event;
  }
  if (count === 0)
    throw new SessionError('UNAVAILABLE', 'The run ended without a single event.', {
      hint: 'The log of the ADK server says why; an agent that has nothing to say cannot be told from one that failed.',
    });
  // Servers send no last frame, but the pieces of a text are always followed by the whole.
  if (inText) throw brokenOff();
}

function parse(data: string): unknown {
  try {
    return JSON.parse(data) as unknown;
  } catch {
    return undefined;
  }
}

function brokenOff(): SessionError {
  return new SessionError('UNAVAILABLE', 'The stream of the run broke off.', {
    hint: 'The run may have gone on: read list_events before asking again.',
  });
}

function cancelled(dialect: Dialect, cause?: unknown): SessionError {
  const hints = {
    true: 'The ADK server ends the run; list_events shows how far it came.',
    false: 'An ADK server in TypeScript goes on with the run; list_events shows what it still adds.',
    undefined: 'The ADK server may go on with the run; list_events shows what it still adds.',
  };
  return new SessionError('CANCELLED', 'The run was cancelled.', {
    hint: hints[`${dialect.disconnectEndsRun}`],
    cause,
  });
}
