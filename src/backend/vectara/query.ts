import { invalidArgument, SessionError } from '../../errors.ts';
import type { Event } from '../../model/event.ts';
import type { JsonObject } from '../../model/json.ts';
import { runBrokeOff } from '../shared/errors.ts';
import type { RunInput, SessionRef } from '../types.ts';
import type { Vectara } from './client.ts';
import { contextOf, lastEventId } from './events.ts';
import { ownSession } from './own-session.ts';
import { sessionPath } from './paths.ts';
import { messageBody } from './query-input.ts';
import { eventsPath, openRun } from './query-interrupt.ts';
import { streamedEvents, wholeEvents } from './query-stream.ts';
import { applyStateDelta } from './sessions.ts';
import { responsesBody } from './tool-calls.ts';

/** Largest answer in bytes that is read when Vectara sends plain JSON instead of a stream. */
const maxWholeBytes = 32 * 1024 * 1024;

/**
 * Sends a message and yields the events of the agent's turn, until the turn ends or waits for a client tool
 * (docs/protocols/vectara.md, "Talking to an agent" and "Streams"). `classMethod` `steer` or `follow_up` joins a
 * run that is under way.
 */
export async function* streamQuery(
  vectara: Vectara,
  ref: SessionRef,
  input: RunInput,
  signal: AbortSignal,
): AsyncGenerator<Event, void> {
  const behavior = behaviorOf(input.classMethod);
  const session = await ownSession(vectara, ref, signal);
  const { wire, at } = session;
  const since = behavior === undefined ? undefined : await lastEventId(vectara, at);
  const body = await bodyOf(vectara, at, input, { since, behavior });
  if (input.stateDelta !== undefined) await applyStateDelta(vectara, session, input.stateDelta, signal);
  const context = { ...contextOf(vectara, wire, ref), invocationId: input.invocationId };
  const run = openRun(vectara, at, wire, signal);
  try {
    const { headers, chunks } = await vectara.settled(
      sessionPath(at),
      () =>
        // Repeated only after a refusal for quota: a second message would run the agent twice.
        vectara.stream('interact', { method: 'POST', path: eventsPath(at), retry: 'quota', body, signal }),
      signal,
    );
    if (since === undefined) run.begun();
    const type = headers.get('content-type') ?? '';
    if (/^text\/event-stream\b/i.test(type)) yield* streamedEvents(chunks, context);
    else yield* wholeEvents(await wholeJson(chunks), context);
    run.finished();
  } catch (error) {
    if (!signal.aborted) run.finished();
    throw error;
  } finally {
    await run.close();
  }
}

/** The body for a message; for one of function responses alone, the body that answers open tool calls. */
async function bodyOf(
  vectara: Vectara,
  ref: SessionRef,
  { message }: RunInput,
  joining: { since: string | undefined; behavior: string | undefined },
): Promise<JsonObject | FormData> {
  const responses = message.parts.map((part) => part.functionResponse).filter((r) => r !== undefined);
  if (responses.length > 0 && responses.length === message.parts.length)
    return responsesBody(vectara, ref, responses);
  return messageBody(message, {
    ...joining,
    stream: true,
    maxFileBytes: vectara.settings.maxArtifactBytes,
  });
}

function behaviorOf(classMethod: string | undefined): string | undefined {
  if (classMethod === undefined || classMethod === 'input_message') return undefined;
  if (classMethod === 'steer' || classMethod === 'follow_up') return classMethod;
  throw invalidArgument(
    'A Vectara agent cannot stream this classMethod.',
    'Leave classMethod out to send a message; "steer" and "follow_up" send it into a run that is under way.',
  );
}

async function wholeJson(chunks: AsyncIterable<Uint8Array>): Promise<unknown> {
  const read: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of chunks) {
    bytes += chunk.byteLength;
    if (bytes > maxWholeBytes)
      throw new SessionError(
        'RESOURCE_EXHAUSTED',
        'The answer of Vectara is larger than this server accepts.',
        {
          hint: 'Call list_events to see what the agent did.',
        },
      );
    read.push(chunk);
  }
  try {
    return JSON.parse(Buffer.concat(read).toString('utf8')) as unknown;
  } catch (cause) {
    throw runBrokeOff(cause);
  }
}
