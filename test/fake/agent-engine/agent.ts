import { randomUUID } from 'node:crypto';
import { isObject, type JsonObject } from '../../../src/model/json.ts';
import { GoogleError } from './google-error.ts';
import {
  engineName,
  insertEvent,
  instantOf,
  mergedState,
  newId,
  nowTime,
  type StoredEngine,
  type StoredSession,
  setState,
} from './store.ts';

/** The class methods of an engine with ADK's template, as `spec.classMethods` lists them. */
export const adkMethods: JsonObject[] = [
  ...['create_session', 'get_session', 'list_sessions', 'delete_session'].flatMap((name) => [
    { name, api_mode: '' },
    { name: `async_${name}`, api_mode: 'async' },
  ]),
  { name: 'async_add_session_to_memory', api_mode: 'async' },
  { name: 'async_search_memory', api_mode: 'async' },
  { name: 'register_feedback', api_mode: '' },
  { name: 'stream_query', api_mode: 'stream' },
  { name: 'async_stream_query', api_mode: 'async_stream' },
  { name: 'streaming_agent_run_with_events', api_mode: 'async_stream' },
  {
    name: 'lookup',
    api_mode: '',
    parameters: { type: 'object', properties: { user_id: { type: 'string' }, topic: { type: 'string' } } },
  },
  { name: 'countdown', api_mode: 'stream', parameters: { type: 'object', properties: { message: {} } } },
];

const troubleshooting =
  'Reasoning Engine Execution failed.\nPlease refer to our documentation (https://cloud.google.com/vertex-ai/generative-ai/docs/agent-engine/troubleshooting/use) for checking logs and other troubleshooting tips.\nError Details: ';

/** An exception in the agent, as the service reports it. */
function agentFailure(exception: string, input: unknown): GoogleError {
  const detail = `Agent Engine Error: An error occurred during invocation. Exception: ${exception}\nRequest Data: ${JSON.stringify(input)}`;
  return new GoogleError('FAILED_PRECONDITION', troubleshooting + JSON.stringify({ detail }));
}

function owned(engine: StoredEngine, input: JsonObject): StoredSession {
  const session = engine.sessions.get(String(input.session_id));
  if (session === undefined || session.userId !== input.user_id)
    throw agentFailure(
      `404 NOT_FOUND. {'error': {'code': 404, 'message': 'Session ${engineName(engine)}/sessions/${String(input.session_id)} not found.', 'status': 'NOT_FOUND'}}`,
      input,
    );
  return session;
}

const seconds = (time: string): number => Date.parse(time) / 1000;

/** A session in snake_case, as the runtimes of Python and Go answer it. */
function sessionData(engine: StoredEngine, session: StoredSession): JsonObject {
  return {
    user_id: session.userId,
    last_update_time: seconds(session.updateTime),
    app_name: engine.id,
    id: session.id,
    state: mergedState(engine, session),
    events: session.events.map(({ id, wire }) => ({
      id,
      author: wire.author,
      invocation_id: wire.invocationId,
      timestamp: seconds(String(wire.timestamp)),
      content: wire.content,
    })),
  };
}

/** The answers of ADK's template to :query. */
export function callMethod(engine: StoredEngine, classMethod: string, input: JsonObject): unknown {
  if (!(engine.classMethods ?? []).some((method) => method.name === classMethod))
    throw new GoogleError('FAILED_PRECONDITION', `${troubleshooting}{"detail":"Invalid class_method"}`);
  switch (classMethod.replace(/^async_/, '')) {
    case 'create_session': {
      const time = nowTime();
      const session: StoredSession = {
        id: newId(),
        userId: String(input.user_id),
        displayName: undefined,
        labels: undefined,
        state: {},
        createTime: time,
        updateTime: time,
        expireTime: nowTime(86_400_000),
        events: [],
        hiddenReads: 0,
      };
      engine.sessions.set(session.id, session);
      setState(engine, session, isObject(input.state) ? input.state : {});
      return sessionData(engine, session);
    }
    case 'get_session':
      return sessionData(engine, owned(engine, input));
    case 'list_sessions': {
      const all = [...engine.sessions.values()].filter((session) => session.userId === input.user_id);
      return { sessions: all.map((session) => ({ ...sessionData(engine, session), events: [] })) };
    }
    case 'delete_session':
      engine.sessions.delete(owned(engine, input).id);
      return null;
    case 'add_session_to_memory':
      remembered.set(engine, [...(remembered.get(engine) ?? []), input.session as JsonObject]);
      return null;
    case 'search_memory':
      return { memories: entries(engine, String(input.user_id)) };
    case 'register_feedback':
      feedback.set(engine, [...(feedback.get(engine) ?? []), input.feedback as JsonObject]);
      return null;
    default:
      return { asked: input };
  }
}

