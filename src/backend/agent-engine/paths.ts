import { invalidArgument } from '../../errors.ts';
import { path } from '../../net/url.ts';

/** The address of the API. Paths and quotas depend on it. */
export interface Endpoint {
  /** Scheme and host, and the path of `baseUrl` if it has one. */
  origin: string;
  version: 'v1' | 'v1beta1';
  /** The path above the engines: `/v1beta1/projects/P/locations/L`, or `/v1beta1` in express mode. */
  parent: string;
  project: string | undefined;
  location: string;
  /** Express mode: an API key, and paths without project and location. */
  express: boolean;
  /** Whether the address is on this machine: an emulator, which has no quotas and needs no credentials. */
  loopback: boolean;
}

/** @throws SessionError INVALID_ARGUMENT */
export function checkEngineId(app: string): string {
  if (!/^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$/.test(app))
    throw invalidArgument(
      'The app is not an Agent Engine id.',
      'Pass the id at the end of the engine’s resource name, as list_apps shows it.',
    );
  return app;
}

const resourceId = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;

/**
 * Checks an id by the service's own rule (docs/protocols/agent-engine.md, "Sessions"), so that no other text gets
 * into a path.
 * @throws SessionError INVALID_ARGUMENT
 */
export function checkSessionId(sessionId: string): string {
  if (!resourceId.test(sessionId))
    throw invalidArgument(
      'Agent Engine does not allow this sessionId.',
      'Use 1 to 63 lowercase letters, digits and hyphens, a letter first and no hyphen last.',
    );
  return sessionId;
}

/** @throws SessionError INVALID_ARGUMENT */
function checkMemoryId(memoryId: string): string {
  if (!resourceId.test(memoryId))
    throw invalidArgument(
      'memoryId is not the id of an Agent Engine memory.',
      'Pass the id exactly as list_memories or search_memory returned it.',
    );
  return memoryId;
}

export const enginePath = (endpoint: Endpoint, app: string): string =>
  endpoint.parent + path`/reasoningEngines/${checkEngineId(app)}`;

export const sessionPath = (endpoint: Endpoint, ref: { app: string; sessionId: string }): string =>
  enginePath(endpoint, ref.app) + path`/sessions/${checkSessionId(ref.sessionId)}`;

export const memoryPath = (endpoint: Endpoint, app: string, memoryId: string): string =>
  enginePath(endpoint, app) + path`/memories/${checkMemoryId(memoryId)}`;

/** The resource name of a path, as requests contain it. */
export const nameOf = (endpoint: Endpoint, resourcePath: string): string =>
  resourcePath.slice(endpoint.version.length + 2);

/** The id at the end of a resource name. */
export const lastSegment = (name: unknown): string =>
  typeof name === 'string' ? name.slice(name.lastIndexOf('/') + 1) : '';

/** The id of the object that an operation changes, from the operation's name; empty when the name has none. */
export const idIn = (operation: string, collection: 'sessions' | 'memories' | 'reasoningEngines'): string =>
  new RegExp(`/${collection}/([^/]+)/operations/`).exec(operation)?.[1] ?? '';

/**
 * The path to poll an operation (docs/protocols/agent-engine.md, "Operations"). Undefined for a name that is not an
 * operation's, so that an answer cannot put another text into a path.
 */
export function operationPath(endpoint: Endpoint, name: unknown): string | undefined {
  const shape =
    /^(projects\/[\w.:-]+\/locations\/[\w-]+\/)?(reasoningEngines\/[\w-]+\/((sessions|memories)\/[\w-]+\/)?)?operations\/[\w-]+$/;
  if (typeof name !== 'string' || !shape.test(name)) return undefined;
  return name.split('/').reduce((url, part) => url + path`/${part}`, `/${endpoint.version}`);
}
