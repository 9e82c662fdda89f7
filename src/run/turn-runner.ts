import { setTimeout as sleep } from 'node:timers/promises';
import type { Backend, GiveBack, SessionRef, TakenTurn, TurnFailure, TurnScope } from '../backend/types.ts';
import { SessionError } from '../errors.ts';
import type { Log } from '../log.ts';
import { newId } from '../model/ids.ts';
import { mostHandOvers, toldContent } from '../model/turn.ts';
import type { RunManager } from './manager.ts';
import { isOpen, outputsOf, type Question } from './tool-outputs.ts';

/** Turns of one agent that this process answers at a time. */
const sideBySide = 4;
/** How long the turns of a server that was killed wait for another. */
const leaseMs = 15_000;
/** How long after a failed look, or while another run goes on in the session, it is tried again. */
const pauseMs = 2000;
/** How long after the first failure of its agent a turn is tried again; after each further one, twice as long. */
const firstRetryMs = 2000;
/** Longest that one look at a run lasts; timers hold no more than 2^31 ms. */
const lookMs = 60 * 60 * 1000;

export interface TurnRunner {
  /** Takes no more turns, and resolves when none is under way. */
  stop(): Promise<void>;
}

/** An agent that this server runs: for one app, or for every app but these. */
export type ServedAgent = { agent: string } & ({ app: string } | { exceptApps: readonly string[] });

export interface RunnerConfig {
  backend: Backend;
  runs: RunManager;
  log: Log;
  agents: readonly ServedAgent[];
  firstRetryMs?: number;
}

/**
 * Answers the turns that are handed to agents which this server runs: whatever their kind, and whoever handed over. Of
 * several servers over one store, one answers each turn; the turn of one that was killed goes to another.
 */
export function startTurnRunner(config: RunnerConfig): TurnRunner {
  const stopping = new AbortController();
  const { signal } = stopping;
  const underWay = new Set<Promise<void>>();
  const loops = config.agents.flatMap((one) =>
    Array.from({ length: sideBySide }, () => takeTurns(config, one, underWay, signal)),
  );
  return {
    async stop() {
      stopping.abort();
      await Promise.all(loops);
      await Promise.all(underWay);
    },
  };
}

const scopeOf = (one: ServedAgent): TurnScope =>
  'app' in one ? { app: one.app } : { exceptApps: one.exceptApps };

async function takeTurns(
  config: RunnerConfig,
  served: ServedAgent,
  underWay: Set<Promise<void>>,
  signal: AbortSignal,
): Promise<void> {
  const { agent } = served;
  const take = config.backend.turns?.take;
  while (take !== undefined && !signal.aborted) {
    const worker = `server-${newId('t')}`;
    try {
      const taken = await take(scopeOf(served), { agent, worker, leaseMs, waitMs: lookMs }, signal);
      if (taken === undefined) continue;
      // While its agent waits for outputs of tools, a turn keeps none of the others from being answered.
      await new Promise<void>((rests) => {
        const working = finishTurn(config, taken, worker, rests, signal).finally(() => {
          underWay.delete(working);
          rests();
        });
        underWay.add(working);
      });
    } catch (error) {
      if (signal.aborted) return;
      config.log.error('No turn could be taken; it is tried again.', { agent, error });
      await sleep(pauseMs, undefined, { signal }).catch(() => {});
    }
  }
}

/** Answers a turn, or gives it back. Never rejects. */
async function finishTurn(
  config: RunnerConfig,
  taken: TakenTurn,
  worker: string,
  rests: () => void,
  signal: AbortSignal,
): Promise<void> {
  const { backend, log } = config;
  const { ref, turn } = taken;
  const { app, userId, sessionId } = ref;
  const again = { agent: turn.agent, worker, sessionId, leaseMs, waitMs: 0 };
  const renew = () => void backend.turns?.take?.({ app, userId }, again, signal).catch(() => {});
  const timer = setInterval(renew, leaseMs / 3);
  timer.unref();
  let back: GiveBack | undefined;
  try {
    back = await answerTurn(config, taken, rests, signal);
  } catch (error) {
    const { tries } = turn;
    log.error('A turn could not be answered.', { app, agent: turn.agent, sessionId, tries, error });
    const afterMs = (config.firstRetryMs ?? firstRetryMs) * 2 ** (tries - 1);
    back = signal.aborted ? { how: 'offer' } : { how: 'retry', failure: failureOf(error), afterMs };
  }
  clearInterval(timer);
  if (back === undefined) return;
  await backend.turns?.giveBack?.(taken, back).catch((error: unknown) => {
    log.error('A turn could not be given back; it is offered again when its lease ends.', { app, error });
  });
}