/** The inputs of add_session_to_memory and register_feedback. */
export const remembered = new WeakMap<StoredEngine, JsonObject[]>();
export const feedback = new WeakMap<StoredEngine, JsonObject[]>();

function entries(engine: StoredEngine, userId: string): JsonObject[] {
  return (remembered.get(engine) ?? [])
    .filter((session) => session.user_id === userId)
    .flatMap((session) => (session.events as JsonObject[]) ?? [])
    .map((event) => ({ content: event.content, author: event.author, timestamp: event.timestamp }));
}

/** An echo agent: it streams two pieces, then the whole text, and stores the message and the answer. */
export function* echo(engine: StoredEngine, classMethod: string, input: JsonObject): Generator<string, void> {
  if (classMethod === 'countdown') {
    for (const n of [3, 2, 1]) yield `${JSON.stringify({ output: n })}\n`;
    return;
  }
  const withEvents = classMethod === 'streaming_agent_run_with_events';
  const request = withEvents ? (JSON.parse(String(input.request_json)) as JsonObject) : input;
  const session = owned(engine, request);
  const said = textOf(request.message);
  const invocationId = `e-${randomUUID()}`;
  store(engine, session, { author: 'user', invocationId, text: said, id: randomUUID() });
  const half = Math.ceil(said.length / 2);
  const id = randomUUID();
  const event = (text: string, partial: boolean) => ({
    model_version: 'echo',
    content: { parts: [{ text }], role: 'model' },
    ...(partial ? { partial } : {}),
    invocation_id: invocationId,
    author: 'echo_agent',
    actions: { state_delta: {}, artifact_delta: {} },
    long_running_tool_ids: [],
    id,
    timestamp: Date.now() / 1000,
  });
  const line = (value: unknown) =>
    `${JSON.stringify(withEvents ? { events: [value], session_id: session.id } : value)}\n`;
  yield line(event(said.slice(0, half), true));
  yield line(event(said.slice(half), true));
  store(engine, session, { author: 'echo_agent', invocationId, text: said, id });
  yield line(event(said, false));
}

function store(
  engine: StoredEngine,
  session: StoredSession,
  event: { author: string; invocationId: string; text: string; id: string },
): void {
  const { author, invocationId, text, id } = event;
  const eventId = newId();
  const timestamp = nowTime();
  const content = { role: author === 'user' ? 'user' : 'model', parts: [{ text }] };
  insertEvent(session, {
    id: eventId,
    instant: instantOf(timestamp),
    wire: {
      name: `${engineName(engine)}/sessions/${session.id}/events/${eventId}`,
      author,
      invocationId,
      timestamp,
      content,
      // As ADK for Python writes it: in snake_case, with times in seconds.
      rawEvent: { id, author, invocation_id: invocationId, timestamp: seconds(timestamp), content },
    },
  });
  session.updateTime = nowTime();
}

function textOf(message: unknown): string {
  if (typeof message === 'string') return message;
  const parts = isObject(message) && Array.isArray(message.parts) ? (message.parts as JsonObject[]) : [];
  return parts.map((part) => String(part.text ?? '')).join('');
}
