/** Times and durations as the reader writes them. The zone and language are the browser's or the host's. */
export interface TimeFormat {
  locale?: string | undefined;
  timeZone?: string | undefined;
}

const formats = new Map<string, Intl.DateTimeFormat>();

function format(
  kind: string,
  { locale, timeZone }: TimeFormat,
  options: Intl.DateTimeFormatOptions,
): Intl.DateTimeFormat {
  const key = JSON.stringify([kind, locale, timeZone]);
  const known =
    formats.get(key) ?? new Intl.DateTimeFormat(locale, { ...options, ...(timeZone ? { timeZone } : {}) });
  formats.set(key, known);
  return known;
}

export const clockTime = (time: string | number, where: TimeFormat): string =>
  format('clock', where, { hour: '2-digit', minute: '2-digit', second: '2-digit' }).format(new Date(time));

export const dayOf = (time: string | number, where: TimeFormat): string =>
  format('day', where, { weekday: 'long', day: 'numeric', month: 'long', year: 'numeric' }).format(
    new Date(time),
  );

export const fullTime = (time: string | number, where: TimeFormat): string =>
  format('full', where, { dateStyle: 'full', timeStyle: 'long' }).format(new Date(time));

const steps: readonly [limitMs: number, unit: Intl.RelativeTimeFormatUnit, ms: number][] = [
  [3_600_000, 'minute', 60_000],
  [86_400_000, 'hour', 3_600_000],
  [30 * 86_400_000, 'day', 86_400_000],
  [365 * 86_400_000, 'month', 30 * 86_400_000],
  [Number.POSITIVE_INFINITY, 'year', 365 * 86_400_000],
];

const relatives = new Map<string | undefined, Intl.RelativeTimeFormat>();

/** `5 minutes ago`, and `now` for less than one. */
export function ago(time: string, now: number, { locale }: TimeFormat): string {
  const ms = Math.max(0, now - Date.parse(time));
  const relative =
    relatives.get(locale) ?? new Intl.RelativeTimeFormat(locale, { numeric: 'auto', style: 'short' });
  relatives.set(locale, relative);
  if (ms < 60_000) return relative.format(0, 'second');
  const [, unit, size] = steps.find(([limit]) => ms < limit) ?? (['', 'year', 1] as never);
  return relative.format(-Math.floor(ms / size), unit);
}

/** `340 ms`, `2.5 s`, `3 min 20 s`, `2 h 5 min`. */
export function duration(ms: number): string {
  if (ms < 1000) return `${Math.max(0, Math.round(ms))} ms`;
  if (ms < 59_950) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 3600) return pair(Math.floor(seconds / 60), 'min', seconds % 60, 's');
  const minutes = Math.round(seconds / 60);
  if (minutes < 48 * 60) return pair(Math.floor(minutes / 60), 'h', minutes % 60, 'min');
  const hours = Math.round(minutes / 60);
  return pair(Math.floor(hours / 24), 'd', hours % 24, 'h');
}

const pair = (large: number, largeUnit: string, small: number, smallUnit: string): string =>
  small === 0 ? `${large} ${largeUnit}` : `${large} ${largeUnit} ${small} ${smallUnit}`;
