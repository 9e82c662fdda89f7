import * as z from 'zod';
import { type AgentConfig, anyApp } from '../agent/open.ts';
import type { ToolServer } from '../agent/types.ts';
import { invalidArgument, quote } from '../errors.ts';
import { secureUrl } from '../net/secure-url.ts';

const name = () => z.string().regex(/^[\p{L}\p{N}_.-]{1,100}$/u, 'letters, digits, "_", "." and "-"');
/** Secrets are never in the file: it names the environment variable that holds one. */
const variable = () => z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'the name of an environment variable');
const seconds = () => z.int().min(1).max(300);

/** An MCP server whose tools a chat agent calls itself. Secrets come from the variables that are named. */
const toolServerSchema = () =>
  z.union([
    z.strictObject({
      command: z.string().min(1),
      args: z.array(z.string()).optional(),
      env: z.array(variable()).optional(),
      tools: z.array(z.string()).optional(),
    }),
    z.strictObject({
      url: z.string(),
      tokenEnv: variable().optional(),
      tools: z.array(z.string()).optional(),
    }),
  ]);

/** An agent, as the file of `--config` describes it. */
const agentSchema = () =>
  z.discriminatedUnion('kind', [
    z.strictObject({
      kind: z.literal('echo'),
      name: name().optional(),
      delayMs: z.int().min(0).max(5000).optional(),
    }),
    z.strictObject({
      kind: z.literal('chat'),
      name: name().optional(),
      baseUrl: z.string(),
      model: z.string().min(1),
      apiKeyEnv: variable().optional(),
      instruction: z.string().optional(),
      historyTokens: z.int().min(100).max(2_000_000).optional(),
      memories: z.int().min(0).max(50).optional(),
      temperature: z.number().min(0).max(2).optional(),
      maxTokens: z.int().min(1).optional(),
      timeoutSeconds: seconds().optional(),
      handOverTo: z.array(name()).max(20).optional(),
      mcpServers: z.record(name(), toolServerSchema()).optional(),
      tools: z
        .array(
          z.strictObject({
            name: z.string().regex(/^[A-Za-z0-9_-]{1,64}$/, 'letters, digits, "_" and "-"'),
            description: z.string().optional(),
            parameters: z.record(z.string(), z.unknown()).optional(),
          }),
        )
        .optional(),
    }),
    z.strictObject({
      kind: z.literal('adk'),
      name: name().optional(),
      url: z.string(),
      app: z.string().min(1),
      tokenEnv: variable().optional(),
      timeoutSeconds: seconds().optional(),
    }),
    z.strictObject({
      kind: z.literal('a2a'),
      name: name().optional(),
      url: z.string(),
      tokenEnv: variable().optional(),
      timeoutSeconds: seconds().optional(),
    }),
  ]);

/**
 * `agents` of the file of `--config`, by app; "*" is for every other app. Of several agents of an app the first
 * answers when none is named, and they can hand over to each other.
 */
export const agentsFileSchema = () =>
  z.record(z.string(), z.union([agentSchema(), z.array(agentSchema()).min(1).max(20)]));

export const agentsUsage = `Agents that query runs on the local backend, by app, in the file of --config
  {"agents": {"default": {"kind": "echo"},
              "helper":  {"kind": "chat", "baseUrl": "http://127.0.0.1:11434/v1", "model": "llama3.2",
                          "apiKeyEnv": "NAME_OF_A_VARIABLE", "instruction": "Be brief.", "memories": 5},
              "*":       {"kind": "a2a", "url": "https://agent.example", "tokenEnv": "TRAVEL_TOKEN"}}}
  A list gives an app several agents, each with a "name": the first answers, and they can hand over to each other.
`;

export type AgentsFile = z.infer<ReturnType<typeof agentsFileSchema>>;
type AgentEntry = z.infer<ReturnType<typeof agentSchema>>;

