import { randomBytes } from 'node:crypto';
import type { BackendName, Config } from '../config.ts';
import type { Log } from '../log.ts';
import { openStore } from '../store/open.ts';
import { storeSecret } from '../store/secret.ts';
import { openLocal } from './local/index.ts';
import type { Backend } from './types.ts';

export interface OpenBackends {
  backends: Backend[];
  /** Signs what goes through clients and comes back; shared by all processes over one local store. */
  secret: Buffer;
  close(): Promise<void>;
}

/** Opens the configured backends, the default first. What one backend needs is loaded only with it. */
export async function openBackends(config: Config, log: Log): Promise<OpenBackends> {
  const backends: Backend[] = [];
  let secret: Buffer | undefined;
  const openOne: Record<BackendName, () => Promise<Backend>> = {
    async local() {
      const store = await openStore(config.store);
      secret = await storeSecret(store);
      log.info('The local store is open.', { engine: store.engine, location: store.location });
      return openLocal({
        store,
        onError: (error) => log.error('Maintenance of the store failed.', { error }),
      });
    },
  };
  const close = async () => {
    await Promise.all(backends.map((backend) => backend.close()));
  };
  try {
    for (const name of config.backends) backends.push(await openOne[name]());
  } catch (error) {
    await close();
    throw error;
  }
  return { backends, secret: secret ?? randomBytes(32), close };
}
