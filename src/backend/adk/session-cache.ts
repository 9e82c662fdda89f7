import type { SessionRef } from '../types.ts';
import type { WireSession } from './wire.ts';

/** Milliseconds for which the pages of one list are cut from one answer. */
const keptMs = 10_000;

/** A session with fewer events is read again for each page, which costs little. */
const leastEvents = 200;

/**
 * The session that was read last, for the next page of its events: servers answer all events at once, so
 * without it a list of n events costs n² / page size. It serves only pages that lie before its end, as
 * what was accepted does not change.
 */
export interface SessionCache {
  keep(ref: SessionRef, wire: WireSession): void;
  find(ref: SessionRef): WireSession | undefined;
  /** To be called before a write of ours. */
  forget(ref: SessionRef): void;
  forgetAll(): void;
}

export function openSessionCache(): SessionCache {
  let kept: { key: string; wire: WireSession } | undefined;
  let timer: NodeJS.Timeout | undefined;
  const keyOf = ({ app, userId, sessionId }: SessionRef) => JSON.stringify([app, userId, sessionId]);
  const drop = () => {
    clearTimeout(timer);
    kept = undefined;
  };
  return {
    keep(ref, wire) {
      if (wire.events.length < leastEvents) return;
      drop();
      kept = { key: keyOf(ref), wire };
      timer = setTimeout(drop, keptMs).unref();
    },
    find: (ref) => (kept?.key === keyOf(ref) ? kept.wire : undefined),
    forget(ref) {
      if (kept?.key === keyOf(ref)) drop();
    },
    forgetAll: drop,
  };
}
