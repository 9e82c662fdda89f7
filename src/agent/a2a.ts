import type { StreamResponse } from '@a2a-js/sdk';
import type { Client } from '@a2a-js/sdk/client';
import { invalidArgument, SessionError } from '../errors.ts';
import type { JsonObject } from '../model/json.ts';
import { abortable } from '../net/abortable.ts';
import { timeLimit } from '../net/time-limit.ts';
import { openClient } from './a2a-connect.ts';
import { unheardParts } from './a2a-history.ts';
import { isGone, reasonOf, resumeTask, sendMessage, takeUp } from './a2a-stream.ts';
import { type RemoteTurn, remoteTurn } from './a2a-task.ts';
import type { Agent, AgentEvent, Turn } from './types.ts';

export interface A2aConfig {
  kind: 'a2a';
  name: string;
  /** Where the agent is, or the address of its card, which ends in `.json`. */
  url: string;
  /** Bearer token. */
  token?: string | undefined;
  /** Longest silence of the agent, in milliseconds, before and within its answer. */
  timeoutMs: number;
}

/** Characters of one answer. */
const maxLength = 2_000_000;
/** How long a cancelled task is asked to end. */
const cancelMs = 2000;

/**
 * A remote agent, reached by the Agent2Agent protocol (a2a-protocol.org/v1.0.0/specification). It keeps its own
 * memory of the conversation under a context id, which is noted beside the session, with the id of its task.
 */
export function a2aAgent(config: A2aConfig): Agent {
  let client: Promise<Client> | undefined;
  const connect = () => {
    client ??= openClient(config);
    client.catch(() => {
      client = undefined;
    });
    return client;
  };
  return {
    name: config.name,
    run: (turn, signal) => converse(config, connect, turn, signal),
  };
}

/** What is noted of the conversation between two turns. */
interface Notes {
  contextId: string;
  /** Of the task that waits for the user's next message, or that the turn of this invocation began. */
  taskId: string;
  waiting: boolean;
  invocationId: string | undefined;
  /** The event up to which the agent has heard the session. */
  heard: string | undefined;
}

async function* converse(
  config: A2aConfig,
  connect: () => Promise<Client>,
  turn: Turn,
  signal: AbortSignal,
): AsyncGenerator<AgentEvent, void> {
  const watch = timeLimit({ ms: config.timeoutMs, follow: [signal] });
  let remote = remoteTurn();
  let client: Client | undefined;
  try {
    const known = notesOf(await turn.notes.read());
    const conversation = { client: await abortable(connect(), watch.signal), signal: watch.signal };
    client = conversation.client;
    const heard = known.contextId === '' ? undefined : known.heard;
    const { parts, upTo } = await unheardParts(turn.history(), turn.message, { name: config.name, heard });
    let noted = '';
    const note = async (waiting: boolean) => {
      const notes: Notes = {
        contextId: remote.contextId(),
        taskId: remote.taskId(),
        waiting,
        invocationId: turn.invocationId,
        heard: upTo,
      };
      if (JSON.stringify(notes) === noted) return;
      noted = JSON.stringify(notes);
      await turn.notes.save({ ...notes });
    };
    const message = { parts, messageId: turn.invocationId, contextId: known.contextId };
    for await (const piece of pieces()) {
      const text = remote.take(piece);
      if (remote.length() > maxLength) throw await endedForLength(client, remote);
      // A poll that finds the task unchanged is no sign of life.
      if (text !== '' || piece.payload?.$case !== 'task') watch.restart();
      await note(false);
      if (text !== '') yield { partial: true, content: { role: 'model', parts: [{ text }] } };
    }
    await note(remote.open());
    yield* outcome(remote);

    async function* pieces(): AsyncGenerator<StreamResponse, void> {
      const attempted = known.invocationId === turn.invocationId && known.taskId !== '' && !known.waiting;
      const task = attempted ? await resumeTask(conversation, known.taskId) : undefined;
      if (task !== undefined) {
        yield task;
        yield* takeUp(conversation, () => remote);
        return;
      }
      for (let again = false; ; again = true) {
        try {
          const taskId = known.waiting && !again ? known.taskId : '';
          yield* sendMessage(conversation, { ...message, taskId });
        } catch (error) {
          if (!remote.working() || watch.signal.aborted) throw error;
        }
        try {
          return yield* takeUp(conversation, () => remote);
        } catch (error) {
          if (again || !isGone(error)) throw error;
          // The agent has forgotten its task, for example with a restart: the message is sent anew.
          remote = remoteTurn();
        }
      }
    }
  } catch (error) {
    if (watch.signal.aborted) await cancelRemote(client, remote);
    if (signal.aborted)
      throw new SessionError('CANCELLED', 'The run was cancelled.', { hint: 'Send the message again.' });
    if (watch.signal.aborted)
      throw new SessionError('DEADLINE_EXCEEDED', 'The remote agent did not answer in time.', {
        hint: 'Send the message again.',
      });
    throw remoteError(error);
  } finally {
    watch.end();
  }
}

/** The answer as an event, and the error of a task that did not come to its end. */
function* outcome(remote: RemoteTurn): Generator<AgentEvent, void> {
  const parts = remote.parts();
  const fault = remote.fault();
  if (parts.length > 0)
    yield {
      content: { role: 'model', parts },
      ...(fault === undefined ? { turnComplete: true } : { errorCode: fault.code }),
    };
  if (fault !== undefined) throw fault;
  if (parts.length === 0)
    throw new SessionError('UNAVAILABLE', 'The remote agent sent no answer.', {
      hint: 'Send the message again, or say it in other words.',
    });
}

async function endedForLength(client: Client, remote: RemoteTurn): Promise<SessionError> {
  await cancelRemote(client, remote);
  return new SessionError(
    'RESOURCE_EXHAUSTED',
    'The remote agent’s answer is longer than this server accepts.',
    { hint: 'Ask for a shorter answer.' },
  );
}

function remoteError(error: unknown): SessionError {
  if (error instanceof SessionError) return error;
  if (reasonOf(error) === 'CONTENT_TYPE_NOT_SUPPORTED')
    return invalidArgument(
      'The remote agent does not accept files of this type.',
      'Send the message as text, or with a file of another type.',
    );
  return new SessionError('UNAVAILABLE', 'The remote agent cannot be reached, or broke off its answer.', {
    hint: 'Send the message again; the operator’s log has the reason.',
    cause: error,
  });
}

/** The stream is closed already; this tells the other side that nobody wants the rest of the work. */
async function cancelRemote(client: Client | undefined, remote: RemoteTurn): Promise<void> {
  if (client === undefined || !remote.working()) return;
  const request = { tenant: '', id: remote.taskId(), metadata: undefined };
  await client.cancelTask(request, { signal: AbortSignal.timeout(cancelMs) }).catch(() => {});
}

function notesOf(noted: JsonObject): Notes {
  const text = (name: string) => (typeof noted[name] === 'string' ? noted[name] : undefined);
  return {
    contextId: text('contextId') ?? '',
    taskId: text('taskId') ?? '',
    waiting: noted.waiting === true,
    invocationId: text('invocationId'),
    heard: text('heard'),
  };
}
