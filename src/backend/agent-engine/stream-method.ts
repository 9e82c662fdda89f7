import { invalidArgument, SessionError } from '../../errors.ts';
import type { Content } from '../../model/event.ts';
import { isObject, type JsonObject } from '../../model/json.ts';
import type { RunInput, SessionRef } from '../types.ts';
import { classMethodsOf } from './apps.ts';
import { checkName, noSuchMethod, plainMethods, streamMethods } from './class-methods.ts';
import type { AgentEngineClient } from './client.ts';
import type { ClassMethod } from './map-session.ts';

/**
 * The streaming method to call: the wanted one, or the first that the engine has of ADK's. An engine that does not
 * list its methods is called like ADK's template.
 * @throws SessionError INVALID_ARGUMENT, FAILED_PRECONDITION when the engine has no such method
 */
export async function streamMethodOf(
  client: AgentEngineClient,
  app: string,
  wanted: string | undefined,
): Promise<ClassMethod> {
  if (wanted !== undefined && plainMethods.includes(checkName(wanted))) throw answersOneValue();
  const methods = await classMethodsOf(client, app).catch((error: unknown) => {
    // The credentials may allow to call an engine but not to read it.
    if (wanted === undefined || streamMethods.includes(wanted)) return [];
    throw error;
  });
  const name = wanted ?? streamMethods[0] ?? '';
  if (methods.length === 0) return { name, mode: 'async_stream', parameters: undefined };
  if (wanted === undefined) {
    const streaming = methods.filter(({ mode }) => /^(async_)?stream$/.test(mode));
    const usual = streamMethods.map((known) => streaming.find((method) => method.name === known));
    const found = usual.find((method) => method !== undefined) ?? streaming[0];
    if (found !== undefined) return found;
    throw new SessionError('FAILED_PRECONDITION', 'The engine has no streaming method.', {
      hint: 'Call one of its methods with query and classMethod; describe_server lists them.',
    });
  }
  const found = methods.find((method) => method.name === wanted);
  if (found === undefined) throw noSuchMethod();
  if (!found.mode.includes('stream')) throw answersOneValue();
  return found;
}

const answersOneValue = (): SessionError =>
  invalidArgument('This class method answers with one value.', 'Call it with query.');

/**
 * The input of a streaming method (docs/protocols/agent-engine.md, "Running an engine"). User and session are always
 * the caller's, since the engine does not check them.
 * @throws SessionError INVALID_ARGUMENT
 */
export function inputOf(method: ClassMethod, ref: SessionRef, run: RunInput): JsonObject {
  const more = { ...run.input };
  if (method.name === 'streaming_agent_run_with_events') {
    const { request_json: text, ...others } = more;
    const request = { ...requestOf(text), ...others };
    refuseOthers(request, ref);
    const { userId: _userId, sessionId: _sessionId, ...rest } = request;
    const message = contentOf(run.message);
    return {
      request_json: JSON.stringify({ ...rest, message, user_id: ref.userId, session_id: ref.sessionId }),
    };
  }
  refuseOthers(more, ref);
  const takes = (name: string) => method.parameters === undefined || method.parameters.includes(name);
  const { userId: _userId, sessionId: _sessionId, ...rest } = more;
  const own: JsonObject = { user_id: ref.userId, session_id: ref.sessionId };
  // Engines of LangChain name the message "input".
  const messageName = !takes('message') && takes('input') ? 'input' : 'message';
  return {
    ...rest,
    ...Object.fromEntries(Object.entries(own).filter(([name]) => takes(name))),
    [messageName]: plainText(run.message) ?? contentOf(run.message),
  };
}

/** Reads the JSON text that a caller passed as `request_json`. */
function requestOf(text: unknown): JsonObject {
  if (text === undefined) return {};
  let value: unknown;
  try {
    value = typeof text === 'string' ? JSON.parse(text) : undefined;
  } catch {
    value = undefined;
  }
  if (!isObject(value))
    throw invalidArgument(
      'input.request_json is not the JSON text of an object.',
      'Pass its members in input instead: events, artifacts, authorizations.',
    );
  return value;
}

function refuseOthers(input: JsonObject, ref: SessionRef): void {
  const own: Record<string, string> = {
    user_id: ref.userId,
    userId: ref.userId,
    session_id: ref.sessionId,
    sessionId: ref.sessionId,
  };
  for (const [name, value] of Object.entries(own))
    if (Object.hasOwn(input, name) && input[name] !== value)
      throw invalidArgument(
        `input.${name} differs from the one of this call.`,
        `Leave ${name} out of the input: the server fills it in.`,
      );
}

const contentOf = (message: Content): Content => ({ role: message.role ?? 'user', parts: message.parts });

/** The text of a message that is only text. Every runtime accepts a text, but not every method a Content. */
function plainText({ parts: [part, ...more] }: Content): string | undefined {
  return more.length === 0 && part !== undefined && Object.keys(part).join() === 'text'
    ? part.text
    : undefined;
}
