/**
 * The server over stdio, on a store whose index of words can be left out: what indexing costs an append.
 *
 *   node indexing-server.js FILE indexed|plain
 */
import { randomBytes } from 'node:crypto';
import { openLocal } from '../src/backend/local/index.ts';
import { createLog } from '../src/log.ts';
import { openRunManager } from '../src/run/manager.ts';
import { startStdio } from '../src/server/stdio.ts';
import { openStore } from '../src/store/open.ts';
import type { Store } from '../src/store/types.ts';

const [file = '', kind = 'indexed'] = process.argv.slice(2);
const log = createLog(() => {});
const store = await openStore({ url: `sqlite:${file}`, durability: 'normal', dataDir: '' });
const backends = [openLocal({ store: kind === 'plain' ? withoutTexts(store) : store })];
const runs = openRunManager({ log });
const secret = randomBytes(32);
const deps = {
  version: 'bench',
  backends,
  runs,
  defaultApp: 'bench',
  secret,
  toolsets: undefined,
  readOnly: false,
  log,
};
const operator = { userId: 'bench', scopes: ['sessions:read', 'sessions:write'] as const, admin: true };
const { closed } = await startStdio(deps, operator, process);
await closed;
process.exit(0);

function withoutTexts(store: Store): Store {
  return {
    ...store,
    update: (keys, decide) =>
      store.update(keys, (values) => {
        const { result, writes } = decide(values);
        return {
          result,
          writes: writes.map((write) => ('text' in write ? { ...write, text: undefined } : write)),
        };
      }),
  };
}
