import { closeSync, mkdirSync, openSync, type Stats, statSync } from 'node:fs';
import { dirname } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { pathToFileURL } from 'node:url';
import { SessionError } from '../../errors.ts';
import { isNotADatabase, notOurs } from './errors.ts';
import { checkOwner } from './schema.ts';

/** Bytes of the smallest possible database. */
const smallest = 512;

/**
 * Creates a missing file and its folder, readable only by the owner, and checks an existing file without locking or
 * changing it. Only SQLite opens an existing file: if this process opened and closed it by other means, it would lose
 * all its locks on it (https://www.sqlite.org/howtocorrupt.html, "POSIX advisory locks").
 * @throws SessionError FAILED_PRECONDITION when the path is not a file, the file is not a store, or it is newer
 */
export function prepareFile(path: string, open: (location: URL) => DatabaseSync): void {
  const { size } = findOrCreate(path);
  if (size === 0) return;
  // SQLite would take so short a file for an empty one and overwrite it.
  if (size < smallest) throw notOurs();
  const url = pathToFileURL(path);
  url.search = '?immutable=1';
  try {
    const db = open(url);
    try {
      checkOwner(db);
    } finally {
      db.close();
    }
  } catch (error) {
    if (error instanceof SessionError) throw error;
    if (isNotADatabase(error)) throw notOurs(error);
    // Another process may be writing to the file at this moment. Opening it will show whether it is sound.
  }
}

/** Whether there is a log with something in it: others are at work on the file, or were killed. */
export function hasLog(path: string): boolean {
  return (statSync(`${path}-wal`, { throwIfNoEntry: false })?.size ?? 0) > 0;
}

function findOrCreate(path: string): Stats {
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    if (statSync(path, { throwIfNoEntry: false }) === undefined) create(path);
    return checkKind(statSync(path));
  } catch (cause) {
    if (cause instanceof SessionError) throw cause;
    if (isCode(cause, 'ENOSPC'))
      throw new SessionError('RESOURCE_EXHAUSTED', 'The disk has no room for the session database.', {
        hint: 'Make room on the disk, or choose another place with --store.',
        cause,
      });
    // A file that can be read but not written is reported when it is opened.
    throw new SessionError('FAILED_PRECONDITION', 'The session database cannot be opened or created.', {
      hint: 'Check the path given with --store, and the permissions of its folder.',
      cause,
    });
  }
}

function create(path: string): void {
  try {
    closeSync(openSync(path, 'wx', 0o600));
  } catch (error) {
    // Another process has created the file meanwhile.
    if (!isCode(error, 'EEXIST')) throw error;
  }
}

/** Refuses everything but a file. Opening a pipe, for example, would wait for its other end. */
export function checkKind(stats: Stats): Stats {
  if (stats.isFile()) return stats;
  const kind = stats.isDirectory() ? 'a folder' : 'a pipe, a socket or a device';
  throw new SessionError(
    'FAILED_PRECONDITION',
    `The path of the session database names ${kind}, not a file.`,
    {
      hint: 'Choose the path of a file with --store.',
    },
  );
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
