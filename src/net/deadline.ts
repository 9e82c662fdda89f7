import { AsyncLocalStorage } from 'node:async_hooks';
import { SessionError } from '../errors.ts';
import { abortable } from './abortable.ts';
import { type TimeLimit, timeLimit } from './time-limit.ts';

/** By when everything that a tool call asks of services must be done. */
export interface Deadline {
  /** Aborted with a SessionError when the time is up, and with the caller's own signal. */
  signal(): AbortSignal;
  /** Milliseconds until then. */
  left(): number;
}

export interface DeadlineOptions {
  /** Infinity: only the caller's signal ends it. */
  ms: number;
  /** The caller's. */
  signal?: AbortSignal | undefined;
}

const current = new AsyncLocalStorage<Deadline | undefined>();

/** The deadline of the call that this code runs for; undefined outside of one. */
export const currentDeadline = (): Deadline | undefined => current.getStore();

/**
 * Runs something whose requests to services, with their retries and waits, share one deadline and end with the
 * caller's signal. Within another deadline the earlier one counts.
 */
export async function withDeadline<T>(options: DeadlineOptions, run: () => Promise<T>): Promise<T> {
  const outer = current.getStore();
  const ms = Math.min(options.ms, outer?.left() ?? Number.POSITIVE_INFINITY);
  const end = performance.now() + ms;
  let limit: TimeLimit | undefined;
  const deadline: Deadline = {
    // Most calls never leave this process and need no clock.
    signal() {
      limit ??= timeLimit({
        ms: Math.max(0, end - performance.now()),
        reason: () => tooLate(ms),
        follow: [options.signal, outer?.signal()],
      });
      return limit.signal;
    },
    left: () => end - performance.now(),
  };
  try {
    return await current.run(deadline, run);
  } finally {
    limit?.end();
  }
}

/**
 * Waits for other calls, but no longer than the call may take that this code runs for. Whatever that call then asks of a
 * service fails at once, with the reason.
 */
export async function waitForOthers(others: Promise<unknown>): Promise<void> {
  const settled = others.then(
    () => {},
    () => {},
  );
  const signal = current.getStore()?.signal();
  await (signal === undefined ? settled : abortable(settled, signal).catch(() => {}));
}

/** Runs something that outlives the call it was begun in, such as an agent's run: it has limits of its own. */
export const withoutDeadline = <T>(run: () => T): T => current.run(undefined, run);

/** Milliseconds that a read which only completes the answer of a stored write may take. */
const completionMs = 5000;

/**
 * Reads something after a write was acknowledged, to answer more than the write itself did. Undefined when that
 * fails or takes too long: nothing that goes wrong here may make a stored write look like a failed one.
 */
export async function readAfterWrite<T>(
  read: () => Promise<T>,
  ms: number = completionMs,
): Promise<T | undefined> {
  return withDeadline({ ms }, read).catch(() => undefined);
}

function tooLate(ms: number): SessionError {
  const seconds = Math.max(1, Math.round(ms / 1000));
  return new SessionError('DEADLINE_EXCEEDED', `The call was ended: its ${seconds} s were up.`, {
    hint: 'Ask for less at once, for example with a smaller pageSize, or call again later.',
  });
}
