import { SessionError } from '../../errors.ts';
import { isObject } from '../../model/json.ts';
import { retryAfterOf } from '../../net/http.ts';
import { sessionExists, sessionNotFound } from '../shared/errors.ts';
import type { Dialect } from './dialects.ts';

export const service = 'ADK server';

/** The error for what ADK servers, or this one, cannot do. `what` completes "An ADK server cannot …". */
export function unsupported(what: string, hint: string): SessionError {
  return new SessionError('UNIMPLEMENTED', `An ADK server cannot ${what}.`, { hint });
}

export function notAdk(cause?: unknown): SessionError {
  return new SessionError('UNAVAILABLE', 'The server at the configured address is not an ADK API server.', {
    hint: 'Check the address and port of the ADK server; Go servers answer below /api.',
    cause,
  });
}

/** The error while nothing answers at the address, so that the dialect is unknown. */
export function notReachable(): SessionError {
  return new SessionError('UNAVAILABLE', 'The ADK server does not answer.', {
    hint: 'Check that it runs and that the configured address is right, then try again.',
  });
}

/** The error while a server answers whose dialect could not be detected. */
export function unknownServer(): SessionError {
  return new SessionError(
    'FAILED_PRECONDITION',
    'The implementation of the ADK API server could not be detected, so nothing was written.',
    { hint: 'Ask the operator to set ADK_DIALECT to typescript, python, go or java.' },
  );
}

/** The error for a session whose cancelled run continues on the server. */
export function runGoesOn(): SessionError {
  return new SessionError(
    'ABORTED',
    'The session is busy: a run that was cancelled here continues on the ADK server.',
    {
      hint: 'Follow the run with wait_for_events, and send the message when no more events come.',
      retryAfter: 5,
    },
  );
}

/**
 * Maps an error answer of a server. Its body serves to tell errors apart and goes to the log; callers get no text
 * from it.
 */
export function toError(
  dialect: Dialect,
  status: number,
  body: unknown,
  headers: Headers,
  text: string,
): SessionError {
  const cause = new Error(`HTTP ${status}: ${text.slice(0, 500)}`);
  if (status === 404) return isOtherServer(dialect, body, headers, text) ? notAdk(cause) : sessionNotFound();
  if (status >= 500 && dialect.existsText?.test(text)) return sessionExists();
  if (status >= 500 && dialect.missingText?.test(text)) return sessionNotFound();
  if (status >= 300 && status < 400) return notAdk(cause);
  const known = refusals[status];
  if (known !== undefined)
    return new SessionError(known.code, known.message, {
      hint: known.hint,
      retryAfter: retryAfterOf(headers),
      cause,
    });
  if (status < 500) return refused(cause);
  return new SessionError('INTERNAL', 'The ADK server failed on the request.', {
    hint: 'Read the log of the ADK server, which says why.',
    cause,
  });
}

function refused(cause: unknown): SessionError {
  return new SessionError('INVALID_ARGUMENT', 'The ADK server refused the request.', {
    hint: 'Check the arguments, and read the log of the ADK server, which says what is wrong.',
    cause,
  });
}

type Refusal = Pick<SessionError, 'code' | 'message' | 'hint'>;

const overloaded: Refusal = {
  code: 'UNAVAILABLE',
  message: 'The ADK server, or a proxy in front of it, is not ready.',
  hint: 'Try again later.',
};

const refusals: Record<number, Refusal> = {
  401: {
    code: 'UNAUTHENTICATED',
    message: 'The ADK server requires credentials.',
    hint: 'Ask the operator to set ADK_API_TOKEN.',
  },
  403: {
    code: 'PERMISSION_DENIED',
    message: 'The ADK server does not allow the request.',
    hint: 'Ask the operator to check ADK_API_TOKEN and the address of the ADK server; a local server may accept only its own host name.',
  },
  405: {
    code: 'UNIMPLEMENTED',
    message: 'This release of the ADK server does not support the request.',
    hint: 'Ask the operator to install a newer release of ADK.',
  },
  408: overloaded,
  409: {
    code: 'ABORTED',
    message: 'The ADK server refused the request because of another one, or of what is there already.',
    hint: 'Read the session with get_session, then repeat the request if it is still wanted.',
  },
  413: {
    code: 'RESOURCE_EXHAUSTED',
    message: 'The request is larger than the ADK server accepts.',
    hint: 'Send less at once, for example fileData instead of inlineData.',
  },
  429: {
    code: 'RESOURCE_EXHAUSTED',
    message: 'The ADK server, or a proxy in front of it, limits the rate of requests.',
    hint: 'Try again later.',
  },
  502: overloaded,
  503: overloaded,
  504: overloaded,
};

/** Whether a 404 comes from no ADK handler: a proxy's page, or the framework's answer to an unknown path. */
function isOtherServer(dialect: Dialect, body: unknown, headers: Headers, text: string): boolean {
  return (
    (dialect.refusesInJson && !isObject(body)) ||
    (headers.get('content-type') ?? '').startsWith('text/html') ||
    text.startsWith('404 page not found') ||
    (isObject(body) && body.detail === 'Not Found')
  );
}
