import { unheardParts } from '../agent/a2a-history.ts';
import type { Agent, AgentEvent, Turn } from '../agent/types.ts';
import { type Backend, required } from '../backend/types.ts';
import type { Event, Part } from '../model/event.ts';

/** Whose sessions on the service are those that stand for ours. */
const userId = 'agent-sessions-mcp';

/**
 * An agent of a service with sessions of its own, such as an ADK API server, as an agent of ours: each of our sessions
 * has one there, whose id is noted, and is told what it has not heard. Its tools and its state stay there.
 */
export function backendAgent(name: string, app: string, backend: Backend): Agent {
  return { name, run: (turn, signal) => converse({ name, app, backend }, turn, signal) };
}

async function* converse(
  { name, app, backend }: { name: string; app: string; backend: Backend },
  turn: Turn,
  signal: AbortSignal,
): AsyncGenerator<AgentEvent, void> {
  const stream = required(backend.query?.stream, backend, 'run an agent');
  const known = await turn.notes.read();
  const text = (key: string) => (typeof known[key] === 'string' ? known[key] : undefined);
  let sessionId = text('sessionId');
  if (sessionId === undefined) {
    const create = required(backend.sessions?.create, backend, 'create sessions');
    sessionId = (await create({ app, userId }, {})).id;
    await turn.notes.save({ sessionId });
  }
  const heard = text('heard');
  const { parts, upTo } = await unheardParts(turn.history(), turn.message, { name, heard });
  const { invocationId } = turn;
  const events = stream(
    { app, userId, sessionId },
    { message: { role: 'user', parts }, invocationId },
    signal,
  );
  // Only the last event ends the turn, and which is the last is known when the next has come.
  let held: AgentEvent | undefined;
  for await (const event of events) {
    const said = shown(event);
    if (said === undefined) continue;
    if (event.partial === true) yield { partial: true, content: said };
    else {
      if (held !== undefined) yield { ...held, turnComplete: false };
      held = { content: said, ...(event.errorCode === undefined ? {} : { errorCode: event.errorCode }) };
    }
  }
  await turn.notes.save({ sessionId, heard: upTo });
  if (held !== undefined) yield { ...held, turnComplete: true };
}

/** What the agent says; calls of its own tools and their results are the service's business. */
function shown({ author, content }: Event): Event['content'] {
  const parts = (content?.parts ?? []).filter(
    (part: Part) =>
      (part.text !== undefined && part.text !== '') ||
      part.inlineData !== undefined ||
      part.fileData !== undefined,
  );
  return author === 'user' || parts.length === 0 ? undefined : { role: 'model', parts };
}
