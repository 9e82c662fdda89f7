import { Keyv } from 'keyv';
import { keyvAdapter } from '../store/keyv-adapter.ts';
import { openStore } from '../store/open.ts';

/**
 * For hosts and agents that want to keep small values of their own beside the sessions, in the same file and
 * with the same promises: `import { openKeyv } from 'agent-sessions-mcp/keyv'`. Nothing of the server's is
 * within reach of the returned Keyv, nor of its values within reach of the server's callers.
 */
export interface OpenKeyv {
  keyv: Keyv;
  /** Lets go of the file. */
  close(): Promise<void>;
}

/** @param url as `--store`: `sqlite:PATH` or `memory:` */
export async function openKeyv(url: string, namespace: string): Promise<OpenKeyv> {
  const store = await openStore({ url, durability: 'full', dataDir: '.' });
  const keyv = new Keyv({ store: keyvAdapter(store), namespace, throwOnErrors: true });
  return { keyv, close: () => store.close() };
}
