/** A remote agent that speaks A2A: it counts the messages of each conversation, and streams its answer. */
import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { AgentCard, formatSSEEvent, SSE_HEADERS, TaskState, type TaskStatus } from '@a2a-js/sdk';
import {
  AgentEvent,
  type AgentExecutor,
  DefaultRequestHandler,
  InMemoryTaskStore,
  JsonRpcTransportHandler,
  ServerCallContext,
} from '@a2a-js/sdk/server';

const counts = new Map<string, number>();

const counter: AgentExecutor = {
  async execute({ taskId, contextId, userMessage }, bus) {
    const status = (state: TaskState): TaskStatus => ({ state, message: undefined, timestamp: undefined });
    const submitted = status(TaskState.TASK_STATE_SUBMITTED);
    bus.publish(
      AgentEvent.task({
        id: taskId,
        contextId,
        status: submitted,
        artifacts: [],
        history: [],
        metadata: undefined,
      }),
    );
    const count = (counts.get(contextId) ?? 0) + 1;
    counts.set(contextId, count);
    const [first] = userMessage.parts;
    const heard = first?.content?.$case === 'text' ? first.content.value : '';
    const artifactId = randomUUID();
    for (const [i, word] of `This is message ${count} of our talk. You said: ${heard}`
      .split(/(?<= )/)
      .entries()) {
      const part = {
        content: { $case: 'text' as const, value: word },
        metadata: undefined,
        filename: '',
        mediaType: '',
      };
      const artifact = {
        artifactId,
        name: 'answer',
        description: '',
        parts: [part],
        metadata: undefined,
        extensions: [],
      };
      bus.publish(
        AgentEvent.artifactUpdate({
          taskId,
          contextId,
          artifact,
          append: i > 0,
          lastChunk: false,
          metadata: undefined,
        }),
      );
    }
    const completed = status(TaskState.TASK_STATE_COMPLETED);
    bus.publish(AgentEvent.statusUpdate({ taskId, contextId, status: completed, metadata: undefined }));
    bus.finished();
  },
  async cancelTask() {},
};

/** Serves the agent on a free port of this machine, and resolves to its address. */
export async function serveAgent(): Promise<{ url: string; close(): void }> {
  const server = createServer((req, res) => {
    handle(req, res).catch(() => res.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const card = AgentCard.fromJSON({
    name: 'Counter',
    description: 'Counts messages',
    version: '1',
    supportedInterfaces: [{ url: `${url}/rpc`, protocolBinding: 'JSONRPC', protocolVersion: '1.0' }],
    capabilities: { streaming: true },
    defaultInputModes: ['text/plain'],
    defaultOutputModes: ['text/plain'],
    skills: [],
  });
  const handler = new JsonRpcTransportHandler(
    new DefaultRequestHandler(card, new InMemoryTaskStore(), counter),
  );

  async function handle(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const json = { 'content-type': 'application/json' };
    if (req.method === 'GET')
      return void res.writeHead(200, json).end(JSON.stringify(AgentCard.toJSON(card)));
    let body = '';
    for await (const chunk of req.setEncoding('utf8')) body += chunk as string;
    const answer = await handler.handle(body, new ServerCallContext({ requestedVersion: '1.0' }));
    if (!(Symbol.asyncIterator in answer)) return void res.writeHead(200, json).end(JSON.stringify(answer));
    res.writeHead(200, SSE_HEADERS);
    for await (const piece of answer) res.write(formatSSEEvent(piece));
    res.end();
  }

  return {
    url,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}
