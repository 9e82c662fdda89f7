import { realpathSync, statSync } from 'node:fs';
import { SessionError } from '../../errors.ts';

/** Milliseconds that readers trust an earlier look. */
const trusted = 100;

export interface FileIdentity {
  /** @throws SessionError FAILED_PRECONDITION when a file is gone or another one is in its place */
  check(): void;
  /** The same, unless it was checked a moment ago: for calls that acknowledge nothing. */
  checkNowAndThen(): void;
}

/**
 * Notices that a database file which is open, or its log, was moved, deleted or replaced. What is written then ends
 * up where nobody will look for it, and no call of SQLite fails. A file that is written over in place is not
 * noticed. Without a path there is nothing to notice.
 */
export function fileIdentity(path: string | undefined): FileIdentity {
  // The log exists from the first transaction on, and stays as long as a connection is open. SQLite puts it
  // beside the file that a link leads to.
  const paths = path === undefined ? [] : [path, `${target(path)}-wal`];
  const known = paths.map(identify);
  let looked = 0;

  function check(): void {
    if (paths.every((path, i) => known[i] !== undefined && identify(path) === known[i])) {
      looked = performance.now();
      return;
    }
    looked = 0;
    throw new SessionError(
      'FAILED_PRECONDITION',
      'The file of the session database was moved, deleted or replaced while it was in use.',
      {
        hint: 'Nothing more is read or acknowledged. Put the file back in its place, or restart the server to use what is there now.',
      },
    );
  }

  return {
    check,
    checkNowAndThen() {
      if (performance.now() - looked > trusted) check();
    },
  };
}

function target(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}

/** Which file a path leads to; undefined where none can be found. It is not opened. */
function identify(path: string): string | undefined {
  try {
    const { dev, ino } = statSync(path);
    return `${dev}:${ino}`;
  } catch {
    return undefined;
  }
}
