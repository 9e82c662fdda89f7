import { tmpdir } from 'node:os';
import { openLocal } from '../../src/backend/local/index.ts';
import type { Backend } from '../../src/backend/types.ts';
import { createLog } from '../../src/log.ts';
import type { JsonObject } from '../../src/model/json.ts';
import type { Principal } from '../../src/model/principal.ts';
import { openRunManager, type RunManager } from '../../src/run/manager.ts';
import { openStore } from '../../src/store/open.ts';
import { type Caller, runCall } from '../../src/tools/call.ts';
import { catalogue } from '../../src/tools/index.ts';

export const user = (userId: string, admin = false): Principal => ({
  userId,
  scopes: ['sessions:read', 'sessions:write'],
  admin,
});

export async function memoryBackend(now?: () => number): Promise<Backend> {
  const store = await openStore({ url: 'memory:', durability: 'full', dataDir: tmpdir() });
  return openLocal({ store, ...(now ? { now } : {}) });
}

export const runManager = (): RunManager => openRunManager({ log: createLog(() => {}) });

/** Calls tools as the server does, without the protocol around them; nobody is asked for a confirmation. */
export function caller(backends: readonly Backend[], principal: Principal, runs = runManager()) {
  const listed = catalogue({
    backends,
    toolsets: ['sessions', 'events', 'tool-calls', 'artifacts', 'memory', 'query', 'apps'],
    readOnly: false,
    admin: principal.admin,
  });
  const environment = { version: '0', backends, runs, defaultApp: 'default', secret: Buffer.alloc(32, 7) };
  const from: Caller = {
    principal,
    tools: listed.map(({ tool }) => tool.name),
    signal: new AbortController().signal,
    cancelled: () => false,
    progress: () => {},
  };
  return async (name: string, raw: JsonObject = {}, more: Partial<Caller> = {}): Promise<JsonObject> => {
    const found = listed.find(({ tool }) => tool.name === name);
    if (found === undefined) throw new Error(`There is no tool ${name}.`);
    const outcome = await runCall(environment, found, raw, { ...from, ...more }, async () => undefined);
    if ('question' in outcome) throw new Error('Nobody is asked in these tests.');
    return outcome.result;
  };
}
