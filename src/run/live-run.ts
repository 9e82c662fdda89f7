import {
  type Backend,
  type RunEnding,
  type RunInput,
  type RunLedger,
  required,
  type SessionRef,
} from '../backend/types.ts';
import { SessionError } from '../errors.ts';
import type { Log } from '../log.ts';
import type { RunError, RunRecord } from '../model/run.ts';
import { transcript } from './transcript.ts';
import type { Run, RunView } from './types.ts';
import { waitAtMost } from './wait.ts';

export interface LiveRun extends Run {
  readonly ref: SessionRef;
  /** Resolves when the run has ended and its end is stored. */
  readonly ended: Promise<void>;
  /** Ends the run because this process goes. */
  interrupt(): Promise<void>;
}

export interface LiveConfig {
  backend: Backend;
  ledger: RunLedger;
  ref: SessionRef;
  input: RunInput;
  /** The log for failures that no caller sees, because the run continued alone. */
  log: Log;
}

/** Why a run is stopped: by a caller, with this process, or because it is no longer ours. */
type Stop = 'cancelled' | 'interrupted' | 'lost';

const stopWords: Record<'cancelled' | 'interrupted', RunError> = {
  cancelled: { code: 'CANCELLED', message: 'The run was cancelled by a caller.' },
  interrupted: {
    code: 'ABORTED',
    message: 'The run was interrupted: the server that ran it was shut down.',
    hint: 'Send the message again; with the same invocationId it is stored once.',
  },
};

/** Runs an agent in this process: takes its events, renews the lease, and notes how it ended. */
export function startLive(config: LiveConfig): LiveRun {
  const { backend, ledger, ref, input } = config;
  const { invocationId } = input;
  const said = transcript();
  const listeners = new Set<(text: string) => void>();
  const controller = new AbortController();
  let stop: Stop | undefined;
  let onStop: () => void = () => {};
  let outcome: Pick<RunView, 'status' | 'error'> = { status: 'running' };
  let waiting = 0;

  const halt = (why: Stop) => {
    stop ??= why;
    controller.abort();
    onStop();
  };
  const release = keepLease(config, {
    unfinished: () => said.unfinished(),
    onLost: () => halt('lost'),
  });
  const ended = drive();

  async function drive(): Promise<void> {
    let failure: unknown;
    try {
      await takeAll();
    } catch (error) {
      failure = error;
    }
    release();
    if (stop === 'lost') outcome = await lostOutcome();
    else if (stop !== undefined) await settle({ status: stop, error: stopWords[stop] });
    else if (failure === undefined) await settle({ status: 'completed' });
    else await settle({ status: 'failed', error: toRunError(failure) }, failure);
  }

  async function takeAll(): Promise<void> {
    const events = required(backend.query?.stream, backend, 'run an agent')(ref, input, controller.signal);
    for (;;) {
      const coming = events.next();
      const next = await unlessStopped(coming);
      if (next === undefined) {
        // The signal has told the agent; the caller does not wait until the agent reacts.
        coming.catch(() => {});
        events.return(undefined).catch(() => {});
        return;
      }
      if (next.done === true) break;
      const words = said.take(next.value);
      if (words !== '') for (const listener of listeners) listener(words);
    }
    // A stream that ends with nothing is how some services fail (python-aiplatform#7118).
    if (said.count() === 0 && stop === undefined)
      throw new SessionError('UNAVAILABLE', 'The agent ended without an answer.', {
        hint: 'Send the message again; if it stays silent, look into the agent’s own log.',
      });
  }

  /** No Promise.race with one promise for the whole run: that promise would keep every event in memory. */
  function unlessStopped<T>(coming: Promise<T>): Promise<T | undefined> {
    return new Promise((resolve, reject) => {
      onStop = () => resolve(undefined);
      if (stop !== undefined) onStop();
      coming.then(resolve, reject);
    });
  }

  async function settle(ending: RunEnding, failure?: unknown): Promise<void> {
    const full: RunEnding =
      ending.status === 'completed' || said.unfinished() === ''
        ? ending
        : { ...ending, text: said.unfinished() };
    let record: RunRecord | undefined;
    if (ending.status === 'interrupted' && backend.runs === undefined)
      config.log.warn('This server closes while an agent runs on a service, which may go on with it.', {
        backend: backend.name,
        app: ref.app,
        sessionId: ref.sessionId,
        invocationId,
      });
    try {
      record = await ledger.end(ref, invocationId, full);
      if (backend.runs === undefined && full.status !== 'completed') await storeEnd(full);
    } catch (error) {
      // A session that was deleted meanwhile has taken its run with it.
      if (!(error instanceof SessionError && error.code === 'NOT_FOUND')) tell(error);
    }
    outcome = { status: record?.status ?? ending.status };
    if (outcome.status === 'failed') outcome.error = failure;
    if (failure !== undefined && waiting === 0) tell(failure);
  }

  /** Where the service keeps the events, appends what it cannot know itself, if it accepts appends. */
  async function storeEnd(ending: RunEnding): Promise<void> {
    await backend.events?.append?.(ref, {
      author: said.author() ?? ref.app,
      invocationId,
      ...(ending.text === undefined ? {} : { content: { role: 'model', parts: [{ text: ending.text }] } }),
      ...(ending.status === 'failed' ? {} : { interrupted: true }),
      turnComplete: true,
      errorCode: ending.error?.code ?? 'INTERNAL',
      errorMessage: ending.error?.message,
    });
  }

  async function lostOutcome(): Promise<Pick<RunView, 'status' | 'error'>> {
    const record = await ledger.get(ref, invocationId).catch(() => undefined);
    const status = record === undefined || record.status === 'running' ? 'interrupted' : record.status;
    return { status };
  }

  const tell = (error: unknown) =>
    config.log.error('An agent run failed.', { backend: backend.name, invocationId, error });

  const view = (): RunView => ({
    ...outcome,
    note: outcome.status === 'cancelled' ? backend.cancelNote : undefined,
    invocationId,
    sessionId: ref.sessionId,
    events: said.events(),
    text: said.text(),
    truncated: said.truncated(),
  });

  return {
    ref,
    invocationId,
    ended,
    async wait({ ms, signal, onText }) {
      if (onText !== undefined) {
        if (said.text() !== '') onText(said.text());
        listeners.add(onText);
      }
      waiting += 1;
      try {
        await waitAtMost(ended, ms, signal);
      } finally {
        waiting -= 1;
        if (onText !== undefined) listeners.delete(onText);
      }
      return view();
    },
    async cancel() {
      halt('cancelled');
      await ended;
    },
    async interrupt() {
      halt('interrupted');
      await ended;
    },
  };
}

