import { invalidArgument, quote } from '../errors.ts';

let last = { ms: 0, text: new Date(0).toISOString() };

/** RFC 3339 in UTC with milliseconds, the only form of time on the tool surface. */
export function toTime(ms: number): string {
  // The times of one call, and of calls that are served together, are the same again and again.
  if (ms !== last.ms) last = { ms, text: new Date(ms).toISOString() };
  return last.text;
}

const rfc3339 = /^(\d{4})-(\d{2})-(\d{2})[Tt]([01]\d|2[0-3]):\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:\d{2})$/;

/**
 * Milliseconds since the epoch of an RFC 3339 time with a zone. Finer digits are cut.
 * @throws SessionError INVALID_ARGUMENT
 */
export function parseTime(name: string, value: string): number {
  const [, year, month, day] = rfc3339.exec(value) ?? [];
  const ms = Number(day) <= daysOf(Number(year), Number(month)) ? Date.parse(value) : Number.NaN;
  if (Number.isNaN(ms))
    throw invalidArgument(
      `${name} ${quote(value)} is not a time.`,
      'Use RFC 3339 with a zone, for example 2026-11-21T09:00:00.000Z.',
    );
  return ms;
}

/** Date.parse takes the 30th of February for a day in March. */
const daysOf = (year: number, month: number): number => new Date(Date.UTC(year, month, 0)).getUTCDate();
