import type { Direction } from './vector.ts';
import type { VectorSet } from './vector-set.ts';

export interface Near {
  /** The name of the set that it is in. */
  group: string;
  id: string;
  cosine: number;
}

/** Numbers that are compared before other work gets its turn: some 2 ms. */
const atOnce = 2_000_000;

/**
 * The texts of some sets that are nearest to a query, best first. Nearest to it is always something, so only those count
 * that are nearer to the best of them than to the average; none where all are alike.
 */
export async function nearest(
  sets: Iterable<readonly [group: string, set: VectorSet]>,
  query: Direction,
  limit: number,
): Promise<Near[]> {
  const best: Near[] = [];
  let total = 0;
  let count = 0;
  const step = Math.max(1, Math.floor(atOnce / query.length));
  let done = 0;
  for (const [group, set] of sets) {
    for (let from = 0; from < set.size; from += step) {
      if (done >= step) {
        await new Promise((resolve) => setImmediate(resolve));
        done = 0;
      }
      set.compare(query, from, from + step, (id, cosine) => {
        total += cosine;
        count += 1;
        if (best.length === limit && cosine <= (best.at(-1)?.cosine ?? 0)) return;
        best.splice(placeFor(best, cosine), 0, { group, id, cosine });
        if (best.length > limit) best.pop();
      });
      done += Math.min(step, set.size - from);
    }
  }
  const [first] = best;
  if (first === undefined) return [];
  const mean = total / count;
  if (count > fewTexts && first.cosine - mean < leastSpread) return [];
  const enough = (first.cosine + mean) / 2;
  return best.filter(({ cosine }) => cosine >= Math.max(enough, leastCosine));
}

/** Below this, all of more than a few texts are equally far from the query: the model tells nothing about it. */
const leastSpread = 0.01;
const fewTexts = 10;
/** No model takes texts so far apart for related. */
const leastCosine = 0.15;

/** Where a cosine belongs in a list with the greatest first; behind its equals. */
function placeFor(sorted: readonly Near[], cosine: number): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((sorted[middle]?.cosine ?? 0) >= cosine) low = middle + 1;
    else high = middle;
  }
  return low;
}
