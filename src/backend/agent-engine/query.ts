import { SessionError } from '../../errors.ts';
import type { Event } from '../../model/event.ts';
import { isObject, type JsonObject } from '../../model/json.ts';
import { ndjson } from '../../net/ndjson.ts';
import { runBrokeOff } from '../shared/errors.ts';
import type { RunInput, SessionRef } from '../types.ts';
import { appendEvent } from './append-event.ts';
import { type AgentEngineClient, ownedSession } from './client.ts';
import { agentError, type Refusal } from './errors.ts';
import { toStreamEvent } from './map-event.ts';
import { enginePath } from './paths.ts';
import { inputOf, streamMethodOf } from './stream-method.ts';
import type { QueryReasoningEngineRequest } from './wire-types.ts';

/** Milliseconds of silence allowed in a stream: an agent may think for a while before and between its words. */
const streamIdleMs = 600_000;

/**
 * Runs the engine's agent and yields its events as they come. The session must exist: an engine that is called
 * without one creates one whose id the caller never gets. The state delta of a run is stored as an event of its own,
 * since no streaming method accepts one.
 */
export async function* streamQuery(
  client: AgentEngineClient,
  ref: SessionRef,
  run: RunInput,
  signal: AbortSignal,
): AsyncGenerator<Event, void> {
  const owned = ownedSession(client, ref, signal);
  const choosing = streamMethodOf(client, ref.app, run.classMethod);
  choosing.catch(() => {});
  await owned;
  const method = await choosing;
  const input = inputOf(method, ref, run);
  if (Object.keys(run.stateDelta ?? {}).length > 0)
    await appendEvent(
      client,
      ref,
      { author: 'user', invocationId: run.invocationId, actions: { stateDelta: run.stateDelta } },
      undefined,
    );
  const { chunks } = await client.streams.stream({
    method: 'POST',
    path: `${enginePath(client.endpoint, ref.app)}:streamQuery?alt=sse`,
    body: { classMethod: method.name, input } satisfies QueryReasoningEngineRequest,
    retry: 'quota',
    lookWith: 'list_events',
    timeoutMs: streamIdleMs,
    signal,
  });
  let count = 0;
  let inText = false;
  for await (const value of ndjson(chunks))
    for (const item of Array.isArray(value) ? (value as unknown[]) : [value]) {
      const failure = streamError(item);
      if (failure !== undefined) throw failure;
      for (const wire of eventsOf(item)) {
        count += 1;
        const event = toStreamEvent(wire, {
          id: `${run.invocationId}-${count}`,
          invocationId: run.invocationId,
        });
        inText = event.partial === true;
        yield event;
      }
    }
  if (count === 0)
    throw new SessionError('FAILED_PRECONDITION', 'The agent ended without producing an event.', {
      hint: 'Read the logs of the engine: an agent that fails early can end like this.',
    });
  // Nothing marks the last line, but after the pieces of a text ADK always sends the whole text.
  if (inText) throw runBrokeOff();
}

/** The events in one line of the stream: one, or a list. What other frameworks send becomes the text of an event. */
function eventsOf(item: unknown): JsonObject[] {
  if (isObject(item)) {
    if (Array.isArray(item.events)) return (item.events as unknown[]).filter(isObject);
    const isEvent = ['content', 'author', 'actions', 'invocation_id', 'invocationId'].some((name) =>
      Object.hasOwn(item, name),
    );
    if (isEvent) return [item];
    if (Object.hasOwn(item, 'session_id') || Object.keys(item).length === 0) return [];
  }
  if (item === null || item === undefined || item === '') return [];
  const text = typeof item === 'string' ? item : JSON.stringify(item);
  return [{ content: { role: 'model', parts: [{ text }] } }];
}

/**
 * The error in a line of the stream, in either of its forms (docs/protocols/agent-engine.md, "Running an engine").
 */
function streamError(item: unknown): SessionError | undefined {
  if (!isObject(item)) return undefined;
  const { error, code, message } = item;
  const isBare = typeof code === 'number' && code >= 400 && typeof message === 'string';
  const isEvent = Object.hasOwn(item, 'content') || Object.hasOwn(item, 'author');
  if (isEvent || (typeof error !== 'string' && !isObject(error) && !isBare)) return undefined;
  const from: JsonObject = isObject(error) ? error : typeof error === 'string' ? { message: error } : item;
  const refusal: Refusal = {
    httpStatus: 200,
    status: typeof from.status === 'string' ? from.status : undefined,
    message: typeof from.message === 'string' ? from.message : '',
    fields: [],
    reason: undefined,
  };
  if (
    from.code === 429 ||
    refusal.status === 'RESOURCE_EXHAUSTED' ||
    /\bRESOURCE_EXHAUSTED\b/.test(refusal.message)
  )
    return new SessionError('RESOURCE_EXHAUSTED', 'The agent reached a quota.', {
      hint: 'Wait a little, then call again; list_events shows what the agent has said so far.',
      cause: refusal,
    });
  const known = agentError(refusal);
  if (known.code !== 'FAILED_PRECONDITION') return known;
  return new SessionError('FAILED_PRECONDITION', 'The agent failed while it ran.', {
    hint: 'Read the logs of the engine; list_events shows what the agent has said so far.',
    cause: refusal,
  });
}
