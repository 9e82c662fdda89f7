import { type BoundedMap, boundedMap } from '../../model/bounded-map.ts';
import { msOfText } from '../shared/wire.ts';

/**
 * Timestamps for new events. The service orders events by timestamp only, so the appends of one process to one
 * session get strictly growing timestamps. Events of the same millisecond differ in the digits below it, which the
 * service keeps and this server does not show.
 */
export interface EventTimestamps {
  /** A timestamp within a given millisecond, for an event whose time the caller set. */
  at(session: string, ms: number): string;
  /** A timestamp of now, later than `afterMs` and later than every earlier one. */
  next(session: string, afterMs: number): string;
}

interface Last {
  ms: number;
  /** Microseconds within the millisecond; above 999, nanoseconds after the last microsecond. */
  count: number;
}

export function eventTimestamps(now: () => number, capacity = 1000): EventTimestamps {
  const given = boundedMap<Last>(capacity);
  const minted = boundedMap<Last>(capacity);
  return {
    at(session, ms) {
      const last = given.get(session);
      return write(given, session, { ms, count: last?.ms === ms ? last.count + 1 : 0 });
    },
    next(session, afterMs) {
      const last = minted.get(session);
      const ms = Math.max(now(), afterMs + 1, last?.ms ?? 0);
      if (last?.ms !== ms) return write(minted, session, { ms, count: firstCount() });
      const full = last.count >= 999;
      return write(minted, session, full ? { ms: ms + 1, count: 0 } : { ms, count: last.count + 1 });
    },
  };
}

// Random, so that another process that appends in the same millisecond rarely takes the same timestamp.
const firstCount = (): number => Math.floor(Math.random() * 500);

function write(lasts: BoundedMap<Last>, session: string, last: Last): string {
  lasts.set(session, last);
  const digits = (n: number) => String(n).padStart(3, '0');
  const micros = digits(Math.min(last.count, 999));
  const nanos = last.count > 999 ? digits(Math.min(last.count - 999, 999)) : '';
  return new Date(last.ms).toISOString().replace('Z', `${micros}${nanos}Z`);
}

/** The form in which the service writes times, and `toISOString`. */
const utc =
  /^\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,9})?Z$/;

/** A text that is equal for equal times, whatever their digits and zone, and that sorts by time. */
export function instant(timestamp: string): string {
  // Nearly all have this form, which only lacks digits.
  if (utc.test(timestamp)) return `${timestamp.slice(0, 19)}.${timestamp.slice(20, -1).padEnd(9, '0')}Z`;
  const ms = msOfText(timestamp);
  if (Number.isNaN(ms)) return '';
  const fraction = /\.(\d+)/.exec(timestamp)?.[1] ?? '';
  return `${new Date(ms).toISOString().slice(0, 19)}.${fraction.slice(0, 9).padEnd(9, '0')}Z`;
}
