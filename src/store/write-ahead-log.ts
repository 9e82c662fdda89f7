import type { DatabaseSync } from 'node:sqlite';

/** Milliseconds that what was deleted or overwritten stays in the log at most, while nobody reads an old state. */
const delay = 1000;

export interface WriteAheadLog {
  /** Call it after a commit: the log is emptied soon after. */
  written(): void;
  /** Tries to empty the log now if that is due, and ends the timer. */
  stop(): void;
}

/**
 * Deleted text is overwritten in the file (`secure_delete`) but stays in the write-ahead log, which SQLite
 * rewrites from its start and cuts off only when asked to (sqlite.org/wal.html). A reader or writer in
 * another process puts it off; it is tried again until it succeeds. `check` throws when the files are not
 * in their places any more: another process may then use a new log with the old index.
 */
export function writeAheadLog(db: DatabaseSync, check: () => void): WriteAheadLog {
  const checkpoint = db.prepare('pragma wal_checkpoint(truncate)');
  let timer: NodeJS.Timeout | undefined;

  function empty(): void {
    timer = undefined;
    try {
      check();
      const { busy } = checkpoint.get() as unknown as { busy: number };
      if (busy === 0) return;
    } catch {
      // Whoever reads or writes next hears of it.
    }
    written();
  }

  function written(): void {
    timer ??= setTimeout(empty, delay).unref();
  }

  return {
    written,
    stop() {
      if (timer === undefined) return;
      clearTimeout(timer);
      empty();
      clearTimeout(timer);
    },
  };
}
