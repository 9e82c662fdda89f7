import type { NewEvent } from '../../model/event.ts';
import { newId } from '../../model/ids.ts';
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
import { eventPages, fullPage, rememberEvents } from './find-event.ts';
import { type EventDraft, idsOf, toEvent, toWireEvent } from './map-event.ts';
import { toSession } from './map-session.ts';
import { sessionPath } from './paths.ts';
import type { SessionEvent } from './wire-types.ts';

/**
 * Stores one event. The service returns no id and takes none, so every event gets one of ours, which travels in
 * its metadata and holds its time: nothing has to be read back, and the id finds the event later. Before an
 * event with a caller's own id is stored, the latest hundred are searched for it, so that a repeated call stores
 * nothing twice; two processes that make the same call at the same moment can still both store it, and
 * describe() says so.
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
 * Stores an event of a copy into a session that the caller has just made: one request, with nothing read before
 * or after it. It waits for its quota for as long as it takes, also when the service itself says that the
 * quota is used up; cancelling ends the waiting, never a request that is on its way.
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
        // The time that the caller has is for the waiting: a request that is on its way has its own.
        return await withoutDeadline(() => write(client, appendRequest(path, body), client.admittedHttp));
      } catch (error) {
        if (!isCode(error, 'RESOURCE_EXHAUSTED') || refused === mostRefusals) throw error;
        await client.quota.rest(error.retryAfter === undefined ? restMs : error.retryAfter * 1000, signal);
      }
    }
  });
}

/** Between two attempts when others use the quota too, and how often: a quota of a minute is free by then. */
const restMs = 15_000;
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
    rememberEvents(client, ref, [known]);
    const event = toEvent(known);
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

/** Stores an event in a session that was just found to be the caller's. */
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

/** A user's message opens a turn; what others say, and answers to tool calls, belong to the one that runs. */
const joinsTurn = ({ author, content }: NewEvent): boolean =>
  author !== 'user' || (content?.parts.some((part) => part.functionResponse !== undefined) ?? false);

/**
 * The latest event, and with an own id so many that a repetition is found; newest first. An event that this
 * process knows by its id is looked for at its time.
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

/** The event with everything that the service requires. */
function draftOf(client: AgentEngineClient, path: string, input: NewEvent, afterMs: number): EventDraft {
  const timestamp =
    input.timestamp === undefined
      ? client.timestamps.next(path, afterMs)
      : client.timestamps.at(path, parseTime('timestamp', input.timestamp));
  const ms = Date.parse(timestamp);
  return {
    ...input,
    id: input.id ?? newId('e', ms),
    invocationId: input.invocationId ?? newId('i', client.now()),
    timestamp,
    content: input.content === undefined ? undefined : withCallIds(input.content, ms),
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

/** What was sent in the end. */
async function send(
  client: AgentEngineClient,
  path: string,
  draft: EventDraft,
  post: Send = (body) => write(client, appendRequest(path, body)),
): Promise<SessionEvent> {
  let body = toWireEvent(draft);
  try {
    await post(body).catch((error: unknown) => {
      // Refused, so not stored: what it does not know can still travel in rawEvent.
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
