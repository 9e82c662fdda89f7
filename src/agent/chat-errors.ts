import { SessionError } from '../errors.ts';

/** What the client library's error says about a failed request. */
interface Failed {
  statusCode?: unknown;
  responseHeaders?: unknown;
}

/**
 * The error of a chat-completions endpoint in our words. What the endpoint wrote stays in the cause, for the
 * log: it may hold keys and prompts.
 */
export function chatError(error: unknown): SessionError {
  if (error instanceof SessionError) return error;
  const status = statusOf(error);
  if (status === 401 || status === 403)
    return new SessionError('FAILED_PRECONDITION', 'The model’s endpoint refuses this server’s key.', {
      hint: 'Ask the operator to check the key: apiKeyEnv in the file of --config names the variable that holds it.',
      cause: error,
    });
  if (status === 404)
    return new SessionError(
      'FAILED_PRECONDITION',
      'The model’s endpoint does not know the address or the model.',
      {
        hint: 'Ask the operator to check baseUrl and model in the file of --config.',
        cause: error,
      },
    );
  if (status === 429)
    return new SessionError('RESOURCE_EXHAUSTED', 'The model’s endpoint limits the rate of requests.', {
      hint: 'Send the message again later; with the same invocationId it is stored once.',
      retryAfter: retryAfterOf(error),
      cause: error,
    });
  if (status !== undefined && status >= 400 && status < 500)
    return new SessionError('FAILED_PRECONDITION', 'The model’s endpoint refuses the request.', {
      hint: 'The history may be too long for the model, or contain something it does not accept; the operator’s log has the reason.',
      cause: error,
    });
  return new SessionError('UNAVAILABLE', 'The model’s endpoint cannot be reached, or broke off its answer.', {
    hint: 'Send the message again; with the same invocationId it is stored once.',
    cause: error,
  });
}

/** Whether the request can be sent again: it was refused for now, or never arrived. */
export function mayRetry(error: unknown): boolean {
  const status = statusOf(error);
  if (status !== undefined) return status === 408 || status === 429 || status >= 500;
  return typeof error === 'object' && error !== null && 'isRetryable' in error && error.isRetryable === true;
}

/** Whether the endpoint refused the request for what it holds, such as a file that the model cannot take. */
export function refusesContent(error: unknown): boolean {
  return [400, 413, 415, 422].includes(statusOf(error) ?? 0);
}

function statusOf(error: unknown): number | undefined {
  const status = (error as Failed | null | undefined)?.statusCode;
  return typeof status === 'number' ? status : undefined;
}

/** Seconds of a Retry-After header, which may also hold a date. */
export function retryAfterOf(error: unknown): number | undefined {
  const headers = (error as Failed | null | undefined)?.responseHeaders;
  const value = (headers as Record<string, string> | undefined)?.['retry-after'];
  if (value === undefined) return undefined;
  const seconds = /^\d+$/.test(value) ? Number(value) : (Date.parse(value) - Date.now()) / 1000;
  return Number.isFinite(seconds) ? Math.max(0, Math.ceil(seconds)) : undefined;
}
