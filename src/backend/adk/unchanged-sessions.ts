import { boundedMap } from '../../model/bounded-map.ts';
import { sessionKey } from '../shared/session-key.ts';
import type { SessionRef } from '../types.ts';
import type { WireSession } from './wire.ts';

/** Sessions with fewer events are read each time, which costs no more than a list of sessions. */
const leastEvents = 200;
/** Milliseconds after which a session is read again, should the time of its last write not tell of an event. */
const trustedMs = 15_000;
/**
 * Milliseconds after which a second event cannot have the same time of the last write any more: some servers write
 * whole seconds.
 */
const settledMs = 2_000;
const mostSessions = 100;

/**
 * Tells whether a session can have new events without reading it. A server sends a session only with all its events,
 * and whoever waits for one asks every second or two. The list of a user's sessions has the time of each last write and
 * no events, so it is far shorter than a long session (docs/protocols/adk.md, "Sessions").
 */
export interface UnchangedSessions {
  /** Notes that a session was read and had nothing to answer to a query. */
  note(ref: SessionRef, query: string, wire: WireSession): void;
  /** Whether the query would find nothing again. `list` reads the sessions of the session's user. */
  isUnchanged(ref: SessionRef, query: string, list: () => Promise<WireSession[]>): Promise<boolean>;
}

interface Known {
  query: string;
  /** The time of the last write as the server sent it, and when it was first seen. */
  written: unknown;
  seenAt: number;
  readAt: number;
  events: number;
  /** The length of the list when it was last read. A list that is longer than the session saves nothing. */
  listed: number;
  /** Whether the list last had another time of the last write for this session, or none. */
  differs: boolean;
}

export function openUnchangedSessions(): UnchangedSessions {
  const known = boundedMap<Known>(mostSessions);
  return {
    note(ref, query, wire) {
      const key = sessionKey(ref);
      const before = known.get(key);
      known.delete(key);
      const written = wire.lastUpdateTime;
      if (wire.events.length < leastEvents || written === undefined) return;
      const readAt = Date.now();
      const seenAt = before?.written === written ? before.seenAt : readAt;
      known.set(key, {
        query,
        written,
        seenAt,
        readAt,
        events: wire.events.length,
        // A list that differs although the session is as before is of no use: it is never asked for again.
        listed:
          before?.differs === true && before.written === written
            ? Number.POSITIVE_INFINITY
            : (before?.listed ?? 0),
        differs: false,
      });
    },
    async isUnchanged(ref, query, list) {
      const last = known.get(sessionKey(ref));
      if (last?.query !== query || last.readAt - last.seenAt < settledMs) return false;
      if (last.listed > last.events) return false;
      if (Date.now() - last.readAt >= trustedMs) return false;
      // A failure of the list says nothing of the session, which is then read.
      const sessions = await list().catch(() => undefined);
      if (sessions === undefined) return false;
      last.listed = sessions.length;
      last.differs = !sessions.some(
        ({ id, lastUpdateTime }) => id === ref.sessionId && lastUpdateTime === last.written,
      );
      return !last.differs;
    },
  };
}
