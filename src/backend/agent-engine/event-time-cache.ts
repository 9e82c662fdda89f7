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
  const sessions = new Map<string, Map<string, string>>();
  let size = 0;

  /** Drops the oldest event of the oldest session. */
  function drop(): void {
    const [first] = sessions;
    const [eventId] = first?.[1].keys() ?? [];
    if (first === undefined || eventId === undefined) return;
    first[1].delete(eventId);
    if (first[1].size === 0) sessions.delete(first[0]);
    size -= 1;
  }

  return {
    get: (session, eventId) => sessions.get(session)?.get(eventId),
    set(session, eventId, timestamp) {
      const times = sessions.get(session) ?? new Map<string, string>();
      // Lists show the same events many times.
      if (times.get(eventId) === timestamp) return;
      if (times.size === 0) sessions.set(session, times);
      if (!times.has(eventId)) size += 1;
      times.set(eventId, timestamp);
      if (size > capacity) drop();
    },
  };
}
