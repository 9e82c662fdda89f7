import { sessionKey } from '../shared/session-key.ts';
import type { SessionRef } from '../types.ts';
import type { WireSession } from './wire.ts';

/** Milliseconds for which further pages of a list come from the session that the first page read. */
const keptMs = 10_000;

/** Sessions with fewer events are not kept: reading them again for each page costs little. */
const leastEvents = 200;

/**
 * Keeps the last read session for the next page of its events. Servers send all events at once, so reading all
 * pages would otherwise cost the square of their number. The kept session serves only pages before its last one:
 * stored events do not change, but new ones may follow.
 */
export interface SessionCache {
  keep(ref: SessionRef, wire: WireSession): void;
  find(ref: SessionRef): WireSession | undefined;
  /** Drops the session. Call it before every write to it. */
  forget(ref: SessionRef): void;
  forgetAll(): void;
}

export function openSessionCache(): SessionCache {
  let kept: { key: string; wire: WireSession } | undefined;
  let timer: NodeJS.Timeout | undefined;
  const drop = () => {
    clearTimeout(timer);
    kept = undefined;
  };
  return {
    keep(ref, wire) {
      if (wire.events.length < leastEvents) return;
      drop();
      kept = { key: sessionKey(ref), wire };
      timer = setTimeout(drop, keptMs).unref();
    },
    find: (ref) => (kept?.key === sessionKey(ref) ? kept.wire : undefined),
    forget(ref) {
      if (kept?.key === sessionKey(ref)) drop();
    },
    forgetAll: drop,
  };
}
