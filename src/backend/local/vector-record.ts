import { type Direction, directionOfText, textOfDirection } from '../../embeddings/vector.ts';
import { canonicalJson, isObject } from '../../model/json.ts';
import type { MemoryScope } from '../../model/memory.ts';
import * as keys from './keys.ts';

/** What tells the vectors of one model from those of another, in each record of a vector. */
export const tagOf = (model: string, dimensions: number | undefined): string =>
  keys.hash(JSON.stringify([model, dimensions ?? null])).slice(0, 8);

/** Up to which event a session has vectors, and how often it had been edited when that was so. */
export interface VectorMark {
  tag: string;
  next: number;
  edits: number;
}

export const markText = ({ tag, next, edits }: VectorMark): string => `${tag} ${next} ${edits}`;

/** Undefined for a mark of another model. */
export function markOf(tag: string, text: string | undefined): VectorMark | undefined {
  const [of, next, edits] = text?.split(' ') ?? [];
  return of === tag ? { tag, next: Number(next), edits: Number(edits) } : undefined;
}

/** A search in memories is in one scope, so their vectors tell it. */
export const groupOf = (scope: MemoryScope | undefined): string =>
  keys.hash(canonicalJson(scope ?? {})).slice(0, 12);

/** `group` tells the vectors of one owner apart, where a search is for some of them. */
export const vectorText = (tag: string, direction: Direction, group = ''): string =>
  `${tag} ${group} ${textOfDirection(direction)}`;

/** Undefined for a vector of another model. */
export function vectorOf(tag: string, text: string): { group: string; direction: Direction } | undefined {
  const [of, group, direction] = text.split(' ');
  if (of !== tag || group === undefined || direction === undefined) return undefined;
  return { group, direction: directionOfText(direction) };
}

/** The last changes to the vectors of an owner, so that a process that has them in memory reads only what is new. */
export interface VectorLog {
  id: string;
  /** Of all changes so far. */
  count: number;
  /** Names of what changed last: sessions by uid, memories by id. */
  recent: string[];
}

const mostRecent = 256;

/** The log with further changes; `id` is for a new one. */
export function logText(text: string | undefined, id: string, changed: readonly string[]): string {
  const log = logOf(text) ?? { id, count: 0, recent: [] };
  return JSON.stringify({
    id: log.id,
    count: log.count + changed.length,
    recent: [...log.recent, ...changed].slice(-mostRecent),
  } satisfies VectorLog);
}

export function logOf(text: string | undefined): VectorLog | undefined {
  if (text === undefined || text === '') return undefined;
  const log: unknown = JSON.parse(text);
  return isObject(log) && Array.isArray(log.recent) ? (log as unknown as VectorLog) : undefined;
}

/** What changed after another state of the log; undefined where that is not known any more. */
export function changesSince(log: VectorLog, known: Pick<VectorLog, 'id' | 'count'>): string[] | undefined {
  const missing = log.count - known.count;
  if (log.id !== known.id || missing < 0 || missing > log.recent.length) return undefined;
  return missing === 0 ? [] : [...new Set(log.recent.slice(-missing))];
}
