import { SessionError } from '../../errors.ts';
import { isObject } from '../../model/json.ts';
import { retryAfterOf } from '../../net/http.ts';
import { artifactNotFound, eventNotFound, sessionNotFound } from '../shared/errors.ts';

type Role = 'agent_viewer' | 'agent_user' | 'agent_developer' | 'agent_administrator';

interface Operation {
  /** Completes the sentence "The credentials may not …". */
  does: string;
  /** The lowest roles that suffice, any one of them (docs/protocols/vectara.md, "Access"). */
  roles: readonly Role[];
  missing: 'agent' | 'session' | 'event' | 'artifact';
  /** For writes: the tool that shows whether one took effect whose answer was lost. */
  look?: string;
}

/** The operations of Vectara's API that this backend uses. The names are ours. */
const operations = {
  listAgents: { does: 'list agents', roles: ['agent_viewer'], missing: 'agent' },
  getAgent: { does: 'read an agent', roles: ['agent_viewer'], missing: 'agent' },
  createSession: { does: 'create sessions', roles: ['agent_user'], missing: 'agent', look: 'list_sessions' },
  listSessions: { does: 'list sessions', roles: ['agent_viewer'], missing: 'agent' },
  getSession: { does: 'read a session', roles: ['agent_user', 'agent_viewer'], missing: 'session' },
  updateSession: {
    does: 'change a session',
    roles: ['agent_developer'],
    missing: 'session',
    look: 'get_session',
  },
  deleteSession: {
    does: 'delete a session',
    roles: ['agent_developer'],
    missing: 'session',
    look: 'list_sessions',
  },
  interact: { does: 'talk to the agent', roles: ['agent_user'], missing: 'session', look: 'list_events' },
  listEvents: { does: 'list events', roles: ['agent_viewer'], missing: 'session' },
  getEvent: { does: 'read an event', roles: ['agent_viewer'], missing: 'event' },
  hideEvent: {
    does: 'hide or show an event',
    roles: ['agent_developer'],
    missing: 'event',
    look: 'get_event',
  },
  deleteEvent: {
    does: 'delete an event',
    roles: ['agent_administrator'],
    missing: 'event',
    look: 'list_events',
  },
  listToolCalls: { does: 'list outstanding tool calls', roles: ['agent_user'], missing: 'session' },
  listArtifacts: { does: 'list artifacts', roles: ['agent_viewer'], missing: 'session' },
  getArtifact: { does: 'read an artifact', roles: ['agent_viewer'], missing: 'artifact' },
} as const satisfies Record<string, Operation>;

export type OperationName = keyof typeof operations;

export const lookWith = (name: OperationName): string | undefined => (operations[name] as Operation).look;

/** One error for an object that does not exist and for another user's, so that nobody can tell them apart. */
export function notFound(what: Operation['missing']): SessionError {
  return missing[what]();
}

const missing: Record<Operation['missing'], () => SessionError> = {
  agent: () =>
    new SessionError('NOT_FOUND', 'The agent does not exist at Vectara.', {
      hint: 'Call list_apps to see which agents exist.',
    }),
  session: sessionNotFound,
  event: eventNotFound,
  artifact: artifactNotFound,
};

/**
 * Maps an error of Vectara, whatever the operation (docs/protocols/vectara.md, "Errors"). An error body may hold
 * text of third parties: only the request id and names of fields are taken from it, and only if they look like
 * an id and like names.
 */
export function toError(status: number, body: unknown, headers: Headers): SessionError {
  const known = knownOf(status, body);
  const fields = fieldNames(body);
  const requestId = isObject(body) ? plainName(body.request_id) : undefined;
  return new SessionError(known.code, known.message, {
    hint: known.hint,
    retryAfter: status === 429 || status >= 500 ? waitOf(headers) : undefined,
    details: {
      status,
      ...(requestId === undefined ? {} : { requestId }),
      ...(fields.length === 0 ? {} : { fields: fields.join(', ') }),
    },
    cause: body,
  });
}

function knownOf(status: number, body: unknown): Known {
  // Vectara's own 404 is an object. A proxy or another server answers a web page, which says nothing of the session.
  if (status === 404 && !isObject(body)) return otherServer;
  return byStatus[status] ?? (status < 400 ? redirected : status < 500 ? refused : failed);
}

type Known = { code: SessionError['code']; message: string; hint: string };

