import type { NewEvent } from '../../model/event.ts';
import { newId, newTimedId } from '../../model/ids.ts';
import type { Session } from '../../model/session.ts';
import { parseTime, toTime } from '../../model/time.ts';
import { withoutDeadline } from '../../net/deadline.ts';
import type { HttpRequest } from '../../net/http.ts';
import { sessionNotFound } from '../shared/errors.ts';
import { withCallIds } from '../shared/open-calls.ts';
import { checkNewEvent, refuseGuard, sameEvent } from '../shared/rules.ts';
import type { Appended, Guard, SessionRef } from '../types.ts';
import { type AgentEngineClient, inTurn, isCode, ownedWith, write } from './client.ts';
import { refusalOf } from './errors.ts';
import { eventPages, fullPage } from './find-event.ts';
import { type EventDraft, idsOf, toEvent, toWireEvent } from './map-event.ts';
import { toSession } from './map-session.ts';
import { sessionPath } from './paths.ts';
import type { SessionEvent } from './wire-types.ts';

/**
 * Stores one event. The service takes no id and returns none, so this server gives every event an id, sends it in
 * the event's metadata and encodes the time in it: nothing has to be read back, and the id finds the event later
 * (docs/protocols/agent-engine.md, "Events"). Before an event with a caller's own id is stored, the latest hundred
 * events are searched for that id, so that a repeated call stores nothing twice. Two processes that make the same
 * call at the same moment can still both store it; describe() says so.
 */
export async function appendEvent(
  client: AgentEngineClient,
  ref: SessionRef,
  input: NewEvent,
  guard: Guard | undefined,
): Promise<Appended> {
  refuseGuard('agent-engine', guard);
  checkNewEvent(input);
  if (input.id === undefined) return store(client, ref, input);
  const key = JSON.stringify([sessionPath(client.endpoint, ref), input.id]);
  return inTurn(client, key, () => store(client, ref, input));
}

/**
 * Stores an event of a copy in a session that the caller has just created: one request, with nothing read before or
 * after it. Waits for quota for as long as it takes, also after the service has refused a request for quota.
 * Cancelling ends the waiting, but not a request that was sent.
 */
export async function copyEvent(
  client: AgentEngineClient,
  ref: SessionRef,
  input: NewEvent,
  { signal }: { signal?: AbortSignal | undefined },
): Promise<void> {
  checkNewEvent(input);
  const path = sessionPath(client.endpoint, ref);
  const draft = draftOf(client, path, input, 0);
  await send(client, path, draft, async (body) => {
    for (let refused = 1; ; refused += 1) {
      await client.quota.waitForRoom('append', signal);
      try {
        // The caller's deadline ends the waiting only. A request that was sent has a time-out of its own.
        return await withoutDeadline(() => write(client, appendRequest(path, body), client.admittedHttp));
      } catch (error) {
        if (!isCode(error, 'RESOURCE_EXHAUSTED') || refused === mostRefusals) throw error;
        const pause = error.retryAfter === undefined ? restMs : error.retryAfter * 1000;
        if (pause > mostRestMs) throw error;
        await client.quota.rest(pause, signal);
      }
    }
  });
}

/** Milliseconds between two attempts after a refusal for quota. Quotas are per minute, but others use them too. */
const restMs = 15_000;
/** A service that wants a longer rest has no room for copies today: a later call continues this one. */
const mostRestMs = 5 * 60_000;
const mostRefusals = 20;

async function store(client: AgentEngineClient, ref: SessionRef, input: NewEvent): Promise<Appended> {
  const joins = input.invocationId === undefined && joinsTurn(input);
  const { session, latest } = await ownedWith(client, ref, async (signal, owned) => ({
    latest: input.id !== undefined || joins ? await latestOf(client, ref, input, signal) : [],
    session: toSession(await owned, ref.app),
  }));
  const { id } = input;
  const known = id === undefined ? undefined : latest.find((wire) => idsOf(wire).includes(id));
  if (known !== undefined) {
    const event = toEvent(known);
    client.eventTimes.set(sessionPath(client.endpoint, ref), event.id, String(known.timestamp));
    const asStored = { ...input, invocationId: event.invocationId, timestamp: event.timestamp };
    const { updateTime } = session;
    return {
      event: sameEvent(event, toEvent(toWireEvent(asStored))),
      session: { id: ref.sessionId, updateTime },
    };
  }
  const [last] = latest;
  const running = joins && last !== undefined ? toEvent(last).invocationId : '';
  return storeIn(client, ref, session, {
    ...input,
    invocationId: input.invocationId ?? (running || undefined),
  });
}

