/**
 * Timestamps for events. The service orders events by them and by nothing else, so appends of one process to
 * one session get strictly growing ones: digits below the millisecond, which the service keeps and our
 * times do not show, tell events of the same millisecond apart and find an event again.
 */
export interface EventTimestamps {
  /** For an event of a given time, in milliseconds: within that millisecond. */
  at(session: string, ms: number): string;
  /** For an event of now: later than `afterMs` and than every earlier one. */
  next(session: string, afterMs: number): string;
}

interface Last {
  ms: number;
  /** Microseconds; beyond 999 they become nanoseconds after the 999th. */
  count: number;
}

export function eventTimestamps(now: () => number, capacity = 1000): EventTimestamps {
  const given = new Map<string, Last>();
  const minted = new Map<string, Last>();
  return {
    at(session, ms) {
      const last = given.get(session);
      return write(given, session, { ms, count: last?.ms === ms ? last.count + 1 : 0 }, capacity);
    },
    next(session, afterMs) {
      const last = minted.get(session);
      const ms = Math.max(now(), afterMs + 1, last?.ms ?? 0);
      if (last?.ms !== ms) return write(minted, session, { ms, count: firstCount() }, capacity);
      const full = last.count >= 999;
      return write(
        minted,
        session,
        full ? { ms: ms + 1, count: 0 } : { ms, count: last.count + 1 },
        capacity,
      );
    },
  };
}

// Not 0, so that another process that appends in the same millisecond hardly ever takes the same.
const firstCount = (): number => Math.floor(Math.random() * 500);

function write(lasts: Map<string, Last>, session: string, last: Last, capacity: number): string {
  lasts.delete(session);
  lasts.set(session, last);
  if (lasts.size > capacity) {
    const [oldest] = lasts.keys();
    if (oldest !== undefined) lasts.delete(oldest);
  }
  const digits = (n: number) => String(n).padStart(3, '0');
  const micros = digits(Math.min(last.count, 999));
  const nanos = last.count > 999 ? digits(Math.min(last.count - 999, 999)) : '';
  return new Date(last.ms).toISOString().replace('Z', `${micros}${nanos}Z`);
}

/** The same for equal times, whatever their digits and zone; sorts as time does. */
export function instant(timestamp: string): string {
  const ms = Date.parse(timestamp);
  if (Number.isNaN(ms)) return '';
  const fraction = /\.(\d+)/.exec(timestamp)?.[1] ?? '';
  return `${new Date(ms).toISOString().slice(0, 19)}.${fraction.slice(0, 9).padEnd(9, '0')}Z`;
}
