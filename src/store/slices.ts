/** Milliseconds that a slice of background work should take. No other process can write meanwhile. */
const target = 20;
const first = 8;
const largest = 4096;

/** The size of the next slice of background work, learned from how long the last one took. */
export interface Slices {
  size(): number;
  took(milliseconds: number): void;
}

/**
 * Starts small: the cost of deleting a row differs a hundredfold, since each word of a text leaves the index singly.
 * Where a quarter of the work takes as long as the whole, it is the way to the database that takes the time, and
 * smaller slices would only be more of them.
 */
export function slices(): Slices {
  let size = first;
  /** Milliseconds that a slice takes whatever its size. */
  let overhead = 0;
  let slow: { size: number; milliseconds: number } | undefined;
  return {
    size: () => size,
    took(milliseconds) {
      overhead = Math.min(overhead, milliseconds);
      const work = milliseconds - overhead;
      if (work > target) {
        slow ??= { size, milliseconds };
        if (size <= slow.size / 4 && milliseconds > 0.75 * slow.milliseconds) {
          overhead = milliseconds;
          size = slow.size;
          slow = undefined;
        } else size = Math.max(1, Math.floor(size / 2));
      } else {
        slow = undefined;
        if (work < target / 4) size = Math.min(largest, size * 2);
      }
    },
  };
}
