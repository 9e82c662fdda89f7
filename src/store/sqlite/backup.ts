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
 * Copies a store, which may be in use, to a new file: the state of one moment, without free space, readable only by the
 * owner, checked, and on the disk when the promise resolves. A killed process leaves at most a file that ends in
 * ".partial".
 * @param path the store's file
 * @param target the file to create; its folder must exist
 * @throws SessionError ALREADY_EXISTS; FAILED_PRECONDITION when there is no undamaged store at `path` or the target
 * cannot be written; RESOURCE_EXHAUSTED when the disk is full
 */
export async function backupStore(path: string, target: string): Promise<Inspection> {
  if (isThere(target))
    throw new SessionError('ALREADY_EXISTS', 'A file already exists at the path of the backup.', {
      hint: 'Choose another name. Nothing was written.',
    });
  return copyStore(path, target);
}

/**
 * Restores a backup to `path`, where there must be no store yet, as a whole or not at all. The backup's schema may be
 * older than this program's; opening the store migrates it.
 * @param file the backup
 * @param path where the store will be; a missing folder is created
 * @throws SessionError ALREADY_EXISTS; FAILED_PRECONDITION when the backup is damaged, not a store, or newer
 */
export async function restoreStore(file: string, path: string): Promise<Inspection> {
  const inTheWay = ['', '-wal', '-shm', '-journal'].filter((suffix) => isThere(path + suffix));
  if (inTheWay.includes(''))
    throw new SessionError('ALREADY_EXISTS', 'A session database already exists at the path of the store.', {
      hint: 'Stop the servers that use it and move it away together with its -wal and -shm files, or restore to another place with --store. Nothing was changed.',
    });
  // SQLite would apply such a log to the restored file.
  if (inTheWay.length > 0)
    throw new SessionError(
      'ALREADY_EXISTS',
      'The log of an earlier session database lies at the path of the store.',
      {
        hint: 'Move the files that end in -wal, -shm or -journal away, or restore to another place with --store. Nothing was changed.',
      },
    );
  writing(() => mkdirSync(dirname(path), { recursive: true, mode: 0o700 }));
  return copyStore(file, path);
}

async function copyStore(from: string, to: string): Promise<Inspection> {
  const partial = `${to}.${randomBytes(6).toString('hex')}.partial`;
  try {
    // VACUUM INTO accepts an empty file, and keeps the mode with which it was created here.
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

/** Whether anything is at the path, also a broken link. */
const isThere = (path: string): boolean => lstatSync(path, { throwIfNoEntry: false }) !== undefined;

/** Moves a file. Unlike renaming, linking never replaces a file that somebody else has created meanwhile. */
function moveToFreePath(from: string, to: string): void {
  try {
    linkSync(from, to);
  } catch (error) {
    if (isThere(to)) throw error;
    // Some file systems have no links.
    renameSync(from, to);
    return;
  }
  unlinkSync(from);
}

/** Makes the new name durable. Windows cannot open folders, and makes names durable itself. */
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

/** Runs `work`, and maps errors of the file system. */
function writing<T>(work: () => T): T {
  try {
    return work();
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
    if (code === 'EEXIST')
      throw new SessionError('ALREADY_EXISTS', 'Another program has just created a file at this path.', {
        hint: 'Check that file, then try again or choose another name. Nothing was changed.',
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
