import type { Event, Part } from '../model/event.ts';
import { newId } from '../model/ids.ts';
import type { JsonObject } from '../model/json.ts';
import type { AgentEvent, AgentTool, ToolHost } from './types.ts';

/** Tools as chat-completions endpoints take them. */
export const functionsOf = (tools: readonly AgentTool[]) =>
  tools.map(({ name, description, parameters }) => ({
    type: 'function' as const,
    name,
    ...(description === undefined ? {} : { description }),
    inputSchema: parameters ?? { type: 'object', properties: {} },
  }));

/** The calls of an answer that the agent makes itself. */
interface OwnCalls {
  /** The answer, whose own calls have ids that no other call has. It is not the last word. */
  said: AgentEvent;
  /** Whether other calls wait for somebody else. */
  leavesOpen: boolean;
  /** Makes the calls side by side; resolves to the event of their results. */
  run(signal: AbortSignal): Promise<AgentEvent>;
}

export function ownCalls(host: ToolHost | undefined, offered: readonly AgentTool[], timeoutMs: number) {
  const names = new Set(offered.map((tool) => tool.name));
  return {
    /** Undefined where the answer calls no tool that is the agent's to call. */
    of(event: AgentEvent): OwnCalls | undefined {
      const parts = event.content?.parts ?? [];
      const isOwn = (part: Part) => part.functionCall !== undefined && names.has(part.functionCall.name);
      if (host === undefined || !parts.some(isOwn)) return undefined;
      const renamed = parts.map((part) =>
        part.functionCall !== undefined && isOwn(part)
          ? { ...part, functionCall: { ...part.functionCall, id: newId('c') } }
          : part,
      );
      const own = renamed.filter(isOwn).flatMap((part) => part.functionCall ?? []);
      const { turnComplete: _ends, ...rest } = event;
      return {
        said: { ...rest, content: { role: 'model', parts: renamed } },
        leavesOpen: parts.some((part) => part.functionCall !== undefined && !isOwn(part)),
        async run(signal) {
          const limited = AbortSignal.any([signal, AbortSignal.timeout(0.8 * timeoutMs)]);
          const results = await Promise.all(
            own.map(async ({ id, name, args }) => ({
              functionResponse: {
                ...(id === undefined ? {} : { id }),
                name,
                response: await call(name, args),
              },
            })),
          );
          return { content: { role: 'user', parts: results } };

          function call(name: string, args: JsonObject | undefined): Promise<JsonObject> {
            return host?.call(name, args ?? {}, limited) ?? Promise.resolve({});
          }
        },
      };
    },
  };
}

/** What an agent has just said or learned, as an event of the history. */
export const asEvent = (event: AgentEvent, author: string): Event => ({
  id: '',
  author,
  invocationId: '',
  timestamp: '',
  ...(event.content === undefined ? {} : { content: event.content }),
});
