import { type Backend, type BackendInfo, capabilitiesOf } from '../types.ts';
import { getApp, listApps } from './apps.ts';
import { getArtifact, listArtifacts, saveArtifact } from './artifacts.ts';
import { type Adk, connect } from './client.ts';
import type { AdkConfig } from './config.ts';
import { type Dialect, unknownDialect } from './dialects.ts';
import { getEvent, listEvents } from './events.ts';
import { findMarkedRun } from './marked-runs.ts';
import { addSessionToMemory } from './memory.ts';
import { streamRun } from './query.ts';
import { callMethod } from './run-method.ts';
import { createSession, deleteSession, getSession, listSessions, updateSession } from './sessions.ts';
import { listToolCalls } from './tool-calls.ts';

export type { AdkConfig } from './config.ts';

const mayRunOn =
  'This ADK server continues a run that was cancelled here; until the run ends, the session takes no other message.';

/**
 * Sessions of agents behind an ADK API server (`adk api_server`, in TypeScript, Python, Go or Java;
 * docs/protocols/adk.md).
 *
 * Opening detects the server's dialect, and the backend gets the verbs of that dialect. If the server does not
 * answer, the backend opens with the verbs that all dialects have, of which only reads work. Detection is repeated,
 * and the other verbs are added when it succeeds.
 *
 * No ADK server can append, hide or delete events, or has revisions. Answering a tool call is a run (`query` with
 * functionResponse parts) and not a verb of `toolCalls`: it runs the agent, so it needs what runs have: one at a
 * time, progress, cancellation.
 *
 * @throws SessionError INVALID_ARGUMENT when the configuration is wrong
 */
export async function openAdk(config: AdkConfig): Promise<Backend> {
  const adk = await connect(config);
  const listeners = new Set<() => void>();
  const backend: Backend = {
    name: 'adk',
    ...(config.defaultApp === undefined ? {} : { defaultApp: config.defaultApp }),
    access: {
      origin: new URL(adk.baseUrl).origin,
      credentials: async () =>
        config.token === undefined ? 'none; an ADK server asks for none' : 'bearer token (ADK_API_TOKEN)',
    },
    async describe(): Promise<BackendInfo> {
      const notes = await notesOf(adk);
      return { name: 'adk', location: adk.baseUrl, capabilities: capabilitiesOf(backend), notes };
    },
    async close() {
      adk.close();
      adk.sessionCache.forgetAll();
    },
    apps: {
      list: (query) => listApps(adk, query),
      get: (name) => getApp(adk, name),
    },
    sessions: {
      list: (query) => listSessions(adk, query),
      create: (owner, session) => createSession(adk, owner, session),
      get: (ref) => getSession(adk, ref),
      delete: (ref, guard) => deleteSession(adk, ref, guard),
    },
    events: {
      list: (ref, query) => listEvents(adk, ref, query),
      get: (ref, eventId) => getEvent(adk, ref, eventId),
    },
    toolCalls: { list: (ref) => listToolCalls(adk, ref) },
    artifacts: {
      list: (ref, query) => listArtifacts(adk, ref, query),
      get: (ref, name, version) => getArtifact(adk, ref, name, version),
    },
    query: {
      stream: (ref, input, signal) => streamRun(adk, ref, input, signal),
      call: (owner, call, signal) => callMethod(adk, owner, call, signal),
    },
    runMarks: { find: (ref, invocationId) => findMarkedRun(adk, ref, invocationId) },
  };
  const { dialect } = adk.known();
  if (dialect !== undefined) addVerbs(backend, adk, dialect);
  else {
    backend.onCapabilitiesChanged = (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    };
    adk.onDialect((found) => {
      addVerbs(backend, adk, found);
      // The verbs change only once.
      delete backend.onCapabilitiesChanged;
      for (const listener of listeners) listener();
    });
  }
  return backend;
}

/** Adds the verbs that only some dialects have. */
function addVerbs(backend: Backend, adk: Adk, dialect: Dialect): void {
  if (dialect.disconnectEndsRun !== true) backend.cancelNote = mayRunOn;
  if (dialect.patchesState)
    backend.sessions = {
      ...backend.sessions,
      update: (ref, change, guard) => updateSession(adk, ref, change, guard),
    };
  if (dialect.savesArtifacts)
    backend.artifacts = {
      ...backend.artifacts,
      save: (ref, artifact) => saveArtifact(adk, ref, artifact),
    };
  if (dialect.addsToMemory)
    backend.memory = { addSession: (ref, options) => addSessionToMemory(adk, ref, options) };
}

async function notesOf(adk: Adk): Promise<string[]> {
  const dialect = await adk.dialect();
  const { reachable, version } = adk.known();
  return [
    ...(reachable
      ? [
          `The server speaks the ${dialect.label} dialect${version === undefined ? '' : `, version ${version}`}.`,
        ]
      : ['No ADK API server answers at this address.']),
    ...(dialect === unknownDialect
      ? [
          'The implementation of the ADK server is not detected yet: only reads work, and every call tries again to detect it.',
        ]
      : []),
    'Only runs of the agent write events: no tool can append, hide or delete them.',
    'To answer a tool call, call query with a functionResponse part in content. classMethod "run" returns all events of a run at once.',
    'An ADK server sends a session only whole, so calls on long sessions are slow; further pages of a list within 10 s need no new request.',
    "displayName is kept in the state key that ADK's web page uses; lists may not show it.",
    'ADK keeps no creation time: createTime is the time of the first event, or in lists of the last write.',
    ...(dialect.timesEvents
      ? []
      : ['Events have no time; the time shown is the time of the last write to the session.']),
    ...(dialect.patchesState ? [] : ['Only runs change state, by their stateDelta.']),
    ...(dialect.sharesInitialState
      ? []
      : ["user: and app: keys of a session's initial state are not shared: they stay in that session."]),
    'query finds a run by its invocationId from any process, by a mark in the state delta of its message; its status is derived from its events.',
    'Deleting a session leaves its artifacts on the server.',
    ...(dialect.disconnectEndsRun === true ? [] : [mayRunOn]),
  ];
}
