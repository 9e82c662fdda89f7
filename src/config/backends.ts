import type { AdkConfig } from '../backend/adk/config.ts';
import type { AgentEngineConfig } from '../backend/agent-engine/config.ts';
import type { VectaraConfig } from '../backend/vectara/config.ts';
import { invalidArgument } from '../errors.ts';
import { oneOf, onOff, readSettings, type Sources, setting, text, texts, whole } from './setting.ts';

/** What the remote backends need; only of those that are configured. */
export interface RemoteConfig {
  agentEngine: AgentEngineConfig;
  adk: AdkConfig;
  vectara: VectaraConfig;
}

const milliseconds = whole(1, 3_600_000);
const bytes = whole(1024, 1024 * 1024 * 1024);

export const agentEngineGroup = {
  title: 'Backend agent-engine; its credentials come from gcloud or Application Default Credentials',
  settings: {
    project: setting({
      env: 'GOOGLE_CLOUD_PROJECT',
      key: 'agentEngine.project',
      kind: text,
      help: 'the project of the engines; without it the one of the credentials',
    }),
    location: setting({
      env: 'GOOGLE_CLOUD_LOCATION',
      key: 'agentEngine.location',
      kind: text,
      help: 'the region of the engines; without it us-central1',
    }),
    engineId: setting({
      env: 'GOOGLE_CLOUD_AGENT_ENGINE_ID',
      key: 'agentEngine.engineId',
      kind: text,
      help: 'the engine of calls that name no app: its id or whole resource name',
    }),
    quotaProject: setting({
      env: 'GOOGLE_CLOUD_QUOTA_PROJECT',
      key: 'agentEngine.quotaProject',
      kind: text,
      help: 'the project whose quota is used',
    }),
    apiKey: setting({
      env: 'GOOGLE_API_KEY',
      kind: text,
      secret: true,
      help: 'a key of express mode, instead of a project',
    }),
    apiVersion: setting({
      env: 'AGENT_ENGINE_API_VERSION',
      kind: text,
      help: 'v1beta1 or v1; without it v1beta1',
    }),
    baseUrl: setting({
      env: 'AGENT_ENGINE_BASE_URL',
      kind: text,
      help: 'an emulator or proxy in place of Google’s address',
    }),
    rateLimit: setting({
      key: 'agentEngine.rateLimit',
      kind: onOff,
      help: 'keep to Google’s quotas on this side; without it on, but off for an emulator on this machine',
    }),
    memoryVia: setting({
      key: 'agentEngine.memory.via',
      kind: oneOf('memory-bank', 'class-methods'),
      help: 'class-methods: memories through the methods of the engine itself; without it memory-bank',
    }),
    memoryWrite: setting({
      key: 'agentEngine.memory.write',
      kind: oneOf('generate', 'ingest'),
      help: 'ingest: do not wait for the facts of a session; without it generate',
    }),
    memoryScope: setting({
      key: 'agentEngine.memory.scope',
      kind: oneOf('app-and-user', 'user'),
      help: 'the scope of memories that name none; without it app-and-user',
    }),
    memoryAppName: setting({
      key: 'agentEngine.memory.appName',
      kind: text,
      help: 'app_name of that scope; without it the id of the engine',
    }),
    timeoutMs: setting({
      key: 'agentEngine.timeoutMs',
      kind: milliseconds,
      help: 'milliseconds for one answer',
    }),
    maxBytes: setting({ key: 'agentEngine.maxBytes', kind: bytes, help: 'bytes of the largest answer' }),
  },
};

export const adkGroup = {
  title: 'Backend adk',
  settings: {
    baseUrl: setting({
      env: 'ADK_API_SERVER_URL',
      key: 'adk.baseUrl',
      kind: text,
      otherwise: 'http://127.0.0.1:8000',
      help: 'the address of the API server; of a Go server with /api',
    }),
    defaultApp: setting({
      env: 'ADK_APP',
      key: 'adk.app',
      kind: text,
      help: 'the app of calls that name none',
    }),
    dialect: setting({
      env: 'ADK_DIALECT',
      key: 'adk.dialect',
      kind: oneOf('typescript', 'python', 'go', 'java'),
      help: 'typescript, python, go or java; without it the server is asked',
    }),
    token: setting({
      env: 'ADK_API_TOKEN',
      kind: text,
      secret: true,
      help: 'a bearer token, for a server behind a proxy',
    }),
    allowHttp: setting({
      key: 'adk.allowHttp',
      kind: onOff,
      help: 'plain http to another machine than this one',
    }),
    timeoutMs: setting({ key: 'adk.timeoutMs', kind: milliseconds, help: 'milliseconds for one answer' }),
    runIdleMs: setting({
      key: 'adk.runIdleMs',
      kind: milliseconds,
      help: 'milliseconds that a run may be silent',
    }),
    maxAnswerBytes: setting({ key: 'adk.maxAnswerBytes', kind: bytes, help: 'bytes of the largest answer' }),
  },
};

