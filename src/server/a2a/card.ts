import { AgentCard } from '@a2a-js/sdk';

/**
 * The card of an app's agent (a2a-protocol.org/v1.0.0/specification, Agent Card), with the address that clients of
 * A2A 0.3 look for beside that of 1.0.
 */
export function cardOf(
  app: string,
  agent: string,
  url: string,
  version: string,
  secured: boolean,
): AgentCard {
  return AgentCard.fromJSON({
    name: agent,
    description: `The agent ${agent} of the app ${app}. A context is a session, a message hands it over, and a task is the agent’s turn.`,
    version,
    supportedInterfaces: [
      { url, protocolBinding: 'JSONRPC', protocolVersion: '1.0' },
      { url, protocolBinding: 'JSONRPC', protocolVersion: '0.3' },
    ],
    capabilities: { streaming: true },
    defaultInputModes: ['text/plain'],
    defaultOutputModes: ['text/plain'],
    skills: [{ id: agent, name: agent, description: `Answers as ${agent}.`, tags: ['agent'] }],
    ...(secured
      ? {
          securitySchemes: { bearer: { httpAuthSecurityScheme: { scheme: 'Bearer' } } },
          securityRequirements: [{ schemes: { bearer: { list: [] } } }],
        }
      : {}),
  });
}

/** The card as it is sent. */
export function cardDocument(card: AgentCard, url: string): string {
  const document = AgentCard.toJSON(card) as object;
  return JSON.stringify({ ...document, url, preferredTransport: 'JSONRPC', protocolVersion: '0.3.0' });
}
