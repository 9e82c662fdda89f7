import type { ArrivingSession, Backend, Owner, StagedSession } from '../backend/types.ts';
import { SessionError } from '../errors.ts';
import type { Event } from '../model/event.ts';
import type { JsonObject } from '../model/json.ts';
import { counted } from '../model/plural.ts';
import type { Session } from '../model/session.ts';
import { splitState } from '../model/state.ts';
import { withoutDeadline } from '../net/deadline.ts';
import { copyByVerbs, type GrowingCopy } from './copy-by-verbs.ts';
import type { TransferItem } from './source.ts';

/** The source of a copy: a session of a backend, or of a file. */
export interface Replayed {
  /** Without its state. */
  session: ArrivingSession;
  /** Read once, in order: events, then artifacts. */
  items: AsyncIterable<TransferItem>;
  /** The final state, shared keys included. Valid when all items have been read, or at once without events. */
  state(): JsonObject;
  hasEvents: boolean;
  /** Identifies the source; the same in every attempt. */
  fingerprint: string;
}

export interface ReplayOptions {
  /** Also sets `user:` and `app:` keys, which other sessions share. */
  withSharedState?: boolean | undefined;
  /** Aborted when the caller gives up. */
  signal: AbortSignal;
  /** Aborted when a resumable copy has to stop and answer how far it is. */
  pause?: AbortSignal | undefined;
  /** Whether a copy that fails half-way is kept, if another attempt can continue it, or deleted. */
  onFailure: 'keep' | 'delete';
  progress?(message: string): void;
}

export interface ReplayResult {
  /** `partial`: repeating the call continues the copy. */
  status: 'completed' | 'partial';
  session: Session;
  events: number;
  artifacts: number;
  /** What the copy lost, one sentence each. */
  losses: string[];
}

/**
 * Copies a session: its events first, then its state once, as the header has it. So the deltas of old events are never
 * applied on top of the state that they led to. Shared state is set only if the caller asks for it. A backend that can
 * stage shows the copy when it is complete. On other backends it grows event by event, under the ids of the source, so
 * that another attempt can continue it.
 */
export async function replay(
  backend: Backend,
  owner: Owner,
  what: Replayed,
  options: ReplayOptions,
): Promise<ReplayResult> {
  const pause = options.pause ?? new AbortController().signal;
  const own = (state: JsonObject) => (options.withSharedState === true ? state : splitState(state).session);
  const arriving = what.hasEvents ? what.session : { ...what.session, state: own(what.state()) };
  const stage = backend.transfer?.stage;
  const growing =
    stage === undefined
      ? await copyByVerbs(backend, owner, arriving, {
          fingerprint: what.fingerprint,
          hasEvents: what.hasEvents,
          signal: AbortSignal.any([options.signal, pause]),
        })
      : undefined;
  const copy: StagedSession = growing ?? (await stage?.(owner, arriving)) ?? unreachable();
  const uniqueId = uniqueIds();
  let events = 0;
  let artifacts = 0;
  try {
    for await (const item of what.items) {
      if (options.signal.aborted || (growing?.resumable && pause.aborted)) throw cancelled();
      if (item.kind === 'event') {
        await copy.addEvent(uniqueId(item.event));
        events += 1;
      } else {
        await copy.addArtifact(item);
        artifacts += 1;
      }
      // Artifacts are few and large, events many and small.
      if (item.kind === 'artifact' || events % 100 === 0)
        options.progress?.(
          `Copied ${counted(events, 'event')} and ${counted(artifacts, 'artifact version')}.`,
        );
    }
    const session = await copy.commit(own(what.state()));
    return { status: 'completed', session, events, artifacts, losses: growing?.losses() ?? [] };
  } catch (error) {
    const paused = pause.aborted && !options.signal.aborted && isCode(error, 'CANCELLED');
    if (growing?.resumable && paused) return partial(backend, growing, artifacts);
    throw await settleFailure(copy, growing, error, options);
  }
}

function unreachable(): never {
  throw new Error('A backend that stages gave no staged session.');
}

const isCode = (error: unknown, ...codes: SessionError['code'][]): error is SessionError =>
  error instanceof SessionError && codes.includes(error.code);

const cancelled = (): SessionError =>
  new SessionError('CANCELLED', 'The copy was cancelled.', { hint: 'Call again if it is still wanted.' });

/** Gives every event an id of its own, the same in every attempt: some services give several events one id. */
function uniqueIds(): (event: Event) => Event {
  const taken = new Set<string>();
  const times = new Map<string, number>();
  return (event) => {
    let { id } = event;
    for (let n = times.get(event.id) ?? 1; taken.has(id); n += 1) {
      id = `${event.id}~${n + 1}`;
      times.set(event.id, n + 1);
    }
    taken.add(id);
    return id === event.id ? event : { ...event, id };
  };
}

async function partial(backend: Backend, copy: GrowingCopy, artifacts: number): Promise<ReplayResult> {
  const session = await backend.sessions?.get?.(copy.ref);
  if (session === undefined) throw cancelled();
  return { status: 'partial', session, events: copy.count(), artifacts, losses: copy.losses() };
}

/** Failures after which the same call may succeed. */
const passing = ['CANCELLED', 'DEADLINE_EXCEEDED', 'RESOURCE_EXHAUSTED', 'UNAVAILABLE'] as const;

/** Deletes a failed copy or keeps it, and returns the error to report, which says so. */
async function settleFailure(
  copy: StagedSession,
  growing: GrowingCopy | undefined,
  error: unknown,
  options: ReplayOptions,
): Promise<unknown> {
  const { message, hint, code, retryAfter } =
    error instanceof SessionError
      ? error
      : { message: 'The copy failed.', hint: undefined, code: undefined, retryAfter: undefined };
  if (growing?.resumable && options.onFailure === 'keep' && isCode(error, ...passing)) {
    const { sessionId } = growing.ref;
    return new SessionError(
      error.code,
      `${message} The copy has ${counted(growing.count(), 'event')} so far.`,
      {
        hint: `Call fork_session again with the id in details as newSessionId to continue the copy, or delete that session.`,
        details: { sessionId, copiedEvents: growing.count() },
        retryAfter,
        cause: error,
      },
    );
  }
  // The copy must be deleted even if the caller's deadline has passed.
  const left = await withoutDeadline(() => copy.discard()).then(
    () => false,
    () => true,
  );
  if (growing === undefined && isCode(error, 'DEADLINE_EXCEEDED'))
    return new SessionError(error.code, error.message, {
      hint: 'Copy so large a session by export and import on the command line. Nothing was kept of this copy.',
      cause: error,
    });
  if (!left || growing === undefined) return error;
  return new SessionError(code ?? 'INTERNAL', `${message} The incomplete copy could not be deleted.`, {
    hint: `${hint === undefined ? '' : `${hint} `}Delete the session with the id in details.`,
    details: { sessionId: growing.ref.sessionId, copiedEvents: growing.count() },
    cause: error,
  });
}
