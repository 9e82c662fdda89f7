import * as z from 'zod';
import type { AdkConfig } from '../backend/adk/config.ts';
import type { AgentEngineConfig } from '../backend/agent-engine/config.ts';
import type { VectaraConfig } from '../backend/vectara/config.ts';
import { invalidArgument, quote } from '../errors.ts';

/** What the remote backends need; only of those that are configured. */
export interface RemoteConfig {
  agentEngine: AgentEngineConfig;
  adk: AdkConfig;
  vectara: VectaraConfig;
}

const milliseconds = z.int().min(1).max(3_600_000);
const bytes = z
  .int()
  .min(1024)
  .max(1024 * 1024 * 1024);

/** Settings of the remote backends in the file of --config. Secrets come from the environment only. */
export const backendsFileSchema = {
  agentEngine: z
    .strictObject({
      project: z.string().optional(),
      location: z.string().optional(),
      engineId: z.string().optional(),
      quotaProject: z.string().optional(),
      rateLimit: z.boolean().optional(),
      memory: z
        .strictObject({
          via: z.enum(['memory-bank', 'class-methods']).exactOptional(),
          write: z.enum(['generate', 'ingest']).exactOptional(),
          scope: z.enum(['app-and-user', 'user']).exactOptional(),
          appName: z.string().exactOptional(),
        })
        .optional(),
      timeoutMs: milliseconds.optional(),
      maxBytes: bytes.optional(),
    })
    .optional(),
  adk: z
    .strictObject({
      baseUrl: z.string().optional(),
      app: z.string().optional(),
      dialect: z.enum(['typescript', 'python', 'go', 'java']).optional(),
      allowHttp: z.boolean().optional(),
      timeoutMs: milliseconds.optional(),
      runIdleMs: milliseconds.optional(),
      maxAnswerBytes: bytes.optional(),
    })
    .optional(),
  vectara: z
    .strictObject({
      baseUrl: z.string().optional(),
      agent: z.string().optional(),
      unmaskToolCalls: z.boolean().optional(),
      protectedMetadata: z.array(z.string()).optional(),
      idleMinutes: z.int().min(0).optional(),
      maxArtifactBytes: bytes.optional(),
      timeoutMs: milliseconds.optional(),
      runTimeoutMs: milliseconds.optional(),
    })
    .optional(),
};

const fileShape = z.object(backendsFileSchema);

export const backendsUsage = `Variables of the remote backends; more in the file of --config, under the backend's name
  agent-engine  GOOGLE_CLOUD_PROJECT, GOOGLE_CLOUD_LOCATION (us-central1), GOOGLE_CLOUD_AGENT_ENGINE_ID,
                GOOGLE_CLOUD_QUOTA_PROJECT, GOOGLE_API_KEY (express mode, instead of a project),
                AGENT_ENGINE_API_VERSION (v1beta1), AGENT_ENGINE_BASE_URL; credentials by gcloud or ADC
  adk           ADK_API_SERVER_URL (http://127.0.0.1:8000), ADK_APP, ADK_DIALECT, ADK_API_TOKEN
  vectara       VECTARA_API_KEY, or VECTARA_CLIENT_ID and VECTARA_CLIENT_SECRET; VECTARA_AGENT,
                VECTARA_BASE_URL, VECTARA_TOKEN_URL
`;

/** Readers of each backend's configuration, so that what is not configured is not asked for. */
export function readRemote(
  file: z.infer<typeof fileShape>,
  env: Readonly<Record<string, string | undefined>>,
): { [K in keyof RemoteConfig]: () => RemoteConfig[K] } {
  const of = (name: string) => env[name] || undefined;
  return {
    agentEngine() {
      const settings = file.agentEngine ?? {};
      const apiKey = of('GOOGLE_API_KEY');
      const project = of('GOOGLE_CLOUD_PROJECT') ?? settings.project;
      return {
        ...settings,
        // Express mode has no project, and a key beside a project is what other Google tools were given.
        ...(project === undefined ? { apiKey } : { project }),
        location: of('GOOGLE_CLOUD_LOCATION') ?? settings.location,
        engineId: of('GOOGLE_CLOUD_AGENT_ENGINE_ID') ?? settings.engineId,
        quotaProject: of('GOOGLE_CLOUD_QUOTA_PROJECT') ?? settings.quotaProject,
        apiVersion: of('AGENT_ENGINE_API_VERSION'),
        baseUrl: of('AGENT_ENGINE_BASE_URL'),
      };
    },
    adk() {
      const { app, ...settings } = file.adk ?? {};
      return {
        ...settings,
        baseUrl: of('ADK_API_SERVER_URL') ?? settings.baseUrl ?? 'http://127.0.0.1:8000',
        dialect: dialectOf(of('ADK_DIALECT')) ?? settings.dialect,
        token: of('ADK_API_TOKEN'),
        defaultApp: of('ADK_APP') ?? app,
      };
    },
    vectara() {
      const { agent, ...settings } = file.vectara ?? {};
      return {
        ...settings,
        defaultApp: of('VECTARA_AGENT') ?? agent,
        baseUrl: of('VECTARA_BASE_URL') ?? settings.baseUrl,
        credentials: vectaraCredentials(of),
      };
    },
  };
}

const dialects = ['typescript', 'python', 'go', 'java'] as const;

function dialectOf(name: string | undefined): AdkConfig['dialect'] {
  if (name === undefined) return undefined;
  const found = dialects.find((dialect) => dialect === name);
  if (found === undefined)
    throw invalidArgument(`ADK_DIALECT cannot be ${quote(name)}.`, `Use one of: ${dialects.join(', ')}.`);
  return found;
}

function vectaraCredentials(of: (name: string) => string | undefined): VectaraConfig['credentials'] {
  const apiKey = of('VECTARA_API_KEY');
  if (apiKey !== undefined) return { apiKey };
  const clientId = of('VECTARA_CLIENT_ID');
  const clientSecret = of('VECTARA_CLIENT_SECRET');
  if (clientId !== undefined && clientSecret !== undefined)
    return { clientId, clientSecret, tokenUrl: of('VECTARA_TOKEN_URL') };
  throw invalidArgument(
    'The vectara backend has no credentials.',
    'Set VECTARA_API_KEY, or VECTARA_CLIENT_ID and VECTARA_CLIENT_SECRET.',
  );
}
