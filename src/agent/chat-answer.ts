import type { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { SessionError } from '../errors.ts';
import type { Part } from '../model/event.ts';
import { newId } from '../model/ids.ts';
import { isObject, type JsonObject } from '../model/json.ts';
import type { AgentEvent } from './types.ts';

export type Model = ReturnType<ReturnType<typeof createOpenAICompatible>['chatModel']>;
type StreamPart =
  Awaited<ReturnType<Model['doStream']>>['stream'] extends ReadableStream<infer P> ? P : never;

/** Characters of one answer, thoughts included. */
const maxLength = 2_000_000;

/** Gathers the parts of an answer into the turn's one event. `known` are ids of calls that are taken. */
export function turnParts(known: Set<string>) {
  let text = '';
  let thoughts = '';
  const calls: Part[] = [];
  let usage: JsonObject | undefined;
  let errorCode: string | undefined;
  return {
    /** Takes the next part and returns what of it can be shown at once. */
    take(part: StreamPart): Part | undefined {
      if (text.length + thoughts.length > maxLength)
        throw new SessionError(
          'RESOURCE_EXHAUSTED',
          'The model’s answer is longer than this server accepts.',
          {
            hint: 'Ask for a shorter answer, or ask the operator to set maxTokens in the file of --config.',
          },
        );
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
        throw new SessionError('UNAVAILABLE', 'The model sent no answer.', {
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

// Some servers restart their call ids with every answer, or give none at all.
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
  throw new SessionError(
    'UNAVAILABLE',
    'The model called a tool with arguments that are not a JSON object.',
    {
      hint: 'Send the message again.',
    },
  );
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
