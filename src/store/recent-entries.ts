import type { Job } from './group-commit.ts';
import type { Put, Write } from './types.ts';

type Entries = readonly (string | null)[];

/**
 * What the keys that updates read held after this process's last commits. It may be wrong by now, so it is only ever
 * guessed with: a commit that was decided on a guess compares all it read with what is there.
 */
export interface RecentEntries {
  /** Undefined where a guess is not worth it: the first key of some job is not known to be there. */
  guess(jobs: readonly Job[], wanted: readonly string[]): (string | null)[] | undefined;
  /**
   * Of a commit that is done: what it had read, and what it wrote.
   * @param entryOf what the database now holds of a put; null where that is not worth keeping
   */
  learn(
    wanted: readonly string[],
    read: Entries,
    writes: readonly Write[],
    entryOf: (put: Put) => string | null,
  ): void;
  /** Of these keys, or of all. */
  forget(keys?: readonly string[]): void;
}

const most = 500;
/** Characters of the longest entry that is kept. */
const longest = 100_000;

export function recentEntries(): RecentEntries {
  const known = new Map<string, string | null>();

  function keep(key: string, entry: string | null): void {
    known.delete(key);
    if (entry !== null && entry.length > longest) return;
    known.set(key, entry);
    const [oldest] = known.keys();
    if (known.size > most && oldest !== undefined) known.delete(oldest);
  }

  return {
    guess(jobs, wanted) {
      const isKnown = ({ keys: [first] }: Job) => first === undefined || typeof known.get(first) === 'string';
      if (wanted.length === 0 || !jobs.every(isKnown)) return undefined;
      // What is not known is mostly new: the id of an event, say.
      return wanted.map((key) => known.get(key) ?? null);
    },
    learn(wanted, read, writes, entryOf) {
      const after = new Map(wanted.map((key, i) => [key, read[i] ?? null]));
      for (const write of writes)
        if ('dropPrefix' in write) {
          for (const key of known.keys()) if (key.startsWith(write.dropPrefix)) known.delete(key);
          for (const key of wanted) if (key.startsWith(write.dropPrefix)) after.set(key, null);
        } else {
          const key = 'drop' in write ? write.drop : write.key;
          const entry = 'drop' in write ? null : entryOf(write);
          if (after.has(key)) after.set(key, entry);
          else known.delete(key);
        }
      for (const [key, entry] of after) if (entry === null) known.delete(key);
      for (const [key, entry] of after) if (entry !== null) keep(key, entry);
    },
    forget(keys) {
      if (keys === undefined) known.clear();
      else for (const key of keys) known.delete(key);
    },
  };
}
