import { invalidArgument, SessionError } from '../../errors.ts';
import { classMethodsOf } from './apps.ts';
import type { Service } from './client.ts';
import type { ClassMethod } from './map-session.ts';

/** Class methods that ADK's templates register (agent-engine-api.md §4.4). */
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
/** Of these, the ones that have no user_id of their own. */
export const userless: readonly string[] = ['async_add_session_to_memory', 'register_feedback'];

/** @throws SessionError INVALID_ARGUMENT, UNIMPLEMENTED */
export function checkName(classMethod: string): string {
  if (!/^[A-Za-z_]\w{0,63}$/.test(classMethod))
    throw invalidArgument(
      'classMethod is no name of a method.',
      'Call describe_server for those of the engine.',
    );
  if (classMethod === 'bidi_stream_query')
    throw new SessionError('UNIMPLEMENTED', 'Two-way streams are not offered here.', {
      hint: 'Use stream_query with async_stream_query instead.',
    });
  return classMethod;
}

/** How the engine wants a method of its own to be called; undefined where it does not say. */
export async function ownMethod(
  service: Service,
  app: string,
  classMethod: string,
): Promise<ClassMethod | undefined> {
  const methods = await classMethodsOf(service, app);
  const found = methods.find((method) => method.name === classMethod);
  if (found === undefined && methods.length > 0)
    throw invalidArgument(
      'The engine has no class method of this name.',
      'Call describe_server for those that it has.',
    );
  return found;
}
