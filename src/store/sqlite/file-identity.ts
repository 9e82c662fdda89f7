import { existsSync, realpathSync, statSync } from 'node:fs';
import { SessionError } from '../../errors.ts';

/** Milliseconds for which reads rely on an earlier check, and writes on an earlier look at which log it is. */
const trusted = 100;

export interface FileIdentity {
  /** @throws SessionError FAILED_PRECONDITION when a file is missing or was replaced */
  check(): void;
  /** As `check`, unless the files were checked a moment ago. For calls that acknowledge nothing. */
  checkNowAndThen(): void;
}

/**
 * Notices that an open database file, or its log, was moved, deleted or replaced. SQLite then goes on writing to the
 * old file without an error, and the data is lost. A file that is overwritten in place is not noticed. Without a path
 * every check passes.
 */
export function fileIdentity(path: string | undefined): FileIdentity {
  if (path === undefined) return { check() {}, checkNowAndThen() {} };
  // The log exists from the first transaction until the last connection closes. SQLite puts it beside the target of a
  // link.
  const log = `${target(path)}-wal`;
  const known = { file: identify(path), log: identify(log) };
  let looked = 0;
  let lookedAtLog = 0;

  const inPlace = (): boolean => {
    if (known.file === undefined || identify(path) !== known.file || !existsSync(log)) return false;
    // Linux gives a file new times at the first write after somebody asked for them, to the nanosecond, and the disk
    // must then store them with each commit: a look before every commit made a durable one a third slower.
    // https://docs.kernel.org/filesystems/multigrain-ts.html
    if (performance.now() - lookedAtLog <= trusted) return true;
    lookedAtLog = performance.now();
    return known.log !== undefined && identify(log) === known.log;
  };

  function check(): void {
    if (inPlace()) {
      looked = performance.now();
      return;
    }
    looked = 0;
    lookedAtLog = 0;
    throw new SessionError(
      'FAILED_PRECONDITION',
      'The file of the session database was moved, deleted or replaced while it was in use.',
      {
        hint: 'Put the file back in its place, or restart the server to use the file that is there now. Until then the server reads and acknowledges nothing.',
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

/** The identity of the file at a path, without opening it; undefined when there is none. */
function identify(path: string): string | undefined {
  try {
    const { dev, ino } = statSync(path);
    return `${dev}:${ino}`;
  } catch {
    return undefined;
  }
}
