import { SessionError } from '../errors.ts';
import type { A2aConfig } from './a2a.ts';
import type { ChatConfig } from './chat.ts';
import { type EchoConfig, echoAgent } from './echo.ts';
import type { Agent, Agents } from './types.ts';

export type AgentConfig = EchoConfig | ChatConfig | A2aConfig;

/** The name that stands for every app without an agent of its own. */
export const anyApp = '*';

/** Binds agents to apps. What an agent needs is loaded with its first run. */
export function openAgents(configs: Readonly<Record<string, AgentConfig>>): Agents {
  const opened = new Map<AgentConfig, Promise<Agent>>();
  const configOf = (app: string): AgentConfig | undefined =>
    Object.hasOwn(configs, app) ? configs[app] : configs[anyApp];
  return {
    bound: Object.entries(configs).map(([app, { kind }]) => ({ app, kind })),
    nameOf: (app) => configOf(app)?.name,
    open(app) {
      const config = configOf(app);
      if (config === undefined) return Promise.reject(noAgent());
      const known = opened.get(config);
      if (known !== undefined) return known;
      const agent = make(config);
      opened.set(config, agent);
      // What could not be loaded is tried again by the next run.
      agent.catch(() => opened.delete(config));
      return agent;
    },
  };
}

async function make(config: AgentConfig): Promise<Agent> {
  switch (config.kind) {
    case 'echo':
      return echoAgent(config);
    case 'chat':
      return (await import('./chat.ts')).chatAgent(config);
    case 'a2a':
      return (await import('./a2a.ts')).a2aAgent(config);
  }
}

function noAgent(): SessionError {
  return new SessionError('FAILED_PRECONDITION', 'No agent is configured for this app.', {
    hint: 'Start the server with --config FILE, and in the file bind one to the app: {"agents": {"default": {"kind": "echo"}}}, or {"kind": "chat", "baseUrl": "http://127.0.0.1:11434/v1", "model": "llama3.2"}, or {"kind": "a2a", "url": "https://agent.example"}.',
  });
}
