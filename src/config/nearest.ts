/** The one of `known` that a mistyped name most likely means; undefined when none is near. */
export function nearest(given: string, known: readonly string[]): string | undefined {
  const wanted = plain(given);
  let best: string | undefined;
  // At most a third of a name may differ: beyond that a guess would confuse.
  let most = Math.max(1, Math.floor(wanted.length / 3));
  for (const name of known) {
    const edits = editDistance(wanted, plain(name));
    if (edits > most || (edits === most && best !== undefined)) continue;
    best = name;
    most = edits;
  }
  return best;
}

/** `Did you mean X? `, with a space for what follows; empty when no name is near. */
export function didYouMean(given: string, known: readonly string[], show = (name: string) => name): string {
  const found = nearest(given, known);
  return found === undefined ? '' : `Did you mean ${show(found)}? `;
}

// `readOnly`, `read-only` and `READ_ONLY` are one name in three spellings.
const plain = (name: string) => name.toLowerCase().replace(/[-_]/g, '').slice(0, 40);

/** Insertions, deletions, replacements and swaps of neighbours that make one text of the other. */
function editDistance(a: string, b: string): number {
  let older: number[] = [];
  let old = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const same = a[i - 1] === b[j - 1];
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      row[j] = Math.min(
        (row[j - 1] ?? 0) + 1,
        (old[j] ?? 0) + 1,
        (old[j - 1] ?? 0) + (same ? 0 : 1),
        swapped ? (older[j - 2] ?? 0) + 1 : Number.POSITIVE_INFINITY,
      );
    }
    older = old;
    old = row;
  }
  return old[b.length] ?? 0;
}
