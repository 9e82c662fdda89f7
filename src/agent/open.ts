import { SessionError } from '../errors.ts';
import type { A2aConfig } from './a2a.ts';
import type { ChatConfig } from './chat.ts';
import { type EchoConfig, echoAgent } from './echo.ts';
import type { Agent, Agents, ToolHost, ToolServer } from './types.ts';

/** An agent of an ADK API server. */
export interface AdkAgentConfig {
  kind: 'adk';
  name: string;
  url: string;
  /** The name that the agent has there. */
  app: string;
  /** Bearer token. */
  token?: string | undefined;
  timeoutMs: number;
}

export type AgentConfig = EchoConfig | ChatConfig | A2aConfig | AdkAgentConfig;

/** What agents need of rooms above this one; handed down by whoever puts the server together. */
export interface AgentParts {
  openTools?: ((servers: Readonly<Record<string, ToolServer>>) => ToolHost) | undefined;
  openAdk?: ((config: AdkAgentConfig) => Promise<Agent>) | undefined;
}

/** The name that stands for every app without an agent of its own. */
export const anyApp = '*';

/** Answers where the operator has bound no agent at all, so that the first query of a new user works. */
const unboundEcho: EchoConfig = {
  kind: 'echo',
  name: 'echo',
  delayMs: 0,
  advice:
    'No agent is bound to this app, so the built-in echo agent repeated what you said. To bind a real one, start the server with --config FILE and put it under "agents" in that file, for example {"agents": {"*": {"kind": "chat", "baseUrl": "http://127.0.0.1:11434/v1", "model": "llama3.2"}}}; "*" stands for every app.',
};

/** The agents of an app: one, or several that work together, of which the first is asked when none is named. */
export type TeamConfig = AgentConfig | readonly AgentConfig[];

/**
 * Binds agents to apps. What an agent needs is loaded with its first run. Without any, a built-in echo agent
 * answers; where some are bound, an app that has none is more likely mistyped, and is refused.
 */
export function openAgents(configs: Readonly<Record<string, TeamConfig>>, parts: AgentParts = {}): Agents {
  const opened = new Map<AgentConfig, Promise<Agent>>();
  const fallback = Object.keys(configs).length === 0 ? unboundEcho : undefined;
  const teamOf = (app: string): readonly AgentConfig[] => {
    const team = Object.hasOwn(configs, app) ? configs[app] : (configs[anyApp] ?? fallback);
    return team === undefined ? [] : [team].flat();
  };
  return {
    bound: Object.entries(configs).flatMap(([app, team]) =>
      [team].flat().map(({ kind, name }) => ({ app, kind, name })),
    ),
    team: (app) => teamOf(app).map((config) => config.name),
    open(app, name) {
      const team = teamOf(app);
      const config = name === undefined ? team[0] : team.find((one) => one.name === name);
      if (config === undefined) return Promise.reject(team.length === 0 ? noAgent() : noSuchAgent());
      const known = opened.get(config);
      if (known !== undefined) return known;
      const agent = make(config, parts);
      opened.set(config, agent);
      // What could not be loaded is tried again by the next run.
      agent.catch(() => opened.delete(config));
      return agent;
    },
  };
}

async function make(config: AgentConfig, { openAdk, openTools }: AgentParts): Promise<Agent> {
  switch (config.kind) {
    case 'echo':
      return echoAgent(config);
    case 'chat':
      return (await import('./chat.ts')).chatAgent(
        config,
        config.mcpServers && openTools?.(config.mcpServers),
      );
    case 'a2a':
      return (await import('./a2a.ts')).a2aAgent(config);
    case 'adk':
      if (openAdk === undefined) throw noAgent();
      return openAdk(config);
  }
}

function noAgent(): SessionError {
  return new SessionError('FAILED_PRECONDITION', 'No agent is bound to this app.', {
    hint: 'Name an app that has an agent (describe_server lists them), or bind one to this app or to "*" under "agents" in the file of --config.',
  });
}

function noSuchAgent(): SessionError {
  return new SessionError('FAILED_PRECONDITION', 'No agent of this name is bound to this app.', {
    hint: 'Leave agent out, or name one that is bound to the app under "agents" in the file of --config; describe_server lists them.',
  });
}
