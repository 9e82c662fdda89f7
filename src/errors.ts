import { escapeUnseen, preview } from './model/text.ts';

/** The codes of google.rpc.Code that callers of our tools can meet. Stable: clients may branch on them. */
export const errorCodes = [
  'NOT_FOUND',
  'ALREADY_EXISTS',
  'INVALID_ARGUMENT',
  'FAILED_PRECONDITION',
  'PERMISSION_DENIED',
  'UNAUTHENTICATED',
  'RESOURCE_EXHAUSTED',
  'ABORTED',
  'CANCELLED',
  'DEADLINE_EXCEEDED',
  'UNAVAILABLE',
  'UNIMPLEMENTED',
  'INTERNAL',
] as const;

export type ErrorCode = (typeof errorCodes)[number];

export interface SessionErrorOptions {
  /** One sentence: what the caller should do next. */
  hint?: string | undefined;
  /** Seconds after which the same call may succeed. */
  retryAfter?: number | undefined;
  /** Facts a program can act on, such as the current revision. Never text that a third party wrote. */
  details?: Record<string, string | number> | undefined;
  /** What really happened. Goes to the log, never to the caller. */
  cause?: unknown;
}

/**
 * The one error that is meant for callers. Message and hint are shown to a model as they stand, so they
 * hold no stack, path, token, upstream body or stored text.
 */
export class SessionError extends Error {
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  readonly retryAfter: number | undefined;
  readonly details: Record<string, string | number> | undefined;

  constructor(code: ErrorCode, message: string, options: SessionErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'SessionError';
    this.code = code;
    this.hint = options.hint;
    this.retryAfter = options.retryAfter;
    this.details = options.details;
  }
}

export function invalidArgument(message: string, hint?: string): SessionError {
  return new SessionError('INVALID_ARGUMENT', message, { hint });
}

/** A caller's own value, made safe to show back: quoted, what cannot be seen escaped, cut at 80 characters. */
export function quote(value: string): string {
  return escapeUnseen(JSON.stringify(preview(value, 80)));
}
