import type { Agent, AgentEvent, Agents, Turn } from '../../agent/types.ts';
import { SessionError } from '../../errors.ts';
import { fitTo } from '../../model/budget.ts';
import type { Content, Event } from '../../model/event.ts';
import type { JsonObject } from '../../model/json.ts';
import { messageIdOf } from '../../model/run.ts';
import { mostHandOvers, toldContent } from '../../model/turn.ts';
import type { RunInput, SessionRef } from '../types.ts';
import { appendEvent } from './append.ts';
import { parseStored } from './damage.ts';
import { listEvents } from './events.ts';
import * as keys from './keys.ts';
import { searchMemory } from './memory.ts';
import type { LocalRuns } from './runs.ts';
import { type Local, readHead } from './session-record.ts';
import { listToolCalls } from './tool-calls.ts';

interface RunContext {
  local: Local;
  runs: LocalRuns;
  agents: Agents;
}

/**
 * Runs an agent of the app: stores the message, then every whole event as it comes. The message is stored under
 * an id made from the run's, so that a run that is begun again finds it there. When the agent hands over to
 * another of the app, the run goes on with that one; to anybody else, the turn is opened for those who take turns.
 */
export async function* runAgent(
  context: RunContext,
  ref: SessionRef,
  input: RunInput,
  signal: AbortSignal,
): AsyncGenerator<Event, void> {
  const { runs, agents } = context;
  const { invocationId, stateDelta } = input;
  const writer = runs.fenced(ref, invocationId);
  const given = input.message.parts.length > 0 ? input.message : undefined;
  if (input.claim === undefined && (given !== undefined || stateDelta !== undefined))
    await appendEvent(writer, ref, {
      id: messageIdOf(invocationId),
      author: 'user',
      invocationId,
      content: given,
      writtenBy: input.writtenBy,
      ...(stateDelta === undefined ? {} : { actions: { stateDelta } }),
    });
  let agent = await agents.open(ref.app, input.agent);
  let message = given ?? (await unanswered(context.local, ref, agent.name));
  for (let leg = 0; ; leg += 1) {
    const handed = yield* runLeg(
      context,
      { ref, invocationId, claim: input.claim, writer, agent, message, leg },
      signal,
    );
    if (handed === undefined) return;
    if (leg + 1 === mostHandOvers) throw tooManyLegs();
    agent = await agents.open(ref.app, handed.to);
    message = handed.message;
    await runs.goOn(ref, invocationId, agent.name);
  }
}

interface Leg extends Pick<Turn, 'message' | 'leg' | 'invocationId'> {
  ref: SessionRef;
  writer: Local;
  agent: Agent;
  claim: string | undefined;
}

/** What one agent says. Returns to which agent of the app it hands over, and what it tells that one. */
async function* runLeg(
  { local, agents }: RunContext,
  { ref, writer, agent, claim, ...turn }: Leg,
  signal: AbortSignal,
): AsyncGenerator<Event, { to: string; message: Content } | undefined> {
  const team = agents.team(ref.app).filter((name) => name !== agent.name);
  const { invocationId } = turn;
  let handed: { to: string; message: Content } | undefined;
  const pieces = agent.run(
    {
      ...turn,
      sessionId: ref.sessionId,
      team,
      notes: await notesOf(local, writer, ref, agent.name),
      history: () => history(local, ref),
      recall: async (text, limit) =>
        (await searchMemory(local, ref, { text, limit })).map(({ fact }) => fact),
    },
    signal,
  );
  for await (const piece of pieces) {
    if (signal.aborted) throw new SessionError('CANCELLED', 'The run was cancelled.');
    if (piece.partial === true) {
      const timestamp = new Date(local.now()).toISOString();
      yield { ...piece, id: '', author: agent.name, invocationId, timestamp };
      continue;
    }
    const to = piece.actions?.transferAgent;
    // Who answers a turn hands it on as a turn, which this server takes next.
    const stays = to !== undefined && claim === undefined && team.includes(to);
    // The run is not complete while another agent is to speak in it.
    const { turnComplete, ...rest } = piece;
    // Models may send half characters and bottomless arguments, which no strict reader of JSON takes.
    const { value: sound } = fitTo(stays ? rest : piece, Number.POSITIVE_INFINITY, 'nested too deep');
    const said = { ...sound, author: agent.name, invocationId };
    const { event } = await appendEvent(
      writer,
      ref,
      said,
      { claim },
      {
        renamesCalls: true,
        opensNoTurn: stays,
        endsNoTurn: to === undefined && waitsForOutputs(piece),
        byServer: claim !== undefined,
      },
    );
    if (stays) handed = { to, message: { role: 'user', parts: event.content?.parts ?? [] } };
    yield event;
  }
  return handed;
}

/** Whether the agent cannot go on before others have answered its calls. */
const waitsForOutputs = ({ content, longRunningToolIds = [] }: AgentEvent): boolean =>
  longRunningToolIds.length > 0 ||
  (content?.parts.some((part) => part.functionCall !== undefined || part.functionResponse !== undefined) ??
    false);

function tooManyLegs(): SessionError {
  return new SessionError(
    'FAILED_PRECONDITION',
    `The agents handed over ${mostHandOvers} times in one run, which therefore ended.`,
    {
      hint: 'Read what they said with list_events. Ask again with a narrower request, or name the agent that should answer.',
    },
  );
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
    for (const event of page.items) yield { ...event, content: toldContent(event) };
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
