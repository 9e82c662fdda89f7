/** Milliseconds that a slice of background work should take. No other process can write meanwhile. */
const target = 20;
const first = 64;
const largest = 4096;

/** The size of the next slice of background work, learned from how long the last one took. */
export interface Slices {
  size(): number;
  took(milliseconds: number): void;
}

/** Starts small: the cost of deleting a row differs a hundredfold, since each word of a text leaves the index singly. */
export function slices(): Slices {
  let size = first;
  return {
    size: () => size,
    took(milliseconds) {
      if (milliseconds > target) size = Math.max(1, Math.floor(size / 2));
      else if (milliseconds < target / 4) size = Math.min(largest, size * 2);
    },
  };
}
