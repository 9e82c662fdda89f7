import { SessionError } from '../../errors.ts';
import { distrusted, isDistrusted } from '../certificate.ts';

/** What a server answers with instead of a result begins with a code in capitals. */
const codeOf = (error: unknown): string | undefined =>
  error instanceof Error ? /^([A-Z]{2,}) /.exec(`${error.message} `)?.[1] : undefined;

/** The server is up and will answer later: it loads its data, runs a long script, or fails over. */
const later = ['LOADING', 'BUSY', 'TRYAGAIN', 'MASTERDOWN', 'CLUSTERDOWN', 'UNBLOCKED'];
const refused = ['NOPERM', 'NOAUTH', 'WRONGPASS'];

/**
 * Whether the same call may succeed in a moment: the connection is down, or the server is not ready. Every other
 * answer of the server is final.
 */
export function isPassing(error: unknown): boolean {
  if (isDistrusted(error)) return false;
  const code = codeOf(error);
  return code === undefined ? !isReply(error) : later.includes(code) || code === 'READONLY';
}

/** The connection leads to a server that has become a replica: a new one may lead to its successor. */
export const isReadOnly = (error: unknown): boolean => codeOf(error) === 'READONLY';

export const isUnknownScript = (error: unknown): boolean => codeOf(error) === 'NOSCRIPT';

/** The server lets nobody in with these credentials, so that waiting does not help. */
export const isRefusal = (error: unknown): boolean =>
  refused.includes(codeOf(error) ?? '') ||
  // Of a command within a script there is no code.
  (isReply(error) && /user executing the script can't/.test(String(error)));

/** The driver names its classes of errors, but has a copy of them in every version that is loaded. */
const replies = new Set(['ErrorReply', 'SimpleError', 'BlobError', 'MultiErrorReply']);
const isReply = (error: unknown): boolean => error instanceof Error && replies.has(error.constructor.name);

export function unreachable(location: string, cause: unknown): SessionError {
  return new SessionError('UNAVAILABLE', `The session store cannot be reached at ${location}.`, {
    hint: 'Check that Redis is running and can be reached. The server connects again by itself: try again in a moment. A write that was under way may have happened, so look before you repeat it without an id of your own.',
    retryAfter: 2,
    cause,
  });
}

export const crowded = (cause?: unknown): SessionError =>
  new SessionError('UNAVAILABLE', 'The session store is busy.', {
    hint: 'Other servers are writing to it. Try again in a moment.',
    retryAfter: 1,
    cause,
  });

/** What the driver reports, as an error for callers. A SessionError is returned as it is. */
export function redisError(error: unknown, location: string): unknown {
  if (error instanceof SessionError) return error;
  if (isDistrusted(error))
    return distrusted(
      location,
      'Name the file of the authority that signed it with the variable NODE_EXTRA_CA_CERTS, and the host as the certificate does.',
      error,
    );
  const code = codeOf(error);
  if (isRefusal(error))
    return new SessionError('FAILED_PRECONDITION', `Redis at ${location} refuses these credentials.`, {
      hint: 'Check user and password of --store, and that the user may run scripts, read and write the keys of the store.',
      cause: error,
    });
  if (code === 'OOM')
    return new SessionError('RESOURCE_EXHAUSTED', 'The memory of the session store is full.', {
      hint: 'Raise maxmemory of Redis, or delete sessions, and try again. Nothing was written.',
      cause: error,
    });
  if (code === 'MISCONF')
    return new SessionError('UNAVAILABLE', 'Redis cannot save to its disk and takes no writes.', {
      hint: 'Look for the cause in the log of Redis, then try again. Nothing was written.',
      retryAfter: 5,
      cause: error,
    });
  if (code === 'NOREPLICAS')
    return new SessionError('UNAVAILABLE', 'Redis has too few replicas and takes no writes.', {
      hint: 'Bring its replicas back, then try again. Nothing was written.',
      retryAfter: 5,
      cause: error,
    });
  if (code === 'WRONGTYPE')
    return new SessionError('FAILED_PRECONDITION', 'Keys of the session store hold something else.', {
      hint: 'Another program writes under the same prefix: choose another with ?prefix= in --store.',
      cause: error,
    });
  if (isPassing(error)) return unreachable(location, error);
  return new SessionError('INTERNAL', 'The session store reports an error.', { cause: error });
}
