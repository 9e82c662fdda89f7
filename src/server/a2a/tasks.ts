import { type Artifact, type Message, Role, type Task, TaskState, type TaskStatus } from '@a2a-js/sdk';
import { fromParts, toA2aPart } from '../../agent/a2a-map.ts';
import { type Backend, type Owner, required, type SessionRef } from '../../backend/types.ts';
import { SessionError } from '../../errors.ts';
import type { Event } from '../../model/event.ts';
import { isObject } from '../../model/json.ts';
import { handOverOf } from '../../model/turn.ts';
import { isMessageEvent, messageIdOf, placeOfTask, taskIdOf } from './task-id.ts';

/** What is known of a task without its history: the message that began it, and how its turn stands. */
export interface FoundTask {
  id: string;
  ref: SessionRef;
  /** The message that began it. */
  begun: Event;
  state: TaskState;
  /** The event that opened the turn which is open now, be it an agent's or, when the task waits for input, the sender's. */
  open?: string | undefined;
  /** The event that ended the task, or that asks for input. */
  end?: Event | undefined;
}

export const isWorking = ({ state }: FoundTask): boolean =>
  state === TaskState.TASK_STATE_WORKING || state === TaskState.TASK_STATE_SUBMITTED;

/**
 * Finds a task and how it stands. A task is the turn that its message opened, and those that agents handed on from
 * there: all of it is in the session. Undefined where the owner has no such task.
 */
export async function findTask(backend: Backend, owner: Owner, id: string): Promise<FoundTask | undefined> {
  const place = placeOfTask(id);
  if (place === undefined) return undefined;
  const ref = { ...owner, sessionId: place.sessionId };
  const begun = await eventOf(backend, ref, place.eventId);
  if (begun === undefined || isContinuation(begun) || handOverOf(begun) === undefined) return undefined;
  return { id, ref, begun, ...(await standing(backend, ref, begun)) };
}

async function standing(
  backend: Backend,
  ref: SessionRef,
  begun: Event,
): Promise<Pick<FoundTask, 'state' | 'open' | 'end'>> {
  const endOf = required(backend.turns?.endOf, backend, 'tell how turns ended');
  const get = required(backend.sessions?.get, backend, 'get a session');
  let open = begun.id;
  let asks: Event | undefined;
  for (;;) {
    let ended = await endOf(ref, open);
    if (ended === undefined) {
      const { turn } = await get(ref);
      if (turn?.eventId === open) {
        if (asks !== undefined) return { state: endState(asks), open, end: asks };
        const taken = (turn.tries ?? 0) > 0;
        return { state: taken ? TaskState.TASK_STATE_WORKING : TaskState.TASK_STATE_SUBMITTED, open };
      }
      // It ended in between, or the session was rewound to before it.
      ended = await endOf(ref, open);
      if (ended === undefined) return { state: TaskState.TASK_STATE_CANCELED };
    }
    const end = await eventOf(backend, ref, ended);
    // Whoever deleted the answer keeps it from being told, and the task from going on.
    if (end === undefined) return { state: TaskState.TASK_STATE_COMPLETED };
    const next = handOverOf(end)?.agent;
    if (next === undefined) return { state: endState(end), end };
    asks = next === begun.author ? end : undefined;
    open = ended;
  }
}

/** What the event means that ended the turns of agents: it has an error, asks the sender, or is the answer. */
function endState(end: Event): TaskState {
  if (end.errorCode === 'CANCELLED') return TaskState.TASK_STATE_CANCELED;
  if (end.errorCode !== undefined) return TaskState.TASK_STATE_FAILED;
  return handOverOf(end) === undefined ? TaskState.TASK_STATE_COMPLETED : TaskState.TASK_STATE_INPUT_REQUIRED;
}

