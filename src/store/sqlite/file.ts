import { closeSync, mkdirSync, openSync, type Stats, statSync } from 'node:fs';
import { dirname } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { pathToFileURL } from 'node:url';
import { SessionError } from '../../errors.ts';
import { isNotADatabase, notOurs } from './errors.ts';
import { checkOwner } from './schema.ts';

/** Bytes of the smallest database there can be. */
const smallest = 512;

/**
 * Creates the file and its folder where they are missing, for the owner's eyes only, and looks at a file that
 * is there without locking or changing it. Nothing but SQLite opens a file that exists: closing it again
 * would drop all locks that this process holds on it (sqlite.org/howtocorrupt.html, "POSIX advisory locks").
 * @throws SessionError FAILED_PRECONDITION when it is not ours, newer than this program, or no file at all
 */
export function prepareFile(path: string, open: (location: URL) => DatabaseSync): void {
  const { size } = findOrCreate(path);
  if (size === 0) return;
  // SQLite would take so short a file for an empty one and write over it.
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
    // Another process may be at work on the file at this moment. The real opening will tell.
  }
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
    // A file that may be read but not written is found out and reported by what follows.
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
    // Another process was faster.
    if (!isCode(error, 'EEXIST')) throw error;
  }
}

/** Opening a pipe would wait for somebody at its other end. */
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
