import { createHash } from 'node:crypto';
import { type Backend, type ForkOptions, type Owner, required, type SessionRef } from '../backend/types.ts';
import { SessionError } from '../errors.ts';
import type { Session } from '../model/session.ts';
import { type ReplayOptions, type ReplayResult, replay } from './replay.ts';
import { openSource, pagesOf } from './source.ts';
import { counted } from './words.ts';

export interface ForkResult extends Pick<ReplayResult, 'status' | 'session'> {
  /** What the copy differs in, and how to go on with it, one sentence each. */
  notes: string[];
}

type Options = ForkOptions & Pick<ReplayOptions, 'signal' | 'pause' | 'progress'>;

/**
 * Copies a session into a new one on another backend or in another app: its visible events under their ids, its
 * own state and its artifacts. Shared state stays behind, since it belongs to all sessions there. Where the
 * copy grows event by event, the same call with `newSessionId` goes on with one that was left half-way.
 */
export async function forkSession(
  from: { backend: Backend; ref: SessionRef },
  to: { backend: Backend; owner: Owner },
  options: Options,
): Promise<ForkResult> {
  const { newSessionId } = options;
  if (to.backend.transfer?.stage !== undefined || newSessionId === undefined) return copy(from, to, options);
  return alone(to.backend, { ...to.owner, sessionId: newSessionId }, () =>
    copy(from, to, options).catch(async (error: unknown) => {
      const taken = error instanceof SessionError && error.code === 'ALREADY_EXISTS';
      const done = taken ? await finishedCopy(from, to, options, newSessionId) : undefined;
      if (done === undefined) throw error;
      return { status: 'completed', session: done, notes: ['An earlier call had completed this copy.'] };
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
  } else notes.push(`createTime is that of the copy; the source was created at ${header.createTime}.`);
  return { status: copied.status, session: copied.session, notes };
}

function fingerprintOf(backend: string, ref: SessionRef, upToEventId: string | undefined): string {
  const text = JSON.stringify([backend, ref.app, ref.userId, ref.sessionId, upToEventId]);
  return createHash('sha256').update(text).digest('hex').slice(0, 32);
}

/** Copies under way, so that an impatient second call does not store what the first is about to store. */
const underWay = new WeakMap<Backend, Set<string>>();

async function alone<T>(backend: Backend, ref: SessionRef, work: () => Promise<T>): Promise<T> {
  const key = JSON.stringify([ref.app, ref.userId, ref.sessionId]);
  const keys = underWay.get(backend) ?? new Set();
  underWay.set(backend, keys);
  if (keys.has(key))
    throw new SessionError('ABORTED', 'A copy into this session is under way.', {
      hint: 'Call again in a minute; it goes on where the copy is by then.',
      retryAfter: 60,
    });
  keys.add(key);
  try {
    return await work();
  } finally {
    keys.delete(key);
  }
}

/** The session that an earlier call completed before its answer was lost: it has exactly the source's events. */
async function finishedCopy(
  from: { backend: Backend; ref: SessionRef },
  to: { backend: Backend; owner: Owner },
  options: Options,
  sessionId: string,
): Promise<Session | undefined> {
  const ref = { ...to.owner, sessionId };
  // The source itself is no copy of it, and somebody else's session cannot be looked at.
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
