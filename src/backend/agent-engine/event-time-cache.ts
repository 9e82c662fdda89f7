/**
 * When events were, by their ids. The service finds events only by time, so what a list or an append has
 * shown is kept for a while to save a search. Only a hint: whoever uses it has checked the owner and looks
 * whether the event is really there.
 */
export interface EventTimeCache {
  get(session: string, eventId: string): string | undefined;
  set(session: string, eventId: string, timestamp: string): void;
}

export function eventTimeCache(capacity = 5000): EventTimeCache {
  const times = new Map<string, string>();
  // A session's path holds no blank.
  const keyOf = (session: string, eventId: string) => `${session} ${eventId}`;
  return {
    get: (session, eventId) => times.get(keyOf(session, eventId)),
    set(session, eventId, timestamp) {
      const key = keyOf(session, eventId);
      // The same events are listed over and over.
      if (times.get(key) === timestamp) return;
      times.set(key, timestamp);
      if (times.size <= capacity) return;
      const [oldest] = times.keys();
      if (oldest !== undefined) times.delete(oldest);
    },
  };
}
