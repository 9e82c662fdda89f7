/**
 * An entry as Redis holds it: `VERSION:EXPIRES:VALUE`. The version is that of the commit that wrote it and never
 * comes back, so whether an entry is still the one that was read is told by its version alone.
 */

/** What stands for the version of an entry that is not there. */
const noVersion = '';

export const encodeEntry = (version: string, value: string, expires: number | undefined): string =>
  `${version}:${expires ?? ''}:${value}`;

export const versionOf = (entry: string | null | undefined): string =>
  entry == null ? noVersion : entry.slice(0, entry.indexOf(':'));

export function expiryIn(entry: string): number | undefined {
  const expires = entry.split(':', 2)[1];
  return expires === undefined || expires === '' ? undefined : Number(expires);
}

/** Undefined where there is no entry or it has expired. */
export function valueIn(entry: string | null | undefined, now: number): string | undefined {
  if (entry == null) return undefined;
  const first = entry.indexOf(':');
  const second = entry.indexOf(':', first + 1);
  const expires = entry.slice(first + 1, second);
  if (expires !== '' && Number(expires) <= now) return undefined;
  return entry.slice(second + 1);
}
