import { boundedMap } from '../../model/bounded-map.ts';
import { instant } from './event-timestamps.ts';

/**
 * Finds events that were stored after events with a later date. The service orders events by their timestamps, which
 * its clients set: ADK dates an event when it makes it and stores it when it is whole. So a new event can stand
 * before one that a caller has read already, and a list of what came after that one would never show it. Each look
 * therefore begins a little earlier, and the events that this process saw before tell which ones are new.
 */
export interface LateEvents {
  /** Notes that `events` (ascending) are all events of a session that are later than `from`, up to the last of them. */
  note(session: string, from: string, events: readonly SeenEvent[]): void;
  get(session: string, eventId: string): LateEvent | undefined;
  /** The time from which to look for late events, for a caller who knows the session up to `until`. */
  reach(session: string, until: string): string;
}

interface SeenEvent {
  id: string;
  /** As `instant` writes it. */
  instant: string;
}

interface LateEvent {
  /** A number that grows with each late event. */
  order: number;
  /** The time up to which the session was known when this event appeared. */
  knownUntil: string;
}

/** Milliseconds by which a look begins earlier. An agent's event is stored within seconds after it was dated. */
const overlapMs = 60_000;
/** Most known events that a look reads again. It is less than a page. */
const mostAgain = 60;

interface Stretch {
  /** All events between `from` and `until` were seen, but perhaps not those at exactly these times. */
  from: string;
  until: string;
  seen: Map<string, string>;
  late: Map<string, LateEvent>;
}

export function lateEvents(sessions = 500, eventsEach = 500): LateEvents {
  const stretches = boundedMap<Stretch>(sessions);
  let order = 0;

  function merge(stretch: Stretch, from: string, until: string, events: readonly SeenEvent[]): void {
    for (const { id, instant } of events) {
      if (stretch.seen.has(id)) continue;
      if (instant > stretch.from && instant < stretch.until) {
        order += 1;
        stretch.late.set(id, { order, knownUntil: stretch.until });
      }
      stretch.seen.set(id, instant);
    }
    if (from < stretch.from) stretch.from = from;
    if (until > stretch.until) stretch.until = until;
  }

  /** Drops the older half of the events when there are too many. */
  function prune(stretch: Stretch): void {
    if (stretch.seen.size <= eventsEach) return;
    const instants = [...stretch.seen.values()].sort();
    stretch.from = instants[instants.length - Math.ceil(eventsEach / 2)] ?? stretch.until;
    for (const [id, instant] of stretch.seen)
      if (instant < stretch.from) {
        stretch.seen.delete(id);
        stretch.late.delete(id);
      }
  }

  return {
    note(session, from, events) {
      const until = events.at(-1)?.instant;
      const known = stretches.get(session);
      if (until === undefined || (known !== undefined && until < known.from)) return;
      const stretch: Stretch =
        known === undefined || from > known.until
          ? { from, until: from, seen: new Map(), late: known?.late ?? new Map() }
          : known;
      stretches.set(session, stretch);
      merge(stretch, from, until, events);
      prune(stretch);
    },
    get: (session, eventId) => stretches.get(session)?.late.get(eventId),
    reach(session, until) {
      const farthest = instant(new Date(Date.parse(until) - overlapMs).toISOString());
      const before = [...(stretches.get(session)?.seen.values() ?? [])].filter((at) => at < until).sort();
      const nearest = before[before.length - mostAgain];
      return nearest !== undefined && nearest > farthest ? nearest : farthest;
    },
  };
}
