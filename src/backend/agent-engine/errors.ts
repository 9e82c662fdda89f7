import { type ErrorCode, errorCodes, SessionError } from '../../errors.ts';
import { isObject, type JsonObject } from '../../model/json.ts';
import { retryAfterOf } from '../../net/http.ts';

/**
 * An error answer of the service, for the log and for decisions in this backend; callers never see it. DebugInfo is
 * left out because it repeats the request with the user's data.
 */
export interface Refusal {
  httpStatus: number;
  status: string | undefined;
  message: string;
  /** Field paths of google.rpc.BadRequest. */
  fields: string[];
  /** google.rpc.ErrorInfo's reason, such as SERVICE_DISABLED. */
  reason: string | undefined;
}

export function refusalOf(error: unknown): Refusal | undefined {
  const cause = error instanceof SessionError ? error.cause : undefined;
  return isObject(cause) && typeof cause.httpStatus === 'number' ? (cause as unknown as Refusal) : undefined;
}

export interface ErrorContext {
  express: boolean;
  project: string | undefined;
}

/**
 * google.rpc codes by number. Failed operations have these instead of an HTTP status
 * (docs/protocols/agent-engine.md, "Operations").
 */
const rpcCodes: Record<number, string> = {
  1: 'CANCELLED',
  3: 'INVALID_ARGUMENT',
  4: 'DEADLINE_EXCEEDED',
  5: 'NOT_FOUND',
  6: 'ALREADY_EXISTS',
  7: 'PERMISSION_DENIED',
  8: 'RESOURCE_EXHAUSTED',
  9: 'FAILED_PRECONDITION',
  10: 'ABORTED',
  11: 'INVALID_ARGUMENT',
  12: 'UNIMPLEMENTED',
  14: 'UNAVAILABLE',
  16: 'UNAUTHENTICATED',
};

const httpCodes: Record<number, ErrorCode> = {
  400: 'INVALID_ARGUMENT',
  401: 'UNAUTHENTICATED',
  403: 'PERMISSION_DENIED',
  409: 'ABORTED',
  429: 'RESOURCE_EXHAUSTED',
  499: 'CANCELLED',
  501: 'UNIMPLEMENTED',
  504: 'DEADLINE_EXCEEDED',
};

/**
 * Maps an error answer, in google.rpc's envelope or without it, to an error for the caller
 * (docs/protocols/agent-engine.md, "Errors").
 */
export function toError(
  httpStatus: number,
  body: unknown,
  headers: Headers,
  context: ErrorContext,
): SessionError {
  // Streaming answers wrap the envelope in an array.
  const envelope = Array.isArray(body) ? (body[0] as unknown) : body;
  const error = isObject(envelope) && isObject(envelope.error) ? envelope.error : undefined;
  if (httpStatus >= 300 && httpStatus < 400)
    return new SessionError(
      'UNAVAILABLE',
      'Agent Engine answered with a redirect, which this server does not follow.',
      {
        hint: 'Ask the operator to check that AGENT_ENGINE_BASE_URL, if it is set, is the address of the service itself.',
        cause: {
          httpStatus,
          status: undefined,
          message: '',
          fields: [],
          reason: undefined,
        } satisfies Refusal,
      },
    );
  const refusal = readRefusal(httpStatus, error ?? {});
  const code = codeOf(refusal, error !== undefined);
  const retryAfter = retryAfterOf(headers) ?? retryDelayOf(error);
  if (code === 'FAILED_PRECONDITION') return agentError(refusal);
  return new SessionError(code, messageOf(code, refusal), {
    hint: hintOf(code, refusal, context),
    retryAfter,
    cause: refusal,
  });
}

/** Maps the error of an operation that ended with a failure. */
export function operationError(error: JsonObject, context: ErrorContext): SessionError {
  const status = rpcCodes[Number(error.code)] ?? 'INTERNAL';
  const refusal = { ...readRefusal(200, error), status };
  const code = codeOf(refusal, true);
  if (code === 'FAILED_PRECONDITION') return agentError(refusal);
  return new SessionError(code, messageOf(code, refusal), {
    hint: hintOf(code, refusal, context),
    cause: refusal,
  });
}

function readRefusal(httpStatus: number, error: JsonObject): Refusal {
  const details = (Array.isArray(error.details) ? (error.details as unknown[]) : []).filter(isObject);
  const of = (type: string) =>
    details.find((d) => typeof d['@type'] === 'string' && d['@type'].endsWith(type));
  const violations = of('google.rpc.BadRequest')?.fieldViolations;
  const reason = of('google.rpc.ErrorInfo')?.reason;
  return {
    httpStatus,
    status: typeof error.status === 'string' ? error.status : undefined,
    message: typeof error.message === 'string' ? error.message : '',
    fields: (Array.isArray(violations) ? (violations as unknown[]) : []).flatMap((violation) =>
      isObject(violation) && typeof violation.field === 'string' ? [violation.field] : [],
    ),
    reason: typeof reason === 'string' ? reason : undefined,
  };
}