/**
 * Renews a run's lease until it is released, with what the agent has said since its last event. Tells when the run is
 * no longer ours: somebody cancelled it from elsewhere, its session is gone, or we were asleep for too long.
 */
function keepLease(
  { backend, ledger, ref, input }: LiveConfig,
  { unfinished, onLost }: { unfinished(): string; onLost(): void },
): () => void {
  const { invocationId } = input;
  let held = Date.now() + ledger.leaseMs;
  const renew = async () => {
    const asked = Date.now();
    try {
      if (await ledger.renew(ref, invocationId, unfinished())) held = asked + ledger.leaseMs;
      else onLost();
    } catch {
      // The store may be busy for a moment; the lease says how long that may take.
      if (Date.now() > held) onLost();
    }
  };
  const timer = setInterval(() => void renew(), ledger.leaseMs / 3);
  timer.unref();
  let looking = false;
  const look = async () => {
    if (looking) return;
    looking = true;
    const record = await ledger.get(ref, invocationId).catch((error: unknown) => error);
    looking = false;
    const gone = record instanceof SessionError && record.code === 'NOT_FOUND';
    if (record === undefined || gone || hasEnded(record)) onLost();
  };
  const unwatch = backend.runs === undefined ? undefined : backend.sessions?.watch?.(ref, () => void look());
  return () => {
    clearInterval(timer);
    unwatch?.();
  };
}

const hasEnded = (record: unknown): boolean =>
  typeof record === 'object' && record !== null && 'status' in record && record.status !== 'running';

function toRunError(error: unknown): RunError {
  if (error instanceof SessionError) return { code: error.code, message: error.message, hint: error.hint };
  return { code: 'INTERNAL', message: 'Something went wrong in this server while the agent ran.' };
}
