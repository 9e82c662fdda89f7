import { createHash } from 'node:crypto';
import { type Backend, type RunLedger, required, type SessionRef } from '../backend/types.ts';
import { invalidArgument, SessionError } from '../errors.ts';
import type { Log } from '../log.ts';
import { type BoundedMap, boundedMap } from '../model/bounded-map.ts';
import type { Content } from '../model/event.ts';
import { newId } from '../model/ids.ts';
import { canonicalJson, type JsonObject } from '../model/json.ts';
import { checkInvocationId } from '../model/run.ts';
import { withoutDeadline } from '../net/deadline.ts';
import { followRun } from './ledger-run.ts';
import { type LiveRun, startLive } from './live-run.ts';
import { memoryLedger } from './memory-ledger.ts';
import { openRunSlots } from './run-slots.ts';
import type { Run, StartedRun } from './types.ts';

/** Most ended runs whose result this process keeps, for backends that do not store runs. */
const maxPast = 200;

interface RunRequest {
  /** Absent: the agent continues from what the session holds; with a known invocationId, that run is shown. */
  message?: Content | undefined;
  stateDelta?: JsonObject | undefined;
  /** The caller's own id of the run: with it a repeated call begins nothing twice. */
  invocationId?: string | undefined;
  /** Which of the app's agents is asked; absent: its first. */
  agent?: string | undefined;
  /** The claim of the turn that the run answers; the message is in the session already. */
  claim?: string | undefined;
  /** The principal that asks. */
  writtenBy?: string | undefined;
  /** Where agents have class methods: the one to call, and its further arguments. */
  classMethod?: string | undefined;
  input?: JsonObject | undefined;
}

/** A session that is created when there is room for its run, and not before. */
interface SessionToCreate {
  userId: string;
  create(): Promise<SessionRef>;
}

/** The agent runs of this process: one for a server, made with its backends and handed down to the tools. */
export interface RunManager {
  /**
   * Begins a run on a session, or finds the one that a call with this invocationId began.
   * @throws SessionError ABORTED with the `invocationId` of the run that goes on, NOT_FOUND, ALREADY_EXISTS,
   * FAILED_PRECONDITION, RESOURCE_EXHAUSTED
   */
  start(backend: Backend, session: SessionRef | SessionToCreate, request: RunRequest): Promise<StartedRun>;
  /** A run by its id, whichever process began it. */
  find(backend: Backend, ref: SessionRef, invocationId: string): Promise<Run | undefined>;
  /** Ends the runs of this process on a backend that is about to be closed, each noted as interrupted. */
  endAll(backend: Backend): Promise<void>;
}

/** The runs of one backend that this process knows. */
interface BackendRuns {
  ledger: RunLedger;
  live: Map<string, LiveRun>;
  past: BoundedMap<LiveRun>;
  /** Calls that may still begin a run. */
  starting: Set<Promise<StartedRun>>;
  closing: boolean;
}

const nameOf = (ref: SessionRef, invocationId: string): string =>
  JSON.stringify([ref.app, ref.userId, ref.sessionId, invocationId]);

export function openRunManager({ log }: { log: Log }): RunManager {
  const byBackend = new Map<Backend, BackendRuns>();
  const slots = openRunSlots();

  function runsOf(backend: Backend): BackendRuns {
    const found = byBackend.get(backend);
    if (found !== undefined) return found;
    const fresh: BackendRuns = {
      ledger: backend.runs ?? memoryLedger(backend.runMarks),
      live: new Map(),
      past: boundedMap(maxPast),
      starting: new Set(),
      closing: false,
    };
    byBackend.set(backend, fresh);
    return fresh;
  }

  async function find(backend: Backend, ref: SessionRef, invocationId: string): Promise<Run | undefined> {
    const { ledger, live, past } = runsOf(backend);
    const name = nameOf(ref, checkInvocationId(invocationId));
    const here = live.get(name) ?? past.get(name);
    if (here !== undefined) return here;
    if (backend.runs === undefined && backend.runMarks === undefined) return undefined;
    const record = await ledger.get(ref, invocationId);
    return record === undefined ? undefined : followRun(backend, ledger, ref, record);
  }

  async function start(
    backend: Backend,
    session: SessionRef | SessionToCreate,
    request: RunRequest,
  ): Promise<StartedRun> {
    required(backend.query?.stream, backend, 'run an agent');
    const isNew = request.invocationId === undefined;
    const invocationId =
      request.invocationId === undefined ? newId('i') : checkInvocationId(request.invocationId);
    const given = 'create' in session ? undefined : session;
    if (request.message === undefined && request.invocationId !== undefined && given !== undefined) {
      const run = await find(backend, given, invocationId);
      if (run === undefined) throw runNotFound();
      return { ...run, begun: false };
    }
    if (request.message === undefined && backend.runs === undefined)
      throw invalidArgument(
        'message is missing.',
        'Pass a message; answers to tool calls go into content as functionResponse parts.',
      );
    const release = slots.take(session.userId);
    const { starting } = runsOf(backend);
    const beginning = begin(backend, session, { ...request, invocationId, isNew }, release);
    starting.add(beginning);
    try {
      return await beginning;
    } catch (error) {
      release();
      throw error;
    } finally {
      starting.delete(beginning);
    }
  }

  async function begin(
    backend: Backend,
    session: SessionRef | SessionToCreate,
    request: RunRequest & { invocationId: string; isNew: boolean },
    release: () => void,
  ): Promise<StartedRun> {
    const ref = 'create' in session ? await session.create() : session;
    const known = runsOf(backend);
    const { ledger, live, past } = known;
    const { message, stateDelta, invocationId, isNew, agent, writtenBy, claim, classMethod, input } = request;
    const digest = createHash('sha256')
      .update(canonicalJson({ message, stateDelta, agent, classMethod, input }))
      .digest('hex');
    const { begun, run } = await ledger.begin(ref, { invocationId, digest, message, agent, isNew });
    const name = nameOf(ref, invocationId);
    if (!begun) {
      release();
      const found = live.get(name) ?? past.get(name) ?? followRun(backend, ledger, ref, run);
      return { ...found, begun: false };
    }
    // A run outlives the call that begins it, and has limits of its own.
    const started = withoutDeadline(() =>
      startLive({
        backend,
        ledger,
        ref,
        input: {
          message: message ?? { parts: [] },
          stateDelta,
          invocationId,
          digest,
          agent,
          writtenBy,
          claim,
          classMethod,
          input,
        },
        log,
      }),
    );
    live.set(name, started);
    past.delete(name);
    void started.ended.then(() => {
      release();
      live.delete(name);
      if (backend.runs === undefined) past.set(name, started);
    });
    if (known.closing) await started.interrupt();
    return { ...started, begun: true };
  }

  return {
    start,
    find,
    async endAll(backend) {
      const known = runsOf(backend);
      known.closing = true;
      await Promise.allSettled([
        ...known.starting,
        ...[...known.live.values()].map((run) => run.interrupt()),
      ]);
    },
  };
}

export function runNotFound(): SessionError {
  return new SessionError('NOT_FOUND', 'This session has no run with this invocationId.', {
    hint: 'Check the id; list_events shows what past runs said. Leave invocationId out to begin a new run.',
  });
}
