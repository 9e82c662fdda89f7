import path from 'node:path';
import type { AgentConfig } from '../agent/open.ts';
import type { ProcessIdentity } from '../backend/local/runs.ts';
import type { EmbedderConfig } from '../embeddings/embedder.ts';
import { invalidArgument, quote } from '../errors.ts';
import { checkId } from '../model/ids.ts';
import type { HttpSettings } from '../server/http/index.ts';
import { secretsIn } from '../store/open.ts';
import type { AppStateWriters } from '../tools/support/app-state.ts';
import type { Toolset } from '../tools/support/define.ts';
import { type AgentsFile, agentsUsage, readAgents, secretsOfAgent } from './agents.ts';
import { backendGroups, readRemote } from './backends.ts';
import { embeddingsGroup, readEmbeddings } from './embeddings.ts';
import { readConfigFile } from './file.ts';
import { checkFlags, parseFlags } from './flags.ts';
import { type BackendName, generalGroup } from './general.ts';
import { type CommandShape, usageOf } from './help.ts';
import { httpGroup, readHttp } from './http.ts';
import { didYouMean } from './nearest.ts';
import { type Group, memberAt, readSettings, type Settings, type Sources } from './setting.ts';

export type { BackendName } from './general.ts';

/** A command as the command line knows it, with the settings that only this command has. */
export interface CommandSpec extends CommandShape {
  settings?: Settings;
}

/** All that the operator decides. Secrets are in here: it is never printed as a whole. */
export interface Config {
  backends: readonly BackendName[];
  /** What the remote backends need, read when they are opened. */
  remote: ReturnType<typeof readRemote>;
  store: { url: string | undefined; durability: 'full' | 'normal'; dataDir: string };
  app: string;
  user: string;
  /** Undefined: the default ones. */
  toolsets: readonly Toolset[] | undefined;
  readOnly: boolean;
  /** Milliseconds for all requests to services of one tool call. */
  callMs: number;
  http: HttpSettings;
  /** Over HTTP; on stdio the one caller is the operator. */
  appStateWriters: AppStateWriters;
  /** The agents that the local backend runs, by app. */
  agents: Readonly<Record<string, readonly AgentConfig[]>>;
  /** What makes vectors for search by meaning on the local backend. */
  embeddings: EmbedderConfig | undefined;
  process: ProcessIdentity | undefined;
  /** Every credential in here, for the log to redact. */
  secrets: readonly string[];
}

/** What the configuration takes from the machine. */
export interface Machine {
  env: Readonly<Record<string, string | undefined>>;
  platform: string;
  homeDir: string;
  userName: string;
  /** Reads a text file; throws if it cannot. */
  readFile(path: string): string;
  process?: ProcessIdentity | undefined;
}

/** What a command line asks for. */
export type Invocation<C extends CommandSpec> =
  | { kind: 'help' }
  | { kind: 'version' }
  | {
      kind: 'run';
      command: C;
      /** What the command is about, as many as it takes. */
      operands: readonly string[];
      /** Of the command's own settings, by name. */
      values: Readonly<Record<string, unknown>>;
      config: Config;
    };

const ownGroup = ({ name, settings = {} }: CommandSpec): Group => ({
  title: `Options of ${name}`,
  commands: [name],
  settings,
});

/** Every setting, in the order of `--help`. */
export const groupsOf = (commands: readonly CommandSpec[]): readonly Group[] => [
  generalGroup,
  ...commands.map(ownGroup),
  httpGroup,
  embeddingsGroup,
  ...Object.values(backendGroups),
];

export const usage = (commands: readonly CommandSpec[]): string =>
  usageOf(commands, groupsOf(commands), agentsUsage);

/**
 * Reads flags, environment and file, in this order of precedence. The first command is the default.
 * @throws SessionError INVALID_ARGUMENT
 */
