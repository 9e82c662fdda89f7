import { randomUUID } from 'node:crypto';
import {
  type AgentCard,
  type SendMessageRequest,
  type StreamResponse,
  type Task,
  TaskState,
} from '@a2a-js/sdk';
import {
  A2AError,
  PushNotificationNotSupportedError,
  RequestMalformedError,
  TaskNotCancelableError,
  TaskNotFoundError,
  UnsupportedOperationError,
} from '@a2a-js/sdk/errors';
import type { A2ARequestHandler, ServerCallContext } from '@a2a-js/sdk/server';
import { type Backend, type Owner, required, type SessionRef } from '../../backend/types.ts';
import { SessionError } from '../../errors.ts';
import type { Log } from '../../log.ts';
import { checkId } from '../../model/ids.ts';
import type { Principal } from '../../model/principal.ts';
import { handOverOf } from '../../model/turn.ts';
import { checkSpeaker } from '../../tools/support/speaker.ts';
import { followTask } from './follow-task.ts';
import { listTasks } from './list-tasks.ts';
import { eventIdOf, taskIdOf } from './task-id.ts';
import { eventOf, eventOfMessage, type FoundTask, findTask, isWorking, showTask, statusOf } from './tasks.ts';

export interface RequestsConfig {
  backend: Backend;
  app: string;
  agent: string;
  log: Log;
  card(): AgentCard;
  /** Whose request it is, and when its caller has gone. */
  callerOf(context: ServerCallContext): { principal: Principal; signal: AbortSignal };
}

/**
 * Makes turns of messages: the message is stored as an event that hands the session over to the app's agent, and the
 * task lasts until the turn is answered, whoever answers it: this server, another, or an agent that takes turns. Nothing
 * of a task is kept beside the session, so every server over the store knows it, also after a restart.
 */
export function turnRequests(config: RequestsConfig): A2ARequestHandler {
  const { backend, app, callerOf } = config;
  const ownerOf = (context: ServerCallContext): Owner => ({
    app,
    userId: callerOf(context).principal.userId,
  });

  async function existing(context: ServerCallContext, id: string): Promise<FoundTask> {
    if (id.trim() === '') throw new RequestMalformedError('The id of the task is missing.');
    const found = await findTask(backend, ownerOf(context), id);
    if (found === undefined)
      throw new TaskNotFoundError(`There is no task ${JSON.stringify(id.slice(0, 200))}.`);
    return found;
  }

  const handler: A2ARequestHandler = {
    getAgentCard: async () => config.card(),
    async getAuthenticatedExtendedAgentCard() {
      throw new UnsupportedOperationError('This agent has one card for everybody.');
    },
    async sendMessage(request, context) {
      const { principal, signal } = callerOf(context);
      const { task } = await send(config, principal, request);
      if (request.configuration?.returnImmediately !== true)
        // Whoever waits is told how it ended; the pieces are for those who stream.
        for await (const _piece of followTask(backend, task, task.begun.id, signal));
      return showTask(backend, (await findTask(backend, task.ref, task.id)) ?? task, request.configuration);
    },
    async *sendMessageStream(request, context) {
      const { principal, signal } = callerOf(context);
      const { task, sent } = await send(config, principal, request);
      yield* stream(backend, task, sent, signal, request.configuration);
    },
    async getTask({ id, historyLength }, context) {
      return showTask(backend, await existing(context, id), { historyLength });
    },
    async cancelTask({ id }, context) {
      const { principal } = callerOf(context);
      return showTask(backend, await cancel(await existing(context, id), principal));
    },
    async *resubscribe({ id }, context) {
      const task = await existing(context, id);
      if (!isWorking(task) && task.state !== TaskState.TASK_STATE_INPUT_REQUIRED)
        throw new UnsupportedOperationError('The task has ended; get it instead.');
      const whole = await showTask(backend, task);
      yield { payload: { $case: 'task', value: whole } };
      const last = whole.artifacts.at(-1)?.artifactId ?? task.begun.id;
      if (isWorking(task)) yield* followTask(backend, task, last, callerOf(context).signal);
    },
    listTasks: (request, context) => listTasks(backend, ownerOf(context), request),
    createTaskPushNotificationConfig: noPush,
    getTaskPushNotificationConfig: noPush,
    listTaskPushNotificationConfigs: noPush,
    deleteTaskPushNotificationConfig: noPush,
  };

  async function cancel(task: FoundTask, { name }: Principal): Promise<FoundTask> {
    const withdraw = required(backend.turns?.withdraw, backend, 'withdraw turns');
    for (let found = task; ; ) {
      if (found.state === TaskState.TASK_STATE_CANCELED) return found;
      if (found.open === undefined) throw new TaskNotCancelableError('The task has ended already.');
      await withdraw(found.ref, found.open, { author: found.begun.author, writtenBy: name });
      // It may have gone to another agent, or ended, meanwhile.
      const now = await findTask(backend, found.ref, found.id);
      if (now === undefined) throw new TaskNotFoundError('The task is no longer there.');
      found = now;
    }
  }

  return withPlainErrors(handler, config.log);
}

async function noPush(): Promise<never> {
  throw new PushNotificationNotSupportedError('This server sends no push notifications.');
}

