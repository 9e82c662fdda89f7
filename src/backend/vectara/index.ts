import { type Backend, capabilitiesOf } from '../types.ts';
import { getApp, listApps } from './apps.ts';
import { getArtifact, listArtifacts } from './artifacts.ts';
import { describeCredentials } from './auth.ts';
import { connect } from './client.ts';
import { checkConfig, type VectaraConfig } from './config.ts';
import { deleteEvent, getEvent, listEvents, setVisibility } from './events.ts';
import { streamQuery } from './query.ts';
import { callMethod } from './query-methods.ts';
import { listSessions } from './session-list.ts';
import { createSession, deleteSession, forkSession, getSession, updateSession } from './sessions.ts';
import { listToolCalls, submitToolOutputs } from './tool-calls.ts';

export type { VectaraConfig } from './config.ts';

/**
 * Vectara's Agent Sessions as a backend. An app is an agent's key, or `alias:` and the key of an alias. The owner of
 * a session is in its metadata under `end_user_id`, which is checked before every operation. There is no append:
 * at Vectara every input to a session runs the agent.
 * @throws SessionError INVALID_ARGUMENT for a configuration that cannot work; nothing is sent yet
 */
export async function openVectara(config: VectaraConfig): Promise<Backend> {
  const settings = checkConfig(config);
  const vectara = connect(settings);
  const backend: Backend = {
    name: 'vectara',
    ...(config.defaultApp === undefined ? {} : { defaultApp: config.defaultApp }),
    access: { origin: new URL(settings.baseUrl).origin, credentials: () => describeCredentials(settings) },
    async describe() {
      return {
        name: 'vectara',
        location: new URL(settings.baseUrl).host,
        capabilities: capabilitiesOf(backend),
        notes: notes(settings.unmaskToolCalls),
      };
    },
    async close() {},
    apps: {
      list: (query) => listApps(vectara, query),
      get: (name) => getApp(vectara, name),
    },
    sessions: {
      list: (query) => listSessions(vectara, query),
      create: (owner, session) => createSession(vectara, owner, session),
      get: (ref) => getSession(vectara, ref),
      update: (ref, change, guard) => updateSession(vectara, ref, change, guard),
      delete: (ref, guard) => deleteSession(vectara, ref, guard),
      fork: (ref, options) => forkSession(vectara, ref, options),
    },
    events: {
      list: (ref, query) => listEvents(vectara, ref, query),
      get: (ref, eventId) => getEvent(vectara, ref, eventId),
      setVisibility: (ref, eventId, hidden) => setVisibility(vectara, ref, eventId, hidden),
      delete: (ref, eventId, guard) => deleteEvent(vectara, ref, eventId, guard),
    },
    toolCalls: {
      list: (ref) => listToolCalls(vectara, ref),
      submit: (ref, outputs) => submitToolOutputs(vectara, ref, outputs),
    },
    artifacts: {
      list: (ref, query) => listArtifacts(vectara, ref, query),
      get: (ref, name, version) => getArtifact(vectara, ref, name, version),
    },
    query: {
      stream: (ref, input, signal) => streamQuery(vectara, ref, input, signal),
      call: (owner, call, signal) => callMethod(vectara, owner, call, signal),
    },
  };
  return backend;
}

const notes = (unmasked: boolean): string[] => [
  'An app is the key of an agent, or alias: and the key of an alias.',
  "A session's state is its metadata at Vectara, which the agent's instructions and tools can read; the owner is kept there under end_user_id, which tools do not show.",
  "A session's labels are Vectara's own fields: enabled, tti_minutes (idle minutes after which it is deleted), description (shown as a field) and, to read only, status.",
  'Sessions have no revisions, no expiry time and no update time: updateTime is the time of creation.',
  'Two users can choose the same sessionId: the second session then gets another key at Vectara.',
  'Lists of more than 1,000 sessions keep the order in which Vectara lists them.',
  'Stored events carry the id of their session as invocationId, since Vectara has no invocations.',
  'Events cannot be appended: query sends a message and runs the agent, submit_tool_outputs answers its calls.',
  'query has the class methods input_message, interrupt and compact; stream_query takes steer and follow_up to join a run.',
  'Vectara stores a message twice that is sent twice: when an answer was lost, check with list_events before you send the message again.',
  'Only what the agent itself says is the text of a run; loaded skills, hand-overs and summaries are marked as thoughts.',
  'A fork copies the metadata as it is now, the visible events and the artifacts.',
  'Artifacts have one version, 0; files come with a message or from the agent.',
  unmasked
    ? 'The operator switched masking off: arguments of client tool calls are shown with their secrets.'
    : 'Arguments of client tool calls are masked unless the agent wrote them itself.',
];
