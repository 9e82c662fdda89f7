import path from 'node:path';
import { type ParseArgsConfig, parseArgs } from 'node:util';
import * as z from 'zod';
import type { AgentConfig } from '../agent/open.ts';
import type { ProcessIdentity } from '../backend/local/runs.ts';
import { invalidArgument, quote, SessionError } from '../errors.ts';
import { checkId } from '../model/ids.ts';
import type { HttpSettings } from '../server/http/index.ts';
import { type Toolset, toolsets } from '../tools/support/define.ts';
import { agentsFileSchema, agentsUsage, readAgents } from './agents.ts';
import { backendsFileSchema, backendsUsage, readRemote } from './backends.ts';
import { httpFileSchema, httpFlags, httpUsage, readHttp } from './http.ts';

export const commands = ['stdio', 'http', 'doctor', 'export', 'import', 'hash-token'] as const;
export type Command = (typeof commands)[number];

export const backendNames = ['local', 'agent-engine', 'adk', 'vectara'] as const;
export type BackendName = (typeof backendNames)[number];

/** All that the operator decides. Secrets are in here: it is never printed as a whole. */
export interface Config {
  command: Command;
  /** Of `export` and `import`. */
  sessionId: string | undefined;
  backends: readonly BackendName[];
  /** What the remote backends need, read when they are opened. */
  remote: ReturnType<typeof readRemote>;
  store: { url: string | undefined; durability: 'full' | 'normal'; dataDir: string };
  app: string;
  user: string;
  /** Undefined: the default ones. */
  toolsets: readonly Toolset[] | undefined;
  readOnly: boolean;
  http: HttpSettings;
  /** The agents that the local backend runs, by app. */
  agents: Readonly<Record<string, AgentConfig>>;
  process: ProcessIdentity | undefined;
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

type Invocation = { kind: 'help' } | { kind: 'version' } | { kind: 'run'; config: Config };

const flags = {
  backend: { type: 'string' },
  store: { type: 'string' },
  durability: { type: 'string' },
  app: { type: 'string' },
  user: { type: 'string' },
  toolsets: { type: 'string' },
  'read-only': { type: 'boolean' },
  config: { type: 'string' },
  ...httpFlags,
  help: { type: 'boolean', short: 'h' },
  version: { type: 'boolean', short: 'v' },
} as const satisfies ParseArgsConfig['options'];

/** The file of `--config`: the same settings as the flags, in camelCase. */
const fileSchema = z.strictObject({
  backend: z.array(z.string()).optional(),
  store: z.string().optional(),
  durability: z.string().optional(),
  app: z.string().optional(),
  user: z.string().optional(),
  toolsets: z.array(z.string()).optional(),
  readOnly: z.boolean().optional(),
  ...backendsFileSchema,
  http: httpFileSchema.optional(),
  agents: agentsFileSchema.optional(),
});

export const usage = `agent-sessions-mcp: sessions, events, artifacts and memories for agents, as MCP tools

Usage: agent-sessions-mcp [command] [options]

Commands
  stdio                serve one client over stdin and stdout (default)
  http                 serve many clients over HTTP
  doctor               check configuration and store, and say what to fix
  export SESSION       write a session to stdout as JSON Lines
  import [SESSION]     read a session from stdin as JSON Lines, under its own or the given id
  hash-token           read a token from stdin and write its entry for --auth-tokens

Options                          Environment                 Default
  --backend NAME[,NAME]          AGENT_SESSIONS_BACKEND      local; also agent-engine, adk, vectara;
                                                             the first is the default
  --store URL                    AGENT_SESSIONS_STORE        a file in your data folder
                                 memory: or sqlite:PATH
  --durability full|normal       AGENT_SESSIONS_DURABILITY   full: written to disk before the answer
  --app NAME                     AGENT_SESSIONS_APP          default
  --user NAME                    AGENT_SESSIONS_USER         you
  --toolsets NAME[,NAME]         AGENT_SESSIONS_TOOLSETS     all; apps without creating and deleting
                                 ${toolsets.filter((name) => name !== 'server').join(', ')}
  --read-only                    AGENT_SESSIONS_READ_ONLY    off
  --config FILE                  AGENT_SESSIONS_CONFIG       JSON with the same settings
  --help, --version

${backendsUsage}
${httpUsage}
${agentsUsage}`;

/** Reads flags, environment and file, in this order of precedence. @throws SessionError INVALID_ARGUMENT */
export function readConfig(argv: readonly string[], machine: Machine): Invocation {
  const { values, positionals } = parseFlags(argv);
  if (values.help === true) return { kind: 'help' };
  if (values.version === true) return { kind: 'version' };
  const env = (name: string) => machine.env[`AGENT_SESSIONS_${name}`] || undefined;
  const file = readConfigFile(values.config ?? env('CONFIG'), machine);
  const [command = 'stdio', sessionId, ...rest] = positionals;
  if (!isOneOf(commands, command)) throw wrong('command', command, commands);
  const takesSession = command === 'export' || command === 'import';
  if (rest.length > 0 || (sessionId !== undefined && !takesSession))
    throw invalidArgument(
      `There is an argument too many: ${quote(rest[0] ?? sessionId ?? '')}.`,
      'See --help.',
    );
  if (command === 'export' && sessionId === undefined)
    throw invalidArgument('export needs the id of a session.', 'Write agent-sessions-mcp export SESSION.');
  const durability = values.durability ?? env('DURABILITY') ?? file.durability ?? 'full';
  if (durability !== 'full' && durability !== 'normal')
    throw wrong('--durability', durability, ['full', 'normal']);
  const backends = list(values.backend ?? env('BACKEND')) ?? file.backend ?? ['local'];
  const wanted = list(values.toolsets ?? env('TOOLSETS')) ?? file.toolsets;
  return {
    kind: 'run',
    config: {
      command,
      sessionId,
      backends: distinct(backends.map((name) => member('--backend', name, backendNames))),
      remote: readRemote(file, machine.env),
      store: { url: values.store ?? env('STORE') ?? file.store, durability, dataDir: dataDir(machine) },
      app: checkId('--app', values.app ?? env('APP') ?? file.app ?? 'default'),
      user: checkId('--user', values.user ?? env('USER') ?? file.user ?? machine.userName),
      toolsets:
        wanted === undefined
          ? undefined
          : distinct(wanted.map((name) => member('--toolsets', name, toolsets))),
      readOnly:
        values['read-only'] ?? flagOf('AGENT_SESSIONS_READ_ONLY', env('READ_ONLY')) ?? file.readOnly ?? false,
      agents: readAgents(file.agents, machine.env),
      process: machine.process,
      http: readHttp({ flag: (name) => values[name], env, file: file.http ?? {} }),
    },
  };
}

function parseFlags(argv: readonly string[]) {
  try {
    return parseArgs({ args: [...argv], options: flags, allowPositionals: true, strict: true });
  } catch (cause) {
    const about =
      cause instanceof Error
        ? /^(?:Unknown option|Option) '([^']{1,80})/.exec(cause.message)?.[1]
        : undefined;
    throw new SessionError(
      'INVALID_ARGUMENT',
      `The option ${quote(about ?? '')} is unknown or used wrongly.`,
      {
        hint: 'See --help.',
        cause,
      },
    );
  }
}

