import type { Part } from '../../model/event.ts';
import type { ToolCall } from '../../model/tool-call.ts';
import type { SessionRef } from '../types.ts';
import type { Adk } from './client.ts';
import { toEvent } from './map-event.ts';
import { fallbackOf } from './map-session.ts';
import { checked } from './paths.ts';
import { readSession } from './read-session.ts';
import type { WireSession } from './wire.ts';

export async function listToolCalls(adk: Adk, ref: SessionRef): Promise<ToolCall[]> {
  return openCalls(await readSession(adk, checked(ref)));
}

/**
 * Calls of a session that wait for an answer, oldest first. A long-running tool may answer at once that it
 * has begun; ADK takes the outcome from the user, so only the user's answer ends such a call.
 */
export function openCalls(wire: WireSession): ToolCall[] {
  const open = new Map<string, ToolCall>();
  for (const [index, wireEvent] of wire.events.entries()) {
    if (wireEvent.partial === true) continue;
    const event = toEvent(wireEvent, fallbackOf(wire, index));
    for (const part of event.content?.parts ?? []) {
      const call = callOf(part);
      if (call !== undefined)
        open.set(call.id, {
          ...call,
          eventId: event.id,
          author: event.author,
          invocationId: event.invocationId,
          createTime: event.timestamp,
          ...(event.longRunningToolIds?.includes(call.id) ? { longRunning: true } : {}),
        });
      const answered = part.functionResponse?.id;
      if (answered !== undefined && (open.get(answered)?.longRunning !== true || event.author === 'user'))
        open.delete(answered);
    }
  }
  return [...open.values()];
}

function callOf(part: Part): Pick<ToolCall, 'id' | 'name' | 'args'> | undefined {
  const call = part.functionCall;
  return call?.id === undefined ? undefined : { id: call.id, name: call.name, args: call.args };
}
