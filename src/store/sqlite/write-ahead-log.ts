import type { DatabaseSync } from 'node:sqlite';

/**
 * Milliseconds until the log is emptied. Deleted text waits for a moment only. For the rest the log is left to be
 * written over for a while: a log that has to grow makes each commit on a slow disk a third slower.
 */
const delays = { erased: 1000, overwritten: 30_000 };

export interface WriteAheadLog {
  /** Call it after a commit that deleted something: what is left of it goes in a moment, out of the file and the log. */
  erased(): void;
  /** Empties the log in a moment. */
  empties(): void;
  /** Call it after a commit that only put. */
  overwritten(): void;
  /** Empties the log now if that is due, as far as others let it, and ends the timer. */
  stop(): void;
}

/**
 * Deleted text is overwritten in the file (`secure_delete`) but stays in the write-ahead log, which SQLite
 * rewrites from its start and cuts off only when asked to (sqlite.org/wal.html). A reader or writer in
 * another process puts it off; it is tried again until it succeeds. `check` throws when the files are not
 * in their places any more: another process may then use a new log with the old index. `rewrite` takes out of the
 * file what was deleted; it throws when it could not.
 */
export function writeAheadLog(db: DatabaseSync, check: () => void, rewrite: () => void): WriteAheadLog {
  const checkpoint = db.prepare('pragma wal_checkpoint(truncate)');
  let timer: NodeJS.Timeout | undefined;
  let due = Number.POSITIVE_INFINITY;
  let residue = false;

  function plan(delay: number): void {
    const at = performance.now() + delay;
    if (at >= due) return;
    clearTimeout(timer);
    due = at;
    timer = setTimeout(empty, delay).unref();
  }

  function empty(): void {
    due = Number.POSITIVE_INFINITY;
    try {
      check();
      if (residue) rewrite();
      residue = false;
      const { busy } = checkpoint.get() as unknown as { busy: number };
      if (busy === 0) return;
    } catch {
      // Whoever reads or writes next hears of it.
    }
    plan(delays.erased);
  }

  return {
    erased() {
      residue = true;
      plan(delays.erased);
    },
    empties: () => plan(delays.erased),
    overwritten: () => plan(delays.overwritten),
    stop() {
      if (due < Number.POSITIVE_INFINITY) empty();
      clearTimeout(timer);
    },
  };
}
