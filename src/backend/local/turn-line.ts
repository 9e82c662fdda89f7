import type { TakenTurn, TurnRequest, TurnScope } from '../types.ts';
import * as keys from './keys.ts';
import type { Local } from './session-record.ts';
import { describeTaken, type Look, lookForTurn } from './turns.ts';
import { giveBack } from './unfinished-turn.ts';

/** Longest time between two looks: a change that no watch announced is found then. */
const longestWaitMs = 15_000;
/** How long after a lease has run out the turn is looked for: clocks of two machines differ a little. */
const graceMs = 5;

interface Waiter {
  request: TurnRequest;
  signal: AbortSignal;
  /** The time of the call is up, or its caller has gone. */
  leaving: boolean;
  done(taken: TakenTurn | undefined): void;
  fail(error: unknown): void;
}

/** All calls of this process that wait for the same turns. They look one after the other, so a change costs one look. */
interface Line {
  waiters: Waiter[];
  wake(): void;
}

export type TakeTurn = (
  scope: TurnScope,
  request: TurnRequest,
  signal: AbortSignal,
) => Promise<TakenTurn | undefined>;

/** Calls that wait for turns, in one line for each agent of a user or an app. */
export function openTurnLines(local: Local): TakeTurn {
  const lines = new Map<string, Line>();

  async function take(
    scope: TurnScope,
    request: TurnRequest,
    signal: AbortSignal,
  ): Promise<TakenTurn | undefined> {
    if (signal.aborted) return undefined;
    const { taken } = await lookForTurn(local, scope, request);
    if (taken !== undefined) return delivered(await describeTaken(local, taken), signal);
    // The caller may have gone during the look.
    if (request.waitMs <= 0 || signal.aborted) return undefined;
    return wait(scope, request, signal);
  }

  async function delivered(taken: TakenTurn, signal: AbortSignal): Promise<TakenTurn | undefined> {
    if (!signal.aborted) return taken;
    await giveBack(local, taken, { how: 'offer' });
    return undefined;
  }

  function wait(scope: TurnScope, request: TurnRequest, signal: AbortSignal): Promise<TakenTurn | undefined> {
    const name = JSON.stringify([scope, request.agent, request.sessionId]);
    const line = lines.get(name) ?? startLine(name, scope, request);
    return new Promise((resolve, reject) => {
      const end = () => {
        clearTimeout(timer);
        signal.removeEventListener('abort', leave);
        const at = line.waiters.indexOf(waiter);
        if (at >= 0) line.waiters.splice(at, 1);
      };
      const waiter: Waiter = {
        request,
        signal,
        leaving: false,
        done(taken) {
          end();
          resolve(taken);
        },
        fail(error) {
          end();
          reject(error);
        },
      };
      // Who is first may be getting a turn at this moment: then that decides, and not the clock.
      const leave = () => {
        waiter.leaving = true;
        if (line.waiters[0] === waiter) line.wake();
        else waiter.done(undefined);
      };
      const timer = setTimeout(leave, request.waitMs);
      signal.addEventListener('abort', leave);
      line.waiters.push(waiter);
      line.wake();
    });
  }

  function startLine(name: string, scope: TurnScope, request: TurnRequest): Line {
    let changed = false;
    let wakeUp: () => void = () => {};
    const line: Line = {
      waiters: [],
      wake() {
        changed = true;
        wakeUp();
      },
    };
    lines.set(name, line);
    const unwatch = local.store.watch(keys.turnSignalKey(scope, request.agent), line.wake);

    async function serve(): Promise<void> {
      for (let first = line.waiters[0]; first !== undefined; first = line.waiters[0]) {
        changed = false;
        const look = await next(first);
        if (look !== undefined) await pause(look).catch(first.fail);
      }
      unwatch();
      lines.delete(name);
    }

    /** Looks for the first of the line; undefined when it has left the line. */
    async function next(first: Waiter): Promise<Look | undefined> {
      if (first.leaving) {
        first.done(undefined);
        return undefined;
      }
      try {
        const look = await lookForTurn(local, scope, first.request);
        if (look.taken === undefined) return look;
        first.done(await delivered(await describeTaken(local, look.taken), first.signal));
      } catch (error) {
        first.fail(error);
      }
      return undefined;
    }

    async function pause({ due, blockers }: Look): Promise<void> {
      if (changed) return;
      const ms = due === undefined ? longestWaitMs : due + graceMs - local.now();
      const unwatchers = blockers.map((key) => local.store.watch(key, line.wake));
      // What went before it was watched is announced by nobody.
      if (blockers.length > 0 && (await local.store.get(blockers)).includes(undefined)) line.wake();
      await new Promise<void>((resolve) => {
        if (changed) return resolve();
        const timer = setTimeout(resolve, Math.min(Math.max(ms, graceMs), longestWaitMs));
        wakeUp = () => {
          clearTimeout(timer);
          resolve();
        };
      });
      wakeUp = () => {};
      for (const stop of unwatchers) stop();
    }

    // The first joins the line right after this.
    queueMicrotask(() => void serve());
    return line;
  }

  return take;
}