/**
 * Runs the agent until the turn is over.
 * @returns how to give the turn back; undefined when it is answered, or is ours no more
 * @throws what the agent failed with
 */
async function answerTurn(
  config: RunnerConfig,
  taken: TakenTurn,
  rests: () => void,
  signal: AbortSignal,
): Promise<GiveBack | undefined> {
  const { backend } = config;
  const { ref, turn } = taken;
  if (taken.handOvers >= mostHandOvers) return { how: 'return', failure: circle, toOrigin: true };
  let asked = await questionOf(backend, taken);
  for (;;) {
    const status = await runAgent(config, taken, asked, signal);
    if (status === 'running' || status === 'interrupted') return { how: 'offer' };
    if (status === 'cancelled') return { how: 'return', failure: cancelled };
    if (!(await isOpen(backend, ref, turn.eventId))) return undefined;
    const outputs = await outputsOf(backend, ref, { turn, after: asked.eventId, rests, signal });
    if (outputs === undefined) return signal.aborted ? { how: 'offer' } : undefined;
    if (outputs === 'none') return { how: 'return', failure: unanswered };
    asked = outputs;
  }
}

const cancelled: TurnFailure = { code: 'CANCELLED', message: 'The run of the agent was cancelled.' };
const circle: TurnFailure = {
  code: 'FAILED_PRECONDITION',
  message: `The agents handed over to one another ${mostHandOvers} times, and none of them finished. Ask again with a narrower request, or name the agent that should answer.`,
};
const unanswered: TurnFailure = { code: 'UNAVAILABLE', message: 'The agent ended without an answer.' };

async function questionOf(backend: Backend, { ref, turn, note }: TakenTurn): Promise<Question> {
  const event = await backend.events?.get?.(ref, turn.eventId).catch(() => undefined);
  const told = event === undefined ? undefined : toldContent(event);
  const message = told ?? { role: 'user' as const, parts: [{ text: note ?? 'It is your turn.' }] };
  return { eventId: turn.eventId, message };
}

/** Runs the agent once, after whatever else runs in the session. Rejects when it fails. */
async function runAgent(
  { backend, runs }: RunnerConfig,
  { ref, turn, claim }: TakenTurn,
  { eventId, message }: Question,
  signal: AbortSignal,
): Promise<'running' | 'completed' | 'cancelled' | 'interrupted'> {
  const request = { message, agent: turn.agent, claim, invocationId: turnRunId(eventId) };
  for (;;) {
    try {
      const run = await runs.start(backend, ref, request);
      const unwatch = onceWithdrawn(backend, ref, turn.eventId, () => void run.cancel().catch(() => {}));
      try {
        for (;;) {
          const { status, error } = await run.wait({ ms: lookMs, signal });
          if (status === 'failed') throw error;
          if (status !== 'running' || signal.aborted) return status;
        }
      } finally {
        unwatch();
      }
    } catch (error) {
      if (!isBusy(error) || !(await isOpen(backend, ref, turn.eventId))) throw error;
      await sleep(pauseMs, undefined, { signal });
    }
  }
}

/** Calls back when somebody has withdrawn a turn. */
function onceWithdrawn(backend: Backend, ref: SessionRef, eventId: string, then: () => void): () => void {
  const look = async () => {
    const by = await backend.turns?.endOf?.(ref, eventId);
    const event = by === undefined ? undefined : await backend.events?.get?.(ref, by);
    if (event?.errorCode === 'CANCELLED') then();
  };
  const unwatch = backend.sessions?.watch?.(ref, () => void look().catch(() => {}));
  void look().catch(() => {});
  return () => unwatch?.();
}

/** The run of a turn has one id, so that a remote agent that was asked already is not asked twice. */
const turnRunId = (eventId: string): string | undefined =>
  /^[\w.:-]{1,100}$/.test(eventId) ? `turn:${eventId}` : undefined;

const isBusy = (error: unknown): boolean =>
  error instanceof SessionError && error.code === 'ABORTED' && error.details?.invocationId !== undefined;

const failureOf = (error: unknown): TurnFailure =>
  error instanceof SessionError
    ? { code: error.code, message: error.message }
    : { code: 'INTERNAL', message: 'Something went wrong in the server while the agent ran.' };
