import { boundedMap } from '../../model/bounded-map.ts';
import type { JsonObject } from '../../model/json.ts';
import { sessionKey } from '../shared/session-key.ts';
import type { SessionRef } from '../types.ts';
import type { WireSession } from './wire.ts';

/** How many of a session's last events are watched for late ones, and in how many sessions. */
const overlap = 300;
const mostSessions = 100;

/**
 * The order in which this process first saw the events of a session. Some session services sort events by time, and
 * an agent dates an event when it makes it. An event that is stored late then stands before events that a caller
 * already knows, and a list of what came after those would never show it.
 */
export interface ArrivalOrder {
  /** Notes which events a session holds. Call it with every session that was read for a list. */
  note(ref: SessionRef, wire: WireSession): void;
  /**
   * The events that arrived after a given one, wherever they stand in the list. Undefined when they are simply those
   * that stand after it.
   */
  after(ref: SessionRef, wire: WireSession, eventId: string): JsonObject[] | undefined;
}

/** For each of a session's last events: the number of the look, counted from 0, that saw it first. */
interface Seen {
  look: number;
  ids: Map<string, number>;
}

const idOf = (event: JsonObject): string | undefined =>
  typeof event.id === 'string' && event.id !== '' ? event.id : undefined;

export function openArrivalOrder(): ArrivalOrder {
  const sessions = boundedMap<Seen>(mostSessions);
  return {
    note(ref, wire) {
      const key = sessionKey(ref);
      const before = sessions.get(key);
      const look = (before?.look ?? -1) + 1;
      const ids = new Map<string, number>();
      let amongKnown = false;
      for (const event of wire.events.slice(-overlap)) {
        const id = idOf(event);
        if (id === undefined) continue;
        const known = before?.ids.get(id);
        amongKnown ||= known !== undefined;
        // An unknown event before all known ones may be an old one that the earlier looks did not reach.
        ids.set(id, known ?? (before !== undefined && (amongKnown || before.ids.size === 0) ? look : 0));
      }
      sessions.set(key, { look, ids });
    },
    after(ref, wire, eventId) {
      const seen = sessions.get(sessionKey(ref))?.ids;
      const place = wire.events.findLastIndex((event) => idOf(event) === eventId);
      if (seen === undefined || place < 0) return undefined;
      const lookOf = (event: JsonObject) => seen.get(idOf(event) ?? '') ?? 0;
      const own = seen.get(eventId) ?? 0;
      const isAfter = (event: JsonObject, i: number) =>
        lookOf(event) === own ? i > place : lookOf(event) > own;
      const plain = wire.events.every((event, i) => isAfter(event, i) === i > place);
      return plain ? undefined : wire.events.filter(isAfter);
    },
  };
}
