import { isUtf8 } from 'node:buffer';
import {
  type McpServer,
  ResourceNotFoundError,
  ResourceTemplate,
  type ServerContext,
} from '@modelcontextprotocol/server';
import { type Owner, required, type SessionRef } from '../../backend/types.ts';
import { SessionError } from '../../errors.ts';
import { isTextType } from '../../model/artifact.ts';
import { fitItems, fitTo } from '../../model/budget.ts';
import type { Principal } from '../../model/principal.ts';
import { hasUnseen } from '../../model/text.ts';
import { parseUri, sessionUri } from '../../model/uri.ts';
import { withDeadline } from '../../net/deadline.ts';
import { callMsOf } from '../../tools/call.ts';
import type { ServerDeps } from './deps.ts';
import { toSessionError, visibleJson } from './results.ts';

/** Most sessions that resources/list and completion show, since the SDK cannot page them. */
const listed = 50;
const completions = 100;
/** Most events and bytes of one read: a resource cannot be read in parts. */
const readEvents = 100;
const readBytes = 200_000;

/**
 * Registers sessions, their latest events and their artifacts of the default backend as resources. An address contains
 * no user: it means the reader's own session, so that nobody can read or subscribe to another's.
 */
export function registerResources(server: McpServer, deps: ServerDeps, principal: Principal): void {
  const backend = deps.backends[0];
  if (backend?.sessions?.get === undefined) return;
  const owner = ownerOf(deps, principal);
  const complete = {
    app: (value: string) => completeApps(deps, principal, value),
    sessionId: (value: string, context?: { arguments?: Record<string, string> }) =>
      completeSessions(deps, principal, value, context?.arguments?.app),
  };
  const readUri = (uri: URL, _variables: unknown, { mcpReq }: ServerContext) =>
    read(deps, principal, uri.href, mcpReq.signal);
  const list = async ({ mcpReq: { method, signal } }: ServerContext) => ({
    resources: (await answer(deps, method, () => recentSessions(deps, owner, listed), signal)).map(
      (session) => ({
        uri: sessionUri({ app: session.app, sessionId: session.id }),
        name: session.id,
        title: session.displayName,
        mimeType: 'application/json',
        annotations: { lastModified: session.updateTime },
      }),
    ),
  });
  const json = 'application/json';
  server.registerResource(
    'session',
    new ResourceTemplate('session://{app}/{sessionId}', { list, complete }),
    { title: 'Session', description: 'A session with its state', mimeType: json },
    readUri,
  );
  server.registerResource(
    'session-events',
    new ResourceTemplate('session://{app}/{sessionId}/events', { list: undefined, complete }),
    {
      title: 'Events of a session',
      description: `The latest ${readEvents} events, oldest first`,
      mimeType: json,
    },
    readUri,
  );
  server.registerResource(
    'session-artifact',
    new ResourceTemplate('session://{app}/{sessionId}/artifacts/{name}', { list: undefined, complete }),
    { title: 'Artifact of a session', description: 'The latest version of a file' },
    readUri,
  );
}

function ownerOf(deps: ServerDeps, principal: Principal): Owner {
  return { app: deps.backends[0]?.defaultApp ?? deps.defaultApp, userId: principal.userId };
}

/** The reader's session that an address means; undefined for an address that this server does not have. */
export function sessionOf(uri: string, principal: Principal): SessionRef | undefined {
  const address = parseUri(uri);
  return address && { app: address.app, sessionId: address.sessionId, userId: principal.userId };
}

async function read(deps: ServerDeps, principal: Principal, uri: string, signal: AbortSignal) {
  const address = parseUri(uri);
  const ref = sessionOf(uri, principal);
  if (address === undefined || ref === undefined) throw new ResourceNotFoundError(uri);
  const readContents = async () =>
    address.kind === 'artifact'
      ? await readArtifact(deps, ref, address.name ?? '')
      : await readJson(deps, ref, address.kind);
  const contents = await answer(deps, 'resources/read', readContents, signal, uri);
  return { contents: [{ uri, ...contents }] };
}

/**
 * Asks the backend, with the deadline of a tool call, and reports failures in the words of a tool.
 * @param uri the resource that a NOT_FOUND is about
 */
async function answer<T>(
  deps: ServerDeps,
  method: string,
  ask: () => Promise<T>,
  signal?: AbortSignal,
  uri?: string,
): Promise<T> {
  try {
    return await withDeadline({ ms: callMsOf(deps), signal }, ask);
  } catch (error) {
    const { code, message } = toSessionError(error, deps.log, method);
    if (uri !== undefined && (code === 'NOT_FOUND' || code === 'INVALID_ARGUMENT'))
      throw new ResourceNotFoundError(uri);
    throw new Error(`${code}: ${message}`);
  }
}

async function readJson(deps: ServerDeps, ref: SessionRef, kind: 'session' | 'events') {
  const backend = backendOf(deps);
  if (kind === 'session') {
    const session = await required(backend.sessions?.get, backend, 'get a session')(ref);
    const { value, truncated } = fitTo(session, readBytes, 'get_session with view: "full" has all');
    return asJson({ session: value, truncated: truncated || undefined });
  }
  const list = required(backend.events?.list, backend, 'list events');
  const page = await list(ref, { pageSize: readEvents, order: 'desc' });
  const { value, truncated } = fitItems(page.items, readBytes, readBytes / 10, 'get_event has all');
  const earlierEvents = page.cursor !== undefined || value.length < page.items.length;
  return asJson({ events: value.reverse(), earlierEvents, truncated });
}

const asJson = (value: unknown) => ({ mimeType: 'application/json', text: visibleJson(value) });

async function readArtifact(deps: ServerDeps, ref: SessionRef, name: string) {
  const backend = backendOf(deps);
  const { artifact, data } = await required(backend.artifacts?.get, backend, 'get an artifact')(ref, name);
  const { mimeType } = artifact;
  // A file is not escaped, so a text with invisible or forbidden characters is sent as bytes.
  const text = isTextType(mimeType) && isUtf8(data) ? data.toString('utf8') : undefined;
  return text === undefined || hasUnseen(text)
    ? { mimeType, blob: data.toString('base64') }
    : { mimeType, text };
}

function backendOf(deps: ServerDeps) {
  const backend = deps.backends[0];
  if (backend === undefined) throw new SessionError('FAILED_PRECONDITION', 'No backend is configured.');
  return backend;
}

async function recentSessions(deps: ServerDeps, owner: Owner, pageSize: number) {
  const list = deps.backends[0]?.sessions?.list;
  if (list === undefined) return [];
  return (await list({ ...owner, pageSize })).items;
}

const completion = 'completion/complete';

export async function completeSessions(
  deps: ServerDeps,
  principal: Principal,
  value: string,
  app?: string,
): Promise<string[]> {
  const owner = ownerOf(deps, principal);
  const sessions = await answer(deps, completion, () =>
    recentSessions(deps, { ...owner, app: app ?? owner.app }, completions),
  );
  return sessions.map((session) => session.id).filter((id) => id.startsWith(value));
}

async function completeApps(deps: ServerDeps, principal: Principal, value: string): Promise<string[]> {
  const list = deps.backends[0]?.apps?.list;
  if (list === undefined) return [];
  const userId = principal.admin ? undefined : principal.userId;
  const { items } = await answer(deps, completion, () => list({ pageSize: completions, userId }));
  return items.map((app) => app.name).filter((name) => name.startsWith(value));
}
