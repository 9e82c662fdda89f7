import { isObject, type JsonObject } from './json.ts';
import { cutEnd, escapeUnseen } from './text.ts';

/** Bytes of JSON that one answer holds unless the caller asks for more (Claude Code refuses > 25k tokens). */
export const answerBytes = 20_000;

/**
 * Arrays and objects within one another that an answer holds at most, whatever it was asked for. The door
 * takes less; older stores and other people's services may hold what no JSON library can write.
 */
const deepest = 200;

export interface Fitted<T> {
  value: T;
  truncated: boolean;
  /** What `shownBytes` says of the value, where it was asked. */
  bytes?: number;
}

/** How much is left of a value: units of a text, members of a container, containers within one another. */
interface Cut {
  length: number;
  members: number;
  depth: number;
}

const everything = Number.POSITIVE_INFINITY;

const cuts: readonly Cut[] = [
  { length: 4000, members: 1000, depth: 100 },
  { length: 1000, members: 200, depth: 50 },
  { length: 250, members: 50, depth: 20 },
  { length: 60, members: 20, depth: 10 },
  { length: 20, members: 5, depth: 6 },
  { length: 12, members: 2, depth: 3 },
];

/**
 * Cuts long texts, and then long lists and objects, until the value's JSON has at most `maxBytes`. What
 * is cut says so in its place, with `how` as the way to the rest. A value that fits comes back as it is.
 * Its own members always stay: the schema of the answer needs them.
 */
export function fitTo<T>(value: T, maxBytes: number, how: string): Fitted<T> {
  const { deep, broken } = faultsOf(value);
  const whole =
    deep || broken
      ? (shorten(value, { length: everything, members: everything, depth: deepest }, how) as T)
      : value;
  if (maxBytes === everything) return { value: whole, truncated: deep };
  const bytes = shownBytes(whole);
  if (bytes <= maxBytes) return { value: whole, truncated: deep, bytes };
  for (const cut of cuts) {
    const shorter = shorten(whole, cut, how) as T;
    const left = shownBytes(shorter);
    if (left <= maxBytes) return { value: shorter, truncated: true, bytes: left };
  }
  return { value: shorten(whole, { length: 12, members: 2, depth: 1 }, how) as T, truncated: true };
}

/** The bytes that a value has in an answer: its compact JSON with the unseen escaped, in UTF-8. */
export function shownBytes(value: unknown): number {
  return Buffer.byteLength(escapeUnseen(JSON.stringify(value) ?? ''));
}

/** As many items as have room together, the long ones cut; the first is always there. */
export function fitItems<T>(
  items: readonly T[],
  maxBytes: number,
  itemBytes: number,
  how: string,
): Fitted<T[]> {
  const fitted = items.map((item) => fitTo(item, itemBytes, how));
  const count = countFitting(fitted, maxBytes);
  return {
    value: fitted.slice(0, count).map(({ value }) => value),
    truncated: count < items.length || fitted.some((one) => one.truncated),
  };
}

/** How many of these items have room together; the first always has. */
export function countFitting(items: readonly Fitted<unknown>[], maxBytes: number): number {
  let sum = 0;
  const over = items.findIndex(({ value, bytes }) => {
    sum += (bytes ?? shownBytes(value)) + 1;
    return sum > maxBytes;
  });
  return over < 0 ? items.length : Math.max(1, over);
}

/** What no strict JSON reader takes: containers too deep within one another, and half characters. */
function faultsOf(value: unknown): { deep: boolean; broken: boolean } {
  let broken = typeof value === 'string' && !value.isWellFormed();
  let level: object[] = typeof value === 'object' && value !== null ? [value] : [];
  for (let depth = 1; level.length > 0; depth += 1) {
    if (depth > deepest) return { deep: true, broken };
    const next: object[] = [];
    const look = (member: unknown) => {
      if (typeof member === 'object' && member !== null) next.push(member);
      else if (typeof member === 'string') broken ||= !member.isWellFormed();
    };
    for (const container of level) {
      if (Array.isArray(container)) container.forEach(look);
      else
        for (const key of Object.keys(container)) {
          broken ||= !key.isWellFormed();
          look((container as JsonObject)[key]);
        }
    }
    level = next;
  }
  return { deep: false, broken };
}

type Container = JsonObject | unknown[];

// Iterative, like all that walks what others have nested.
function shorten(root: unknown, cut: Cut, how: string): unknown {
  if (typeof root === 'string') return cutText(root, cut.length, how);
  const isContainer = (value: unknown): value is Container => Array.isArray(value) || isObject(value);
  if (!isContainer(root)) return root;
  const copy: Container = Array.isArray(root) ? [] : {};
  const work: { from: Container; to: Container; depth: number }[] = [{ from: root, to: copy, depth: 0 }];
  for (let item = work.pop(); item !== undefined; item = work.pop()) {
    const { from, to, depth } = item;
    const keys = Array.isArray(from) ? undefined : Object.keys(from);
    const count = keys === undefined ? (from as unknown[]).length : keys.length;
    const kept = depth === 0 ? count : Math.min(count, cut.members);
    // By index: of millions of members only those that are kept are touched.
    for (let i = 0; i < kept; i += 1) {
      const key = keys?.[i] ?? `${i}`;
      const value = (from as JsonObject)[key];
      const name = Array.isArray(to) || depth === 0 ? key : cutText(key, cut.length, how);
      if (!isContainer(value))
        put(to, name, typeof value === 'string' ? cutText(value, cut.length, how) : value);
      else if (depth + 1 >= cut.depth) put(to, name, leaf(value, depth, how));
      else {
        const below: Container = Array.isArray(value) ? [] : {};
        put(to, name, below);
        work.push({ from: value, to: below, depth: depth + 1 });
      }
    }
    if (kept < count) mark(from, to, depth, `${count - kept} more; ${how}`);
  }
  return copy;
}

/** What stands for a container of which nothing is shown: of the same kind, as its schema may want. */
function leaf(value: Container, depth: number, how: string): Container {
  const size = Array.isArray(value) ? value.length : Object.keys(value).length;
  const empty: Container = Array.isArray(value) ? [] : {};
  if (size > 0) mark(value, empty, depth + 1, `${size} more; ${how}`);
  return empty;
}

/**
 * Says what is missing. In a list the mark is of the kind of its neighbours, since readers take all items for
 * the same; the list of an answer itself has none, since its items have a schema.
 */
function mark(from: Container, to: Container, depth: number, text: string): void {
  if (!Array.isArray(to)) put(to, '…', text);
  else if (depth > 1) to.push(Array.isArray(from) && isObject(from[0]) ? { '…': text } : text);
}

/** Adds a member. Assigning a key `__proto__` would change the object's kind in place of its content. */
function put(to: Container, key: string, value: unknown): void {
  if (Array.isArray(to)) to.push(value);
  else Object.defineProperty(to, key, { value, enumerable: true, configurable: true, writable: true });
}

/** The first `length` units with a note of how many are missing and how to get them. Half characters become U+FFFD. */
export function cutText(text: string, length: number, how: string): string {
  if (text.length <= length + how.length + 24) return text.toWellFormed();
  const kept = cutEnd(text, length).toWellFormed();
  return `${kept}…[${text.length - kept.length} more characters; ${how}]`;
}
