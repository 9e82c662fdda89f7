import type { Agents, Turn } from '../../agent/types.ts';
import { SessionError } from '../../errors.ts';
import type { Content, Event } from '../../model/event.ts';
import type { JsonObject } from '../../model/json.ts';
import { messageIdOf } from '../../model/run.ts';
import type { RunInput, SessionRef } from '../types.ts';
import { appendEvent } from './append.ts';
import { parseStored } from './damage.ts';
import { listEvents } from './events.ts';
import * as keys from './keys.ts';
import { searchMemory } from './memory.ts';
import type { LocalRuns } from './runs.ts';
import { type Local, readHead } from './session-record.ts';
import { listToolCalls } from './tool-calls.ts';

/**
 * Runs the app's agent: stores the message, then every whole event as it comes. The message is stored under
 * an id made from the run's, so that a run that is begun again finds it there.
 */
export async function* runAgent(
  { local, runs, agents }: { local: Local; runs: LocalRuns; agents: Agents },
  ref: SessionRef,
  input: RunInput,
  signal: AbortSignal,
): AsyncGenerator<Event, void> {
  const agent = await agents.open(ref.app);
  const { invocationId, stateDelta } = input;
  const writer = runs.fenced(ref, invocationId);
  const given = input.message.parts.length > 0 ? input.message : undefined;
  if (given !== undefined || stateDelta !== undefined)
    await appendEvent(writer, ref, {
      id: messageIdOf(invocationId),
      author: 'user',
      invocationId,
      content: given,
      ...(stateDelta === undefined ? {} : { actions: { stateDelta } }),
    });
  const turn: Turn = {
    sessionId: ref.sessionId,
    invocationId,
    message: given ?? (await unanswered(local, ref, agent.name)),
    notes: await notesOf(local, writer, ref, agent.name),
    history: () => history(local, ref),
    recall: async (text, limit) => (await searchMemory(local, ref, { text, limit })).map(({ fact }) => fact),
  };
  for await (const piece of agent.run(turn, signal)) {
    if (signal.aborted) throw new SessionError('CANCELLED', 'The run was cancelled.');
    if (piece.partial === true)
      yield {
        ...piece,
        id: '',
        author: agent.name,
        invocationId,
        timestamp: new Date(local.now()).toISOString(),
      };
    else {
      const said = { ...piece, author: agent.name, invocationId };
      yield (await appendEvent(writer, ref, said, {}, { renamesCalls: true })).event;
    }
  }
}

async function notesOf(
  local: Local,
  writer: Local,
  ref: SessionRef,
  agentName: string,
): Promise<Turn['notes']> {
  const { uid } = await readHead(local, ref);
  const key = keys.agentNotesKey(uid, agentName);
  return {
    async read() {
      const [value] = await local.store.get([key]);
      return value === undefined ? {} : parseStored<JsonObject>('What the agent noted', value);
    },
    async save(notes) {
      await writer.store.update([], () => ({
        result: undefined,
        writes: [{ key, value: JSON.stringify(notes) }],
      }));
    },
  };
}

async function* history(local: Local, ref: SessionRef): AsyncGenerator<Event, void> {
  let cursor: string | undefined;
  do {
    const page = await listEvents(local, ref, { order: 'desc', pageSize: 50, cursor });
    yield* page.items;
    cursor = page.cursor;
  } while (cursor !== undefined);
}

/** What the agent has not answered yet: tool outputs, or a message of somebody else. */
async function unanswered(local: Local, ref: SessionRef, agentName: string): Promise<Content> {
  if ((await listToolCalls(local, ref)).length > 0)
    throw new SessionError('FAILED_PRECONDITION', 'Tool calls of this session wait for their answers.', {
      hint: 'See them with list_tool_calls, answer them with submit_tool_outputs, then call again; or send a message.',
    });
  for await (const event of history(local, ref)) {
    if (event.content === undefined || event.content.parts.length === 0) continue;
    if (event.author === agentName) break;
    return event.content;
  }
  throw new SessionError('FAILED_PRECONDITION', 'The session has no message for the agent to answer.', {
    hint: 'Pass a message.',
  });
}
