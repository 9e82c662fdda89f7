import type { Event } from '../../model/event.ts';
import type { ToolCall, ToolOutput } from '../../model/tool-call.ts';
import { answerTo, openCalls } from '../shared/open-calls.ts';
import type { Appended, SessionRef } from '../types.ts';
import { appendEvent } from './append-event.ts';
import { type AgentEngineClient, inTurn, ownedWith } from './client.ts';
import { eventPages, fullPage } from './find-event.ts';
import { toEvent } from './map-event.ts';
import { sessionPath } from './paths.ts';

/** The service knows no tool calls; they are in the events, so all of these are read. */
export async function listToolCalls(client: AgentEngineClient, ref: SessionRef): Promise<ToolCall[]> {
  return ownedWith(client, ref, async (signal) => {
    const relevant: Event[] = [];
    for await (const { events } of eventPages(client, ref, { pageSize: fullPage, signal }))
      relevant.push(...events.map(toEvent).filter(concernsCalls));
    return openCalls(relevant);
  });
}

const concernsCalls = ({ content, longRunningToolIds }: Event): boolean =>
  longRunningToolIds !== undefined ||
  (content?.parts.some((part) => part.functionCall !== undefined || part.functionResponse !== undefined) ??
    false);

/**
 * Answers calls in one event. Of two answers to one call that come at the same moment through this process the
 * second is refused; through two processes both are stored, since the service has no condition for a write.
 */
export async function submitToolOutputs(
  client: AgentEngineClient,
  ref: SessionRef,
  outputs: readonly ToolOutput[],
): Promise<Appended> {
  return inTurn(client, `${sessionPath(client.endpoint, ref)} tool calls`, async () => {
    const answer = answerTo(await listToolCalls(client, ref), outputs);
    return appendEvent(client, ref, { author: 'user', ...answer }, undefined);
  });
}
