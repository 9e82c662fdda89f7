import { toTime } from '../../model/time.ts';
import { msOfText } from '../shared/wire.ts';

/** Above this a number counts milliseconds, below it seconds: 1e11 s is the year 5138, 1e11 ms was in 1973. */
const leastMs = 1e11;

/**
 * Milliseconds since the epoch, from a time in seconds, in milliseconds or in RFC 3339; undefined for others. Numbers may
 * come as texts, since JSON of protocol buffers writes 64-bit integers so.
 */
export function msOf(value: unknown): number | undefined {
  const number = typeof value === 'string' && /^\d+(\.\d+)?$/.test(value) ? Number(value) : value;
  const parsed = typeof number === 'string' ? msOfText(number) : number;
  if (typeof parsed !== 'number' || !Number.isFinite(parsed) || parsed <= 0) return undefined;
  const ms = Math.floor(typeof number === 'string' || parsed > leastMs ? parsed : parsed * 1000);
  // A Date can hold no later time.
  return ms > 8.64e15 ? undefined : ms;
}

export function timeOf(value: unknown): string | undefined {
  const ms = msOf(value);
  return ms === undefined ? undefined : toTime(ms);
}
