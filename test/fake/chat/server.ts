import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { faultOf, hasMedia } from './rules.ts';

type Json = Record<string, unknown>;

/** How one request is answered. Without a step, the words of the last message come back. */
interface Step {
  /** Pieces of text, each in a chunk of its own. */
  text?: readonly string[];
  thoughts?: readonly string[];
  toolCalls?: readonly { id: string; name: string; args: string }[];
  /** Milliseconds before each chunk. */
  delayMs?: number;
  /** Milliseconds before the head of the answer. */
  waitMs?: number;
  /** Answers with this status and nothing of worth. */
  status?: number;
  headers?: Record<string, string>;
  /** After the pieces of text: the connection breaks, a chunk is no JSON, or the stream just ends. */
  fault?: 'cut' | 'malformed' | 'unfinished' | 'error' | 'hang';
  finish?: string;
  /** Answers one JSON completion, as if no stream had been asked for. */
  unstreamed?: boolean;
}

interface Recorded {
  body: Json & { messages: Json[] };
  headers: IncomingMessage['headers'];
  /** When the caller closed the connection before the answer was whole. */
  closedAt?: number;
}

export interface FakeChat {
  url: string;
  requests: Recorded[];
  /** The next requests are answered like this, in order. */
  script(...steps: Step[]): void;
  close(): Promise<void>;
}

/** A chat-completions endpoint on this machine: real HTTP, real SSE, refusing what real ones refuse. */
export async function fakeChat(options: { key?: string; textOnly?: boolean } = {}): Promise<FakeChat> {
  const requests: Recorded[] = [];
  const steps: Step[] = [];

  async function handle(req: IncomingMessage, res: ServerResponse): Promise<void> {
    let text = '';
    for await (const chunk of req.setEncoding('utf8')) text += chunk as string;
    if (req.url !== '/v1/chat/completions') return refuse(res, 404, 'no such path');
    if (options.key !== undefined && req.headers.authorization !== `Bearer ${options.key}`)
      return refuse(res, 401, `wrong key: ${String(req.headers.authorization)}`);
    const body = JSON.parse(text) as Recorded['body'];
    const recorded: Recorded = { body, headers: req.headers };
    requests.push(recorded);
    res.on('close', () => {
      if (!res.writableFinished) recorded.closedAt = performance.now();
    });
    const fault =
      faultOf(body) ??
      (options.textOnly && body.messages.some(hasMedia) ? 'this model reads text only' : undefined);
    if (fault !== undefined) return refuse(res, 400, fault);
    const step = steps.shift() ?? { text: wordsOf(body.messages.at(-1)) };
    if (step.waitMs !== undefined) await sleep(step.waitMs);
    if (step.status !== undefined) return refuse(res, step.status, 'internal secret detail', step.headers);
    if (step.unstreamed === true) return complete(res, step, body);
    await stream(res, step, body);
  }

  const server = createServer((req, res) => {
    handle(req, res).catch(() => res.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/v1`,
    requests,
    script: (...more) => void steps.push(...more),
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function refuse(
  res: ServerResponse,
  status: number,
  message: string,
  headers: Record<string, string> = {},
): void {
  res.writeHead(status, { 'content-type': 'application/json', ...headers });
  res.end(JSON.stringify({ error: { message, type: 'fake', code: String(status) } }));
}

function complete(res: ServerResponse, step: Step, body: Json): void {
  const calls = (step.toolCalls ?? []).map(({ id, name, args }) => ({
    id,
    type: 'function',
    function: { name, arguments: args },
  }));
  const message = {
    role: 'assistant',
    content: (step.text ?? []).join('') || null,
    ...(calls.length === 0 ? {} : { tool_calls: calls }),
  };
  res.writeHead(200, { 'content-type': 'application/json; charset=utf-8' });
  res.end(
    JSON.stringify({
      id: 'chatcmpl-1',
      object: 'chat.completion',
      created: 1,
      model: body.model,
      choices: [{ index: 0, message, finish_reason: calls.length === 0 ? 'stop' : 'tool_calls' }],
      usage: { prompt_tokens: 11, completion_tokens: 7, total_tokens: 18 },
    }),
  );
}

async function stream(res: ServerResponse, step: Step, body: Json): Promise<void> {
  res.writeHead(200, { 'content-type': 'text/event-stream' });
  const send = (choice: Json | undefined, more: Json = {}) => {
    const chunk = {
      id: 'chatcmpl-1',
      object: 'chat.completion.chunk',
      created: 1,
      model: body.model,
      ...more,
    };
    res.write(
      `data: ${JSON.stringify({ ...chunk, choices: choice === undefined ? [] : [{ index: 0, ...choice }] })}\n\n`,
    );
  };
  const piece = async (delta: Json) => {
    if (step.delayMs !== undefined) await sleep(step.delayMs);
    send({ delta, finish_reason: null });
  };
  send({ delta: { role: 'assistant', content: '' }, finish_reason: null });
  for (const thought of step.thoughts ?? []) await piece({ reasoning_content: thought });
  for (const text of step.text ?? []) await piece({ content: text });
  for (const [index, { id, name, args }] of (step.toolCalls ?? []).entries()) {
    // Arguments come in pieces, as real endpoints send them.
    const half = Math.ceil(args.length / 2);
    const head = { index, id, type: 'function', function: { name, arguments: args.slice(0, half) } };
    await piece({ tool_calls: [head] });
    await piece({ tool_calls: [{ index, function: { arguments: args.slice(half) } }] });
  }
  switch (step.fault) {
    case 'cut':
      await sleep(20);
      res.destroy();
      return;
    case 'hang':
      return;
    case 'malformed':
      res.write('data: {"choices": [{"delta": {"content": "bro\n\n');
      break;
    case 'error':
      res.write('data: {"error": {"message": "secret upstream trouble", "code": "server_error"}}\n\n');
      break;
    case 'unfinished':
      res.end('data: [DONE]\n\n');
      return;
    case undefined:
  }
  send({
    delta: {},
    finish_reason: step.finish ?? ((step.toolCalls ?? []).length > 0 ? 'tool_calls' : 'stop'),
  });
  const { stream_options: wants } = body as { stream_options?: { include_usage?: boolean } };
  if (wants?.include_usage === true)
    send(undefined, { usage: { prompt_tokens: 11, completion_tokens: 7, total_tokens: 18 } });
  res.end('data: [DONE]\n\n');
}

function wordsOf(message: Json | undefined): string[] {
  const text = typeof message?.content === 'string' ? message.content : JSON.stringify(message?.content);
  return `You said: ${text}`.match(/\S+\s*/g) ?? [];
}
