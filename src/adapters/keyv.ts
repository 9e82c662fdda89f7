import { Keyv } from 'keyv';
import { refuseHalfCopy } from '../store/copy.ts';
import { keyvAdapter } from '../store/keyv-adapter.ts';
import { openStore } from '../store/open.ts';
import { startSweeper } from '../store/sweeper.ts';

/** Milliseconds between two rounds that delete what has expired. */
const sweepInterval = 60_000;

/** What `openKeyv` resolves to. */
export interface OpenKeyv {
  /** A Keyv over the namespace. Its calls reject when they fail; it emits no `error` events. */
  keyv: Keyv;
  /** Finishes what is under way and lets go of the file. Call it once, when the program ends. */
  close(): Promise<void>;
}

/**
 * Opens a [Keyv](https://keyv.org) over the file that holds the sessions, for programs that want to keep small
 * values of their own beside them. A server may use the file at the same time. The Keyv reaches nothing of the
 * server's, and the server's callers reach nothing of the Keyv's; namespaces never meet, whatever they are
 * called.
 *
 * A value is written to disk before `set` resolves. A ttl is in milliseconds, as everywhere in Keyv; an entry is
 * gone for readers at its time, and deleted from the file within about a minute while this or a server runs.
 *
 * ```ts
 * import { openKeyv } from 'agent-sessions-mcp/keyv';
 *
 * const { keyv, close } = await openKeyv('sqlite:/home/ada/notes.db', 'preferences');
 * await keyv.set('theme', 'dark');
 * await keyv.set('draft', { to: 'Bo' }, 3_600_000);
 * await keyv.get('theme'); // 'dark'
 * await close();
 * ```
 *
 * @param url the store, as the server's `--store` names it: `sqlite:PATH`, `postgres://…`, `redis://…`, `keyv:…` or `memory:`
 * @param namespace any text; keys of one namespace are not seen in another
 * @throws SessionError (`code`, `message`, `hint`): INVALID_ARGUMENT when the URL names no store,
 * FAILED_PRECONDITION when the file is not a store, is damaged or cannot be written, UNAVAILABLE when other
 * processes keep it locked for 20 seconds. The Keyv's own calls reject with the same.
 */
export async function openKeyv(url: string, namespace: string): Promise<OpenKeyv> {
  const store = await openStore({ url, durability: 'full', dataDir: '.' });
  await refuseHalfCopy(store);
  const stopSweeper = startSweeper(store, sweepInterval);
  const keyv = new Keyv({ store: keyvAdapter(store), namespace, throwOnErrors: true });
  return {
    keyv,
    async close() {
      await stopSweeper();
      await store.close();
    },
  };
}
