import { setTimeout as sleep } from 'node:timers/promises';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { SessionError } from '../errors.ts';
import type { Event, Part } from '../model/event.ts';
import { newId } from '../model/ids.ts';
import { isObject, type JsonObject } from '../model/json.ts';
import { timeLimit } from '../net/time-limit.ts';
import { chatError, mayRetry, retryAfterOf } from './chat-errors.ts';
import { type CallOptions, questionOf, recentEvents, systemText, toPrompt } from './prompt.ts';
import type { Agent, AgentEvent, Turn } from './types.ts';

export interface ChatConfig {
  kind: 'chat';
  name: string;
  /** Up to and with the version: `…/v1`. */
  baseUrl: string;
  model: string;
  apiKey?: string | undefined;
  instruction?: string | undefined;
  /** Estimated tokens of the session's events that are sent along. */
  historyTokens: number;
  /** Facts that are searched for in memory before each turn; 0: none. */
  memories: number;
  temperature?: number | undefined;
  maxTokens?: number | undefined;
  /** Functions that the model may call. Who uses the session answers the calls. */
  tools: readonly { name: string; description?: string | undefined; parameters?: JsonObject | undefined }[];
  /** Milliseconds in which the endpoint must begin to answer, and then go on. */
  timeoutMs: number;
}

type Model = ReturnType<ReturnType<typeof createOpenAICompatible>['chatModel']>;
type StreamPart =
  Awaited<ReturnType<Model['doStream']>>['stream'] extends ReadableStream<infer P> ? P : never;

const attempts = 3;
/** Longest pause before an attempt, in milliseconds; who asks for more gets an error and not a wait. */
const longestPause = 10_000;
/** Characters of one answer, thoughts included. */
const maxLength = 2_000_000;

/**
 * An agent of one model behind a chat-completions endpoint: OpenAI's, or the compatible one of Ollama, LM
 * Studio, vLLM, Gemini and others. One request a turn; when the model calls tools, the turn ends with the
 * calls, and the next begins with their answers.
 */
export function chatAgent(config: ChatConfig): Agent {
  const model = createOpenAICompatible({
    name: 'chat',
    baseURL: config.baseUrl,
    includeUsage: true,
    ...(config.apiKey === undefined ? {} : { apiKey: config.apiKey }),
    // A redirect could carry the key and the conversation to who knows whom.
    fetch: (url, init) => fetch(url, { ...init, redirect: 'error' }),
  }).chatModel(config.model);
  return {
    name: config.name,
    run: (turn, signal) => answer(config, model, turn, signal),
  };
}

async function* answer(
  config: ChatConfig,
  model: Model,
  turn: Turn,
  signal: AbortSignal,
): AsyncGenerator<AgentEvent, void> {
  const watch = timeLimit({ ms: config.timeoutMs, follow: [signal] });
  try {
    const options = await optionsFor(config, turn, watch.signal);
    const known = new Set(options.prompt.flatMap(callIds));
    watch.restart();
    const { stream } = await openStream(model, options);
    const made = turnParts(known);
    for await (const part of stream) {
      watch.restart();
      const partial = made.take(part);
      if (partial !== undefined) yield { partial: true, content: { role: 'model', parts: [partial] } };
    }
    yield made.event();
  } catch (error) {
    if (signal.aborted)
      throw new SessionError('CANCELLED', 'The run was cancelled.', { hint: 'Send the message again.' });
    if (watch.signal.aborted)
      throw new SessionError('DEADLINE_EXCEEDED', 'The model’s endpoint did not answer in time.', {
        hint: 'Send the message again; with the same invocationId it is stored once.',
      });
    throw chatError(error);
  } finally {
    watch.end();
  }
}

async function optionsFor(config: ChatConfig, turn: Turn, abortSignal: AbortSignal): Promise<CallOptions> {
  const question = questionOf(turn.message);
  const [facts, events] = await Promise.all([
    config.memories > 0 && question !== '' ? turn.recall(question, config.memories) : [],
    recentEvents(earlier(turn, config.name), turn.message, config.historyTokens),
  ]);
  return {
    prompt: toPrompt(events, config.name, systemText(config.instruction, facts)),
    abortSignal,
    ...(config.temperature === undefined ? {} : { temperature: config.temperature }),
    ...(config.maxTokens === undefined ? {} : { maxOutputTokens: config.maxTokens }),
    ...(config.tools.length === 0
      ? {}
      : {
          tools: config.tools.map(({ name, description, parameters }) => ({
            type: 'function' as const,
            name,
            ...(description === undefined ? {} : { description }),
            inputSchema: parameters ?? { type: 'object', properties: {} },
          })),
        }),
  };
}

