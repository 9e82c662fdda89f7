import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  AgentCard,
  formatSSEErrorEvent,
  formatSSEEvent,
  type Message,
  type Part,
  Role,
  SSE_HEADERS,
  TaskState,
} from '@a2a-js/sdk';
import { toJsonRpcError } from '@a2a-js/sdk/errors';
import {
  AgentEvent,
  type AgentExecutor,
  DefaultRequestHandler,
  type ExecutionEventBus,
  InMemoryTaskStore,
  JsonRpcTransportHandler,
  type RequestContext,
  ServerCallContext,
  type TaskStore,
} from '@a2a-js/sdk/server';

export interface FakeA2a {
  url: string;
  messages: Message[];
  cancelled: string[];
  authorizations: (string | undefined)[];
  /** The methods that were called, in order. */
  methods: string[];
  /** Breaks the connection of the next stream after so many pieces, while the agent goes on. */
  cutNextStream(pieces: number): void;
  /** Loses all tasks, as a restart of an agent does that keeps them in memory. */
  forget(): void;
  close(): Promise<void>;
}

/** What the agent does on a message; `say` and the like publish what a real agent would. */
export type Behaviour = (remote: Remote) => Promise<void>;

interface Remote {
  text: string;
  context: RequestContext;
  status(state: TaskState, text?: string): void;
  chunk(text: string, append: boolean): void;
  answer(parts: Part[]): void;
}

export const textPart = (value: string): Part => ({
  content: { $case: 'text', value },
  metadata: undefined,
  filename: '',
  mediaType: 'text/plain',
});

/** A remote agent made with the server half of the official SDK, over plain HTTP. */
export async function fakeA2a(
  behave: Behaviour,
  options: { streaming?: boolean; version?: string } = {},
): Promise<FakeA2a> {
  const seen = {
    messages: [] as Message[],
    cancelled: [] as string[],
    authorizations: [] as (string | undefined)[],
    methods: [] as string[],
  };
  let cutAfter: number | undefined;
  let tasks = new InMemoryTaskStore();
  const store: TaskStore = {
    save: (task, context) => tasks.save(task, context),
    load: (taskId, context) => tasks.load(taskId, context),
    list: (params, context) => tasks.list(params, context),
  };
  const executor: AgentExecutor = {
    async execute(context, bus) {
      seen.messages.push(context.userMessage);
      await behave(remoteOf(context, bus));
      bus.finished();
    },
    async cancelTask(taskId, bus) {
      seen.cancelled.push(taskId);
      bus.publish(
        AgentEvent.statusUpdate({
          taskId,
          contextId: '',
          status: { state: TaskState.TASK_STATE_CANCELED, message: undefined, timestamp: undefined },
          metadata: undefined,
        }),
      );
      bus.finished();
    },
  };
  let handler: JsonRpcTransportHandler;
  let card: AgentCard;

  async function handle(req: IncomingMessage, res: ServerResponse): Promise<void> {
    seen.authorizations.push(req.headers.authorization);
    if (req.method === 'GET') {
      if (req.url !== '/.well-known/agent-card.json') return void res.writeHead(404).end();
      return void res
        .writeHead(200, { 'content-type': 'application/json' })
        .end(JSON.stringify(AgentCard.toJSON(card)));
    }
    let body = '';
    for await (const chunk of req.setEncoding('utf8')) body += chunk as string;
    seen.methods.push(String((JSON.parse(body) as { method?: unknown }).method));
    const answer = await handler.handle(body, new ServerCallContext({ requestedVersion: '1.0' }));
    if (!(Symbol.asyncIterator in answer))
      return void res.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answer));
    res.writeHead(200, SSE_HEADERS);
    const cut = cutAfter;
    cutAfter = undefined;
    let sent = 0;
    try {
      for await (const piece of answer) {
        if (sent === cut) {
          // What was sent before the break may well have arrived.
          await sleep(20);
          res.destroy();
        }
        // The agent goes on, whoever listens.
        if (!res.destroyed) res.write(formatSSEEvent(piece));
        sent += 1;
      }
    } catch (error) {
      // As the SDK's own server does it: the status has been sent by then.
      const { id } = JSON.parse(body) as { id?: unknown };
      if (!res.destroyed)
        res.write(formatSSEErrorEvent({ jsonrpc: '2.0', id: id ?? null, error: toJsonRpcError(error) }));
    }
    res.end();
  }

  const server = createServer((req, res) => {
    handle(req, res).catch(() => res.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  card = AgentCard.fromJSON({
    name: 'Fake',
    description: 'For tests',
    version: '1',
    supportedInterfaces: [{ url: `${url}/rpc`, protocolBinding: 'JSONRPC', protocolVersion: '1.0' }],
    capabilities: { streaming: options.streaming ?? true },
    defaultInputModes: ['text/plain'],
    defaultOutputModes: ['text/plain'],
    skills: [],
  });
  handler = new JsonRpcTransportHandler(
    new DefaultRequestHandler(card, store, executor, undefined, undefined, undefined, undefined, undefined, {
      validateInputModes: true,
    }),
  );
  return {
    url,
    ...seen,
    cutNextStream: (pieces) => (cutAfter = pieces),
    forget() {
      tasks = new InMemoryTaskStore();
      server.closeAllConnections();
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function remoteOf(context: RequestContext, bus: ExecutionEventBus): Remote {
  const { taskId, contextId } = context;
  const message = (parts: Part[]): Message => ({
    messageId: randomUUID(),
    contextId,
    taskId,
    role: Role.ROLE_AGENT,
    parts,
    metadata: undefined,
    extensions: [],
    referenceTaskIds: [],
  });
  let begun = false;
  const begin = () => {
    if (begun) return;
    begun = true;
    const status = { state: TaskState.TASK_STATE_SUBMITTED, message: undefined, timestamp: undefined };
    const fresh = { id: taskId, contextId, status, artifacts: [], history: [], metadata: undefined };
    bus.publish(AgentEvent.task(context.task ?? fresh));
  };
  return {
    context,
    text: context.userMessage.parts
      .map((part) => (part.content?.$case === 'text' ? part.content.value : ''))
      .join(''),
    status(state, text) {
      begin();
      const said = text === undefined ? undefined : message([textPart(text)]);
      bus.publish(
        AgentEvent.statusUpdate({
          taskId,
          contextId,
          status: { state, message: said, timestamp: undefined },
          metadata: undefined,
        }),
      );
    },
    chunk(text, append) {
      begin();
      const artifact = {
        artifactId: 'answer',
        name: 'answer',
        description: '',
        parts: [textPart(text)],
        metadata: undefined,
        extensions: [],
      };
      bus.publish(
        AgentEvent.artifactUpdate({
          taskId,
          contextId,
          artifact,
          append,
          lastChunk: false,
          metadata: undefined,
        }),
      );
    },
    answer(parts) {
      bus.publish(AgentEvent.message({ ...message(parts), taskId: '' }));
    },
  };
}
