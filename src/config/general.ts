import { checkId } from '../model/ids.ts';
import { toolsets } from '../tools/support/define.ts';
import { bare, oneOf, setting, someOf, text, whole } from './setting.ts';

const backendNames = ['local', 'agent-engine', 'adk', 'vectara'] as const;
export type BackendName = (typeof backendNames)[number];

/** What every command takes. */
export const generalGroup = {
  title: 'Options',
  settings: {
    backends: setting<readonly BackendName[]>({
      flag: 'backend',
      value: 'NAME[,NAME]',
      env: 'AGENT_SESSIONS_BACKEND',
      key: 'backend',
      kind: someOf(...backendNames),
      otherwise: ['local'],
      help: `where sessions are kept: ${backendNames.join(', ')}; the first is the default of every call`,
    }),
    store: setting({
      flag: 'store',
      value: 'URL',
      env: 'AGENT_SESSIONS_STORE',
      key: 'store',
      kind: text,
      help: 'memory:, sqlite:PATH, postgres://HOST/DATABASE, redis://HOST or keyv:PACKAGE; default: a file in your data folder',
    }),
    durability: setting<'full' | 'normal'>({
      flag: 'durability',
      value: 'full|normal',
      env: 'AGENT_SESSIONS_DURABILITY',
      key: 'durability',
      kind: oneOf('full', 'normal'),
      otherwise: 'full',
      help: 'full: every write is on the disk before it is answered; normal: a power cut can lose the last ones',
    }),
    app: setting({
      flag: 'app',
      value: 'NAME',
      env: 'AGENT_SESSIONS_APP',
      key: 'app',
      kind: text,
      otherwise: 'default',
      check: checkId,
      help: 'app (agent) for calls that name none',
    }),
    user: setting({
      flag: 'user',
      value: 'NAME',
      env: 'AGENT_SESSIONS_USER',
      key: 'user',
      kind: text,
      check: checkId,
      help: 'user who owns the sessions; default: the user who starts the server',
    }),
    toolsets: setting({
      flag: 'toolsets',
      value: 'NAME[,NAME]',
      env: 'AGENT_SESSIONS_TOOLSETS',
      key: 'toolsets',
      kind: someOf(...toolsets),
      help: `toolsets to offer: ${toolsets.filter((name) => name !== 'server').join(', ')}; default: all, but of apps only the tools that read`,
    }),
    readOnly: setting({
      flag: 'read-only',
      env: 'AGENT_SESSIONS_READ_ONLY',
      key: 'readOnly',
      kind: bare,
      otherwise: false,
      help: 'offer only tools that read',
    }),
    callMs: setting({
      key: 'callTimeoutMs',
      kind: whole(1000, 3_600_000),
      otherwise: 45_000,
      help: 'milliseconds for all requests to services of one call; runs and waits have limits of their own',
    }),
    config: setting({
      flag: 'config',
      value: 'FILE',
      env: 'AGENT_SESSIONS_CONFIG',
      kind: text,
      help: 'JSON file with the same settings, under the keys that follow "file:" here',
    }),
    help: setting({ flag: 'help', short: 'h', kind: bare, otherwise: false, help: 'print this' }),
    version: setting({
      flag: 'version',
      short: 'v',
      kind: bare,
      otherwise: false,
      help: 'print the version',
    }),
  },
};