export function readConfig<C extends CommandSpec>(
  argv: readonly string[],
  machine: Machine,
  commands: readonly C[],
): Invocation<C> {
  const groups = groupsOf(commands);
  const line = parseFlags(argv, groups);
  if (line.flags.help !== undefined) return { kind: 'help' };
  if (line.flags.version !== undefined) return { kind: 'version' };
  const { place } = readSettings(
    { place: generalGroup.settings.config },
    { flags: line.flags, env: machine.env, file: {} },
  );
  const file = place === undefined ? {} : readConfigFile(() => machine.readFile(place), groups);
  const sources: Sources = { flags: line.flags, env: machine.env, file };
  const [name, ...operands] = line.positionals;
  const command = commandOf(name, commands);
  checkFlags(line, groups, command.name);
  checkOperands(command, operands);
  const general = readSettings(generalGroup.settings, sources);
  const agents = readAgents(memberAt(file, ['agents']) as AgentsFile | undefined, machine.env);
  const embeddings = readEmbeddings(sources, machine.env);
  return {
    kind: 'run',
    command,
    operands,
    values: readSettings(command.settings ?? {}, sources),
    config: {
      backends: [...new Set(general.backends)],
      remote: readRemote(sources),
      store: { url: general.store, durability: general.durability, dataDir: dataDir(machine) },
      app: general.app,
      user: general.user ?? checkId('--user', machine.userName),
      toolsets: general.toolsets === undefined ? undefined : [...new Set(general.toolsets)],
      readOnly: general.readOnly,
      callMs: general.callMs,
      agents,
      embeddings,
      process: machine.process,
      secrets: [
        ...secretsOf(groups, sources, general.store, agents),
        ...(embeddings?.apiKey === undefined ? [] : [embeddings.apiKey]),
      ],
      http: readHttp(sources),
      appStateWriters: readSettings(httpGroup.settings, sources).appState,
    },
  };
}

/** Credentials as they were given: for services, for agents, and in the address of the store. */
function secretsOf(
  groups: readonly Group[],
  sources: Sources,
  store: string | undefined,
  agents: Config['agents'],
): string[] {
  const settings = groups
    .flatMap((group) => Object.values(group.settings))
    .filter((one) => one.secret === true)
    .map((one) => readSettings({ one }, sources).one);
  const ofAgents = Object.values(agents).flat().flatMap(secretsOfAgent);
  const ofStore = secretsIn(store ?? '').flatMap((secret) => [secret, decodedOf(secret)]);
  return [...settings, ...ofAgents, ...ofStore].filter(
    (value): value is string => typeof value === 'string' && value !== '',
  );
}

function decodedOf(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** @throws SessionError INVALID_ARGUMENT for a name that no command has */
export function commandOf<C extends CommandSpec>(name: string | undefined, commands: readonly C[]): C {
  const found = name === undefined ? commands[0] : commands.find((command) => command.name === name);
  if (found !== undefined) return found;
  const names = commands.map((command) => command.name);
  throw invalidArgument(
    `Unknown command ${quote(name ?? '')}.`,
    `${didYouMean(name ?? '', names)}Use one of: ${names.join(', ')}.`,
  );
}

/** @throws SessionError INVALID_ARGUMENT for operands too many or too few */
export function checkOperands({ name, operands = [] }: CommandSpec, given: readonly string[]): void {
  const usual = `Write agent-sessions-mcp ${[name, ...operands].join(' ')}.`;
  const missing = operands[given.length];
  if (missing !== undefined && !missing.startsWith('['))
    throw invalidArgument(
      missing === 'SESSION' ? `${name} needs the id of a session.` : `${name} needs ${missing}.`,
      usual,
    );
  const takesMore = operands.at(-1)?.endsWith('…') === true;
  const extra = takesMore ? undefined : given[operands.length];
  if (extra !== undefined)
    throw invalidArgument(`Unexpected argument ${quote(extra)}.`, `${usual} See --help.`);
}

/** The folder where a program keeps its user's data on this system. */
function dataDir({ env, platform, homeDir }: Machine): string {
  const own = 'agent-sessions-mcp';
  if (platform === 'win32') return path.join(env.LOCALAPPDATA ?? path.join(homeDir, 'AppData', 'Local'), own);
  if (platform === 'darwin') return path.join(homeDir, 'Library', 'Application Support', own);
  return path.join(env.XDG_DATA_HOME || path.join(homeDir, '.local', 'share'), own);
}
