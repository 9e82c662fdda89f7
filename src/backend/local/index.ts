import { openAgents } from '../../agent/open.ts';
import type { Agents } from '../../agent/types.ts';
import type { Embedder } from '../../embeddings/embedder.ts';
import type { Store } from '../../store/types.ts';
import { type Backend, capabilitiesOf } from '../types.ts';
import { appendEvent } from './append.ts';
import { createApp, deleteApp, getApp, listApps } from './apps.ts';
import { getArtifact, listArtifacts, saveArtifact } from './artifacts.ts';
import { deleteEvent, setVisibility } from './change-event.ts';
import { damagedRecords } from './damage.ts';
import { getEvent, listEvents } from './events.ts';
import { registerFeedback } from './feedback.ts';
import { forkSession } from './fork.ts';
import { headKey, readyKey } from './keys.ts';
import { listSessions } from './list-sessions.ts';
import { type Maintenance, startMaintenance } from './maintenance.ts';
import { openMeaning, tellingStore } from './meaning.ts';
import {
  countMemories,
  createMemory,
  deleteMemories,
  deleteMemory,
  listMemories,
  searchMemory,
} from './memory.ts';
import { rewindSession, undoRewind } from './rewind.ts';
import { runAgent } from './run-agent.ts';
import { openRuns, type ProcessIdentity } from './runs.ts';
import { searchEvents } from './search-events.ts';
import { addSessionToMemory, countFacts } from './session-memory.ts';
import type { Local } from './session-record.ts';
import { appsOfSession, createSession, deleteSession, getSession, updateSession } from './sessions.ts';
import { stageSession } from './stage.ts';
import { stateAt } from './state-at.ts';
import { listToolCalls, submitToolOutputs } from './tool-calls.ts';
import { openTurnLines } from './turn-line.ts';
import { endOfTurn, giveBack, withdrawTurn } from './unfinished-turn.ts';

export interface LocalConfig {
  store: Store;
  /** Milliseconds since the epoch; for tests of expiry. */
  now?: () => number;
  /** What `query` runs; without any a built-in echo agent, which says how to bind a real one. */
  agents?: Agents | undefined;
  /** Lets other processes of this machine see at once that this one has died. */
  process?: ProcessIdentity | undefined;
  /** Milliseconds after which the run of a silent process counts as dead. */
  leaseMs?: number | undefined;
  /** Makes vectors of what is said, so that searches find what means the same. */
  embedder?: Embedder | undefined;
  /** Whether it tidies up in the background: not on a copy of a database that takes no writes. Default true. */
  maintains?: boolean | undefined;
  /** Gets errors of background work, which is tried again a minute later. */
  onError?: (error: unknown) => void;
}

/** Milliseconds for which the entry of a readiness check is kept. */
const readyMs = 60_000;

const noMaintenance: Maintenance = { looked: Promise.resolve(), poke() {}, async stop() {} };

