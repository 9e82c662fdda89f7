import { existsSync, statSync } from 'node:fs';
import type { DatabaseSync } from 'node:sqlite';
import { pathToFileURL } from 'node:url';
import { SessionError } from '../../errors.ts';
import { isNotADatabase, isReadOnly, notOurs, sqliteError } from './errors.ts';
import { checkKind } from './file.ts';
import { retryWhileLocked } from './lock-retry.ts';
import { checkOwner, pragma, schemaVersion, shrinks } from './schema.ts';

/** What checking a store's file without changing it finds. */
export interface Inspection {
  /** The version of its schema, and the version that this program writes. */
  version: number;
  currentVersion: number;
  /** The findings of SQLite's own check; empty when the file is not damaged. */
  problems: string[];
  entries: number;
  bytes: number;
  /** Free space within the file. */
  freeBytes: number;
  /** Whether the file returns free space to the disk, and free space in it holds no deleted data. */
  shrinks: boolean;
}

/** Most problems that are listed. */
const listed = 10;
const patience = 20_000;

/**
 * Opens the file of a store for the time of `work`, without migrating it. Creates nothing.
 * @throws SessionError FAILED_PRECONDITION when the file is missing, not a store, newer or damaged
 */
export async function withStoreFile<T>(path: string, work: (db: DatabaseSync) => T): Promise<T> {
  const { DatabaseSync } = await import('node:sqlite');
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats === undefined)
    throw new SessionError('FAILED_PRECONDITION', 'There is no session database at the path given.', {
      hint: 'Check the path.',
    });
  if (checkKind(stats).size === 0) throw notOurs();
  const attempt = (location: string | URL) => {
    const db = new DatabaseSync(location, { timeout: 0 });
    try {
      checkOwner(db);
      return work(db);
    } catch (error) {
      throw isNotADatabase(error) ? notOurs(error) : error;
    } finally {
      db.close();
    }
  };
  const usual = () => {
    try {
      return attempt(path);
    } catch (error) {
      // On a read-only medium SQLite cannot create the log, and does not need it when there is none.
      if (isReadOnly(error) && !existsSync(`${path}-wal`)) return attempt(asItStands(path));
      throw error;
    }
  };
  return retryWhileLocked(usual, performance.now() + patience);
}

function asItStands(path: string): URL {
  const url = pathToFileURL(path);
  url.search = '?immutable=1';
  return url;
}

/** Checks an open store. `thorough` also compares every index with its table, which doubles the time. */
export function inspect(db: DatabaseSync, { thorough }: { thorough: boolean }): Inspection {
  const pageSize = pragma(db, 'page_size');
  return {
    version: checkOwner(db),
    currentVersion: schemaVersion,
    problems: problemsOf(db, thorough),
    entries: count(db),
    bytes: pragma(db, 'page_count') * pageSize,
    freeBytes: pragma(db, 'freelist_count') * pageSize,
    shrinks: shrinks(db),
  };
}

/** Yields all rows that have not expired, in the order of the keys. */
export function* rowsOf(db: DatabaseSync, now: number): Generator<[key: string, value: string]> {
  const select = db.prepare('select key, value from kv where expires is null or expires > ? order by key');
  select.setReturnArrays(true);
  for (const row of select.iterate(now)) {
    const [key, value] = row as unknown as [unknown, unknown];
    yield [String(key), String(value)];
  }
}

function problemsOf(db: DatabaseSync, thorough: boolean): string[] {
  const check = db.prepare(`pragma ${thorough ? 'integrity_check' : 'quick_check'}(${listed})`);
  check.setReturnArrays(true);
  try {
    const rows = (check.all() as unknown as [string][]).map(([row]) => row);
    return rows.length === 1 && rows[0] === 'ok' ? [] : rows;
  } catch (error) {
    const shown = sqliteError(error);
    return [shown instanceof Error ? shown.message : 'The check failed.'];
  }
}

function count(db: DatabaseSync): number {
  try {
    return (db.prepare('select count(*) as n from kv').get() as unknown as { n: number }).n;
  } catch {
    // Some pages cannot be read, which `problems` reports.
    return 0;
  }
}
