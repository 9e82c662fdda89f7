import { randomUUID } from 'node:crypto';
import { type Artifact, type Message, Role, TaskState } from '@a2a-js/sdk';
import {
  AgentEvent,
  type AgentExecutor,
  type ExecutionEventBus,
  type RequestContext,
} from '@a2a-js/sdk/server';
import { fromParts, toA2aPart } from '../../agent/a2a-map.ts';
import { type Backend, required, type SessionRef } from '../../backend/types.ts';
import { SessionError } from '../../errors.ts';
import type { Event } from '../../model/event.ts';
import type { Principal } from '../../model/principal.ts';

/** Longest time between two looks at a session whose changes no watch announced. */
const lookMs = 15_000;

interface ExecutorConfig {
  backend: Backend;
  app: string;
  agent: string;
  /** Who sent the message. */
  principalOf(context: RequestContext): Principal;
}

/**
 * Makes turns of messages: the message is stored as an event that hands the session over to the app's agent, and the
 * task lasts until the turn is answered, whoever answers it: this server, another, or an agent that takes turns.
 */
export function turnExecutor(config: ExecutorConfig): AgentExecutor {
  const cancelled = new Map<string, AbortController>();
  return {
    async execute(context, bus) {
      const stop = new AbortController();
      cancelled.set(context.taskId, stop);
      try {
        await follow(config, context, bus, stop.signal);
      } catch (error) {
        if (stop.signal.aborted) return;
        const text = error instanceof SessionError ? error.message : 'Something went wrong in this server.';
        taskOf(context, bus).status(TaskState.TASK_STATE_FAILED, text);
      } finally {
        cancelled.delete(context.taskId);
        bus.finished();
      }
    },
    async cancelTask(taskId, bus) {
      cancelled.get(taskId)?.abort();
      const status = { state: TaskState.TASK_STATE_CANCELED, message: undefined, timestamp: undefined };
      bus.publish(AgentEvent.statusUpdate({ taskId, contextId: '', status, metadata: undefined }));
      bus.finished();
    },
  };
}

async function follow(
  config: ExecutorConfig,
  context: RequestContext,
  bus: ExecutionEventBus,
  signal: AbortSignal,
): Promise<void> {
  const { backend, app, agent } = config;
  const principal = config.principalOf(context);
  const ref: SessionRef = { app, userId: principal.userId, sessionId: context.contextId };
  const author = principal.agents?.[0] ?? 'user';
  const task = taskOf(context, bus);
  task.begin();
  await openSession(backend, ref);
  const append = required(backend.events?.append, backend, 'append an event');
  const { event } = await append(ref, {
    // The same message twice is one event, and one turn.
    id: `a2a:${context.userMessage.messageId || randomUUID()}`,
    author,
    writtenBy: principal.name,
    content: { role: 'user', parts: fromParts(context.userMessage.parts) },
    actions: { transferAgent: agent },
  });
  task.status(TaskState.TASK_STATE_WORKING);
  let wake: () => void = () => {};
  const unwatch = backend.sessions?.watch?.(ref, () => wake());
  const onAbort = () => wake();
  signal.addEventListener('abort', onAbort);
  try {
    let last = event.id;
    for (;;) {
      const changed = new Promise<void>((resolve) => {
        wake = resolve;
      });
      if (signal.aborted) return;
      // The turn is looked at first: what it ended with is in the session then.
      const { turn } = await required(backend.sessions?.get, backend, 'get a session')(ref);
      const news = await eventsAfter(backend, ref, last);
      for (const one of news) if (one.author !== author) task.say(one);
      last = news.at(-1)?.id ?? last;
      const fault = news.findLast((one) => one.errorCode !== undefined && one.author !== author);
      if (turn === undefined) return task.status(TaskState.TASK_STATE_COMPLETED);
      if (turn.agent === author) {
        const failed = fault !== undefined && fault.id === turn.eventId;
        return failed
          ? task.status(TaskState.TASK_STATE_FAILED, turn.note)
          : task.status(TaskState.TASK_STATE_INPUT_REQUIRED, turn.note);
      }
      let timer: NodeJS.Timeout | undefined;
      const looked = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, lookMs);
      });
      await Promise.race([changed, looked]);
      clearTimeout(timer);
    }
  } finally {
    unwatch?.();
    signal.removeEventListener('abort', onAbort);
  }
}

/** The session of a context: made with its first message. */
async function openSession(backend: Backend, ref: SessionRef): Promise<void> {
  try {
    await required(backend.sessions?.create, backend, 'create sessions')(ref, { sessionId: ref.sessionId });
  } catch (error) {
    if (!(error instanceof SessionError && error.code === 'ALREADY_EXISTS')) throw error;
  }
}

async function eventsAfter(backend: Backend, ref: SessionRef, afterEventId: string): Promise<Event[]> {
  const list = required(backend.events?.list, backend, 'list events');
  const events: Event[] = [];
  for (let cursor: string | undefined; ; ) {
    const page = await list(ref, { afterEventId, pageSize: 100, cursor });
    events.push(...page.items);
    cursor = page.cursor;
    if (cursor === undefined) return events;
  }
}

function taskOf({ taskId, contextId, task, userMessage }: RequestContext, bus: ExecutionEventBus) {
  const message = (text: string): Message => ({
    messageId: randomUUID(),
    contextId,
    taskId,
    role: Role.ROLE_AGENT,
    parts: toA2aPart({ text }),
    metadata: undefined,
    extensions: [],
    referenceTaskIds: [],
  });
  const status = (state: TaskState, text?: string) => ({
    state,
    message: text === undefined ? undefined : message(text),
    timestamp: new Date().toISOString(),
  });
  return {
    begin() {
      const submitted = status(TaskState.TASK_STATE_SUBMITTED);
      const fresh = {
        id: taskId,
        contextId,
        status: submitted,
        artifacts: [],
        history: [userMessage],
        metadata: undefined,
      };
      bus.publish(AgentEvent.task(task ?? fresh));
    },
    status(state: TaskState, text?: string) {
      bus.publish(
        AgentEvent.statusUpdate({ taskId, contextId, status: status(state, text), metadata: undefined }),
      );
    },
    /** An event of an agent, as an artifact of its own. */
    say({ id, author, content }: Event) {
      const parts = (content?.parts ?? []).flatMap(toA2aPart);
      if (parts.length === 0) return;
      const artifact: Artifact = {
        artifactId: id,
        name: author,
        description: '',
        parts,
        metadata: { author },
        extensions: [],
      };
      const about = { taskId, contextId, artifact, append: false, lastChunk: true, metadata: undefined };
      bus.publish(AgentEvent.artifactUpdate(about));
    },
  };
}
