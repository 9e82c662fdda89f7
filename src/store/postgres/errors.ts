import { SessionError } from '../../errors.ts';
import { distrusted, isDistrusted } from '../certificate.ts';

/** SQLSTATE of an answer of the server (postgresql.org/docs/current/errcodes-appendix.html); undefined for others. */
function sqlState(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('severity' in error) || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

const states = {
  serializationFailure: '40001',
  deadlock: '40P01',
  lockNotAvailable: '55P03',
  queryCanceled: '57014',
  readOnly: '25006',
  noSuchStatement: '26000',
  duplicateStatement: '42P05',
  noSuchTable: '42P01',
  noSuchFunction: '42883',
  noPrivilege: '42501',
  noSuchDatabase: '3D000',
  noSuchSchema: '3F000',
  tooManyConnections: '53300',
  configurationLimit: '53400',
  diskFull: '53100',
  tooLongForIndex: '54000',
  startingUp: '57P03',
} as const;

/** The server is going down, starts, or has ended the connection: what it was doing may or may not be done. */
const endings = ['57P01', '57P02', '57P03', '57P05', '25P03'];

/** Errors of our own code, which no new connection mends. */
const isMistake = (error: unknown): boolean =>
  error instanceof SessionError ||
  error instanceof TypeError ||
  error instanceof RangeError ||
  error instanceof ReferenceError ||
  error instanceof SyntaxError ||
  !(error instanceof Error);

/** The driver's only words for it. */
const isUnencrypted = (error: unknown): boolean =>
  error instanceof Error && error.message === 'The server does not support SSL connections';

/**
 * The connection was lost, so that nobody knows whether what was sent has happened. Errors without a SQLSTATE are
 * the driver's and the network's.
 */
export function isLost(error: unknown): boolean {
  if (isMistake(error) || isDistrusted(error) || isUnencrypted(error)) return false;
  const state = sqlState(error);
  return state === undefined || state.startsWith('08') || endings.includes(state);
}

/** Nothing was written; the same transaction, run again, may succeed. */
export function isRace(error: unknown): boolean {
  const state = sqlState(error);
  return (
    state === states.serializationFailure || state === states.deadlock || state === states.lockNotAvailable
  );
}

/** Another connection may do better in a moment: a failover is under way, or there are too many of them. */
export function isPassing(error: unknown): boolean {
  const state = sqlState(error);
  return (
    isLost(error) ||
    isRace(error) ||
    state === states.readOnly ||
    state === states.tooManyConnections ||
    state === states.configurationLimit
  );
}

/** The connection is of no more use: it leads to a server that cannot write, or it is gone. */
export const isSpoilt = (error: unknown): boolean => isLost(error) || sqlState(error) === states.readOnly;

/** A pooler gave the transaction a session that knows nothing of the statements that were prepared. */
export function isForeignSession(error: unknown): boolean {
  const state = sqlState(error);
  return state === states.noSuchStatement || state === states.duplicateStatement;
}

/** As a server would answer that takes no writes. */
export const noPrimary = (): Error =>
  Object.assign(new Error('The server takes no writes.'), { severity: 'ERROR', code: states.readOnly });

export const isNoSuchTable = (error: unknown): boolean => sqlState(error) === states.noSuchTable;

/** The server is on its way up: worth waiting for, also by whoever has just been started with it. */
export const isStartingUp = (error: unknown): boolean => sqlState(error) === states.startingUp;

export const newerStore = (version: number, supportedVersion: number): SessionError =>
  new SessionError(
    'FAILED_PRECONDITION',
    'The session store in Postgres was written by a newer version of this program.',
    {
      hint: 'Update agent-sessions-mcp, or choose another database with --store.',
      details: { version, supportedVersion },
    },
  );

export const noPrivilege = (cause: unknown): SessionError =>
  new SessionError('FAILED_PRECONDITION', 'The user of the store may not do this in its database.', {
    hint: 'For the first start grant CREATE on the schema; later SELECT, INSERT, UPDATE and DELETE on the tables agent_sessions_*.',
    cause,
  });

export const outcomeUnknown = (cause: unknown): SessionError =>
  new SessionError('UNAVAILABLE', 'The connection to Postgres was lost at the moment of a commit.', {
    hint: 'The write may have happened: look before you repeat it without an id of your own.',
    retryAfter: 5,
    cause,
  });

/** What the driver reports, as an error for callers. A SessionError is returned as it is. */
export function postgresError(error: unknown, location: string): unknown {
  if (isMistake(error)) return error;
  if (isDistrusted(error))
    return distrusted(
      location,
      'Name the authority that signed it with sslrootcert=FILE in --store, and the host as the certificate does.',
      error,
    );
  if (isUnencrypted(error))
    return new SessionError('FAILED_PRECONDITION', `Postgres at ${location} does not encrypt connections.`, {
      hint: 'Turn ssl on in Postgres, or leave sslmode out of --store in a network that you trust.',
      cause: error,
    });
  const state = sqlState(error) ?? '';
  const because = (code: SessionError['code'], message: string, hint: string, retryAfter?: number) =>
    new SessionError(code, message, { hint, retryAfter, cause: error });
  if (state.startsWith('28'))
    return because(
      'FAILED_PRECONDITION',
      `Postgres refuses these credentials at ${location}.`,
      'Check user and password of --store or of the PG* variables, and pg_hba.conf of the server.',
    );
  switch (state) {
    case states.noSuchDatabase:
      return because(
        'FAILED_PRECONDITION',
        `The database of the store does not exist: ${location}.`,
        'Make it with createdb, or name another with --store.',
      );
    case states.noPrivilege:
    case states.noSuchSchema:
      return noPrivilege(error);
    case states.noSuchTable:
    case states.noSuchFunction:
      return because(
        'FAILED_PRECONDITION',
        'The tables of the store were dropped while it was in use.',
        'Restore them, or restart the server to begin with an empty store.',
      );
    case states.diskFull:
      return because(
        'RESOURCE_EXHAUSTED',
        'The disk of Postgres is full.',
        'Nothing was written. Make room on the disk, or delete sessions, and try again.',
      );
    case states.tooLongForIndex:
      return because(
        'INVALID_ARGUMENT',
        'The ids are too long for Postgres.',
        'Nothing was written. App, user and session, or the name below them, take 2,700 bytes together at most, and a letter beyond ASCII takes six to nine.',
      );
    case states.tooManyConnections:
    case states.configurationLimit:
      return because(
        'UNAVAILABLE',
        'Postgres has no connection left.',
        'Raise max_connections of the server, lower max= in --store, or put PgBouncer in front of it.',
        2,
      );
    case states.queryCanceled:
      return because(
        'UNAVAILABLE',
        'Postgres took too long for this call.',
        'Nothing was written. Try again in a moment; statement_timeout= in --store sets the limit in milliseconds.',
        2,
      );
    case states.readOnly:
      return because(
        'UNAVAILABLE',
        `Postgres takes no writes at ${location}.`,
        'It may be a standby that is about to take over. Try again in a moment.',
        2,
      );
  }
  if (isRace(error)) return busyStore(error);
  if (isLost(error)) return unreachable(location, error);
  if (state === '53200' || state.startsWith('54'))
    return because(
      'RESOURCE_EXHAUSTED',
      'The data is too large for Postgres.',
      'Nothing was written. Send less at once.',
    );
  if (state.startsWith('XX') || state.startsWith('58'))
    return because(
      'FAILED_PRECONDITION',
      'The database of the store is damaged or its disk reports an error.',
      'Look into the log of Postgres, and restore a backup if it says so.',
    );
  return new SessionError('INTERNAL', 'The session store reports an error.', { cause: error });
}

export const busyStore = (cause: unknown): SessionError =>
  new SessionError('UNAVAILABLE', 'The session store is busy.', {
    hint: 'Other servers are writing to it. Try again in a moment.',
    retryAfter: 1,
    cause,
  });

const unreachable = (location: string, cause: unknown): SessionError =>
  new SessionError('UNAVAILABLE', `Postgres cannot be reached at ${location}.`, {
    hint: 'Check that it is running and can be reached. The server connects again by itself: try again in a moment.',
    retryAfter: 2,
    cause,
  });
