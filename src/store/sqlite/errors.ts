import { SessionError } from '../../errors.ts';

// Result codes of https://www.sqlite.org/rescode.html. The low byte is the primary code.
const codes = {
  error: 1,
  perm: 3,
  busy: 5,
  locked: 6,
  noMemory: 7,
  readOnly: 8,
  io: 10,
  corrupt: 11,
  full: 13,
};
const moreCodes = { cannotOpen: 14, protocol: 15, tooBig: 18, notADatabase: 26 };

/** The primary code of an error of node:sqlite; undefined for any other error. */
function kindOf(error: unknown): number | undefined {
  const code = error instanceof Error && 'errcode' in error ? error.errcode : undefined;
  return typeof code === 'number' ? code & 0xff : undefined;
}

/** Whether another process holds a lock, which it will release. */
export function isBusy(error: unknown): boolean {
  const kind = kindOf(error);
  return kind === codes.busy || kind === codes.locked || kind === moreCodes.protocol;
}

export function isNotADatabase(error: unknown): boolean {
  return kindOf(error) === moreCodes.notADatabase;
}

/** Whether the file cannot be written, or SQLite cannot create the files that it needs beside it. */
export function isReadOnly(error: unknown): boolean {
  const kind = kindOf(error);
  return kind === codes.readOnly || kind === moreCodes.cannotOpen;
}

/** Whether a statement does not fit the tables. Right after opening, that means a damaged file. */
export function isMisfit(error: unknown): boolean {
  return kindOf(error) === codes.error;
}

export function damaged(cause: unknown): SessionError {
  return new SessionError('FAILED_PRECONDITION', 'The session database is damaged.', {
    hint: 'Restore it from a backup, or choose another file with --store.',
    cause,
  });
}

export function notOurs(cause?: unknown): SessionError {
  return new SessionError('FAILED_PRECONDITION', 'The file is not a session database.', {
    hint: 'Choose another file with --store. This one was not changed.',
    cause,
  });
}

/** Maps an error of SQLite to one for callers. Returns any other error unchanged. */
export function sqliteError(error: unknown): unknown {
  const kind = kindOf(error);
  if (kind === undefined) return error;
  if (isBusy(error))
    return new SessionError('UNAVAILABLE', 'The session database is busy.', {
      hint: 'Try again in a moment: other processes are writing to it.',
      retryAfter: 1,
      cause: error,
    });
  switch (kind) {
    case codes.full:
      return new SessionError('RESOURCE_EXHAUSTED', 'The disk of the session database is full.', {
        hint: 'Make room on the disk, or delete sessions, and try again. Nothing was written.',
        cause: error,
      });
    case codes.noMemory:
    case moreCodes.tooBig:
      return new SessionError('RESOURCE_EXHAUSTED', 'The data is too large for the session database.', {
        hint: 'Send less at once. Nothing was written.',
        cause: error,
      });
    case codes.perm:
    case codes.readOnly:
      return new SessionError('FAILED_PRECONDITION', 'The session database cannot be written to.', {
        hint: 'Check the permissions of the file and of its folder, or choose another place with --store.',
        cause: error,
      });
    case moreCodes.cannotOpen:
      return new SessionError('FAILED_PRECONDITION', 'The session database cannot be opened or created.', {
        hint: 'Check the path given with --store, and the permissions of its folder.',
        cause: error,
      });
    case codes.corrupt:
    case moreCodes.notADatabase:
      return damaged(error);
    case codes.io:
      return new SessionError('UNAVAILABLE', 'The disk of the session database reports an error.', {
        hint: 'Check the disk, then try again. Nothing was acknowledged.',
        retryAfter: 5,
        cause: error,
      });
    default:
      return new SessionError('INTERNAL', 'The session database reports an error.', { cause: error });
  }
}