/** The backend that needs no service: everything is in one store, which it closes with itself. */
export function openLocal(config: LocalConfig): Backend {
  const now = config.now ?? Date.now;
  const leaseMs = config.leaseMs ?? 15_000;
  const onError = config.onError ?? (() => {});
  const meaning =
    config.embedder && openMeaning({ store: config.store, now }, config.embedder, { leaseMs, onError });
  const store = meaning === undefined ? config.store : tellingStore(config.store, meaning.poke);
  const agents = config.agents ?? openAgents({});
  const local: Local = { store, now, meaning, settle: (head) => runs.settle(head) };
  const runs = openRuns({
    local,
    async ready(app, { message, agent: name }) {
      const agent = await agents.open(app, name);
      const refused = message === undefined ? undefined : agent.refusal?.(message);
      if (refused !== undefined) throw refused;
      return agent.name;
    },
    process: config.process,
    leaseMs,
  });
  const maintenance = config.maintains === false ? noMaintenance : startMaintenance(local, onError);
  const backend: Backend = {
    name: 'local',
    numbersEvents: true,
    forgetsExpiry: true,
    appsOfSession: (userId, sessionId) => appsOfSession(local, userId, sessionId),
    async describe() {
      return {
        name: 'local',
        engine: store.engine,
        location: store.location,
        capabilities: capabilitiesOf(backend),
        notes: [
          `Data is kept by the ${store.engine} engine.`,
          ...(store.limits ?? []),
          'add_session_to_memory stores each text of a session as a fact, unchanged; no model extracts or merges facts.',
          'add_session_to_memory adds only what is new since its last call. list_memories without a scope lists the memories of all scopes.',
          'A query with an invocationId of your own runs once, however often it is sent.',
          'A session id is unique for a user within an app.',
          ...(meaning === undefined ? [] : [await meaning.describe()]),
          ...damageNote(await damagedRecords(store)),
          agents.bound.length === 0
            ? 'No agent is bound, so query runs the built-in echo agent, which repeats what it hears; bind a real one under "agents" in the file of --config.'
            : `Agents that query runs, by app: ${agents.bound.map(({ app, kind, name }) => `${app}: ${name} (${kind})`).join(', ')}.`,
        ],
      };
    },
    // Only a write finds out that a store is full, read-only or locked; this one leaves nothing behind.
    ready: () =>
      store.update([], () => ({
        result: undefined,
        writes: [{ key: readyKey, value: '1', expires: local.now() + readyMs }],
      })),
    async close() {
      await runs.close();
      await Promise.all([maintenance.stop(), meaning?.stop()]);
      await store.close();
    },
    apps: {
      list: (query) => listApps(local, query),
      get: (name) => getApp(local, name),
      create: (app) => createApp(local, app),
      async delete(name, options) {
        await deleteApp(local, name, options);
        maintenance.poke();
      },
    },
    sessions: {
      list: (query) => listSessions(local, query),
      async create(owner, session) {
        await maintenance.looked;
        return createSession(local, owner, session);
      },
      get: (ref) => getSession(local, ref),
      update: (ref, change, guard) => updateSession(local, ref, change, guard),
      async delete(ref, guard) {
        await deleteSession(local, ref, guard);
        maintenance.poke();
      },
      fork: (ref, options) => forkSession(local, ref, options),
      rewind: (ref, to, guard) =>
        'undo' in to ? undoRewind(local, ref, guard) : rewindSession(local, ref, to.eventId, guard),
      watch: (ref, onChange) => store.watch(headKey(ref), onChange),
    },
    events: {
      list: (ref, query) => listEvents(local, ref, query),
      get: (ref, eventId) => getEvent(local, ref, eventId),
      search: (query) => searchEvents(local, query),
      append: (ref, event, guard) => appendEvent(local, ref, event, guard),
      setVisibility: (ref, eventId, hidden) => setVisibility(local, ref, eventId, hidden),
      delete: (ref, eventId, guard) => deleteEvent(local, ref, eventId, guard),
    },
    turns: {
      take: openTurnLines(local),
      giveBack: (taken, how) => giveBack(local, taken, how),
      withdraw: (ref, eventId, by) => withdrawTurn(local, ref, eventId, by),
      endOf: (ref, eventId) => endOfTurn(local, ref, eventId),
    },
    toolCalls: {
      list: (ref) => listToolCalls(local, ref),
      submit: (ref, outputs, options) => submitToolOutputs(local, ref, outputs, options),
    },
    artifacts: {
      list: (ref, query) => listArtifacts(local, ref, query),
      get: (ref, name, version) => getArtifact(local, ref, name, version),
      save: (ref, artifact, guard) => saveArtifact(local, ref, artifact, guard),
    },
    memory: {
      search: (owner, query) => searchMemory(local, owner, query),
      addSession: (ref, options) => addSessionToMemory(local, ref, options),
      countFacts: (ref, options) => countFacts(local, ref, options),
      count: (owner, which) => countMemories(local, owner, which),
      deleteAll: (owner, which) => deleteMemories(local, owner, which),
      async create(owner, memory) {
        await maintenance.looked;
        return createMemory(local, owner, memory);
      },
      list: (owner, query) => listMemories(local, owner, query),
      delete: (owner, memoryId) => deleteMemory(local, owner, memoryId),
    },
    query: {
      stream: (ref, input, signal) => runAgent({ local, runs, agents }, ref, input, signal),
    },
    feedback: {
      register: (ref, feedback) => registerFeedback(local, ref, feedback),
    },
    runs,
    transfer: {
      stateAt: (ref, eventId) => stateAt(local, ref, eventId),
      async stage(owner, session) {
        await maintenance.looked;
        return stageSession(local, owner, session);
      },
    },
  };
  return backend;
}

const damageNote = (keys: readonly string[]): string[] =>
  keys.length === 0
    ? []
    : [
        `${keys.length} records of the store are damaged; the command \`agent-sessions-mcp doctor\` names them.`,
      ];
