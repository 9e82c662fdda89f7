import {
  type ArrivingSession,
  type ArtifactContent,
  type Backend,
  type NewSession,
  type Owner,
  required,
  type SessionRef,
  type StagedSession,
} from '../backend/types.ts';
import { SessionError } from '../errors.ts';
import type { Event } from '../model/event.ts';
import type { Session } from '../model/session.ts';
import { toTime } from '../model/time.ts';
import { countLosses } from './losses.ts';
import { pagesOf } from './source.ts';

/**
 * The label of an incomplete copy. Its value identifies the source, so that a later call can continue the copy. The
 * label is removed when the copy is complete.
 */
const partialLabel = 'agent-sessions-partial-copy';

/** Most events of a copy within one millisecond. Backends can order about a thousand (see event-timestamps.ts). */
const mostPerMillisecond = 900;

/** A copy that others can see while it grows, because its backend cannot stage sessions. */
export interface GrowingCopy extends StagedSession {
  ref: SessionRef;
  /** The number of events in it. */
  count(): number;
  /** Whether a later call can continue it. */
  resumable: boolean;
  /** What the backend could not keep, one sentence each. */
  losses(): string[];
}

export interface CopyOptions {
  /** Identifies the source; the same in every attempt. 32 hexadecimal digits. */
  fingerprint: string;
  /** Whether events follow. */
  hasEvents: boolean;
  /** Ends waiting for quota. */
  signal: AbortSignal;
}

/**
 * Copies into a backend that cannot stage sessions, by the verbs create, append and update. Appending applies an
 * event's state delta. Therefore the state is set as a whole at the end, and changes of shared state are removed
 * from the events, since they would bring back old values for all other sessions.
 *
 * If an earlier attempt left a session under this id, it is continued: events that it has are not stored again.
 */
export async function copyByVerbs(
  backend: Backend,
  owner: Owner,
  session: ArrivingSession,
  options: CopyOptions,
): Promise<GrowingCopy> {
  const create = required(backend.sessions?.create, backend, 'create sessions');
  const append = () => required(backend.events?.append, backend, 'take the events of a session');
  // Before anything is created; a source without events may still get some while it is copied.
  if (options.hasEvents) append();
  const update = options.hasEvents
    ? required(backend.sessions?.update, backend, 'set the state of a session')
    : backend.sessions?.update;
  const save = backend.artifacts?.save;
  const losses = countLosses(backend.name, session);
  const opened = await open();
  const { ref, known } = opened;
  const clock = risingTimes(opened.lastTime);

  async function open(): Promise<{ ref: SessionRef; known: Set<string>; lastTime: number | undefined }> {
    const { sessionId, displayName } = session;
    const wanted: NewSession = {
      sessionId,
      displayName,
      expireTime: session.expireTime,
      // A backend without update cannot set labels and state later.
      ...(update === undefined
        ? { labels: session.labels, state: session.state }
        : { labels: { [partialLabel]: options.fingerprint } }),
    };
    try {
      const made = await createWithout(create, owner, wanted, (field) => losses.lacks(field, session));
      return { ref: { ...owner, sessionId: made.id }, known: new Set(), lastTime: undefined };
    } catch (error) {
      const taken = error instanceof SessionError && error.code === 'ALREADY_EXISTS';
      const earlier = taken && sessionId !== undefined ? { ...owner, sessionId } : undefined;
      // Reading another user's session fails; the caller then learns only that the id is taken.
      const marked =
        earlier === undefined ? undefined : await backend.sessions?.get?.(earlier).catch(() => undefined);
      if (earlier === undefined || marked?.labels?.[partialLabel] !== options.fingerprint) throw error;
      return { ref: earlier, ...(await eventsIn(backend, earlier)) };
    }
  }

  return {
    ref,
    resumable: update !== undefined && losses.keepsLabels() && save === undefined,
    count: () => known.size,
    losses: () => losses.sentences(clock.moved()),
    async addEvent(event) {
      if (event.hidden === true && backend.events?.setVisibility === undefined) return losses.hidden();
      if (known.has(event.id)) return;
      const next = losses.without(event, clock.next(event));
      if (backend.transfer?.append !== undefined)
        await backend.transfer.append(ref, next, { signal: options.signal });
      else await append()(ref, next);
      if (event.hidden === true) await backend.events?.setVisibility?.(ref, event.id, true);
      known.add(event.id);
    },
    async addArtifact({ artifact, data }: ArtifactContent) {
      if (save === undefined) return losses.artifact();
      const { name, mimeType, version } = artifact;
      const saved = await save(ref, { name, mimeType, data });
      if (saved.version !== version) losses.renumbered();
    },
    async commit(state) {
      // One request sets the state and removes the label of an incomplete copy, so both happen or neither.
      if (update !== undefined)
        return update(ref, { state, ...(losses.keepsLabels() ? { labels: session.labels ?? {} } : {}) });
      return required(backend.sessions?.get, backend, 'get a session')(ref);
    },
    async discard() {
      await required(backend.sessions?.delete, backend, 'delete a session')(ref);
    },
  };
}

/** Creates a session, if necessary without the fields that the service does not have. */
async function createWithout(
  create: (owner: Owner, session: NewSession) => Promise<Session>,
  owner: Owner,
  wanted: NewSession,
  lacks: (field: 'labels' | 'expireTime') => void,
): Promise<Session> {
  let session = wanted;
  for (const field of ['labels', 'expireTime', undefined] as const) {
    try {
      return await create(owner, session);
    } catch (error) {
      const refused = error instanceof SessionError && error.code === 'UNIMPLEMENTED';
      if (!refused || field === undefined) throw error;
      if (session[field] === undefined) continue;
      session = { ...session, [field]: undefined };
      lacks(field);
    }
  }
  return create(owner, session);
}

/** The events that an earlier attempt stored. */
async function eventsIn(
  backend: Backend,
  ref: SessionRef,
): Promise<{ known: Set<string>; lastTime: number | undefined }> {
  const list = required(backend.events?.list, backend, 'list events');
  const known = new Set<string>();
  let lastTime: number | undefined;
  for await (const event of pagesOf((query) => list(ref, { ...query, includeHidden: true }))) {
    known.add(event.id);
    lastTime = Math.max(lastTime ?? 0, Date.parse(event.timestamp));
  }
  return { known, lastTime };
}

/** Gives events times that never decrease, because services may order events by time alone. */
function risingTimes(after: number | undefined) {
  let last = after === undefined ? Number.NEGATIVE_INFINITY : after + 1;
  let within = 0;
  let moved = 0;
  return {
    next(event: Event): string {
      const own = Date.parse(event.timestamp);
      within = own > last ? 0 : within + 1;
      last = Math.max(own, within > mostPerMillisecond ? last + 1 : last);
      if (within > mostPerMillisecond) within = 0;
      if (last !== own) moved += 1;
      return toTime(last);
    },
    moved: () => moved,
  };
}
