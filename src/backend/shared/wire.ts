import { isObject, type JsonObject } from '../../model/json.ts';

// Readers of JSON that a service wrote: what is missing, null or of another type is absent, because services
// add fields and change types without notice, and one odd field must not hide the rest.

/** A text that is not empty. A number counts as one: some servers write ids without quotes. */
export function textOrAbsent(value: unknown): string | undefined {
  if (typeof value === 'number') return String(value);
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/** Any object, an empty one too. */
export const objectOrAbsent = (value: unknown): JsonObject | undefined =>
  isObject(value) ? value : undefined;

/** An object that holds something: services write unset messages as `{}`. */
export const filledOrAbsent = (value: unknown): JsonObject | undefined =>
  isObject(value) && Object.keys(value).length > 0 ? value : undefined;

/** The objects of a list; absent when there are none. */
export function objectsOrAbsent(value: unknown): JsonObject[] | undefined {
  const found = Array.isArray(value) ? (value as unknown[]).filter(isObject) : [];
  return found.length === 0 ? undefined : found;
}

/** The texts of a list; absent when there are none. */
export function textsOrAbsent(value: unknown): string[] | undefined {
  const found = (Array.isArray(value) ? (value as unknown[]) : [])
    .map(textOrAbsent)
    .filter((text) => text !== undefined);
  return found.length === 0 ? undefined : found;
}

/** Artifact names with the versions that an event set; absent when there are none. */
export function versionsOrAbsent(value: unknown): Record<string, number> | undefined {
  const entries = Object.entries(isObject(value) ? value : {})
    // A number may come as a text. `Number` alone would make 0 of null and of an empty text.
    .filter(([, version]) => /^\d+$/.test(String(version)))
    .map(([name, version]) => [name, Number(version)] as const);
  return entries.length === 0 ? undefined : Object.fromEntries(entries);
}

/**
 * Milliseconds since the epoch of a time that a service wrote; NaN for what is none. A time without a zone is UTC, as
 * Python's `isoformat` writes it; JavaScript would take it for the time of this machine.
 */
export function msOfText(time: string): number {
  return Date.parse(/T[\d:.,]+$/.test(time) ? `${time}Z` : time);
}

/** Base64 in the standard alphabet with padding; Python's services write the URL-safe one. */
export function standardBase64(data: string): string {
  if (!/[-_]/.test(data) && data.length % 4 === 0) return data;
  return Buffer.from(data, 'base64').toString('base64');
}
