import { invalidArgument } from '../../errors.ts';
import { isObject, type JsonObject } from '../../model/json.ts';
import type { Feedback, Owner, SessionRef } from '../types.ts';
import { toAgentOutput } from './map-agent-session.ts';
import { checkName, ownMethod, plainMethods, streamMethods, userless } from './class-methods.ts';
import { isCode, objectOf, ownedSession, type Service, sessionNotFound } from './client.ts';
import { getEvent } from './events.ts';
import { enginePath } from './paths.ts';

const queryMs = 300_000;

/**
 * Calls a class method that answers one value. The user is put into the input here, and a session named in
 * it must be the user's: the engine itself believes what it is told.
 */
export async function callMethod(
  service: Service,
  owner: Owner,
  call: { classMethod: string; input: JsonObject },
  signal: AbortSignal | undefined,
): Promise<unknown> {
  const classMethod = checkName(call.classMethod);
  const own = plainMethods.includes(classMethod)
    ? undefined
    : await streamless(service, owner.app, classMethod);
  const addUser = plainMethods.includes(classMethod)
    ? !userless.includes(classMethod)
    : own?.parameters?.includes('user_id') === true;
  const input = await ownInput(service, owner, call.input, {
    addUser,
    checkSession: !/^(async_)?create_session$/.test(classMethod),
    signal,
  });
  const body = objectOf(
    await service.http.json({
      method: 'POST',
      path: `${enginePath(service.place, owner.app)}:query`,
      body: { classMethod, input },
      retry: 'quota',
      timeoutMs: queryMs,
      signal,
    }),
  );
  return toAgentOutput(classMethod, body.output, owner);
}

async function streamless(service: Service, app: string, classMethod: string) {
  const own = streamMethods.includes(classMethod) ? undefined : await ownMethod(service, app, classMethod);
  if (streamMethods.includes(classMethod) || own?.mode.includes('stream') === true)
    throw invalidArgument('This class method answers with a stream.', 'Call it with stream_query.');
  return own;
}

interface InputRules {
  addUser: boolean;
  checkSession: boolean;
  signal: AbortSignal | undefined;
}

/** The input with the user that the call is for, at the top and in the objects that methods take. */
async function ownInput(
  service: Service,
  owner: Owner,
  input: JsonObject,
  rules: InputRules,
): Promise<JsonObject> {
  const result: JsonObject = { ...input };
  for (const name of ['user_id', 'userId'])
    if (Object.hasOwn(result, name) && result[name] !== owner.userId)
      throw invalidArgument(
        `input.${name} is not the user that this call is for.`,
        `Leave ${name} out: it is filled in.`,
      );
  if (rules.addUser && !Object.hasOwn(result, 'userId')) result.user_id = owner.userId;
  for (const name of ['session', 'feedback']) {
    const inner = result[name];
    if (!isObject(inner)) continue;
    if (name === 'session') await checkSession(service, owner, inner.id, rules.signal);
    result[name] = await ownInput(service, owner, inner, { ...rules, addUser: true });
  }
  if (rules.checkSession)
    for (const name of ['session_id', 'sessionId'])
      if (Object.hasOwn(result, name)) await checkSession(service, owner, result[name], rules.signal);
  return result;
}

async function checkSession(
  service: Service,
  owner: Owner,
  sessionId: unknown,
  signal: AbortSignal | undefined,
): Promise<void> {
  if (typeof sessionId !== 'string')
    throw invalidArgument('The session id in the input is no text.', 'Pass the id as a string.');
  await ownedSession(service, { ...owner, sessionId }, signal);
}

/** Feedback through the class method of agent-starter-pack's template; other engines have none. */
export async function registerFeedback(service: Service, ref: SessionRef, feedback: Feedback): Promise<void> {
  await ownedSession(service, ref);
  const invocationId =
    feedback.invocationId ??
    (feedback.eventId === undefined
      ? undefined
      : (await getEvent(service, ref, feedback.eventId)).invocationId);
  await service.http
    .json({
      method: 'POST',
      path: `${enginePath(service.place, ref.app)}:query`,
      body: {
        classMethod: 'register_feedback',
        input: {
          feedback: {
            score: feedback.score,
            ...(feedback.text === undefined ? {} : { text: feedback.text }),
            ...(invocationId === undefined ? {} : { invocation_id: invocationId }),
            user_id: ref.userId,
            session_id: ref.sessionId,
          },
        },
      },
      retry: 'quota',
    })
    .catch((error: unknown) => {
      throw isCode(error, 'NOT_FOUND') ? sessionNotFound() : error;
    });
}
