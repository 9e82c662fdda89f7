import { setTimeout as sleep } from 'node:timers/promises';
import type { Backend, SessionRef, TakenTurn } from '../backend/types.ts';
import { SessionError } from '../errors.ts';
import type { Log } from '../log.ts';
import { newId } from '../model/ids.ts';
import { toldContent } from '../model/turn.ts';
import type { RunManager } from './manager.ts';

/** Turns of one agent that this process answers at a time. */
const sideBySide = 4;
const leaseMs = 60_000;
/** How long after a failure, or while another run goes on in the session, it is tried again. */
const pauseMs = 2000;
/** Longest that one look at a run lasts; timers hold no more than 2^31 ms. */
const lookMs = 60 * 60 * 1000;

export interface TurnRunner {
  /** Takes no more turns, and resolves when none is under way. */
  stop(): Promise<void>;
}

interface RunnerConfig {
  backend: Backend;
  runs: RunManager;
  log: Log;
  /** The agents that this server runs, by app. */
  agents: readonly { app: string; agent: string }[];
}

/**
 * Answers the turns that are handed to agents which this server runs: whatever their kind, and whoever handed over. Of
 * several servers over one store, one answers each turn; the turn of one that was killed goes to another.
 */
export function startTurnRunner(config: RunnerConfig): TurnRunner {
  const stopping = new AbortController();
  const { signal } = stopping;
  const loops = config.agents.flatMap((one) =>
    Array.from({ length: sideBySide }, () => answerTurns(config, one, signal)),
  );
  return {
    async stop() {
      stopping.abort();
      await Promise.all(loops);
    },
  };
}

async function answerTurns(
  config: RunnerConfig,
  { app, agent }: { app: string; agent: string },
  signal: AbortSignal,
): Promise<void> {
  const take = config.backend.turns?.take;
  while (take !== undefined && !signal.aborted) {
    const worker = `server-${newId('t')}`;
    try {
      const taken = await take({ app }, { agent, worker, leaseMs, waitMs: leaseMs }, signal);
      if (taken === undefined) continue;
      const renew = () =>
        void take(
          { app, userId: taken.ref.userId },
          { agent, worker, sessionId: taken.ref.sessionId, leaseMs, waitMs: 0 },
          signal,
        ).catch(() => {});
      const timer = setInterval(renew, leaseMs / 3);
      timer.unref();
      try {
        await answer(config, taken, signal);
      } finally {
        clearInterval(timer);
      }
    } catch (error) {
      if (signal.aborted) return;
      config.log.error('A turn could not be answered; it is offered again.', { app, agent, error });
      await sleep(pauseMs, undefined, { signal }).catch(() => {});
    }
  }
}

async function answer({ backend, runs }: RunnerConfig, taken: TakenTurn, signal: AbortSignal): Promise<void> {
  const { ref, turn, claim, note } = taken;
  const event = await backend.events?.get?.(ref, turn.eventId).catch(() => undefined);
  const told = event === undefined ? undefined : toldContent(event);
  const message = told ?? { role: 'user' as const, parts: [{ text: note ?? 'It is your turn.' }] };
  const request = { message, agent: turn.agent, claim, invocationId: idOf(turn.eventId) };
  for (;;) {
    try {
      const run = await runs.start(backend, ref, request);
      for (;;) {
        const { status, error } = await run.wait({ ms: lookMs, signal });
        if (status === 'failed') throw error;
        if (status !== 'running' || signal.aborted) return;
      }
    } catch (error) {
      if (!isBusy(error) || !(await isOurs(backend, ref, turn.eventId))) throw error;
      await sleep(pauseMs, undefined, { signal });
    }
  }
}

/** The run of a turn has one id, so that a remote agent that was asked already is not asked twice. */
const idOf = (eventId: string): string | undefined =>
  /^[\w.:-]{1,100}$/.test(eventId) ? `turn:${eventId}` : undefined;

const isBusy = (error: unknown): boolean =>
  error instanceof SessionError && error.code === 'ABORTED' && error.details?.invocationId !== undefined;

async function isOurs(backend: Backend, ref: SessionRef, eventId: string): Promise<boolean> {
  return (await backend.sessions?.get?.(ref))?.turn?.eventId === eventId;
}
