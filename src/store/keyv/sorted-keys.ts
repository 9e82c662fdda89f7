import { compareKeys } from '../keys.ts';

/** Keys in their order, in pieces short enough that to insert one moves few others. */
export interface SortedKeys {
  add(key: string): void;
  remove(key: string): void;
  /** Keys from `from` (inclusive) to `to` (exclusive; no end where it is undefined). */
  between(from: string, to: string | undefined, reverse?: boolean): Generator<string>;
}

const longest = 1024;

export function sortedKeys(): SortedKeys {
  const chunks: string[][] = [[]];

  /** The last chunk that begins at or before the key. */
  function chunkOf(key: string): number {
    let low = 0;
    let high = chunks.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (compareKeys(chunks[middle]?.[0] ?? '', key) <= 0) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  function* forward(from: string, to: string | undefined): Generator<string> {
    let at = chunkOf(from);
    let i = position(chunks[at] ?? [], from);
    for (; at < chunks.length; at++, i = 0) {
      const chunk = chunks[at] ?? [];
      for (; i < chunk.length; i++) {
        const key = chunk[i] ?? '';
        if (to !== undefined && compareKeys(key, to) >= 0) return;
        yield key;
      }
    }
  }

  function* backward(from: string, to: string | undefined): Generator<string> {
    let at = to === undefined ? chunks.length - 1 : chunkOf(to);
    let i = to === undefined ? (chunks[at]?.length ?? 0) : position(chunks[at] ?? [], to);
    for (; at >= 0; at--, i = chunks[at]?.length ?? 0) {
      const chunk = chunks[at] ?? [];
      for (i--; i >= 0; i--) {
        const key = chunk[i] ?? '';
        if (compareKeys(key, from) < 0) return;
        yield key;
      }
    }
  }

  return {
    add(key) {
      const at = chunkOf(key);
      const chunk = chunks[at] ?? [];
      const i = position(chunk, key);
      if (chunk[i] === key) return;
      chunk.splice(i, 0, key);
      if (chunk.length > longest) chunks.splice(at + 1, 0, chunk.splice(longest / 2));
    },
    remove(key) {
      const at = chunkOf(key);
      const chunk = chunks[at] ?? [];
      const i = position(chunk, key);
      if (chunk[i] !== key) return;
      chunk.splice(i, 1);
      if (chunk.length === 0 && chunks.length > 1) chunks.splice(at, 1);
    },
    between: (from, to, reverse) => (reverse === true ? backward(from, to) : forward(from, to)),
  };
}

/** Of the first key that is not less. */
function position(chunk: readonly string[], key: string): number {
  let low = 0;
  let high = chunk.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (compareKeys(chunk[middle] ?? '', key) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}
