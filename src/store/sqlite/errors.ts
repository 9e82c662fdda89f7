import { SessionError } from '../../errors.ts';

// Result codes of sqlite.org/rescode.html. The low byte is the kind, the rest says more.
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

/** The kind of an error of node:sqlite, or undefined for any other error. */
function kindOf(error: unknown): number | undefined {
  const code = error instanceof Error && 'errcode' in error ? error.errcode : undefined;
  return typeof code === 'number' ? code & 0xff : undefined;
}

/** Another process holds a lock that it will let go of. */
export function isBusy(error: unknown): boolean {
  const kind = kindOf(error);
  return kind === codes.busy || kind === codes.locked || kind === moreCodes.protocol;
}

export function isNotADatabase(error: unknown): boolean {
  return kindOf(error) === moreCodes.notADatabase;
}

/** The file cannot be written, or SQLite cannot create the files that it needs beside it. */
export function isReadOnly(error: unknown): boolean {
  const kind = kindOf(error);
  return kind === codes.readOnly || kind === moreCodes.cannotOpen;
}

/** A statement does not fit the tables: right after opening, the file's fault. */
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
    hint: 'It was left as it is. Choose another file with --store.',
    cause,
  });
}

/** What SQLite reports, as an error for callers. Anything else is returned as it is. */
export function sqliteError(error: unknown): unknown {
  const kind = kindOf(error);
  if (kind === undefined) return error;
  if (isBusy(error))
    return new SessionError('UNAVAILABLE', 'The session database is busy.', {
      hint: 'Other processes are writing to it. Try again in a moment.',
      retryAfter: 1,
      cause: error,
    });
  switch (kind) {
    case codes.full:
      return new SessionError('RESOURCE_EXHAUSTED', 'The disk of the session database is full.', {
        hint: 'Nothing was written. Make room on the disk, or delete sessions, and try again.',
        cause: error,
      });
    case codes.noMemory:
    case moreCodes.tooBig:
      return new SessionError('RESOURCE_EXHAUSTED', 'The data is too large for the session database.', {
        hint: 'Nothing was written. Send less at once.',
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
        hint: 'Nothing was acknowledged. Check the disk, then try again.',
        retryAfter: 5,
        cause: error,
      });
    default:
      return new SessionError('INTERNAL', 'The session database reports an error.', { cause: error });
  }
}
