import { invalidArgument, quote } from '../../errors.ts';
import { checkBaseUrl, path } from '../../net/url.ts';
import { defaultCredentials, type LoadHeaderSource } from './auth.ts';
import { checkEngineId, type Endpoint } from './paths.ts';

/**
 * Where the engines are at Google, as the operator configures it (docs/protocols/agent-engine.md, "Versions and
 * hosts").
 */
export interface EndpointConfig {
  /** Project id or number. */
  project?: string | undefined;
  /** A region, or `global`, `us`, `eu`. Default us-central1. */
  location?: string | undefined;
  apiKey?: string | undefined;
  apiVersion?: string | undefined;
  /** Replaces Google's host, for an emulator, a proxy or a test. Plain http only to loopback. */
  baseUrl?: string | undefined;
}

export interface MemorySettings {
  /** `class-methods` uses the engine's own memory methods, where it has them, instead of Memory Bank. */
  via: 'memory-bank' | 'class-methods';
  /** How sessions are added: `generate` waits for the facts, `ingest` lets the service extract them later. */
  write: 'generate' | 'ingest';
  /** The scope of a call without one: ADK's Python and JavaScript use both keys, its Go only the user. */
  scope: 'app-and-user' | 'user';
  /** The `app_name` of that scope. Default: the engine's id. */
  appName: string | undefined;
}

/** All optional. Without a project, the credentials tell the project; with an API key none is needed. */
export interface AgentEngineConfig extends EndpointConfig {
  /** The engine that a call without `app` goes to: its id, or its whole resource name. */
  engineId?: string | undefined;
  /** `none` sends no credentials. Default: `none` to a loopback `baseUrl`, else Application Default Credentials. */
  auth?: 'adc' | 'none' | undefined;
  /** The project that quota counts against. Default: the one that the credentials name. */
  quotaProject?: string | undefined;
  /** Whether requests wait for Google's per-minute quotas. Default: true, except to a loopback `baseUrl`. */
  rateLimit?: boolean | undefined;
  memory?: Partial<MemorySettings> | undefined;
  /** Milliseconds for one answer. Default 60,000. */
  timeoutMs?: number | undefined;
  /** Largest answer in bytes. Default 32 MiB; a stream may be four times as large. */
  maxBytes?: number | undefined;
  /** For tests: replaces the loading of credentials, and the waiting between polls. */
  loadAuth?: LoadHeaderSource | undefined;
  wait?: ((ms: number) => Promise<void>) | undefined;
}

const versions = ['v1beta1', 'v1'] as const;

/** @throws SessionError INVALID_ARGUMENT */
export function endpointOf(config: EndpointConfig): Endpoint {
  const version = versions.find((v) => v === (config.apiVersion ?? 'v1beta1'));
  if (version === undefined)
    throw invalidArgument(
      `The API version ${quote(config.apiVersion ?? '')} does not exist.`,
      'Set AGENT_ENGINE_API_VERSION to v1beta1 or v1.',
    );
  const express = config.project === undefined && config.apiKey !== undefined;
  // Only v1beta1 has paths without a project (docs/protocols/agent-engine.md, "Versions and hosts").
  if (express && version === 'v1')
    throw invalidArgument('An API key works only with v1beta1.', 'Leave AGENT_ENGINE_API_VERSION out.');
  const location = config.location ?? 'us-central1';
  if (!/^[a-z]+(-[a-z]+\d+)?$/.test(location))
    throw invalidArgument(
      `The location ${quote(location)} is not a Google Cloud location.`,
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
  // Domain-scoped ids contain a colon and dots: example.com:my-project.
  if (project === undefined || !/^[a-z0-9][a-z0-9.:-]{2,62}$/.test(project))
    throw invalidArgument(
      project === undefined
        ? 'No Google Cloud project is set.'
        : 'The project is not a project id or number.',
      'Set GOOGLE_CLOUD_PROJECT to the id of your project, or GOOGLE_API_KEY for express mode.',
    );
  return project;
}

/** Reads an engine as operators write it: its id, or its whole resource name. */
function engineOf(value: string): { id: string; project?: string; location?: string } {
  const match = /^projects\/([^/]+)\/locations\/([^/]+)\/reasoningEngines\/([^/]+)$/.exec(value);
  const [, project, location, id] = match ?? [];
  if (project === undefined || location === undefined || id === undefined)
    return { id: checkEngineId(value) };
  return { id: checkEngineId(id), project, location };
}

/**
 * The endpoint of a configuration, and the engine that calls without `app` go to.
 * @throws SessionError INVALID_ARGUMENT for a configuration that cannot work; UNAUTHENTICATED when the credentials
 *   must tell the project and there are none
 */
export async function resolveConfig(
  config: AgentEngineConfig,
): Promise<{ endpoint: Endpoint; defaultApp: string | undefined }> {
  const engine = config.engineId === undefined ? undefined : engineOf(config.engineId);
  if (engine?.location !== undefined && ![undefined, engine.location].includes(config.location))
    throw invalidArgument(
      'The engine’s resource name and the location disagree.',
      'Set GOOGLE_CLOUD_AGENT_ENGINE_ID to the id alone, or GOOGLE_CLOUD_LOCATION to the engine’s location.',
    );
  const wanted = {
    ...config,
    project: config.project ?? engine?.project,
    location: config.location ?? engine?.location,
  };
  const known =
    wanted.project !== undefined || wanted.apiKey !== undefined
      ? wanted
      : { ...wanted, project: await projectOf(config) };
  return { endpoint: endpointOf(known), defaultApp: engine?.id };
}

function projectOf(config: AgentEngineConfig): Promise<string> {
  const credentials = defaultCredentials('https://aiplatform.googleapis.com/', {}, config.loadAuth);
  return credentials.projectId();
}
