import { setTimeout as sleep } from 'node:timers/promises';
import { invalidArgument } from '../../errors.ts';
import { httpClient } from '../../net/http.ts';
import { type Backend, capabilitiesOf } from '../types.ts';
import { classMethodsOf, createApp, deleteApp, getApp, listApps } from './apps.ts';
import { apiKeyCredentials, defaultCredentials, type LoadHeaderSource, noneNeeded } from './auth.ts';
import { callMethod, registerFeedback } from './call.ts';
import type { MemorySettings, Service } from './client.ts';
import { toError } from './errors.ts';
import { eventHints } from './event-time-cache.ts';
import { stamper } from './event-timestamps.ts';
import { appendEvent, getEvent, listEvents } from './events.ts';
import { addSession, createMemory, deleteMemory, listMemories, searchMemory } from './memory.ts';
import { engineOf, type Place, type PlaceConfig, placeOf } from './paths.ts';
import { streamQuery } from './query.ts';
import { limiter, quotasOf } from './quota-limiter.ts';
import { createSession, deleteSession, getSession, listSessions, updateSession } from './sessions.ts';

/** All optional: without a project that of the credentials counts, or with an API key none. */
export interface AgentEngineConfig extends PlaceConfig {
  /** The engine of calls that name none: its id, or its whole resource name. */
  engineId?: string | undefined;
  /** `none` sends no credentials. Default: none to a loopback `baseUrl`, Google's default ones elsewhere. */
  auth?: 'adc' | 'none' | undefined;
  /** Project that quota is counted on. Default: the one that the credentials name. */
  quotaProject?: string | undefined;
  /** Keeps to Google's per-minute quotas on this side. Default: on, except to a loopback `baseUrl`. */
  rateLimit?: boolean | undefined;
  memory?: Partial<MemorySettings> | undefined;
  /** Milliseconds for one answer. Default 60,000. */
  timeoutMs?: number | undefined;
  /** Largest answer that is read, in bytes. Default 32 MiB; a stream may have four times as much. */
  maxBytes?: number | undefined;
  /** For tests: where credentials come from, and how to wait between polls. */
  loadAuth?: LoadHeaderSource | undefined;
  wait?: ((ms: number) => Promise<void>) | undefined;
}

const describeMs = 3000;

/**
 * The backend on Google's Agent Engine: Sessions, Memory Bank and deployed agents. An app is a
 * reasoningEngine, named by its id.
 * @throws SessionError INVALID_ARGUMENT for a configuration that cannot work, UNAUTHENTICATED when a project
 *   must be taken from credentials that there are not
 */
export async function openAgentEngine(config: AgentEngineConfig): Promise<Backend> {
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
  const place = placeOf(known);
  const service = serviceOf(place, config);
  return backendOf(service, engine?.id);
}

function projectOf(config: AgentEngineConfig): Promise<string> {
  const credentials = defaultCredentials('https://aiplatform.googleapis.com/', {}, config.loadAuth);
  return credentials.projectId();
}

function serviceOf(place: Place, config: AgentEngineConfig): Service {
  const maxBytes = config.maxBytes ?? 32 * 1024 * 1024;
  const auth = config.auth ?? (place.loopback ? 'none' : 'adc');
  const credentials = place.express
    ? apiKeyCredentials(config.apiKey ?? '')
    : auth === 'none'
      ? noneNeeded
      : defaultCredentials(place.origin, { own: place.project, quota: config.quotaProject }, config.loadAuth);
  const admit = (config.rateLimit ?? !place.loopback) ? limiter(quotasOf(place)) : undefined;
  const options = {
    service: 'Agent Engine service',
    baseUrl: place.origin,
    headers: credentials.headers,
    toError: (status: number, body: unknown, headers: Headers) => toError(status, body, headers, place),
    timeoutMs: config.timeoutMs ?? 60_000,
    ...(admit === undefined ? {} : { admit }),
  };
  return {
    place,
    http: httpClient({ ...options, maxBytes }),
    streams: httpClient({ ...options, maxBytes: 4 * maxBytes }),
    memory: {
      via: config.memory?.via ?? 'memory-bank',
      write: config.memory?.write ?? 'generate',
      scope: config.memory?.scope ?? 'app-and-user',
      appName: config.memory?.appName,
    },
    hints: eventHints(),
    stamp: stamper(Date.now),
    underWay: new Map(),
    classMethods: new Map(),
    now: Date.now,
    wait: config.wait ?? ((ms) => sleep(ms)),
  };
}