/** Stores an event. The caller has just checked that the session is the user's. */
export async function storeIn(
  client: AgentEngineClient,
  ref: SessionRef,
  session: Pick<Session, 'updateTime'>,
  input: NewEvent,
): Promise<Appended> {
  const path = sessionPath(client.endpoint, ref);
  const before = Date.parse(session.updateTime);
  const sent = await send(client, path, draftOf(client, path, input, before));
  return {
    event: toEvent(sent),
    session: { id: ref.sessionId, updateTime: toTime(Math.max(client.now(), before)) },
  };
}

/** Whether an event belongs to the present turn. Only a user's message opens a new one, unless it answers calls. */
const joinsTurn = ({ author, content }: NewEvent): boolean =>
  author !== 'user' || (content?.parts.some((part) => part.functionResponse !== undefined) ?? false);

/**
 * The latest event; for an event with an own id the latest hundred, to find a repetition; newest first. When this
 * process remembers the time of that id, only that time is searched first.
 */
async function latestOf(
  client: AgentEngineClient,
  ref: SessionRef,
  { id }: NewEvent,
  signal: AbortSignal,
): Promise<SessionEvent[]> {
  const path = sessionPath(client.endpoint, ref);
  const from = id === undefined ? undefined : client.eventTimes.get(path, id);
  if (from !== undefined)
    for await (const { events } of eventPages(client, ref, { pageSize: 10, from, signal })) {
      const known = events.find((wire) => idsOf(wire).includes(id ?? ''));
      if (known !== undefined) return [known];
      break;
    }
  const pageSize = id === undefined ? 1 : fullPage;
  for await (const { events } of eventPages(client, ref, { pageSize, reverse: true, signal })) return events;
  return [];
}

/** Completes an event with what the service requires. */
function draftOf(client: AgentEngineClient, path: string, input: NewEvent, afterMs: number): EventDraft {
  const timestamp =
    input.timestamp === undefined
      ? client.timestamps.next(path, afterMs)
      : client.timestamps.at(path, parseTime('timestamp', input.timestamp));
  const ms = Date.parse(timestamp);
  return {
    ...input,
    id: input.id ?? newTimedId('e', ms),
    invocationId: input.invocationId ?? newId('i'),
    timestamp,
    content: input.content === undefined ? undefined : withCallIds(input.content),
  };
}

type Send = (body: SessionEvent) => Promise<unknown>;

const appendRequest = (path: string, body: SessionEvent): HttpRequest & { lookWith: string } => ({
  method: 'POST',
  path: `${path}:appendEvent`,
  body,
  retry: 'quota',
  lookWith: 'list_events',
});

/** Sends an event. @returns the body that the service accepted */
async function send(
  client: AgentEngineClient,
  path: string,
  draft: EventDraft,
  post: Send = (body) => write(client, appendRequest(path, body)),
): Promise<SessionEvent> {
  let body = toWireEvent(draft);
  try {
    await post(body).catch((error: unknown) => {
      // The service refused a field that it does not know, so nothing is stored. rawEvent takes any field.
      if (!isUnknownMetadata(error)) throw error;
      body = toWireEvent(draft, { bare: true });
      return post(body);
    });
  } catch (error) {
    throw isCode(error, 'NOT_FOUND') ? sessionNotFound() : error;
  }
  if (draft.id !== undefined) client.eventTimes.set(path, draft.id, draft.timestamp);
  return body;
}

const isUnknownMetadata = (error: unknown): boolean =>
  isCode(error, 'INVALID_ARGUMENT') &&
  /Unknown name .*(grounding_metadata|input_transcription|output_transcription)/.test(
    refusalOf(error)?.message ?? '',
  );
