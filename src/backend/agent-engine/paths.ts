import { invalidArgument } from '../../errors.ts';
import { path } from '../../net/url.ts';

/** Where the API is reached, as every path and every quota depends on it. */
export interface Endpoint {
  /** Scheme and host, and the path of `baseUrl` if it has one. */
  origin: string;
  version: 'v1' | 'v1beta1';
  /** Path below which engines are: `/v1beta1/projects/P/locations/L`, or `/v1beta1` in express mode. */
  parent: string;
  project: string | undefined;
  location: string;
  /** With an API key and short names, without project and location. */
  express: boolean;
  /** On this machine: an emulator that has neither quotas nor a use for real credentials. */
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
 * The service's own rule (docs/protocols/agent-engine.md, Sessions), checked here so that no other text ever
 * gets into a path.
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

/** A path as the resource name that requests hold. */
export const nameOf = (endpoint: Endpoint, resourcePath: string): string =>
  resourcePath.slice(endpoint.version.length + 2);

/** The id at the end of a resource name. */
export const lastSegment = (name: unknown): string =>
  typeof name === 'string' ? name.slice(name.lastIndexOf('/') + 1) : '';

/** The id of what an operation works on, in the operation's name; empty where that does not say. */
export const idIn = (operation: string, collection: 'sessions' | 'memories' | 'reasoningEngines'): string =>
  new RegExp(`/${collection}/([^/]+)/operations/`).exec(operation)?.[1] ?? '';

/**
 * The path to poll an operation by the name it came with. Names are the service's, yet no more than what
 * looks like one is put into a path (docs/protocols/agent-engine.md, Operations).
 */
export function operationPath(endpoint: Endpoint, name: unknown): string | undefined {
  const shape =
    /^(projects\/[\w.:-]+\/locations\/[\w-]+\/)?(reasoningEngines\/[\w-]+\/((sessions|memories)\/[\w-]+\/)?)?operations\/[\w-]+$/;
  if (typeof name !== 'string' || !shape.test(name)) return undefined;
  return name.split('/').reduce((url, part) => url + path`/${part}`, `/${endpoint.version}`);
}