function readConfigFile(file: string | undefined, machine: Machine): z.infer<typeof fileSchema> {
  if (file === undefined) return {};
  let content: unknown;
  try {
    content = JSON.parse(machine.readFile(file));
  } catch (cause) {
    throw new SessionError('INVALID_ARGUMENT', 'The file of --config cannot be read, or is not JSON.', {
      hint: 'Check its path and content.',
      cause,
    });
  }
  const parsed = fileSchema.safeParse(content);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const where = issue?.code === 'unrecognized_keys' ? issue.keys.join(', ') : issue?.path.join('.');
  throw invalidArgument(`The file of --config is wrong at ${quote(where ?? '')}.`, issue?.message);
}

const isOneOf = <T extends string>(all: readonly T[], value: string): value is T =>
  (all as readonly string[]).includes(value);

function member<T extends string>(what: string, value: string, all: readonly T[]): T {
  if (!isOneOf(all, value)) throw wrong(what, value, all);
  return value;
}

function wrong(what: string, value: string, allowed: readonly string[]): SessionError {
  return invalidArgument(`${what} cannot be ${quote(value)}.`, `Use one of: ${allowed.join(', ')}.`);
}

const list = (text: string | undefined): string[] | undefined =>
  text === undefined ? undefined : text.split(',').map((name) => name.trim());

const distinct = <T>(items: readonly T[]): T[] => [...new Set(items)];

function flagOf(name: string, value: string | undefined): boolean | undefined {
  if (value === undefined) return undefined;
  if (/^(1|true|yes|on)$/i.test(value)) return true;
  if (/^(0|false|no|off)$/i.test(value)) return false;
  throw wrong(name, value, ['true', 'false']);
}

/** The folder where a program keeps its user's data on this system. */
function dataDir({ env, platform, homeDir }: Machine): string {
  const own = 'agent-sessions-mcp';
  if (platform === 'win32') return path.join(env.LOCALAPPDATA ?? path.join(homeDir, 'AppData', 'Local'), own);
  if (platform === 'darwin') return path.join(homeDir, 'Library', 'Application Support', own);
  return path.join(env.XDG_DATA_HOME || path.join(homeDir, '.local', 'share'), own);
}
