/**
 * One order of several, by reciprocal ranks: what stands high in one of them, or well in all. Scores of searches by
 * words and by meaning have no common measure; ranks have.
 */
export function fuseRanks(orders: readonly (readonly string[])[]): Map<string, number> {
  const scores = new Map<string, number>();
  for (const order of orders)
    for (const [rank, name] of order.entries())
      scores.set(name, (scores.get(name) ?? 0) + 1 / (smoothing + rank + 1));
  return new Map([...scores].sort(([, a], [, b]) => b - a));
}

/** Of Cormack, Clarke and Büttcher, "Reciprocal rank fusion outperforms Condorcet" (2009). */
const smoothing = 60;
