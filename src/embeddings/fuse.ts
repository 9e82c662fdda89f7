/**
 * One order of what words and meaning found, by reciprocal ranks (Cormack, Clarke and Büttcher 2009): their scores have
 * no common measure, ranks have. Chosen by measuring, see `npm run bench -- recall --embeddings`: the first ranks count
 * for more than in the paper, and meaning for a little less than words, so that a weak model does little harm.
 */
export function fuseRanks(byWords: readonly string[], byMeaning: readonly string[]): Map<string, number> {
  const scores = new Map<string, number>();
  const add = (order: readonly string[], weight: number) => {
    for (const [rank, name] of order.entries())
      scores.set(name, (scores.get(name) ?? 0) + weight / (smoothing + rank + 1));
  };
  add(byWords, 1);
  add(byMeaning, ofMeaning);
  return new Map([...scores].sort(([, a], [, b]) => b - a));
}

const smoothing = 10;
const ofMeaning = 0.7;
