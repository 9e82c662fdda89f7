import { invalidArgument, SessionError } from '../../errors.ts';
import { isObject, type JsonObject } from '../../model/json.ts';
import { sessionNotFound } from '../shared/errors.ts';
import type { Feedback, Owner, SessionRef } from '../types.ts';
import { classMethodsOf } from './apps.ts';
import { type AgentEngineClient, isCode, ownedSession, write } from './client.ts';
import { getEvent } from './events.ts';
import { fromAgentSession, toAgentOutput } from './map-agent-session.ts';
import type { ClassMethod } from './map-session.ts';
import { enginePath } from './paths.ts';
import type { QueryReasoningEngineRequest } from './wire-types.ts';

/** Class methods that ADK's templates register (docs/protocols/agent-engine.md, "Running an engine"). */
export const streamMethods: readonly string[] = [
  'async_stream_query',
  'stream_query',
  'streaming_agent_run_with_events',
];
export const plainMethods: readonly string[] = [
  ...['create_session', 'get_session', 'list_sessions', 'delete_session'].flatMap((name) => [
    name,
    `async_${name}`,
  ]),
  'async_add_session_to_memory',
  'async_search_memory',
  'register_feedback',
];
/** The plain methods without a user_id argument. */
const userless: readonly string[] = ['async_add_session_to_memory', 'register_feedback'];

const readMethods = /^(async_)?(get_session|list_sessions|search_memory)$/;
/** The tool that shows whether a method took effect. */
const lookWith: Readonly<Record<string, string>> = {
  create_session: 'list_sessions',
  delete_session: 'get_session',
  add_session_to_memory: 'search_memory',
};

/** @throws SessionError INVALID_ARGUMENT, UNIMPLEMENTED */
export function checkName(classMethod: string): string {
  if (!/^[A-Za-z_]\w{0,63}$/.test(classMethod))
    throw invalidArgument(
      'classMethod is not a valid method name.',
      'Call describe_server to see the methods of the engine.',
    );
  if (classMethod === 'bidi_stream_query')
    throw new SessionError('UNIMPLEMENTED', 'This server does not support bidirectional streams.', {
      hint: 'Call stream_query with classMethod "async_stream_query" instead.',
    });
  return classMethod;
}

/** The engine's description of a method; undefined when the engine describes none. */
async function ownMethod(
  client: AgentEngineClient,
  app: string,
  classMethod: string,
): Promise<ClassMethod | undefined> {
  const methods = await classMethodsOf(client, app);
  const found = methods.find((method) => method.name === classMethod);
  if (found === undefined && methods.length > 0) throw noSuchMethod();
  return found;
}

export const noSuchMethod = (): SessionError =>
  invalidArgument(
    'The engine has no class method of this name.',
    'Call describe_server to see the methods of the engine.',
  );

const queryMs = 300_000;

/**
 * Calls a class method that answers one value. The engine checks no user, so the caller's user is put into the input
 * here, and a session in the input must be the user's.
 */
export async function callMethod(
  client: AgentEngineClient,
  owner: Owner,
  call: { classMethod: string; input: JsonObject },
  signal: AbortSignal | undefined,
): Promise<unknown> {
  const classMethod = checkName(call.classMethod);
  const own = plainMethods.includes(classMethod)
    ? undefined
    : await streamless(client, owner.app, classMethod);
  const addUser = plainMethods.includes(classMethod)
    ? !userless.includes(classMethod)
    : own?.parameters?.includes('user_id') === true;
  const input = await ownInput(client, owner, call.input, {
    addUser,
    checkSession: !/^(async_)?create_session$/.test(classMethod),
    signal,
  });
  const { output } = await write(client, {
    method: 'POST',
    path: `${enginePath(client.endpoint, owner.app)}:query`,
    body: { classMethod, input } satisfies QueryReasoningEngineRequest,
    retry: readMethods.test(classMethod) ? 'read' : 'quota',
    lookWith: lookWith[classMethod.replace(/^async_/, '')] ?? 'list_events, or in the logs of the engine,',
    timeoutMs: queryMs,
    signal,
  });
  return toAgentOutput(classMethod, output, owner);
}

async function streamless(client: AgentEngineClient, app: string, classMethod: string) {
  const own = streamMethods.includes(classMethod) ? undefined : await ownMethod(client, app, classMethod);
  if (streamMethods.includes(classMethod) || own?.mode.includes('stream') === true)
    throw invalidArgument('This class method answers with a stream.', 'Call it with stream_query.');
  return own;
}

interface InputRules {
  addUser: boolean;
  checkSession: boolean;
  signal: AbortSignal | undefined;
}

/** The input with the caller's user, at the top level and in the objects that methods take. */
async function ownInput(
  client: AgentEngineClient,
  owner: Owner,
  input: JsonObject,
  rules: InputRules,
): Promise<JsonObject> {
  const result: JsonObject = { ...input };
  for (const name of ['user_id', 'userId'])
    if (Object.hasOwn(result, name) && result[name] !== owner.userId)
      throw invalidArgument(
        `input.${name} is not the user of this call.`,
        `Leave ${name} out: the server fills it in.`,
      );
  if (rules.addUser && !Object.hasOwn(result, 'userId')) result.user_id = owner.userId;
  for (const name of ['session', 'feedback']) {
    const inner = result[name];
    if (!isObject(inner)) continue;
    if (name === 'session') await checkSession(client, owner, inner.id, rules.signal);
    const agents = name === 'session' ? fromAgentSession(inner) : inner;
    result[name] = await ownInput(client, owner, agents, { ...rules, addUser: true });
  }
  if (rules.checkSession)
    for (const name of ['session_id', 'sessionId'])
      if (Object.hasOwn(result, name)) await checkSession(client, owner, result[name], rules.signal);
  return result;
}

async function checkSession(
  client: AgentEngineClient,
  owner: Owner,
  sessionId: unknown,
  signal: AbortSignal | undefined,
): Promise<void> {
  if (typeof sessionId !== 'string')
    throw invalidArgument('The session id in the input is not a string.', 'Pass the id as a string.');
  await ownedSession(client, { ...owner, sessionId }, signal);
}

/** Sends feedback to the class method that engines of agent-starter-pack have. */
export async function registerFeedback(
  client: AgentEngineClient,
  ref: SessionRef,
  feedback: Feedback,
): Promise<void> {
  await ownedSession(client, ref);
  const invocationId =
    feedback.invocationId ??
    (feedback.eventId === undefined
      ? undefined
      : (await getEvent(client, ref, feedback.eventId)).invocationId);
  const feedbackInput = {
    score: feedback.score,
    ...(feedback.text === undefined ? {} : { text: feedback.text }),
    ...(invocationId === undefined ? {} : { invocation_id: invocationId }),
    user_id: ref.userId,
    session_id: ref.sessionId,
  };
  await write(client, {
    method: 'POST',
    path: `${enginePath(client.endpoint, ref.app)}:query`,
    body: {
      classMethod: 'register_feedback',
      input: { feedback: feedbackInput },
    } satisfies QueryReasoningEngineRequest,
    retry: 'quota',
    lookWith: 'the logs of the engine',
  }).catch((error: unknown) => {
    throw isCode(error, 'NOT_FOUND') ? sessionNotFound() : error;
  });
}