/** Stores a message. Answers its task, and the event that it became. */
async function send(
  { backend, app, agent }: RequestsConfig,
  principal: Principal,
  { message, configuration }: SendMessageRequest,
): Promise<{ task: FoundTask; sent: string }> {
  if (message === undefined || message.messageId === '')
    throw new RequestMalformedError('message.messageId is missing.');
  if (configuration?.taskPushNotificationConfig !== undefined) await noPush();
  const id = checkId('messageId', eventIdOf(message.messageId));
  checkId('contextId', message.contextId || id);
  const author = principal.agents?.[0] ?? 'user';
  checkSpeaker(author, principal);
  const owner = { app, userId: principal.userId };
  const task = message.taskId === '' ? undefined : await findTask(backend, owner, message.taskId);
  if (message.taskId !== '' && task === undefined) throw new TaskNotFoundError('There is no such task.');
  if (task !== undefined && message.contextId !== '' && message.contextId !== task.ref.sessionId)
    throw new RequestMalformedError('The task belongs to another context.');
  // What was sent before is sent again as it was then, whatever became of the task meanwhile.
  const before = task === undefined ? undefined : await eventOf(backend, task.ref, id);
  if (task !== undefined && task.open === undefined && before === undefined)
    throw new UnsupportedOperationError('The task has ended; send the message without its id.');
  const said = eventOfMessage(message, task);
  if (said.content.parts.length === 0) throw new RequestMalformedError('message.parts holds nothing.');
  const ref = task?.ref ?? { ...owner, sessionId: message.contextId || randomUUID() };
  if (task === undefined) await openSession(backend, ref);
  // To an agent at work a message is news, and no other turn.
  const handsOver =
    before === undefined ? task === undefined || !isWorking(task) : handOverOf(before) !== undefined;
  const append = required(backend.events?.append, backend, 'append an event');
  // The same message twice is one event, and one task.
  const { event } = await append(ref, {
    id,
    author,
    writtenBy: principal.name,
    ...said,
    ...(handsOver ? { actions: { transferAgent: agent } } : {}),
  }).catch((error: unknown) => {
    if (!isTaken(error)) throw error;
    throw new RequestMalformedError('Another message of this context has this messageId.');
  });
  const taskId = task?.id ?? taskIdOf({ sessionId: ref.sessionId, eventId: event.id });
  const found = await findTask(backend, owner, taskId);
  if (found === undefined) throw new TaskNotFoundError('The task is no longer there.');
  return { task: found, sent: event.id };
}

/** The session of a context: made with its first message. */
async function openSession(backend: Backend, ref: SessionRef): Promise<void> {
  try {
    await required(backend.sessions?.create, backend, 'create sessions')(ref, { sessionId: ref.sessionId });
  } catch (error) {
    if (!isTaken(error)) throw error;
  }
}

const isTaken = (error: unknown): boolean => error instanceof SessionError && error.code === 'ALREADY_EXISTS';

async function* stream(
  backend: Backend,
  task: FoundTask,
  after: string,
  signal: AbortSignal,
  { historyLength }: { historyLength?: number | undefined } = {},
): AsyncGenerator<StreamResponse, void> {
  if (!isWorking(task)) {
    yield { payload: { $case: 'task', value: await showTask(backend, task, { historyLength }) } };
    return;
  }
  const begun: Task = await showTask(backend, { ...task, end: undefined }, { historyLength });
  // What is said from now on comes piece by piece.
  yield { payload: { $case: 'task', value: { ...begun, artifacts: [] } } };
  const status = { ...statusOf(task), state: TaskState.TASK_STATE_WORKING };
  const about = { taskId: task.id, contextId: task.ref.sessionId, metadata: undefined };
  yield { payload: { $case: 'statusUpdate', value: { ...about, status } } };
  yield* followTask(backend, task, after, signal);
}

/** What to do next. Hints that name tools mean nothing to remote agents. */
const hintOf = ({ code, hint }: SessionError): string | undefined =>
  code === 'ABORTED'
    ? 'Wait until its task has ended, or send the message with the taskId of that task.'
    : hint;

/** All that a caller is told of an error that nobody foresaw. */
export const unforeseen = 'Something went wrong in this server.';

/** Errors of a backend in words of A2A. What nobody foresaw is told to the log alone. */
function withPlainErrors(handler: A2ARequestHandler, log: Log): A2ARequestHandler {
  const plain = (error: unknown): unknown => {
    if (error instanceof SessionError) {
      const text = [error.message, hintOf(error)].filter((part) => part !== undefined).join(' ');
      if (error.code === 'NOT_FOUND') return new TaskNotFoundError(text);
      return error.code === 'INVALID_ARGUMENT'
        ? new RequestMalformedError(text)
        : new UnsupportedOperationError(text);
    }
    if (error instanceof A2AError) return error;
    log.error('A request of A2A failed.', { error });
    return new Error(unforeseen);
  };
  const once =
    <A extends unknown[], T>(verb: (...args: A) => Promise<T>) =>
    (...args: A): Promise<T> =>
      verb(...args).catch((error: unknown) => Promise.reject(plain(error)));
  const many = <A extends unknown[], T>(verb: (...args: A) => AsyncGenerator<T, void, undefined>) =>
    async function* (...args: A): AsyncGenerator<T, void, undefined> {
      try {
        yield* verb(...args);
      } catch (error) {
        throw plain(error);
      }
    };
  return {
    ...handler,
    sendMessage: once(handler.sendMessage),
    sendMessageStream: many(handler.sendMessageStream),
    getTask: once(handler.getTask),
    cancelTask: once(handler.cancelTask),
    resubscribe: many(handler.resubscribe),
    listTasks: once(handler.listTasks),
  };
}
