import { setTimeout as sleep } from 'node:timers/promises';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { SessionError } from '../errors.ts';
import type { Event } from '../model/event.ts';
import type { JsonObject } from '../model/json.ts';
import { abortable } from '../net/abortable.ts';
import { timeLimit } from '../net/time-limit.ts';
import { type Model, turnParts } from './chat-answer.ts';
import { chatError, mayRetry, refusesContent, retryAfterOf } from './chat-errors.ts';
import { asHandOver, handOverFunctions } from './chat-hand-over.ts';
import { asEvent, functionsOf, ownCalls } from './chat-tools.ts';
import { streamed } from './chat-unstreamed.ts';
import { mediaFault } from './media.ts';
import { type CallOptions, hasFiles, type Prompt, questionOf, toPrompt } from './prompt.ts';
import { type History, recentTurns } from './turns.ts';
import type { Agent, AgentEvent, ToolHost, ToolServer, Turn } from './types.ts';

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
  /** MCP servers whose tools the agent calls itself, by a name that stands before those of their tools. */
  mcpServers?: Readonly<Record<string, ToolServer>> | undefined;
  /** Longest silence of the endpoint, in milliseconds, before and within its answer. */
  timeoutMs: number;
}

const attempts = 3;
/** Requests of one answer: after each but the last the agent calls tools. */
const mostRounds = 12;
/** Longest pause before an attempt, in milliseconds. An endpoint that asks for a longer one fails the turn. */
const longestPause = 10_000;

/**
 * An agent of one model behind a chat-completions endpoint: OpenAI's, or the compatible one of Ollama, LM
 * Studio, vLLM, Gemini and others. Tools of the operator's MCP servers are called here, and the model is asked again;
 * when it calls others, the turn ends with the calls, and the next begins with their answers.
 */
export function chatAgent(config: ChatConfig, host?: ToolHost): Agent {
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
    run: (turn, signal) => answer({ config, model, host }, turn, signal),
  };
}

interface Chat {
  config: ChatConfig;
  model: Model;
  host: ToolHost | undefined;
}

async function* answer(
  { config, model, host }: Chat,
  turn: Turn,
  signal: AbortSignal,
): AsyncGenerator<AgentEvent, void> {
  const { material, team, offered, tools } = await prepared(config, host, turn, signal);
  const watch = timeLimit({ ms: config.timeoutMs, follow: [signal] });
  try {
    const calls = ownCalls(host, offered, config.timeoutMs);
    /** What this agent said and was answered since the history was read. */
    const own: Event[] = [];
    for (let round = 1; ; round += 1) {
      const { prompt, fallback } = promptsFor(config, material, own);
      const made = turnParts(new Set(prompt.flatMap(callIds)));
      watch.restart();
      const options = optionsFor(config, prompt, tools, watch.signal);
      const { stream } = await openStream(model, options, fallback);
      for await (const part of stream) {
        watch.restart();
        const partial = made.take(part);
        if (partial !== undefined) yield { partial: true, content: { role: 'model', parts: [partial] } };
      }
      const event = made.event();
      const work = calls.of(event);
      if (work === undefined) {
        yield asHandOver(event, team) ?? event;
        return;
      }
      if (round === mostRounds) throw tooManyRounds();
      yield work.said;
      watch.restart();
      const results = await work.run(watch.signal);
      yield work.leavesOpen ? { ...results, turnComplete: true } : results;
      // The client that uses the session answers the others.
      if (work.leavesOpen) return;
      own.push(asEvent(work.said, config.name), asEvent(results, config.name));
    }
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

/** What comes before the first request to the endpoint, and is none of its time. */
async function prepared(config: ChatConfig, host: ToolHost | undefined, turn: Turn, signal: AbortSignal) {
  const team = [...new Set([...turn.team, ...(config.handOverTo ?? [])])];
  const handOvers = handOverFunctions(team);
  const [material, hosted] = await Promise.all([
    readMaterial(config, turn),
    host === undefined ? [] : abortable(host.list(), signal),
  ]);
  // Endpoints refuse two functions of one name.
  const taken = new Set([...config.tools, ...handOvers].map(({ name }) => name));
  const offered = hosted.filter(({ name }) => !taken.has(name));
  return { material, team, offered, tools: [...functionsOf([...config.tools, ...offered]), ...handOvers] };
}

/** What an answer is made from, read once. */
interface Material {
  facts: readonly string[];
  history: History;
}

async function readMaterial(config: ChatConfig, turn: Turn): Promise<Material> {
  const question = questionOf(turn.message);
  const [facts, history] = await Promise.all([
    config.memories > 0 && question !== '' ? turn.recall(question, config.memories) : [],
    recentTurns(earlier(turn, config.name), config.name, config.historyTokens),
  ]);
  return { facts, history };
}

/** The prompt, and a second one without the files of earlier turns, for a model that refuses them. */
function promptsFor(
  config: ChatConfig,
  { facts, history }: Material,
  own: readonly Event[],
): { prompt: Prompt; fallback: Prompt | undefined } {
  const settings = { agentName: config.name, instruction: config.instruction, facts };
  const whole = { earlier: history.earlier, current: [...history.current, ...own] };
  return {
    prompt: toPrompt(whole, settings),
    fallback: hasFiles(history.earlier)
      ? toPrompt(whole, { ...settings, withoutEarlierFiles: true })
      : undefined,
  };
}

function optionsFor(
  config: ChatConfig,
  prompt: Prompt,
  tools: NonNullable<CallOptions['tools']>,
  abortSignal: AbortSignal,
): CallOptions {
  return {
    prompt,
    abortSignal,
    ...(config.temperature === undefined ? {} : { temperature: config.temperature }),
    ...(config.maxTokens === undefined ? {} : { maxOutputTokens: config.maxTokens }),
    ...(tools.length === 0 ? {} : { tools }),
  };
}

function tooManyRounds(): SessionError {
  return new SessionError('FAILED_PRECONDITION', 'The model kept calling tools and gave no answer.', {
    hint: 'Read what it did with list_events, then ask for less at once.',
  });
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