export const vectaraGroup = {
  title: 'Backend vectara; it needs VECTARA_API_KEY, or VECTARA_CLIENT_ID and VECTARA_CLIENT_SECRET',
  settings: {
    apiKey: setting({ env: 'VECTARA_API_KEY', kind: text, secret: true, help: 'an API key' }),
    clientId: setting({ env: 'VECTARA_CLIENT_ID', kind: text, help: 'the id of an OAuth client' }),
    clientSecret: setting({ env: 'VECTARA_CLIENT_SECRET', kind: text, secret: true, help: 'its secret' }),
    tokenUrl: setting({
      env: 'VECTARA_TOKEN_URL',
      kind: text,
      help: 'where that client gets its tokens; without it Vectara’s own address',
    }),
    defaultApp: setting({
      env: 'VECTARA_AGENT',
      key: 'vectara.agent',
      kind: text,
      help: 'the key of the agent of calls that name none',
    }),
    baseUrl: setting({
      env: 'VECTARA_BASE_URL',
      key: 'vectara.baseUrl',
      kind: text,
      help: 'the address of the API; without it https://api.vectara.io',
    }),
    unmaskToolCalls: setting({
      key: 'vectara.unmaskToolCalls',
      kind: onOff,
      help: 'show the arguments of client tool calls with their secrets',
    }),
    protectedMetadata: setting({
      key: 'vectara.protectedMetadata',
      kind: texts,
      help: 'metadata keys that callers may read and not write',
    }),
    idleMinutes: setting({
      key: 'vectara.idleMinutes',
      kind: whole(0, 5_256_000),
      help: 'minutes without activity after which Vectara deletes a session made here; without it never',
    }),
    maxArtifactBytes: setting({
      key: 'vectara.maxArtifactBytes',
      kind: bytes,
      help: 'bytes of the largest artifact',
    }),
    timeoutMs: setting({ key: 'vectara.timeoutMs', kind: milliseconds, help: 'milliseconds for one answer' }),
    runTimeoutMs: setting({
      key: 'vectara.runTimeoutMs',
      kind: milliseconds,
      help: 'milliseconds that a run may be silent',
    }),
  },
};

/** Readers of each backend's configuration, so that what is not configured is not asked for. */
export function readRemote(sources: Sources): { [K in keyof RemoteConfig]: () => RemoteConfig[K] } {
  return {
    agentEngine() {
      const given = readSettings(agentEngineGroup.settings, sources);
      const { apiKey, project, memoryVia, memoryWrite, memoryScope, memoryAppName, ...rest } = given;
      return {
        ...rest,
        // Express mode has no project, and a key beside a project is what other Google tools were given.
        ...(project === undefined ? { apiKey } : { project }),
        memory: {
          ...(memoryVia === undefined ? {} : { via: memoryVia }),
          ...(memoryWrite === undefined ? {} : { write: memoryWrite }),
          ...(memoryScope === undefined ? {} : { scope: memoryScope }),
          ...(memoryAppName === undefined ? {} : { appName: memoryAppName }),
        },
      };
    },
    adk: () => readSettings(adkGroup.settings, sources),
    vectara() {
      const given = readSettings(vectaraGroup.settings, sources);
      const { apiKey, clientId, clientSecret, tokenUrl, ...rest } = given;
      return { ...rest, credentials: vectaraCredentials(apiKey, clientId, clientSecret, tokenUrl) };
    },
  };
}

function vectaraCredentials(
  apiKey: string | undefined,
  clientId: string | undefined,
  clientSecret: string | undefined,
  tokenUrl: string | undefined,
): VectaraConfig['credentials'] {
  if (apiKey !== undefined) return { apiKey };
  if (clientId !== undefined && clientSecret !== undefined) return { clientId, clientSecret, tokenUrl };
  throw invalidArgument(
    'The vectara backend has no credentials.',
    'Set VECTARA_API_KEY, or VECTARA_CLIENT_ID and VECTARA_CLIENT_SECRET.',
  );
}
