import type { Message, StreamResponse, TaskArtifactUpdateEvent, TaskStatus } from '@a2a-js/sdk';
import { TaskState } from '@a2a-js/sdk';
import { SessionError } from '../errors.ts';
import { type Part, textOf } from '../model/event.ts';
import { fromParts, mergeText } from './a2a-map.ts';

/** What a remote agent has said in one turn, gathered from the pieces of its stream. */
export interface RemoteTurn {
  /** Takes a piece, and answers the text in it that is new. A piece may come twice, where a stream was taken up. */
  take(piece: StreamResponse): string;
  contextId(): string;
  taskId(): string;
  /** Whether the task waits for the user's next message. */
  open(): boolean;
  /** Whether the remote agent may still be at work. */
  working(): boolean;
  /** Characters of text that have come in pieces. */
  length(): number;
  /** The answer: the last message, the artifacts, or else what was said on the way. */
  parts(): Part[];
  /** Why the task has no answer; undefined when it has one. */
  fault(): SessionError | undefined;
}

const ended: readonly TaskState[] = [
  TaskState.TASK_STATE_COMPLETED,
  TaskState.TASK_STATE_FAILED,
  TaskState.TASK_STATE_CANCELED,
  TaskState.TASK_STATE_REJECTED,
];
const waiting: readonly TaskState[] = [
  TaskState.TASK_STATE_INPUT_REQUIRED,
  TaskState.TASK_STATE_AUTH_REQUIRED,
];

export function remoteTurn(): RemoteTurn {
  let contextId = '';
  let taskId = '';
  let state = TaskState.TASK_STATE_UNSPECIFIED;
  let last: Part[] = [];
  const onTheWay: Part[] = [];
  const artifacts = new Map<string, Part[]>();
  const heard = new Set<string>();
  let length = 0;

  function named(thing: { contextId: string; taskId?: string; id?: string }): void {
    contextId = thing.contextId || contextId;
    taskId = thing.taskId || thing.id || taskId;
  }

  function counted(text: string): string {
    length += text.length;
    return text;
  }

  function message(said: Message): string {
    last = fromParts(said.parts);
    return textOf({ content: { parts: last } });
  }

  function status(now: TaskStatus | undefined): string {
    if (now === undefined) return '';
    state = now.state;
    const parts = fromParts(now.message?.parts);
    if (parts.length === 0) return '';
    const { messageId } = now.message ?? { messageId: '' };
    const repeated = messageId !== '' && heard.has(messageId);
    heard.add(messageId);
    if (ended.includes(state) || waiting.includes(state)) last = parts;
    else if (!repeated) onTheWay.push(...parts);
    return repeated ? '' : textOf({ content: { parts } });
  }

  function artifact({
    artifact: piece,
    append,
  }: Pick<TaskArtifactUpdateEvent, 'artifact' | 'append'>): string {
    if (piece === undefined) return '';
    const parts = fromParts(piece.parts);
    const known = artifacts.get(piece.artifactId) ?? [];
    const after = textOf({ content: { parts } });
    if (append) {
      // Only what is new is looked at: long answers come in many pieces.
      artifacts.set(piece.artifactId, mergeText([...known, ...parts]));
      return after;
    }
    artifacts.set(piece.artifactId, mergeText(parts));
    const before = textOf({ content: { parts: known } });
    return after.startsWith(before) ? after.slice(before.length) : after;
  }

  return {
    take({ payload }) {
      switch (payload?.$case) {
        case 'message':
          named(payload.value);
          return message(payload.value);
        case 'task': {
          named(payload.value);
          const pieces = payload.value.artifacts.map((piece) => artifact({ artifact: piece, append: false }));
          return [...pieces, status(payload.value.status)].filter((text) => text !== '').join('\n');
        }
        case 'statusUpdate':
          named(payload.value);
          return counted(status(payload.value.status));
        case 'artifactUpdate':
          named(payload.value);
          return counted(artifact(payload.value));
        default:
          return '';
      }
    },
    contextId() {
      return contextId;
    },
    taskId() {
      return taskId;
    },
    length() {
      return length;
    },
    open() {
      return waiting.includes(state);
    },
    working() {
      return taskId !== '' && !ended.includes(state) && !waiting.includes(state);
    },
    parts() {
      const answer = [...[...artifacts.values()].flat(), ...last];
      return answer.length > 0 ? answer : mergeText(onTheWay);
    },
    fault() {
      const hint = 'list_events shows what the agent said about it, if anything.';
      if (state === TaskState.TASK_STATE_FAILED)
        return new SessionError('UNAVAILABLE', 'The remote agent failed.', { hint });
      if (state === TaskState.TASK_STATE_REJECTED)
        return new SessionError('FAILED_PRECONDITION', 'The remote agent rejected the message.', { hint });
      if (state === TaskState.TASK_STATE_CANCELED)
        return new SessionError('ABORTED', 'The remote agent’s task was cancelled on its side.', { hint });
      if (state === TaskState.TASK_STATE_AUTH_REQUIRED)
        return new SessionError('FAILED_PRECONDITION', 'The remote agent requires the user to log in.', {
          hint,
        });
      return undefined;
    },
  };
}
