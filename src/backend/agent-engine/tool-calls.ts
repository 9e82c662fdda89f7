import type { Event } from '../../model/event.ts';
import type { Session } from '../../model/session.ts';
import type { ToolCall, ToolOutput } from '../../model/tool-call.ts';
import { answerTo, openCalls } from '../shared/open-calls.ts';
import type { Appended, SessionRef } from '../types.ts';
import { storeIn } from './append-event.ts';
import { type AgentEngineClient, inTurn, ownedWith } from './client.ts';
import { eventPages, fullPage } from './find-event.ts';
import { toEvent } from './map-event.ts';
import { toSession } from './map-session.ts';
import { sessionPath } from './paths.ts';

export async function listToolCalls(client: AgentEngineClient, ref: SessionRef): Promise<ToolCall[]> {
  return (await lookAt(client, ref)).open;
}

/** Reads all events of a session for its open tool calls: the service keeps no list of calls. */
async function lookAt(
  client: AgentEngineClient,
  ref: SessionRef,
): Promise<{ session: Session; open: ToolCall[] }> {
  return ownedWith(client, ref, async (signal, owned) => {
    const relevant: Event[] = [];
    for await (const { events } of eventPages(client, ref, { pageSize: fullPage, signal }))
      relevant.push(...events.map((wire) => toEvent(wire)).filter(concernsCalls));
    return { session: toSession(await owned, ref.app), open: openCalls(relevant) };
  });
}

const concernsCalls = ({ content, longRunningToolIds }: Event): boolean =>
  longRunningToolIds !== undefined ||
  (content?.parts.some((part) => part.functionCall !== undefined || part.functionResponse !== undefined) ??
    false);

/**
 * Answers calls in one event. When two callers answer one call at the same moment, the second is refused within one
 * process. Through two processes both answers are stored, since the service has no conditional writes.
 */
export async function submitToolOutputs(
  client: AgentEngineClient,
  ref: SessionRef,
  outputs: readonly ToolOutput[],
): Promise<Appended> {
  return inTurn(client, `${sessionPath(client.endpoint, ref)} tool calls`, async () => {
    const { session, open } = await lookAt(client, ref);
    return storeIn(client, ref, session, { author: 'user', ...answerTo(open, outputs) });
  });
}