function codeOf(refusal: Refusal, hasEnvelope: boolean): ErrorCode {
  const { httpStatus, status } = refusal;
  const known = errorCodes.find((code) => code === status);
  // INTERNAL means a fault of this server; a fault of the service is UNAVAILABLE.
  if (known !== undefined) return known === 'INTERNAL' ? 'UNAVAILABLE' : known;
  // A 404 without the envelope comes from another server, or from a path that the service does not have.
  if (httpStatus === 404) return hasEnvelope ? 'NOT_FOUND' : 'UNAVAILABLE';
  return httpCodes[httpStatus] ?? 'UNAVAILABLE';
}

function messageOf(code: ErrorCode, refusal: Refusal): string {
  const fields = refusal.fields.filter((field) => /^[A-Za-z0-9_.[\]]{1,100}$/.test(field)).slice(0, 5);
  const messages: Partial<Record<ErrorCode, string>> = {
    INVALID_ARGUMENT: `Agent Engine refused the request${fields.length === 0 ? '' : ` because of ${fields.join(', ')}`}.`,
    NOT_FOUND: 'Agent Engine did not find the object.',
    ALREADY_EXISTS: 'An object with this id already exists on Agent Engine.',
    UNAUTHENTICATED: 'Agent Engine refused the credentials.',
    PERMISSION_DENIED: 'The credentials do not allow this on Agent Engine.',
    RESOURCE_EXHAUSTED: 'A quota of Agent Engine is used up.',
    ABORTED: 'Agent Engine gave up because of another change at the same time.',
    CANCELLED: 'Agent Engine ended the call.',
    DEADLINE_EXCEEDED: 'Agent Engine took too long.',
    UNIMPLEMENTED: 'Agent Engine does not support this request.',
  };
  if (messages[code] !== undefined) return messages[code];
  return refusal.httpStatus === 404
    ? 'Agent Engine answered with a web page instead of data.'
    : 'Agent Engine failed to answer.';
}

function hintOf(code: ErrorCode, refusal: Refusal, context: ErrorContext): string {
  const project = /^[a-z0-9.:-]+$/.test(context.project ?? '') ? context.project : 'PROJECT_ID';
  if (code === 'UNAUTHENTICATED')
    return context.express
      ? 'Check that GOOGLE_API_KEY is a valid express mode key.'
      : 'Run `gcloud auth application-default login`, or renew the service account key, and call again.';
  if (code === 'PERMISSION_DENIED') {
    if (refusal.reason === 'SERVICE_DISABLED')
      return `Run \`gcloud services enable aiplatform.googleapis.com --project=${project}\`.`;
    if (refusal.reason === 'USER_PROJECT_DENIED')
      return `Run \`gcloud auth application-default set-quota-project ${project}\`.`;
    return `Run \`gcloud projects add-iam-policy-binding ${project} --member=user:ACCOUNT --role=roles/aiplatform.user\` with the account in use.`;
  }
  const hints: Partial<Record<ErrorCode, string>> = {
    INVALID_ARGUMENT: 'Check the arguments; describe_server says what this backend does not accept.',
    NOT_FOUND: 'Call list_apps or list_sessions to see what exists.',
    ALREADY_EXISTS: 'Use the existing one, or choose another id.',
    RESOURCE_EXHAUSTED: 'Quotas are per minute: wait a little and call again.',
    ABORTED: 'Read the session again and repeat the call.',
    DEADLINE_EXCEEDED: 'Try again later; after a write, check first whether it took effect.',
    UNIMPLEMENTED: 'Check the API version and the location; describe_server shows both.',
  };
  if (hints[code] !== undefined) return hints[code];
  return refusal.httpStatus === 404
    ? 'Check the location, the API version and AGENT_ENGINE_BASE_URL.'
    : 'Try again later; after a write, check first whether it took effect.';
}

/** google.rpc.RetryInfo: `"retryDelay": "3s"`. */
function retryDelayOf(error: JsonObject | undefined): number | undefined {
  const details = Array.isArray(error?.details) ? (error.details as unknown[]) : [];
  for (const detail of details) {
    const delay = isObject(detail) ? detail.retryDelay : undefined;
    const seconds = typeof delay === 'string' ? /^(\d+(\.\d+)?)s$/.exec(delay)?.[1] : undefined;
    if (seconds !== undefined) return Number(seconds);
  }
  return undefined;
}

/**
 * Maps FAILED_PRECONDITION, with which the service reports an agent's exception (docs/protocols/agent-engine.md,
 * "Errors"). The text may quote the answer of a service that the agent called: only its status is taken from there.
 */
export function agentError(refusal: Refusal): SessionError {
  const inner = /Exception: (\d{3}) ([A-Z_]{4,30})\b/.exec(refusal.message)?.[2];
  const code = errorCodes.find((known) => known === inner && known !== 'INTERNAL');
  if (code === undefined)
    return new SessionError(
      'FAILED_PRECONDITION',
      'Agent Engine refused the request in the present state of the object.',
      {
        hint: 'If the call ran an agent, the agent failed or lacks the class method: read the logs of the engine.',
        cause: refusal,
      },
    );
  return new SessionError(code, `A service that the agent called answered ${code}.`, {
    hint:
      code === 'NOT_FOUND'
        ? 'Call get_session to check that the session is in the same engine: the agent did not find it.'
        : 'Read the logs of the engine for what the agent called.',
    cause: refusal,
  });
}
