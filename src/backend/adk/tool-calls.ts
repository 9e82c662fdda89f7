import type { ToolCall } from '../../model/tool-call.ts';
import { openCalls } from '../shared/open-calls.ts';
import type { SessionRef } from '../types.ts';
import type { Adk } from './client.ts';
import { toEvent } from './map-event.ts';
import { fallbackOf } from './map-session.ts';
import { checked } from './paths.ts';
import { readSession } from './read-session.ts';
import type { WireSession } from './wire.ts';

export async function listToolCalls(adk: Adk, ref: SessionRef): Promise<ToolCall[]> {
  return toolCallsOf(await readSession(adk, checked(ref)));
}

/** The tool calls of a session that have no answer yet, oldest first. */
export const toolCallsOf = (wire: WireSession): ToolCall[] =>
  openCalls(wire.events.map((event, index) => toEvent(event, fallbackOf(wire, index))));
