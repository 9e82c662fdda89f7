import { randomBytes } from 'node:crypto';
import { type AdkAgentConfig, openAgents } from '../agent/open.ts';
import type { Agent, ToolHost, ToolServer } from '../agent/types.ts';
import { openLocal } from '../backend/local/index.ts';
import type { Backend } from '../backend/types.ts';
import type { BackendName, Config } from '../config/index.ts';
import type { Log } from '../log.ts';
import { openRunManager, type RunManager } from '../run/manager.ts';
import { refuseHalfCopy } from '../store/copy.ts';
import { isNewFile, openStore, placeOf } from '../store/open.ts';
import { storeSecret } from '../store/secret.ts';
import { type SharedRecords, sharedRecords } from '../store/shared-records.ts';

export interface OpenBackends {
  backends: Backend[];
  /** The agent runs on these backends. */
  runs: RunManager;
  /** Signs what goes through clients and comes back; shared by all processes over one local store. */
  secret: Buffer;
  /** Of the servers on a store that several machines share. */
  sharedRecords: SharedRecords | undefined;
  close(): Promise<void>;
}

/** An agent of an ADK server, which may be another than that of the adk backend. */
async function openAdkAgent({ name, app, url, token, timeoutMs }: AdkAgentConfig): Promise<Agent> {
  const { openAdk } = await import('../backend/adk/index.ts');
  const { backendAgent } = await import('../run/backend-agent.ts');
  return backendAgent(name, app, await openAdk({ baseUrl: url, token, runIdleMs: timeoutMs }));
}

/** Opens the configured backends, the default first. What one backend needs is loaded only with it. */
export async function openBackends(config: Config, log: Log): Promise<OpenBackends> {
  const backends: Backend[] = [];
  const runs = openRunManager({ log });
  let secret: Buffer | undefined;
  let records: SharedRecords | undefined;
  const openOne: Record<BackendName, () => Promise<Backend>> = {
    async local() {
      const isNew = isNewFile(placeOf(config.store));
      const store = await openStore(config.store);
      await refuseHalfCopy(store);
      secret = await storeSecret(store);
      if (store.isShared === true && !config.readOnly) records = sharedRecords(store);
      const message = isNew
        ? 'A new, empty local store was made. If there should be sessions in it, check --store.'
        : 'The local store is open.';
      log.info(message, { engine: store.engine, location: store.location });
      for (const limit of store.limits ?? []) log.warn(limit, { engine: store.engine });
      const embedder =
        config.embeddings && (await import('../embeddings/embedder.ts')).openEmbedder(config.embeddings, log);
      return openLocal({
        store,
        embedder,
        agents: openAgents(config.agents, { openAdk: openAdkAgent, openTools }),
        process: config.process,
        maintains: !config.readOnly,
        onError: (error) => log.error('Maintenance of the store failed.', { error }),
      });
    },
    async 'agent-engine'() {
      const { openAgentEngine } = await import('../backend/agent-engine/index.ts');
      return openAgentEngine(config.remote.agentEngine());
    },
    async adk() {
      const { openAdk } = await import('../backend/adk/index.ts');
      return openAdk(config.remote.adk());
    },
    async vectara() {
      const { openVectara } = await import('../backend/vectara/index.ts');
      return openVectara(config.remote.vectara());
    },
  };
  const hosts: { close(): Promise<void> }[] = [];
  // The client library is loaded by the first agent that has servers.
  function openTools(servers: Readonly<Record<string, ToolServer>>): ToolHost {
    const opening = import('../server/mcp/tool-host.ts').then(({ openToolHost }) => {
      const host = openToolHost(servers, { log });
      hosts.push(host);
      return host;
    });
    return {
      list: async () => (await opening).list(),
      call: async (name, args, signal) => (await opening).call(name, args, signal),
    };
  }
  const close = async () => {
    const closeOne = async (backend: Backend) => {
      await runs.endAll(backend);
      await backend.close();
    };
    await Promise.all([...backends.map(closeOne), ...hosts.map((host) => host.close())]);
  };
  try {
    for (const name of config.backends) {
      backends.push(await openOne[name]());
    }
  } catch (error) {
    await close();
    throw error;
  }
  return { backends, runs, secret: secret ?? randomBytes(32), sharedRecords: records, close };
}
