import { existsSync, statSync } from 'node:fs';
import type { DatabaseSync } from 'node:sqlite';
import { pathToFileURL } from 'node:url';
import { SessionError } from '../../errors.ts';
import { isNotADatabase, isReadOnly, notOurs, sqliteError } from './errors.ts';
import { checkKind } from './file.ts';
import { retryWhileLocked } from './lock-retry.ts';
import { checkOwner, pragma, schemaVersion, shrinks } from './schema.ts';

/** What a look at a store's file finds, without changing it. */
export interface Inspection {
  /** Of its schema, and the one that this program writes. */
  version: number;
  currentVersion: number;
  /** What SQLite's own check reports; empty when the file is sound. */
  problems: string[];
  entries: number;
  bytes: number;
  /** Within the file, for new entries. */
  freeBytes: number;
  /** Whether the file shrinks, and free space in it holds nothing of what was deleted. */
  shrinks: boolean;
}

/** Problems that are listed at most. */
const listed = 10;
const patience = 20_000;

/**
 * Opens a file that must be a store, for the time of some work, by SQLite alone and without bringing it up to
 * date. Nothing is created.
 * @throws SessionError FAILED_PRECONDITION when it is not there, not ours, newer or damaged
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
      // Where nothing can be written SQLite cannot make the log that the file asks for, and needs none.
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

/** `thorough` also compares every index with its table, which takes as long again. */
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

/** Every row that has not expired, in the order of the keys. */
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
    // Where pages cannot be read; the problems tell.
    return 0;
  }
}
