import { waitForOthers, withoutDeadline } from '../../net/deadline.ts';
import type { Detected } from './detect.ts';
import { type Dialect, unknownDialect } from './dialects.ts';
import { notReachable, unknownServer } from './errors.ts';

/** Milliseconds between two attempts to detect the dialect, while reads wait for it. */
const retryMs = 1_000;
/** Milliseconds between two attempts to detect the dialect, while no call comes. */
const idleRetryMs = 10_000;

/** The server's dialect. A server that was not there at the start is asked again until it answers. */
export interface KnownDialect {
  /** What is known of the server at this moment. Sends no request. */
  known(): Detected;
  /** The server's dialect, detected now if it is not known yet. For reads: it may be `unknownDialect`. */
  dialect(): Promise<Dialect>;
  /** As `dialect`, for writes: rejects while the dialect is unknown, since a write could go wrong. */
  dialectToWrite(): Promise<Dialect>;
  /** Calls back once, as soon as the dialect is known. */
  onDialect(listener: (dialect: Dialect) => void): void;
  stopAsking(): void;
}

/** @param first what is known at the start */
export function openKnownDialect(first: Detected, detect: () => Promise<Detected>): KnownDialect {
  let known = first;
  let triedAt = Date.now();
  let detecting: Promise<unknown> | undefined;
  const listeners = new Set<(dialect: Dialect) => void>();
  const idleTimer =
    first.dialect === undefined ? setInterval(() => void detectNow(), idleRetryMs).unref() : undefined;

  async function detectNow(): Promise<void> {
    // All waiting calls share one detection, so the deadline of a single call must not end it.
    detecting ??= withoutDeadline(detect).then((found) => {
      known = found;
      triedAt = Date.now();
      detecting = undefined;
      if (found.dialect === undefined) return;
      clearInterval(idleTimer);
      for (const listener of listeners) listener(found.dialect);
      listeners.clear();
    });
    await waitForOthers(detecting);
  }

  return {
    known: () => known,
    async dialect() {
      if (known.dialect === undefined && Date.now() - triedAt >= retryMs) await detectNow();
      return known.dialect ?? unknownDialect;
    },
    async dialectToWrite() {
      if (known.dialect === undefined) await detectNow();
      if (known.dialect === undefined) throw known.reachable ? unknownServer() : notReachable();
      return known.dialect;
    },
    onDialect(listener) {
      listeners.add(listener);
    },
    stopAsking: () => clearInterval(idleTimer),
  };
}
