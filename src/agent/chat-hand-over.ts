import type { Part } from '../model/event.ts';
import { withNote } from '../model/turn.ts';
import type { AgentEvent } from './types.ts';

/** ADK's name for the function by which a model hands over (adk.dev/agents/multi-agents). */
const handOverTool = 'transfer_to_agent';

/** The function that a model calls to hand over, as endpoints take it. */
export const handOverFunctions = (team: readonly string[]) =>
  team.length === 0 ? [] : [handOverFunction(team)];

const handOverFunction = (team: readonly string[]) => ({
  type: 'function' as const,
  name: handOverTool,
  description:
    'Hands the conversation over to another agent, which answers in your place. Call it when that agent is better placed to answer.',
  inputSchema: {
    type: 'object' as const,
    properties: {
      agent_name: { type: 'string' as const, enum: [...team] },
      note: { type: 'string' as const, description: 'What that agent is to do' },
    },
    required: ['agent_name'],
  },
});

/**
 * An answer as the hand-over that it calls for, if it does: the call becomes an action of the event, and the note a
 * text of it, which is what the next agent reads. Other calls beside it are dropped: the other agent makes its own.
 */
export function asHandOver(event: AgentEvent, team: readonly string[]): AgentEvent | undefined {
  const parts = event.content?.parts ?? [];
  const args = parts.find((part) => part.functionCall?.name === handOverTool)?.functionCall?.args;
  const { agent_name: agent, note } = args ?? {};
  if (typeof agent !== 'string' || !team.includes(agent)) return undefined;
  const said: Part[] = parts.filter((part) => part.functionCall === undefined);
  const told = typeof note === 'string' && note !== '' ? note : undefined;
  return {
    ...event,
    content: { role: 'model', parts: [...said, ...(told === undefined ? [] : [{ text: told }])] },
    actions: { transferAgent: agent },
    ...(told === undefined ? {} : withNote(told)),
  };
}
