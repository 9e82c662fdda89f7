import { randomBytes } from 'node:crypto';
import {
  closeSync,
  fsyncSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  unlinkSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { SessionError } from '../../errors.ts';
import { damaged } from './errors.ts';
import { type Inspection, inspect, withStoreFile } from './inspect.ts';
import { makeShrinkable, shrinks } from './schema.ts';

/**
 * Copies a store, which may be in use, to a file that is not there yet: the state of one moment, without
 * free space, readable by the owner alone, checked, and on the disk when the promise resolves. A process that is
 * killed leaves at most a file that ends in ".partial".
 * @param path the store's file
 * @param target the file to make; its folder must exist
 * @throws SessionError ALREADY_EXISTS; FAILED_PRECONDITION when there is no sound store at `path` or the target
 * cannot be written; RESOURCE_EXHAUSTED when the disk is full
 */
export async function backupStore(path: string, target: string): Promise<Inspection> {
  if (isThere(target))
    throw new SessionError('ALREADY_EXISTS', 'A file already exists at the path of the backup.', {
      hint: 'Nothing was written. Choose another name.',
    });
  return copyStore(path, target);
}

/**
 * Makes a backup the store at `path`, where there must be none yet: whole or not at all. Its version may be
 * older than this program's; the next opening brings it up to date.
 * @param file the backup
 * @param path where the store will be; its folder is made if it is missing
 * @throws SessionError ALREADY_EXISTS; FAILED_PRECONDITION when the backup is no sound store, or is newer
 */
export async function restoreStore(file: string, path: string): Promise<Inspection> {
  const inTheWay = ['', '-wal', '-shm', '-journal'].filter((suffix) => isThere(path + suffix));
  if (inTheWay.includes(''))
    throw new SessionError('ALREADY_EXISTS', 'A session database already exists at the path of the store.', {
      hint: 'Nothing was changed. Stop the servers that use it and move it away together with its -wal and -shm files, or restore to another place with --store.',
    });
  // SQLite would replay such a log into the restored file.
  if (inTheWay.length > 0)
    throw new SessionError(
      'ALREADY_EXISTS',
      'The log of an earlier session database lies at the path of the store.',
      {
        hint: 'Nothing was changed. Move the files that end in -wal, -shm or -journal away, or restore to another place with --store.',
      },
    );
  writing(() => mkdirSync(dirname(path), { recursive: true, mode: 0o700 }));
  return copyStore(file, path);
}

async function copyStore(from: string, to: string): Promise<Inspection> {
  const partial = `${to}.${randomBytes(6).toString('hex')}.partial`;
  try {
    // VACUUM INTO takes an empty file, whose mode is then ours to choose.
    writing(() => closeSync(openSync(partial, 'wx', 0o600)));
    await withStoreFile(from, (db) => {
      if (!shrinks(db)) db.exec(makeShrinkable);
      db.prepare('vacuum into ?').run(partial);
    });
    const inspection = await withStoreFile(partial, (db) => inspect(db, { thorough: true }));
    if (inspection.problems.length > 0) throw damaged(inspection.problems);
    writing(() => {
      sync(partial);
      moveToFreePath(partial, to);
      syncFolder(dirname(to));
    });
    return inspection;
  } finally {
    rmSync(partial, { force: true });
  }
}

/** Also true for a link that leads nowhere. */
const isThere = (path: string): boolean => lstatSync(path, { throwIfNoEntry: false }) !== undefined;

/** Unlike a rename, a link never replaces what somebody else has put there meanwhile. */
function moveToFreePath(from: string, to: string): void {
  try {
    linkSync(from, to);
  } catch (error) {
    if (isThere(to)) throw error;
    // A file system without links.
    renameSync(from, to);
    return;
  }
  unlinkSync(from);
}

/** Makes the new name last. Windows cannot open folders, and does it by itself. */
function syncFolder(path: string): void {
  try {
    sync(path);
  } catch {}
}

function sync(path: string): void {
  const fd = openSync(path, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** What the file system reports, in words. */
function writing<T>(work: () => T): T {
  try {
    return work();
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
    if (code === 'EEXIST')
      throw new SessionError('ALREADY_EXISTS', 'Another program has just created a file at this path.', {
        hint: 'Nothing was changed. Check that file, then try again or choose another name.',
        cause,
      });
    if (code === 'ENOSPC' || code === 'EDQUOT')
      throw new SessionError('RESOURCE_EXHAUSTED', 'The disk has no room for the copy.', {
        hint: 'Make room, or choose another disk.',
        cause,
      });
    throw new SessionError('FAILED_PRECONDITION', 'The copy cannot be written to this path.', {
      hint: 'Check that the folder exists and that you may write to it.',
      cause,
    });
  }
}
