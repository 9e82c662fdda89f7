import { SessionError } from '../errors.ts';

/**
 * Which failures may be answered by sending the same request again: `read` any passing one; `idempotent` 429 and
 * 503; `quota` only 429, which was refused before it ran; `none`. A request that never left may always go again,
 * except with `none`. Kept by hand, because whether a repetition may do harm is knowledge of each single request
 * that no library has.
 */
export type Retry = 'read' | 'idempotent' | 'quota' | 'none';

/** How an attempt failed. */
export interface Failure {
  /** 0: no answer. */
  status: number;
  error: SessionError;
  /** Whether the service may have seen the request. */
  sent: boolean;
  /** Trying again is of no use. */
  final?: boolean;
}

// Some services answer 500 to what will never succeed; the backend's `toError` then knows better than the status.
const finalCodes: readonly string[] = ['CANCELLED', 'NOT_FOUND', 'ALREADY_EXISTS', 'FAILED_PRECONDITION'];

export function mayRetry(retry: Retry, { status, error, sent, final }: Failure): boolean {
  if (retry === 'none' || final === true || finalCodes.includes(error.code)) return false;
  if (status === 429 || (!sent && isPassing(error))) return true;
  if (retry === 'quota') return false;
  if (status === 503) return true;
  if (retry !== 'read') return false;
  return status === 0 ? isPassing(error) : [408, 500, 502, 504].includes(status);
}

/** Milliseconds before the next attempt: what the service asked for, else doubling, with jitter against herds. */
export function pauseBefore(attempt: number, error: SessionError): number {
  return error.retryAfter === undefined
    ? Math.random() * Math.min(8000, 500 * 2 ** attempt)
    : error.retryAfter * 1000;
}

/** Without an answer: the network may heal, missing credentials will not appear. */
export function isPassing(error: SessionError): boolean {
  return error.code === 'UNAVAILABLE' || error.code === 'DEADLINE_EXCEEDED';
}

// The library says ABORTED of a proxy that refuses a tunnel; what a signal ends has the reason of the signal.
const beforeSending =
  /^(ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|UND_ERR_CONNECT_TIMEOUT|UND_ERR_PRX|UND_ERR_ABORTED|ERR_TLS|CERT_|SELF_SIGNED|DEPTH_ZERO|UNABLE_TO)/;

/** Whether sending failed before anything of the request could reach the service: no connection was made. */
export const failedToConnect = (error: unknown): boolean => beforeSending.test(codeOf(error));

/** Whether a request is none that HTTP can carry, most often because of a header with characters that it has no place for. */
export const isUnsendable = (error: unknown): boolean => codeOf(error) === 'UND_ERR_INVALID_ARG';

const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error ? String(error.code) : '';

/** Refusals after which a write has surely not happened. */
const refused: readonly string[] = [
  'INVALID_ARGUMENT',
  'NOT_FOUND',
  'ALREADY_EXISTS',
  'FAILED_PRECONDITION',
  'PERMISSION_DENIED',
  'UNAUTHENTICATED',
  'ABORTED',
  'UNIMPLEMENTED',
];

export const isRefusal = (error: SessionError): boolean => refused.includes(error.code);

/** Whether the service may have carried out a request that failed so. */
export const mayHaveRun = ({ status, error, sent }: Failure): boolean =>
  sent && (status === 0 || status === 408 || status >= 500) && !isRefusal(error);

/**
 * What `read` makes of the answer to a write.
 * @throws SessionError when the answer is not what it should be; it says that the change may have been made
 */
export function readWritten<T>(lookWith: string | undefined, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw error instanceof SessionError ? lostAnswer(error, lookWith) : error;
  }
}

/** The error of a write whose answer was lost. Repeating it blindly could do it twice. */
export function lostAnswer(error: SessionError, lookWith: string | undefined): SessionError {
  return new SessionError(error.code, `${error.message} The change may have been made anyway.`, {
    hint: `Check with ${lookWith ?? 'a tool that reads it'} whether it was made before you repeat it.`,
    retryAfter: error.retryAfter,
    details: { ...error.details, outcome: 'unknown' },
    cause: error.cause,
  });
}
