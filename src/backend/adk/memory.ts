import { SessionError } from '../../errors.ts';
import type { MemoryScope } from '../../model/memory.ts';
import { path } from '../../net/url.ts';
import type { MemoryAddition, SessionRef } from '../types.ts';
import type { Adk } from './client.ts';
import { unsupported } from './errors.ts';
import { checked, checkSlash } from './paths.ts';
import { readSession } from './read-session.ts';

/** Adds a session to the server's memory service. The service does not tell which memories it made. */
export async function addSessionToMemory(
  adk: Adk,
  ref: SessionRef,
  options: { scope?: MemoryScope | undefined },
): Promise<MemoryAddition> {
  if (options.scope !== undefined)
    throw unsupported(
      'choose the scope of memories',
      'Leave scope out: memories belong to the app and the user.',
    );
  const { slashInIds } = await adk.dialectToWrite();
  await readSession(adk, checked(ref));
  checkSlash(slashInIds, 'userId', ref.userId);
  try {
    await adk.http.json({
      method: 'PATCH',
      path: path`/apps/${ref.app}/users/${ref.userId}/memory`,
      body: { sessionId: ref.sessionId },
      retry: 'quota',
      lookWith: 'search_memory',
    });
  } catch (error) {
    if (!(error instanceof SessionError) || error.code !== 'INVALID_ARGUMENT') throw error;
    throw new SessionError('FAILED_PRECONDITION', 'The ADK server has no memory service.', {
      hint: 'Ask the operator to start it with one: see the memory option of adk api_server.',
      cause: error,
    });
  }
  return {
    memories: [],
    count: 0,
    note: 'The ADK server added the session to its memory service and does not report what it stored.',
  };
}
