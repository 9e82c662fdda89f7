import { type ListTasksRequest, type ListTasksResponse, type Task, TaskState } from '@a2a-js/sdk';
import { RequestMalformedError } from '@a2a-js/sdk/errors';
import { type Backend, type Owner, required, type SessionRef } from '../../backend/types.ts';
import { SessionError } from '../../errors.ts';
import { findTask, showTask, taskBegunBy } from './tasks.ts';

const defaultPageSize = 50;
const maxPageSize = 100;
/** Sessions that are looked through at most, those that changed last first. */
const mostSessions = 100;

/** The tasks of a user in an app: those of one context, or of the sessions that changed last; the latest first. */
export async function listTasks(
  backend: Backend,
  owner: Owner,
  request: ListTasksRequest,
): Promise<ListTasksResponse> {
  const { contextId, status, pageSize = defaultPageSize, pageToken, historyLength } = request;
  const after =
    request.statusTimestampAfter === undefined ? undefined : Date.parse(request.statusTimestampAfter);
  if (!Number.isInteger(pageSize) || pageSize < 1 || pageSize > maxPageSize)
    throw new RequestMalformedError(`pageSize is not between 1 and ${maxPageSize}.`);
  if (Number.isNaN(after)) throw new RequestMalformedError('statusTimestampAfter is no ISO 8601 time.');
  const tasks: Task[] = [];
  let totalSize = 0;
  let passed = pageToken === '';
  let more = false;
  for await (const id of taskIds(backend, owner, contextId)) {
    const found = await findTask(backend, owner, id);
    if (found === undefined) continue;
    if (status !== TaskState.TASK_STATE_UNSPECIFIED && found.state !== status) continue;
    const when = Date.parse((found.end ?? found.begun).timestamp);
    if (after !== undefined && when <= after) continue;
    totalSize += 1;
    if (passed && tasks.length === pageSize) more = true;
    else if (passed) {
      const task = await showTask(backend, found, { historyLength });
      tasks.push(request.includeArtifacts === true ? task : { ...task, artifacts: [] });
    }
    if (id === pageToken) passed = true;
  }
  if (!passed) throw new RequestMalformedError('pageToken is not one of this list; begin without one.');
  return { tasks, nextPageToken: more ? (tasks.at(-1)?.id ?? '') : '', pageSize, totalSize };
}

async function* taskIds(backend: Backend, owner: Owner, contextId: string): AsyncGenerator<string, void> {
  const list = required(backend.events?.list, backend, 'list events');
  for await (const ref of contexts(backend, owner, contextId)) {
    let cursor: string | undefined;
    do {
      const page = await list(ref, { order: 'desc', pageSize: 100, cursor }).catch(orEmpty);
      for (const event of page.items) {
        const id = taskBegunBy(ref, event);
        if (id !== undefined) yield id;
      }
      cursor = page.cursor;
    } while (cursor !== undefined);
  }
}

async function* contexts(
  backend: Backend,
  owner: Owner,
  contextId: string,
): AsyncGenerator<SessionRef, void> {
  if (contextId !== '') return yield { ...owner, sessionId: contextId };
  const list = required(backend.sessions?.list, backend, 'list sessions');
  const { items } = await list({ ...owner, pageSize: mostSessions });
  for (const { id } of items) yield { ...owner, sessionId: id };
}

/** A context that there is not, or no longer, has no tasks. */
function orEmpty(error: unknown): { items: []; cursor?: undefined } {
  if (error instanceof SessionError && error.code === 'NOT_FOUND') return { items: [] };
  throw error;
}
