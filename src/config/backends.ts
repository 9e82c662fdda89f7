import type { AdkConfig } from '../backend/adk/config.ts';
import type { AgentEngineConfig } from '../backend/agent-engine/config.ts';
import type { VectaraConfig } from '../backend/vectara/config.ts';
import { invalidArgument } from '../errors.ts';
import type { BackendName } from './general.ts';
import {
  type Group,
  oneOf,
  onOff,
  readSettings,
  type Sources,
  setting,
  text,
  texts,
  whole,
} from './setting.ts';

/** What the remote backends need; only of those that are configured. */
export interface RemoteConfig {
  agentEngine: AgentEngineConfig;
  adk: AdkConfig;
  vectara: VectaraConfig;
}

const milliseconds = whole(1, 3_600_000);
const bytes = whole(1024, 1024 * 1024 * 1024);

const agentEngineGroup = {
  title:
    'Backend agent-engine; Google’s Agent Platform (Vertex AI Agent Engine), by Application Default Credentials',
  settings: {
    project: setting({
      env: 'GOOGLE_CLOUD_PROJECT',
      key: 'agentEngine.project',
      kind: text,
      help: 'project of the engines; default: the project of the credentials',
    }),
    location: setting({
      env: 'GOOGLE_CLOUD_LOCATION',
      key: 'agentEngine.location',
      kind: text,
      help: 'region of the engines; default: us-central1',
    }),
    engineId: setting({
      env: 'GOOGLE_CLOUD_AGENT_ENGINE_ID',
      key: 'agentEngine.engineId',
      kind: text,
      help: 'engine for calls that name no app: its id or full resource name',
    }),
    quotaProject: setting({
      env: 'GOOGLE_CLOUD_QUOTA_PROJECT',
      key: 'agentEngine.quotaProject',
      kind: text,
      help: 'project whose quota is used',
    }),
    apiKey: setting({
      env: 'GOOGLE_API_KEY',
      kind: text,
      secret: true,
      help: 'API key of express mode, instead of a project',
    }),
    apiVersion: setting({
      env: 'AGENT_ENGINE_API_VERSION',
      kind: text,
      help: 'v1beta1 or v1; default: v1beta1',
    }),
    baseUrl: setting({
      env: 'AGENT_ENGINE_BASE_URL',
      kind: text,
      help: 'address of an emulator or proxy, instead of Google’s',
    }),
    rateLimit: setting({
      key: 'agentEngine.rateLimit',
      kind: onOff,
      help: 'wait instead of exceeding Google’s quotas; default: on, but off for an emulator on this machine',
    }),
    memoryVia: setting({
      key: 'agentEngine.memory.via',
      kind: oneOf('memory-bank', 'class-methods'),
      help: 'where memories are kept: memory-bank, or class-methods for the engine’s own methods; default: memory-bank',
    }),
    memoryWrite: setting({
      key: 'agentEngine.memory.write',
      kind: oneOf('generate', 'ingest'),
      help: 'how a session becomes memories: generate waits for the facts, ingest does not; default: generate',
    }),
    memoryScope: setting({
      key: 'agentEngine.memory.scope',
      kind: oneOf('app-and-user', 'user'),
      help: 'scope of memories when a call gives none; default: app-and-user',
    }),
    memoryAppName: setting({
      key: 'agentEngine.memory.appName',
      kind: text,
      help: 'app_name in that scope; default: the id of the engine',
    }),
    timeoutMs: setting({
      key: 'agentEngine.timeoutMs',
      kind: milliseconds,
      help: 'milliseconds to wait for one answer; default: 60000',
    }),
    maxBytes: setting({
      key: 'agentEngine.maxBytes',
      kind: bytes,
      help: 'largest answer to accept, in bytes; default: 33554432',
    }),
  },
};

