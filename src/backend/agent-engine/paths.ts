import { invalidArgument, quote } from '../../errors.ts';
import { checkBaseUrl, path } from '../../net/url.ts';

/** Where on Google's side the engines are, as the operator names it (agent-engine-api.md §5). */
export interface PlaceConfig {
  /** Project id or number. */
  project?: string | undefined;
  /** A region, or `global`, `us`, `eu`. Default us-central1. */
  location?: string | undefined;
  apiKey?: string | undefined;
  apiVersion?: string | undefined;
  /** Replaces Google's host: an emulator, a proxy, a test. Plain http only on loopback. */
  baseUrl?: string | undefined;
}

export interface Place {
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

const versions = ['v1beta1', 'v1'] as const;

/** @throws SessionError INVALID_ARGUMENT */
export function placeOf(config: PlaceConfig): Place {
  const version = versions.find((v) => v === (config.apiVersion ?? 'v1beta1'));
  if (version === undefined)
    throw invalidArgument(
      `The API version ${quote(config.apiVersion ?? '')} is not known.`,
      'Set AGENT_ENGINE_API_VERSION to v1beta1 or v1.',
    );
  const express = config.project === undefined && config.apiKey !== undefined;
  // Only v1beta1 has the short names (agent-engine-api.md §5).
  if (express && version === 'v1')
    throw invalidArgument('An API key works only with v1beta1.', 'Leave AGENT_ENGINE_API_VERSION out.');
  const location = config.location ?? 'us-central1';
  if (!/^[a-z]+(-[a-z]+\d+)?$/.test(location))
    throw invalidArgument(
      `The location ${quote(location)} is not one of Google's.`,
      'Set GOOGLE_CLOUD_LOCATION to a region such as us-central1, or to global, us or eu.',
    );
  const origin =
    config.baseUrl === undefined
      ? `https://${express ? hostOf('global') : hostOf(location)}`
      : checkBaseUrl('AGENT_ENGINE_BASE_URL', config.baseUrl);
  return {
    origin,
    version,
    parent: `/${version}${express ? '' : path`/projects/${checkProject(config.project)}/locations/${location}`}`,
    project: config.project,
    location,
    express,
    loopback: origin.startsWith('http://'),
  };
}

function hostOf(location: string): string {
  if (location === 'global') return 'aiplatform.googleapis.com';
  if (location === 'us' || location === 'eu') return `aiplatform.${location}.rep.googleapis.com`;
  return `${location}-aiplatform.googleapis.com`;
}

function checkProject(project: string | undefined): string {
  // Domain-scoped ids hold a colon and dots: example.com:my-project.
  if (project === undefined || !/^[a-z0-9][a-z0-9.:-]{2,62}$/.test(project))
    throw invalidArgument(
      project === undefined ? 'No Google Cloud project is set.' : 'The project is no project id or number.',
      'Set GOOGLE_CLOUD_PROJECT to the id of your project, or GOOGLE_API_KEY for express mode.',
    );
  return project;
}

/** An engine as operators write it: its id, or its whole resource name. */
export function engineOf(value: string): { id: string; project?: string; location?: string } {
  const match = /^projects\/([^/]+)\/locations\/([^/]+)\/reasoningEngines\/([^/]+)$/.exec(value);
  const [, project, location, id] = match ?? [];
  if (project === undefined || location === undefined || id === undefined)
    return { id: checkEngineId(value) };
  return { id: checkEngineId(id), project, location };
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
 * The service's own rule, checked here so that no other text ever gets into a path (agent-engine-api.md §1.2).
 * @throws SessionError INVALID_ARGUMENT
 */
export function checkSessionId(sessionId: string): string {
  if (!resourceId.test(sessionId))
    throw invalidArgument(
      'sessionId is none that Agent Engine can have.',
      'Use 1 to 63 lowercase letters, digits and hyphens, a letter first and no hyphen last.',
    );
  return sessionId;
}

/** @throws SessionError INVALID_ARGUMENT */
export function checkMemoryId(memoryId: string): string {
  if (!resourceId.test(memoryId))
    throw invalidArgument(
      'memoryId is none that Agent Engine can have.',
      'Pass the id exactly as list_memories or search_memory returned it.',
    );
  return memoryId;
}

export const enginePath = (place: Place, app: string): string =>
  place.parent + path`/reasoningEngines/${checkEngineId(app)}`;

export const sessionPath = (place: Place, ref: { app: string; sessionId: string }): string =>
  enginePath(place, ref.app) + path`/sessions/${checkSessionId(ref.sessionId)}`;

export const memoryPath = (place: Place, app: string, memoryId: string): string =>
  enginePath(place, app) + path`/memories/${checkMemoryId(memoryId)}`;

/** A path as the resource name that requests hold. */
export const nameOf = (place: Place, resourcePath: string): string =>
  resourcePath.slice(place.version.length + 2);

/** The id at the end of a resource name. */
export const lastSegment = (name: unknown): string =>
  typeof name === 'string' ? name.slice(name.lastIndexOf('/') + 1) : '';

/**
 * The path to poll an operation by the name it came with. Names are the service's, yet no more than what
 * looks like one is put into a path (the three forms of agent-engine-api.md §1.2).
 */
export function operationPath(place: Place, name: unknown): string | undefined {
  const shape =
    /^(projects\/[\w.:-]+\/locations\/[\w-]+\/)?(reasoningEngines\/[\w-]+\/((sessions|memories)\/[\w-]+\/)?)?operations\/[\w-]+$/;
  if (typeof name !== 'string' || !shape.test(name)) return undefined;
  return name.split('/').reduce((url, part) => url + path`/${part}`, `/${place.version}`);
}
