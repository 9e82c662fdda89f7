import { tmpdir } from 'node:os';
import { openLocal } from '../../src/backend/local/index.ts';
import type { Backend } from '../../src/backend/types.ts';
import type { JsonObject } from '../../src/model/json.ts';
import type { Principal } from '../../src/model/principal.ts';
import { parseArgs } from '../../src/server/mcp/results.ts';
import { openStore } from '../../src/store/open.ts';
import { catalogue } from '../../src/tools/index.ts';
import type { ToolContext } from '../../src/tools/support/define.ts';
import { checkNeeds, chooseBackend } from '../../src/tools/support/routing.ts';

export const user = (userId: string, admin = false): Principal => ({
  userId,
  scopes: ['sessions:read', 'sessions:write'],
  admin,
});

export async function memoryBackend(now?: () => number): Promise<Backend> {
  const store = await openStore({ url: 'memory:', durability: 'full', dataDir: tmpdir() });
  return openLocal({ store, ...(now ? { now } : {}) });
}

/** Calls tools as the server does, without the protocol around them. */
export function caller(backends: readonly Backend[], principal: Principal) {
  const listed = catalogue({
    backends,
    toolsets: ['sessions', 'events', 'tool-calls', 'artifacts', 'memory', 'query', 'apps'],
    readOnly: false,
    admin: principal.admin,
  });
  return async (name: string, raw: JsonObject = {}): Promise<JsonObject> => {
    const found = listed.find(({ tool }) => tool.name === name);
    if (found === undefined) throw new Error(`There is no tool ${name}.`);
    const args = parseArgs(found.input, raw);
    const backend = chooseBackend(backends, typeof args.backend === 'string' ? args.backend : undefined);
    checkNeeds(found.tool, backend, backends);
    const ctx: ToolContext = {
      server: { name: 'test', version: '0' },
      backends,
      backend,
      principal,
      owner: {
        app: typeof args.app === 'string' ? args.app : 'default',
        userId: typeof args.userId === 'string' ? args.userId : principal.userId,
      },
      tools: [],
      secret: Buffer.alloc(32, 7),
      signal: new AbortController().signal,
      cancelled: () => false,
      progress: () => {},
    };
    return found.tool.run(args, ctx);
  };
}