// What an earlier attempt at this very turn had said is no history of it.
async function* earlier(turn: Turn, name: string): AsyncGenerator<Event, void> {
  for await (const event of turn.history())
    if (event.invocationId !== turn.invocationId || event.author !== name) yield event;
}

/** Sends the request, and again where it was refused for now. Once an answer has begun, nothing is repeated. */
async function openStream(model: Model, options: CallOptions) {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await model.doStream(options);
    } catch (error) {
      const pause = (retryAfterOf(error) ?? 0.25 * 2 ** attempt) * 1000;
      if (attempt >= attempts || pause > longestPause || options.abortSignal?.aborted || !mayRetry(error))
        throw error;
      await sleep(pause, undefined, options.abortSignal === undefined ? {} : { signal: options.abortSignal });
    }
  }
}

/** Gathers the parts of an answer into the turn's one event. `known` are ids of calls that are taken. */
function turnParts(known: Set<string>) {
  let text = '';
  let thoughts = '';
  const calls: Part[] = [];
  let usage: JsonObject | undefined;
  let errorCode: string | undefined;
  return {
    /** What of the part is worth showing at once. */
    take(part: StreamPart): Part | undefined {
      if (text.length + thoughts.length > maxLength)
        throw new SessionError('RESOURCE_EXHAUSTED', 'The model’s answer has no end.', {
          hint: 'Ask for less; maxTokens in the file of --config bounds answers.',
        });
      switch (part.type) {
        case 'text-delta':
          text += part.delta;
          return { text: part.delta };
        case 'reasoning-delta':
          thoughts += part.delta;
          return { text: part.delta, thought: true };
        case 'tool-call':
          calls.push({
            functionCall: {
              id: freshId(known, part.toolCallId),
              name: part.toolName,
              args: argsOf(part.input),
            },
          });
          return undefined;
        case 'finish':
          usage = usageOf(part.usage);
          errorCode = { length: 'MAX_TOKENS', 'content-filter': 'SAFETY' }[
            part.finishReason.unified as string
          ];
          return undefined;
        case 'error':
          throw part.error;
        default:
          return undefined;
      }
    },
    event(): AgentEvent {
      if (text === '' && calls.length === 0)
        throw new SessionError('UNAVAILABLE', 'The model answered nothing.', {
          hint: 'Send the message again, or say it in other words.',
        });
      const parts: Part[] = [
        ...(thoughts === '' ? [] : [{ text: thoughts, thought: true }]),
        ...(text === '' ? [] : [{ text }]),
        ...calls,
      ];
      return {
        content: { role: 'model', parts },
        turnComplete: true,
        ...(usage === undefined ? {} : { usageMetadata: usage }),
        ...(errorCode === undefined ? {} : { errorCode }),
      };
    },
  };
}

// Some servers count their calls anew with every answer, or give no ids at all.
function freshId(known: Set<string>, given: string): string {
  const id = given === '' || given.length > 200 || known.has(given) ? newId('c') : given;
  known.add(id);
  return id;
}

function argsOf(input: string): JsonObject {
  let args: unknown;
  try {
    args = input.trim() === '' ? {} : JSON.parse(input);
  } catch {
    args = undefined;
  }
  if (isObject(args)) return args;
  throw new SessionError('UNAVAILABLE', 'The model called a tool with arguments that are no JSON object.', {
    hint: 'Send the message again.',
  });
}

function usageOf(usage: {
  inputTokens: { total?: number | undefined };
  outputTokens: { total?: number | undefined };
}): JsonObject | undefined {
  const prompt = usage.inputTokens.total;
  const answered = usage.outputTokens.total;
  if (prompt === undefined && answered === undefined) return undefined;
  return {
    promptTokenCount: prompt ?? 0,
    candidatesTokenCount: answered ?? 0,
    totalTokenCount: (prompt ?? 0) + (answered ?? 0),
  };
}

const callIds = (message: CallOptions['prompt'][number]): string[] =>
  message.role === 'assistant'
    ? message.content.flatMap((part) => (part.type === 'tool-call' ? [part.toolCallId] : []))
    : [];
