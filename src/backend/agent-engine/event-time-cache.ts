/**
 * Times of events, by their ids. The service finds events only by time, so the times that lists and appends have
 * shown are kept to save a search. The cache is only a hint: its user checks the session's owner, and whether the
 * event is really there.
 */
export interface EventTimeCache {
  get(session: string, eventId: string): string | undefined;
  set(session: string, eventId: string, timestamp: string): void;
}

export function eventTimeCache(capacity = 5000): EventTimeCache {
  const times = new Map<string, string>();
  // A session's path contains no space, so keys are unique.
  const keyOf = (session: string, eventId: string) => `${session} ${eventId}`;
  return {
    get: (session, eventId) => times.get(keyOf(session, eventId)),
    set(session, eventId, timestamp) {
      const key = keyOf(session, eventId);
      // Lists show the same events many times, and an unchanged time need not be written again.
      if (times.get(key) === timestamp) return;
      times.set(key, timestamp);
      if (times.size <= capacity) return;
      const [oldest] = times.keys();
      if (oldest !== undefined) times.delete(oldest);
    },
  };
}
