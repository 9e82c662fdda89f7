/** About how many milliseconds a slice of background work takes. Nobody else can write meanwhile. */
const target = 20;
const first = 64;
const largest = 4096;

/** How much background work to do at a time, learnt from how long the last slice took. */
export interface Slices {
  size(): number;
  took(milliseconds: number): void;
}

/** Rows differ a hundredfold in what it costs to delete them: words of a text leave the index one by one. */
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
