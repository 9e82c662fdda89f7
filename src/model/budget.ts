import { isObject, jsonBytes } from './json.ts';

/** Bytes of JSON that one answer holds unless the caller asks for more (Claude Code refuses > 25k tokens). */
export const answerBytes = 20_000;

export interface Fitted<T> {
  value: T;
  truncated: boolean;
}

/**
 * Cuts long strings, and then long lists and objects, until the value's JSON has at most `maxBytes`. What
 * is cut says so in its place, with `how` as the way to the rest. A value that fits comes back as it is.
 */
export function fitTo<T>(value: T, maxBytes: number, how: string): Fitted<T> {
  if (jsonBytes(value) <= maxBytes) return { value, truncated: false };
  for (const [length, members] of [
    [4000, 1000],
    [1000, 200],
    [250, 50],
    [60, 20],
    [20, 5],
  ] as const) {
    const cut = shorten(value, length, members, how, 0) as T;
    if (jsonBytes(cut) <= maxBytes) return { value: cut, truncated: true };
  }
  return { value: shorten(value, 12, 2, how, 0) as T, truncated: true };
}

// Top-level members are the object's own fields, which the caller's schema needs: only what is below is dropped.
function shorten(value: unknown, length: number, members: number, how: string, depth: number): unknown {
  if (typeof value === 'string') return cutText(value, length, how);
  if (Array.isArray(value)) {
    const kept = value.slice(0, members).map((v) => shorten(v, length, members, how, depth + 1));
    return kept;
  }
  if (!isObject(value)) return value;
  const entries = Object.entries(value);
  const kept = depth === 0 ? entries : entries.slice(0, members);
  return Object.fromEntries([
    ...kept.map(([k, v]) => [k, shorten(v, length, members, how, depth + 1)]),
    ...(kept.length < entries.length ? [['…', `${entries.length - kept.length} more; ${how}`]] : []),
  ]);
}

/** The first `length` characters with a note of how many are missing and how to get them. */
export function cutText(text: string, length: number, how: string): string {
  if (text.length <= length + how.length + 24) return text;
  const end = /[\ud800-\udbff]/.test(text.charAt(length - 1)) ? length - 1 : length;
  return `${text.slice(0, end)}…[${text.length - end} more characters; ${how}]`;
}