const adkGroup = {
  title: 'Backend adk',
  settings: {
    baseUrl: setting({
      env: 'ADK_API_SERVER_URL',
      key: 'adk.baseUrl',
      kind: text,
      otherwise: 'http://127.0.0.1:8000',
      help: 'address of the API server; for a Go server, with /api at the end',
    }),
    defaultApp: setting({
      env: 'ADK_APP',
      key: 'adk.app',
      kind: text,
      help: 'app for calls that name none',
    }),
    dialect: setting({
      env: 'ADK_DIALECT',
      key: 'adk.dialect',
      kind: oneOf('typescript', 'python', 'go', 'java'),
      help: 'implementation of the server: typescript, python, go or java; default: detected',
    }),
    token: setting({
      env: 'ADK_API_TOKEN',
      kind: text,
      secret: true,
      help: 'bearer token, for a server behind a proxy that asks for one',
    }),
    allowHttp: setting({
      key: 'adk.allowHttp',
      kind: onOff,
      help: 'allow plain http to other machines; default: off',
    }),
    timeoutMs: setting({
      key: 'adk.timeoutMs',
      kind: milliseconds,
      help: 'milliseconds to wait for one answer; default: 30000',
    }),
    runIdleMs: setting({
      key: 'adk.runIdleMs',
      kind: milliseconds,
      help: 'milliseconds for which a run may send nothing; default: 300000',
    }),
    maxAnswerBytes: setting({
      key: 'adk.maxAnswerBytes',
      kind: bytes,
      help: 'largest answer to accept, in bytes; default: 67108864',
    }),
  },
};

const vectaraGroup = {
  title: 'Backend vectara; it needs VECTARA_API_KEY, or VECTARA_CLIENT_ID and VECTARA_CLIENT_SECRET',
  settings: {
    apiKey: setting({ env: 'VECTARA_API_KEY', kind: text, secret: true, help: 'API key' }),
    clientId: setting({ env: 'VECTARA_CLIENT_ID', kind: text, help: 'id of the OAuth client' }),
    clientSecret: setting({
      env: 'VECTARA_CLIENT_SECRET',
      kind: text,
      secret: true,
      help: 'secret of the OAuth client',
    }),
    tokenUrl: setting({
      env: 'VECTARA_TOKEN_URL',
      kind: text,
      help: 'token endpoint of the OAuth client; default: Vectara’s',
    }),
    defaultApp: setting({
      env: 'VECTARA_AGENT',
      key: 'vectara.agent',
      kind: text,
      help: 'key of the agent for calls that name none',
    }),
    baseUrl: setting({
      env: 'VECTARA_BASE_URL',
      key: 'vectara.baseUrl',
      kind: text,
      help: 'address of the API; default: https://api.vectara.io',
    }),
    unmaskToolCalls: setting({
      key: 'vectara.unmaskToolCalls',
      kind: onOff,
      help: 'show the arguments of client tool calls with their secrets; default: off',
    }),
    protectedMetadata: setting({
      key: 'vectara.protectedMetadata',
      kind: texts,
      help: 'metadata keys that callers can read but not write; default: none',
    }),
    idleMinutes: setting({
      key: 'vectara.idleMinutes',
      kind: whole(0, 5_256_000),
      help: 'minutes without activity after which Vectara deletes a session that this server created; default: never',
    }),
    maxArtifactBytes: setting({
      key: 'vectara.maxArtifactBytes',
      kind: bytes,
      help: 'largest artifact to transfer, in bytes; default: 20971520',
    }),
    timeoutMs: setting({
      key: 'vectara.timeoutMs',
      kind: milliseconds,
      help: 'milliseconds to wait for one answer; default: 30000',
    }),
    runTimeoutMs: setting({
      key: 'vectara.runTimeoutMs',
      kind: milliseconds,
      help: 'milliseconds for which a run may send nothing; default: 300000',
    }),
  },
};

/** The settings of each remote backend, in the order of `--help`. */
export const backendGroups: Readonly<Record<Exclude<BackendName, 'local'>, Group>> = {
  'agent-engine': agentEngineGroup,
  adk: adkGroup,
  vectara: vectaraGroup,
};

/** Readers of each backend's configuration, so that what is not configured is not asked for. */
export function readRemote(sources: Sources): { [K in keyof RemoteConfig]: () => RemoteConfig[K] } {
  return {
    agentEngine() {
      const given = readSettings(agentEngineGroup.settings, sources);
      const { apiKey, project, memoryVia, memoryWrite, memoryScope, memoryAppName, ...rest } = given;
      return {
        ...rest,
        // Express mode has no project. Where a project is given too, the key is meant for other Google tools.
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