function backendOf(service: Service, defaultApp: string | undefined): Backend {
  const { place } = service;
  // Engines run in regions only (agent-engine-api.md §5); elsewhere there are sessions and memories.
  const runs = place.express || !/^(global|us|eu)$/.test(place.location);
  const backend: Backend = {
    name: 'agent-engine',
    ...(defaultApp === undefined ? {} : { defaultApp }),
    async describe() {
      return {
        name: backend.name,
        location: place.origin + place.parent,
        capabilities: capabilitiesOf(backend),
        notes: [...notesOf(service), ...(await methodNotes(service, defaultApp))],
      };
    },
    async close() {},
    apps: {
      list: (query) => listApps(service, query),
      get: (name) => getApp(service, name),
      create: (app) => createApp(service, app),
      delete: (name, options) => deleteApp(service, name, options),
    },
    sessions: {
      list: (query) => listSessions(service, query),
      create: (owner, session) => createSession(service, owner, session),
      get: (ref) => getSession(service, ref),
      update: (ref, change, guard) => updateSession(service, ref, change, guard),
      delete: (ref, guard) => deleteSession(service, ref, guard),
    },
    events: {
      list: (ref, query) => listEvents(service, ref, query),
      get: (ref, eventId) => getEvent(service, ref, eventId),
      append: (ref, event, guard) => appendEvent(service, ref, event, guard),
    },
    memory: {
      search: (owner, query) => searchMemory(service, owner, query),
      addSession: (ref, options) => addSession(service, ref, options),
      create: (owner, memory) => createMemory(service, owner, memory),
      list: (owner, query) => listMemories(service, owner, query),
      delete: (owner, memoryId) => deleteMemory(service, owner, memoryId),
    },
    ...(runs
      ? {
          query: {
            stream: (ref, input, signal) => streamQuery(service, ref, input, signal),
            call: (owner, call, signal) => callMethod(service, owner, call, signal),
          },
          feedback: { register: (ref, feedback) => registerFeedback(service, ref, feedback) },
        }
      : {}),
  };
  return backend;
}

function notesOf({ memory, place }: Service): string[] {
  const scope = memory.scope === 'user' ? '{user_id}' : '{app_name, user_id}';
  return [
    'Session ids are unique in an engine, for all its users: 1 to 63 lowercase letters, digits and hyphens.',
    'Sessions have no revisions: expectedRevision is refused. They expire after a year unless told otherwise.',
    'Events are ordered by their timestamps; an event that is appended with an earlier time sorts before others.',
    'An eventId of your own is looked for among the latest 1,000 events before it is stored; two processes that store it at the same moment can both do so.',
    'An event of a running agent has another id in list_events than in the stream; get_event takes both where the agent stores its own.',
    `Memories are kept apart by scope, matched exactly; the default here is ${scope}. ADK for Python and JavaScript uses {app_name, user_id}, ADK for Go {user_id}: pass the scope of the agent whose memories you want.`,
    ...(place.express ? ['Express mode: an API key, short names, lower quotas.'] : []),
  ];
}

/** The class methods of the default engine, if it tells them soon. */
async function methodNotes(service: Service, app: string | undefined): Promise<string[]> {
  if (app === undefined) return ['No engine is configured: name one as app in every call.'];
  try {
    const methods = await inTime(classMethodsOf(service, app, describeMs));
    if (methods.length === 0)
      return ['The configured engine has no class methods: it stores sessions and memories.'];
    const shown = methods
      .slice(0, 40)
      .map(({ name, mode }) => (mode.includes('stream') ? `${name} (stream)` : name));
    return [`Class methods of the configured engine: ${shown.join(', ')}.`];
  } catch {
    return ['The configured engine could not be asked for its class methods.'];
  }
}

async function inTime<T>(work: Promise<T>): Promise<T> {
  const stop = new AbortController();
  const late = sleep(describeMs, undefined, { signal: stop.signal, ref: false }).then(() => {
    throw new Error('late');
  });
  late.catch(() => {});
  return await Promise.race([work, late]).finally(() => stop.abort());
}
