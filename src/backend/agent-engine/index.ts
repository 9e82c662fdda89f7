import { type Backend, capabilitiesOf } from '../types.ts';
import { appendEvent, copyEvent } from './append-event.ts';
import { createApp, deleteApp, getApp, listApps } from './apps.ts';
import { callMethod, registerFeedback } from './class-methods.ts';
import { type AgentEngineClient, openClient } from './client.ts';
import { type AgentEngineConfig, resolveConfig } from './config.ts';
import { methodNotes, notesOf } from './describe.ts';
import { getEvent, listEvents } from './events.ts';
import { addSession, createMemory, deleteMemory, listMemories, searchMemory } from './memory.ts';
import { streamQuery } from './query.ts';
import { createSession, deleteSession, getSession, listSessions, updateSession } from './sessions.ts';
import { listToolCalls, submitToolOutputs } from './tool-calls.ts';

/**
 * Google's Agent Engine as a backend: Sessions, Memory Bank and deployed agents. An app is the id of a
 * reasoningEngine.
 * @throws SessionError INVALID_ARGUMENT for a configuration that cannot work; UNAUTHENTICATED when the credentials
 *   must tell the project and there are none
 */
export async function openAgentEngine(config: AgentEngineConfig): Promise<Backend> {
  const { endpoint, defaultApp } = await resolveConfig(config);
  return backendOf(openClient(endpoint, config), defaultApp);
}

function backendOf(client: AgentEngineClient, defaultApp: string | undefined): Backend {
  const { endpoint } = client;
  // Only regions run engines (docs/protocols/agent-engine.md, "Versions and hosts"); the other locations have
  // sessions and memories.
  const runs = endpoint.express || !/^(global|us|eu)$/.test(endpoint.location);
  const backend: Backend = {
    name: 'agent-engine',
    ...(defaultApp === undefined ? {} : { defaultApp }),
    access: { origin: endpoint.origin, credentials: client.describeCredentials },
    async describe() {
      return {
        name: backend.name,
        location: endpoint.origin + endpoint.parent,
        capabilities: capabilitiesOf(backend),
        notes: [...notesOf(client), ...(await methodNotes(client, defaultApp))],
      };
    },
    async close() {},
    apps: {
      list: (query) => listApps(client, query),
      get: (name) => getApp(client, name),
      create: (app) => createApp(client, app),
      delete: (name, options) => deleteApp(client, name, options),
    },
    sessions: {
      list: (query) => listSessions(client, query),
      create: (owner, session) => createSession(client, owner, session),
      get: (ref) => getSession(client, ref),
      update: (ref, change, guard) => updateSession(client, ref, change, guard),
      delete: (ref, guard) => deleteSession(client, ref, guard),
    },
    events: {
      list: (ref, query) => listEvents(client, ref, query),
      get: (ref, eventId) => getEvent(client, ref, eventId),
      append: (ref, event, guard) => appendEvent(client, ref, event, guard),
    },
    toolCalls: {
      list: (ref) => listToolCalls(client, ref),
      submit: (ref, outputs) => submitToolOutputs(client, ref, outputs),
    },
    transfer: { append: (ref, event, options) => copyEvent(client, ref, event, options) },
    memory: {
      search: (owner, query) => searchMemory(client, owner, query),
      addSession: (ref, options) => addSession(client, ref, options),
      create: (owner, memory) => createMemory(client, owner, memory),
      list: (owner, query) => listMemories(client, owner, query),
      delete: (owner, memoryId) => deleteMemory(client, owner, memoryId),
    },
    ...(runs
      ? {
          query: {
            stream: (ref, input, signal) => streamQuery(client, ref, input, signal),
            call: (owner, call, signal) => callMethod(client, owner, call, signal),
          },
          feedback: { register: (ref, feedback) => registerFeedback(client, ref, feedback) },
        }
      : {}),
  };
  return backend;
}
