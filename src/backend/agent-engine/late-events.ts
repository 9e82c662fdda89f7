import { instant } from './event-timestamps.ts';

/**
 * Events that were stored after later-dated ones. The service orders events by their timestamps, which its
 * clients set: ADK dates an event when it makes it and stores it when it is whole, so an event can appear
 * before one that a caller has read. Whoever asks for what came after an event would never see it. So each
 * look reaches back a little, and what this process saw before tells which of those events are new.
 */
export interface LateEvents {
  /** Notes a stretch of a session: all its events later than `from`, up to the last of `events` (ascending). */
  note(session: string, from: string, events: readonly SeenEvent[]): void;
  get(session: string, eventId: string): LateEvent | undefined;
  /** From when to look for events that came late, by those who know a session up to a time. */
  reach(session: string, until: string): string;
}

interface SeenEvent {
  id: string;
  /** As `instant` writes it. */
  instant: string;
}

interface LateEvent {
  /** Grows with each late event. */
  order: number;
  /** The latest time up to which the session was known when this event appeared. */
  knownUntil: string;
}

/** How far a look reaches back. An agent's event is stored within seconds after it was dated. */
const overlapMs = 60_000;
/** Of the events that are known, so many are read again at most: fewer than a page holds. */
const mostAgain = 60;

interface Stretch {
  /** Everything between the two was seen; what lies at them may not have been. */
  from: string;
  until: string;
  seen: Map<string, string>;
  late: Map<string, LateEvent>;
}

export function lateEvents(sessions = 500, eventsEach = 500): LateEvents {
  const stretches = new Map<string, Stretch>();
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

  /** Forgets what lies so far back that no look reaches it. */
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
      stretches.delete(session);
      stretches.set(session, stretch);
      merge(stretch, from, until, events);
      prune(stretch);
      const [oldest] = stretches.keys();
      if (stretches.size > sessions && oldest !== undefined) stretches.delete(oldest);
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