/** The events of a task after one of them, up to its end. */
export async function eventsOfTask(
  backend: Backend,
  { ref, end }: FoundTask,
  afterEventId: string,
): Promise<Event[]> {
  const list = required(backend.events?.list, backend, 'list events');
  const events: Event[] = [];
  if (end?.id === afterEventId) return events;
  for (let cursor: string | undefined; ; ) {
    const page = await list(ref, { afterEventId, pageSize: 100, cursor });
    for (const event of page.items) {
      events.push(event);
      if (event.id === end?.id) return events;
    }
    cursor = page.cursor;
    if (cursor === undefined) return events;
  }
}

/** The whole task, as it is answered. */
export async function showTask(
  backend: Backend,
  found: FoundTask,
  { historyLength }: { historyLength?: number | undefined } = {},
): Promise<Task> {
  const { id, ref, begun } = found;
  const events = await eventsOfTask(backend, found, begun.id);
  const status = statusOf(found);
  const messages = [begun, ...events]
    .filter((event) => event.author === begun.author && isMessageEvent(event.id))
    .map((event) => messageOf(found, event));
  const history = status.message === undefined ? messages : [...messages, status.message];
  return {
    id,
    contextId: ref.sessionId,
    status,
    artifacts: events.flatMap((event) => artifactOf(event) ?? []),
    history: historyLength === undefined ? history : historyLength <= 0 ? [] : history.slice(-historyLength),
    metadata: undefined,
  };
}

export function statusOf(found: FoundTask): TaskStatus {
  const { state, begun, end } = found;
  const text = end === undefined ? undefined : (handOverOf(end)?.note ?? end.errorMessage);
  return {
    state,
    message: text === undefined || end === undefined ? undefined : saidOf(found, end.id, text),
    timestamp: (end ?? begun).timestamp,
  };
}

const common = ({ id: taskId, ref }: FoundTask) => ({
  contextId: ref.sessionId,
  taskId,
  metadata: undefined,
  extensions: [],
  referenceTaskIds: [],
});

const saidOf = (found: FoundTask, messageId: string, text: string): Message => ({
  ...common(found),
  messageId,
  role: Role.ROLE_AGENT,
  parts: toA2aPart({ text }),
});

const messageOf = (found: FoundTask, { id, content }: Event): Message => ({
  ...common(found),
  messageId: messageIdOf(id),
  role: Role.ROLE_USER,
  parts: (content?.parts ?? []).flatMap(toA2aPart),
});

/** An event of an agent, as an artifact of its own; undefined for what the user said, and for what has nothing to tell. */
export function artifactOf({ id, author, content }: Event): Artifact | undefined {
  const parts = author === 'user' || isMessageEvent(id) ? [] : (content?.parts ?? []).flatMap(toA2aPart);
  if (parts.length === 0) return undefined;
  return { artifactId: id, name: author, description: '', parts, metadata: { author }, extensions: [] };
}

/** The event that a message becomes. A message to a task that there is says to which one. */
export function eventOfMessage(message: Message, task: FoundTask | undefined) {
  return {
    content: { role: 'user' as const, parts: fromParts(message.parts) },
    ...(task === undefined ? {} : { customMetadata: { a2a: { taskId: task.id } } }),
  };
}

/** Whether a message went to a task that there was. */
const isContinuation = ({ customMetadata }: Event): boolean =>
  isObject(customMetadata?.a2a) && typeof customMetadata.a2a.taskId === 'string';

export const taskBegunBy = (ref: SessionRef, event: Event): string | undefined =>
  isMessageEvent(event.id) && handOverOf(event) !== undefined && !isContinuation(event)
    ? taskIdOf({ sessionId: ref.sessionId, eventId: event.id })
    : undefined;

/** Undefined for an event, or a session, that is not there. */
export async function eventOf(
  backend: Backend,
  ref: SessionRef,
  eventId: string,
): Promise<Event | undefined> {
  try {
    return await required(backend.events?.get, backend, 'get an event')(ref, eventId);
  } catch (error) {
    if (error instanceof SessionError && (error.code === 'NOT_FOUND' || error.code === 'INVALID_ARGUMENT'))
      return undefined;
    throw error;
  }
}