const byStatus: Record<number, Known> = {
  400: {
    code: 'INVALID_ARGUMENT',
    message: 'Vectara refused the request as invalid.',
    hint: 'Check the arguments; details.fields names the ones that Vectara refused, if Vectara named any.',
  },
  401: {
    code: 'UNAUTHENTICATED',
    message: 'Vectara refused the credentials.',
    hint: 'Ask the operator to check the API key or the OAuth client for Vectara.',
  },
  403: {
    code: 'PERMISSION_DENIED',
    message: 'The credentials for Vectara lack a role.',
    hint: 'Ask the operator for credentials with more rights.',
  },
  // `forOperation` replaces it by an error that names the kind of object.
  404: {
    code: 'NOT_FOUND',
    message: 'Vectara does not know this object.',
    hint: 'Check the id with the tool that lists such objects.',
  },
  408: {
    code: 'DEADLINE_EXCEEDED',
    message: 'Vectara ended the request because it took too long.',
    hint: 'Try again later.',
  },
  409: {
    code: 'ABORTED',
    message: 'The session is busy: its agent works on an earlier message.',
    hint: 'Call wait_for_events and try again; or call query with classMethod "input_message" and input {sessionId, text, since: "start", behavior: "steer" or "follow_up"}, which queues the text; or with classMethod "interrupt", which ends the run.',
  },
  413: {
    code: 'INVALID_ARGUMENT',
    message: 'The request is larger than Vectara accepts.',
    hint: 'Send smaller files or fewer of them.',
  },
  422: {
    code: 'FAILED_PRECONDITION',
    message: "The agent's configuration at Vectara is broken, so it cannot run.",
    hint: "Ask the agent's owner to check the templates of its instructions and tool descriptions.",
  },
  429: {
    code: 'RESOURCE_EXHAUSTED',
    message: 'Vectara limits the rate of requests.',
    hint: 'Wait for retryAfter seconds, or a minute, and try again.',
  },
  502: {
    code: 'UNAVAILABLE',
    message: 'Vectara cannot reach the machine that holds the session.',
    hint: 'Try again later; it may be back soon.',
  },
};

const otherServer: Known = {
  code: 'UNAVAILABLE',
  message: 'The address for Vectara answers as something other than Vectara’s API.',
  hint: 'Ask the operator to set the address of the API itself.',
};
const redirected: Known = {
  code: 'UNAVAILABLE',
  message: 'The address for Vectara answers with a redirect, which this server does not follow.',
  hint: 'Ask the operator to set the address of the API itself.',
};
const refused: Known = {
  code: 'FAILED_PRECONDITION',
  message: 'Vectara refused the request.',
  hint: 'Check the arguments; details.status holds the HTTP status.',
};
const failed: Known = {
  code: 'UNAVAILABLE',
  message: 'Vectara failed to answer.',
  hint: 'Try again later.',
};

/** Adds to an error what the operation tells: which role, or which kind of object, is missing. */
export function forOperation(error: SessionError, name: OperationName): SessionError {
  const operation: Operation = operations[name];
  if (error.code === 'NOT_FOUND') return notFound(operation.missing);
  if (error.code !== 'PERMISSION_DENIED') return error;
  return new SessionError('PERMISSION_DENIED', `The credentials for Vectara may not ${operation.does}.`, {
    hint: `Ask the operator to grant the role ${operation.roles.join(' or ')} on this agent, or a higher one.`,
    details: error.details,
    cause: error.cause,
  });
}

const plainName = (value: unknown): string | undefined =>
  typeof value === 'string' && /^[A-Za-z0-9_.:-]{1,80}$/.test(value) ? value : undefined;

function fieldNames(body: unknown): string[] {
  if (!isObject(body) || !isObject(body.field_errors)) return [];
  return Object.keys(body.field_errors)
    .slice(0, 10)
    .filter((name) => /^[a-z_][a-z0-9_.]{0,49}$/.test(name));
}

/** Seconds to wait, from the headers that Vectara's own client reads (docs/protocols/vectara.md, "Errors"). */
function waitOf(headers: Headers): number | undefined {
  const ms = Number(headers.get('retry-after-ms') ?? Number.NaN);
  if (Number.isFinite(ms) && ms >= 0) return ms / 1000;
  const reset = Number(headers.get('x-ratelimit-reset') ?? Number.NaN);
  // Seconds since the epoch.
  const left = Number.isFinite(reset) ? Math.max(0, reset - Date.now() / 1000) : undefined;
  return retryAfterOf(headers) ?? left;
}
