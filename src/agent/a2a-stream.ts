import { setTimeout as sleep } from 'node:timers/promises';
import { type StreamResponse, TaskState } from '@a2a-js/sdk';
import type { Client } from '@a2a-js/sdk/client';
import type { Part } from '../model/event.ts';
import { toMessage } from './a2a-map.ts';
import type { RemoteTurn } from './a2a-task.ts';

interface Conversation {
  client: Client;
  signal: AbortSignal;
}

export interface OutgoingMessage {
  parts: readonly Part[];
  messageId: string;
  contextId: string;
  /** The id of the task that waits for the message, or empty. */
  taskId: string;
}

/** How often a task that cannot be streamed is polled, and how many polls in a row may fail. */
const pollMs = 1000;
const maxFailures = 4;

/**
 * Sends a message and yields what comes of it. A task that waited for it, but that the agent has forgotten or
 * ended meanwhile, is dropped, and the message sent without it.
 */
export async function* sendMessage(
  conversation: Conversation,
  message: OutgoingMessage,
): AsyncGenerator<StreamResponse, void> {
  try {
    yield* streamed(conversation, message);
  } catch (error) {
    if (message.taskId === '' || !isGone(error)) throw error;
    yield* streamed(conversation, { ...message, taskId: '' });
  }
}

async function* streamed(
  { client, signal }: Conversation,
  { parts, ...ids }: OutgoingMessage,
): AsyncGenerator<StreamResponse, void> {
  const message = toMessage(parts, ids);
  const request = { tenant: '', message, configuration: undefined, metadata: undefined };
  let held: StreamResponse | undefined;
  for await (const piece of client.sendMessageStream(request, { signal })) {
    // A stream on a task that waited begins with the task as it stood, which we have heard already. From an
    // agent that cannot stream it is all there is.
    const repeats = piece.payload?.$case === 'task' && piece.payload.value.id === ids.taskId;
    held = repeats ? piece : undefined;
    if (!repeats) yield piece;
  }
  if (held !== undefined) yield held;
}

/**
 * Follows a task whose stream has ended before it did: by a new stream where the agent offers one, else by
 * polling.
 */
export async function* takeUp(
  { client, signal }: Conversation,
  remote: () => RemoteTurn,
): AsyncGenerator<StreamResponse, void> {
  let streams = true;
  let failures = 0;
  while (remote().working()) {
    const request = { tenant: '', id: remote().taskId() };
    try {
      if (streams) for await (const piece of client.resubscribeTask(request, { signal })) yield piece;
      if (!remote().working()) return;
      yield taskPiece(await client.getTask({ ...request, historyLength: 0 }, { signal }));
      failures = 0;
    } catch (error) {
      if (signal.aborted || isForgotten(error)) throw error;
      // Not every agent streams, and there is no stream of a task that has just ended.
      if (streams) {
        streams = false;
        continue;
      }
      failures += 1;
      if (failures > maxFailures) throw error;
    }
    if (remote().working()) await sleep(pollMs, undefined, { signal });
  }
}

/** The task that an earlier attempt at this turn began, unless it failed or no longer exists. */
export async function resumeTask(
  { client, signal }: Conversation,
  taskId: string,
): Promise<StreamResponse | undefined> {
  try {
    const task = await client.getTask({ tenant: '', id: taskId, historyLength: 0 }, { signal });
    const state = task.status?.state;
    const failed = state === undefined || failedStates.includes(state);
    return failed ? undefined : taskPiece(task);
  } catch (error) {
    if (isForgotten(error)) return undefined;
    throw error;
  }
}

const failedStates: readonly TaskState[] = [
  TaskState.TASK_STATE_FAILED,
  TaskState.TASK_STATE_CANCELED,
  TaskState.TASK_STATE_REJECTED,
];

const taskPiece = (value: Awaited<ReturnType<Client['getTask']>>): StreamResponse => ({
  payload: { $case: 'task', value },
});

const isForgotten = (error: unknown): boolean => reasonOf(error) === 'TASK_NOT_FOUND';

/** Whether a task no longer accepts messages: the agent has forgotten it, or it has ended. */
export const isGone = (error: unknown): boolean =>
  isForgotten(error) || reasonOf(error) === 'UNSUPPORTED_OPERATION';

/** Reasons by the codes of A2A over JSON-RPC (a2a-protocol.org/v1.0.0/specification, error codes). */
const reasons: Record<string, string> = {
  '-32001': 'TASK_NOT_FOUND',
  '-32004': 'UNSUPPORTED_OPERATION',
  '-32005': 'CONTENT_TYPE_NOT_SUPPORTED',
};

/** The reason of a protocol error. The client library recognizes it, except within a stream. */
export function reasonOf(error: unknown): string | undefined {
  const { reason, message } = (error ?? {}) as { reason?: unknown; message?: unknown };
  if (typeof reason === 'string') return reason;
  const code = typeof message === 'string' ? /\(Code: (-\d+)\)/.exec(message)?.[1] : undefined;
  return code === undefined ? undefined : reasons[code];
}