/** @throws SessionError INVALID_ARGUMENT */
export function readAgents(
  file: AgentsFile | undefined,
  env: Readonly<Record<string, string | undefined>>,
): Record<string, readonly AgentConfig[]> {
  const read = (app: string, given: AgentEntry): AgentConfig => {
    const author = given.name ?? (given.kind === 'echo' ? 'echo' : app === anyApp ? 'agent' : app);
    if (author === 'user')
      throw invalidArgument(`The agent of ${quote(app)} is called "user".`, 'Give it another name.');
    const secret = (named: string | undefined) =>
      named === undefined ? undefined : secretOf(app, named, env);
    switch (given.kind) {
      case 'echo':
        return { kind: 'echo', name: author, delayMs: given.delayMs ?? 0 };
      case 'chat': {
        const apiKey = secret(given.apiKeyEnv);
        const { apiKeyEnv: _, mcpServers, ...rest } = given;
        return {
          ...rest,
          name: author,
          baseUrl: addressOf(app, 'baseUrl', given.baseUrl, apiKey),
          apiKey,
          historyTokens: given.historyTokens ?? 8000,
          memories: given.memories ?? 0,
          tools: given.tools ?? [],
          mcpServers: mcpServers && toolServersOf(app, mcpServers, secret, env),
          timeoutMs: (given.timeoutSeconds ?? 120) * 1000,
        };
      }
      case 'a2a':
      case 'adk': {
        const token = secret(given.tokenEnv);
        const url = addressOf(app, 'url', given.url, token);
        const found = { name: author, url, token, timeoutMs: (given.timeoutSeconds ?? 120) * 1000 };
        return given.kind === 'a2a' ? { kind: 'a2a', ...found } : { kind: 'adk', ...found, app: given.app };
      }
    }
  };
  return Object.fromEntries(
    Object.entries(file ?? {}).map(([app, given]) => {
      const team = [given].flat().map((one) => read(app, one));
      if (new Set(team.map((one) => one.name)).size < team.length)
        throw invalidArgument(
          `Two agents of ${quote(app)} have the same name.`,
          'Give each a "name" of its own.',
        );
      return [app, team];
    }),
  );
}

function toolServersOf(
  app: string,
  servers: Record<string, z.infer<ReturnType<typeof toolServerSchema>>>,
  secret: (named: string | undefined) => string | undefined,
  env: Readonly<Record<string, string | undefined>>,
): Record<string, ToolServer> {
  const read = (name: string, given: (typeof servers)[string]): ToolServer => {
    if ('url' in given) {
      const token = secret(given.tokenEnv);
      return { url: addressOf(app, `url of ${quote(name)}`, given.url, token), token, tools: given.tools };
    }
    const named = (given.env ?? []).map((one) => [one, secretOf(app, one, env)] as const);
    return { ...given, env: Object.fromEntries(named) };
  };
  return Object.fromEntries(Object.entries(servers).map(([name, given]) => [name, read(name, given)]));
}

function secretOf(app: string, named: string, env: Readonly<Record<string, string | undefined>>): string {
  const value = env[named];
  if (value === undefined || value === '')
    throw invalidArgument(
      `The agent of ${quote(app)} needs the environment variable ${named}, which is not set.`,
      'Set it, or remove its name from the file of --config.',
    );
  return value;
}

// A model in the local network may be reached by http, but a secret never travels unencrypted.
function addressOf(app: string, what: string, text: string, secret: string | undefined): string {
  const place = `${what} of the agent of ${quote(app)}`;
  if (secret !== undefined) return secureUrl(`The ${place}`, text);
  if (!/^https?:$/.test(URL.parse(text)?.protocol ?? ''))
    throw invalidArgument(`The ${place} is not an http or https address.`, 'Write it with https://.');
  return text;
}

/** Credentials of an agent and of the servers that it uses, for the log to leave out. */
export function secretsOfAgent(agent: AgentConfig): (string | undefined)[] {
  if (agent.kind === 'a2a' || agent.kind === 'adk') return [agent.token];
  if (agent.kind !== 'chat') return [];
  const servers = Object.values(agent.mcpServers ?? {});
  return [agent.apiKey, ...servers.flatMap(({ token, env }) => [token, ...Object.values(env ?? {})])];
}
