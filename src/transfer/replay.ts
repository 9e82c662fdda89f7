import { type Backend, type ForkOptions, type Owner, required, type SessionRef } from '../backend/types.ts';
import { SessionError } from '../errors.ts';
import { compact, type NewEvent } from '../model/event.ts';
import type { Session } from '../model/session.ts';

/** Events that are read at a time. */
const pageSize = 100;

/**
 * Copies a session's visible events and its own and shared state into a new session, on the same backend or
 * another, through the verbs that every backend has. If it fails half-way, the new session is deleted again.
 */
export async function copySession(
  from: { backend: Backend; ref: SessionRef },
  to: { backend: Backend; owner: Owner },
  options: ForkOptions & { signal?: AbortSignal; progress?: (message: string) => void },
): Promise<Session> {
  const list = required(from.backend.events?.list, from.backend, 'list events');
  const get = required(from.backend.sessions?.get, from.backend, 'get a session');
  const create = required(to.backend.sessions?.create, to.backend, 'create sessions');
  const append = required(to.backend.events?.append, to.backend, 'append an event');
  const read = required(to.backend.sessions?.get, to.backend, 'get a session');
  const source = await get(from.ref);
  // Before anything is made: an event that is not there fails the copy, not a page far down.
  if (options.upToEventId !== undefined)
    await required(from.backend.events?.get, from.backend, 'get an event')(from.ref, options.upToEventId);
  const created = await create(to.owner, {
    sessionId: options.newSessionId,
    displayName: options.displayName ?? source.displayName,
    labels: source.labels,
    // With an earlier event as the end, the state grows from the deltas of the events that are copied.
    state: options.upToEventId === undefined ? source.state : undefined,
  });
  const target = { ...to.owner, sessionId: created.id };
  try {
    let cursor: string | undefined;
    let copied = 0;
    do {
      const page = await list(from.ref, { pageSize, cursor, order: 'asc' });
      for (const event of page.items) {
        if (options.signal?.aborted)
          throw new SessionError('CANCELLED', 'The copy was cancelled.', {
            hint: 'Nothing was kept; fork again.',
          });
        const { id, hidden: _hidden, hideReason: _reason, feedback: _feedback, ...rest } = event;
        await append(target, compact<NewEvent & Record<string, unknown>>(rest));
        copied += 1;
        if (id === options.upToEventId) return await read(target);
      }
      options.progress?.(`Copied ${copied} events.`);
      cursor = page.cursor;
    } while (cursor !== undefined);
    return await read(target);
  } catch (error) {
    await to.backend.sessions?.delete?.(target).catch(() => {});
    throw error;
  }
}
