import { createHash } from 'node:crypto';
import { sessionKey } from '../backend/shared/session-key.ts';
import { type Backend, type ForkOptions, type Owner, required, type SessionRef } from '../backend/types.ts';
import { SessionError } from '../errors.ts';
import { counted } from '../model/plural.ts';
import type { Session } from '../model/session.ts';
import { type ReplayOptions, type ReplayResult, replay } from './replay.ts';
import { openSource, pagesOf } from './source.ts';

export interface ForkResult extends Pick<ReplayResult, 'status' | 'session'> {
  /** How the copy differs from its source, and how to continue it, one sentence each. */
  notes: string[];
}

type Options = ForkOptions & Pick<ReplayOptions, 'signal' | 'pause' | 'progress'>;

/**
 * Copies a session to another backend or another app: its visible events under their ids, its own state and its
 * artifacts. Shared state is not copied, since it belongs to all sessions there. On a backend that cannot stage
 * sessions, the same call with `newSessionId` continues an incomplete copy.
 */
export async function forkSession(
  from: { backend: Backend; ref: SessionRef },
  to: { backend: Backend; owner: Owner },
  options: Options,
): Promise<ForkResult> {
  const { newSessionId } = options;
  if (to.backend.transfer?.stage !== undefined || newSessionId === undefined) return copy(from, to, options);
  return exclusive(to.backend, { ...to.owner, sessionId: newSessionId }, () =>
    copy(from, to, options).catch(async (error: unknown) => {
      const taken = error instanceof SessionError && error.code === 'ALREADY_EXISTS';
      const done = taken ? await finishedCopy(from, to, options, newSessionId) : undefined;
      if (done === undefined) throw error;
      return { status: 'completed', session: done, notes: ['An earlier call completed this copy.'] };
    }),
  );
}

async function copy(
  from: { backend: Backend; ref: SessionRef },
  to: { backend: Backend; owner: Owner },
  options: Options,
): Promise<ForkResult> {
  const { backend, ref } = from;
  const source = await openSource(backend, ref, options.upToEventId);
  const { header } = source;
  const first = await required(backend.events?.list, backend, 'list events')(ref, { pageSize: 1 });
  const copied = await replay(
    to.backend,
    to.owner,
    {
      session: {
        sessionId: options.newSessionId,
        displayName: options.displayName ?? header.displayName,
        labels: header.labels,
        forkedFrom: {
          backend: backend.name,
          sessionId: header.id,
          eventId: options.upToEventId ?? header.lastEvent?.id,
        },
      },
      items: source.items(),
      state: source.state,
      hasEvents: first.items.length > 0 || first.cursor !== undefined,
      fingerprint: fingerprintOf(backend.name, ref, options.upToEventId),
    },
    { ...options, onFailure: 'keep' },
  );
  const notes = [...source.notes(), ...copied.losses];
  if (copied.status === 'partial') {
    const total = options.upToEventId === undefined ? header.eventCount : undefined;
    const progress = `${counted(copied.events, 'event')}${total === undefined ? '' : ` of ${total}`}`;
    notes.unshift(
      `The copy has ${progress} so far and waits for the quota of the ${to.backend.name} backend: call fork_session again with the same arguments and the id of this session as newSessionId.`,
    );
  } else notes.push(`createTime is the time of the copy; the source was created at ${header.createTime}.`);
  return { status: copied.status, session: copied.session, notes };
}

function fingerprintOf(backend: string, ref: SessionRef, upToEventId: string | undefined): string {
  const text = JSON.stringify([backend, ref.app, ref.userId, ref.sessionId, upToEventId]);
  return createHash('sha256').update(text).digest('hex').slice(0, 32);
}

/** Copies under way, so that a repeated call does not store events that the first is about to store. */
const underWay = new WeakMap<Backend, Set<string>>();

async function exclusive<T>(backend: Backend, ref: SessionRef, work: () => Promise<T>): Promise<T> {
  const key = sessionKey(ref);
  const keys = underWay.get(backend) ?? new Set();
  underWay.set(backend, keys);
  if (keys.has(key))
    throw new SessionError('ABORTED', 'Another call is copying into this session.', {
      hint: 'Call again in a minute: the call then continues the copy where it is.',
      retryAfter: 60,
    });
  keys.add(key);
  try {
    return await work();
  } finally {
    keys.delete(key);
  }
}

/** The complete copy of an earlier call whose answer was lost. It has exactly the source's events. */
async function finishedCopy(
  from: { backend: Backend; ref: SessionRef },
  to: { backend: Backend; owner: Owner },
  options: Options,
  sessionId: string,
): Promise<Session | undefined> {
  const ref = { ...to.owner, sessionId };
  // The source is not a copy of itself. Reading another user's session fails, so it never counts as a copy.
  const isSource =
    to.backend === from.backend && to.owner.app === from.ref.app && sessionId === from.ref.sessionId;
  const session = isSource ? undefined : await to.backend.sessions?.get?.(ref).catch(() => undefined);
  if (session === undefined) return undefined;
  const list = required(to.backend.events?.list, to.backend, 'list events');
  const there = pagesOf((query) => list(ref, { ...query, includeHidden: true }));
  const source = await openSource(from.backend, from.ref, options.upToEventId);
  let same = 0;
  for await (const item of source.items()) {
    if (item.kind !== 'event') break;
    const { value } = await there.next();
    if (value?.id !== item.event.id) return undefined;
    same += 1;
  }
  return same > 0 && (await there.next()).done === true ? session : undefined;
}
