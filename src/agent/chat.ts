import { setTimeout as sleep } from 'node:timers/promises';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { SessionError } from '../errors.ts';
import type { Event } from '../model/event.ts';
import type { JsonObject } from '../model/json.ts';
import { timeLimit } from '../net/time-limit.ts';
import { type Model, turnParts } from './chat-answer.ts';
import { chatError, mayRetry, refusesContent, retryAfterOf } from './chat-errors.ts';
import { asHandOver, handOverFunction } from './chat-hand-over.ts';
import { streamed } from './chat-unstreamed.ts';
import { mediaFault } from './media.ts';
import { type CallOptions, hasFiles, type Prompt, questionOf, toPrompt } from './prompt.ts';
import { recentTurns } from './turns.ts';
import type { Agent, AgentEvent, Turn } from './types.ts';

export interface ChatConfig {
  kind: 'chat';
  name: string;
  /** Address including the version: `…/v1`. */
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
  /** Functions that the model may call. The client that uses the session answers the calls. */
  tools: readonly { name: string; description?: string | undefined; parameters?: JsonObject | undefined }[];
  /** Agents elsewhere, which take turns, to which the model may hand over beside the other agents of the app. */
  handOverTo?: readonly string[] | undefined;
  /** Longest silence of the endpoint, in milliseconds, before and within its answer. */
  timeoutMs: number;
}

const attempts = 3;
/** Longest pause before an attempt, in milliseconds. An endpoint that asks for a longer one fails the turn. */
const longestPause = 10_000;

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
    // A redirect could send the key and the conversation to an unknown server.
    fetch: async (url, init) => streamed(await fetch(url, { ...init, redirect: 'error' })),
  }).chatModel(config.model);
  return {
    name: config.name,
    refusal: mediaFault,
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
    const { prompt, fallback } = await promptsFor(config, turn);
    const team = [...new Set([...turn.team, ...(config.handOverTo ?? [])])];
    const known = new Set(prompt.flatMap(callIds));
    watch.restart();
    const { stream } = await openStream(model, optionsFor(config, prompt, team, watch.signal), fallback);
    const made = turnParts(known);
    for await (const part of stream) {
      watch.restart();
      const partial = made.take(part);
      if (partial !== undefined) yield { partial: true, content: { role: 'model', parts: [partial] } };
    }
    const event = made.event();
    yield asHandOver(event, team) ?? event;
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

/** The prompt, and a second one without the files of earlier turns, for a model that refuses them. */
async function promptsFor(
  config: ChatConfig,
  turn: Turn,
): Promise<{ prompt: Prompt; fallback: Prompt | undefined }> {
  const question = questionOf(turn.message);
  const [facts, history] = await Promise.all([
    config.memories > 0 && question !== '' ? turn.recall(question, config.memories) : [],
    recentTurns(earlier(turn, config.name), config.name, config.historyTokens),
  ]);
  const settings = { agentName: config.name, instruction: config.instruction, facts };
  return {
    prompt: toPrompt(history, settings),
    fallback: hasFiles(history.earlier)
      ? toPrompt(history, { ...settings, withoutEarlierFiles: true })
      : undefined,
  };
}

function optionsFor(
  config: ChatConfig,
  prompt: Prompt,
  team: readonly string[],
  abortSignal: AbortSignal,
): CallOptions {
  const tools = [
    ...config.tools.map(({ name, description, parameters }) => ({
      type: 'function' as const,
      name,
      ...(description === undefined ? {} : { description }),
      inputSchema: parameters ?? { type: 'object', properties: {} },
    })),
    ...(team.length === 0 ? [] : [handOverFunction(team)]),
  ];
  return {
    prompt,
    abortSignal,
    ...(config.temperature === undefined ? {} : { temperature: config.temperature }),
    ...(config.maxTokens === undefined ? {} : { maxOutputTokens: config.maxTokens }),
    ...(tools.length === 0 ? {} : { tools }),
  };
}

// What an earlier attempt at this turn said does not belong to the history of the turn.
async function* earlier(turn: Turn, name: string): AsyncGenerator<Event, void> {
  for await (const event of turn.history())
    if (turn.leg > 0 || event.invocationId !== turn.invocationId || event.author !== name) yield event;
}

/**
 * Sends the request, and again where it was refused for now, or as the fallback where what it holds was
 * refused. Once an answer has begun, nothing is repeated.
 */
async function openStream(model: Model, options: CallOptions, fallback: Prompt | undefined) {
  let wanted = options;
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await model.doStream(wanted);
    } catch (error) {
      if (fallback !== undefined && wanted.prompt !== fallback && refusesContent(error)) {
        wanted = { ...options, prompt: fallback };
        continue;
      }
      const pause = (retryAfterOf(error) ?? 0.25 * 2 ** attempt) * 1000;
      if (attempt >= attempts || pause > longestPause || options.abortSignal?.aborted || !mayRetry(error))
        throw error;
      await sleep(pause, undefined, options.abortSignal === undefined ? {} : { signal: options.abortSignal });
    }
  }
}

const callIds = (message: CallOptions['prompt'][number]): string[] =>
  message.role === 'assistant'
    ? message.content.flatMap((part) => (part.type === 'tool-call' ? [part.toolCallId] : []))
    : [];
