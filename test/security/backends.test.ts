import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { openAdk } from '../../src/backend/adk/index.ts';
import { openAgentEngine } from '../../src/backend/agent-engine/index.ts';
import type { Backend } from '../../src/backend/types.ts';
import { openVectara } from '../../src/backend/vectara/index.ts';
import { allTools } from '../../src/tools/index.ts';
import { python } from '../fake/adk/python.ts';
import { startFake } from '../fake/adk/server.ts';
import { typescript } from '../fake/adk/typescript.ts';
import { startAgentEngine } from '../fake/agent-engine/server.ts';
import { projectId } from '../fake/agent-engine/store.ts';
import { ownerKey, startVectara } from '../fake/vectara/server.ts';
import { startProduct } from '../server/http/harness.ts';
import { tokensFor } from '../server/http/requests.ts';
import {
  argsFor,
  callerOf,
  furnish,
  type Ids,
  idArgs,
  inventory,
  normal,
  strangerIds,
  toolsOf,
} from './principals.ts';

interface Opened {
  backend: Backend;
  app: string;
  close(): Promise<unknown>;
}

const adk = (voice: Parameters<typeof startFake>[0]) => async (): Promise<Opened> => {
  const fake = await startFake(voice);
  const backend = await openAdk({ baseUrl: fake.url });
  return {
    backend,
    app: (await backend.apps?.list?.({ pageSize: 1 }))?.items[0]?.name ?? 'app',
    close: () => fake.close(),
  };
};

/**
 * On services where all users of an app share the ids, a new session cannot have a taken id. The caller then learns only
 * that it is taken, not by whom: the answer is the same as for an own session.
 */
const sharedIds = ['agent-engine'];
const newIds: Record<string, string> = { create_session: 'sessionId', fork_session: 'newSessionId' };

/** Services that do not check owners, or not everywhere, so that this server must. */
const services: [string, () => Promise<Opened>][] = [
  [
    'agent-engine',
    async () => {
      const fake = await startAgentEngine();
      const backend = await openAgentEngine({
        project: projectId,
        baseUrl: fake.url,
        engineId: fake.engine.id,
        wait: (ms) => sleep(ms / 100),
      });
      return { backend, app: fake.engine.id, close: () => fake.close() };
    },
  ],
  ['adk, typescript', adk(typescript)],
  ['adk, python', adk(python)],
  [
    'vectara',
    async () => {
      const fake = await startVectara({});
      const backend = await openVectara({ baseUrl: fake.url, credentials: { apiKey: ownerKey } });
      return { backend, app: 'support', close: () => fake.close() };
    },
  ],
];

const canary = 'canary-8d1f';
const tools = allTools.filter((tool) => tool.reach === 'user' && idArgs(tool).length > 0);

describe.each(services)('two users of one server, on %s', (service, open) => {
  it.each(tools.map((tool) => [tool.name, tool] as const))(
    '%s with another user’s ids is as with random ones',
    async (_tool, tool) => {
      const { backend, app, close } = await open();
      const tokens = tokensFor({ alice: ['sessions:write'], mallory: ['sessions:write'] });
      const product = await startProduct({ backend, app, settings: { tokens } });
      const listed = await toolsOf(product, 'mallory');
      if (listed.has(tool.name)) {
        const [alice, mallory] = [callerOf(product, 'alice'), callerOf(product, 'mallory')];
        const hers = await furnish(alice, canary, listed);
        const own = await furnish(mallory, 'mallory', listed);
        const before = await inventory(alice, hers, listed);
        const each = idArgs(tool).map((id) => [id]);
        // Creating may give Mallory a session with Alice's id, so the tools that read come first.
        for (const ids of each.length > 1 ? [idArgs(tool), ...each] : each) {
          const pick = (from: Ids): Ids => ({
            ...own,
            ...Object.fromEntries(ids.map((id) => [id, from[id] ?? ''])),
          });
          const isNew = ids.length === 1 && ids[0] === newIds[tool.name] && sharedIds.includes(service);
          const [stranger, foreign] = [pick(isNew ? own : strangerIds(hers)), pick(hers)];
          const random = await mallory(tool.name, argsFor(tool, stranger, ids));
          const probed = await mallory(tool.name, argsFor(tool, foreign, ids));
          // Both calls were about Mallory's own data, in which services put ids and counts of many forms.
          const bothWorked = [random, probed].every(({ body }) => !body.includes('"isError":true'));
          if (!bothWorked)
            expect([ids, normal(probed.body, foreign)]).toEqual([ids, normal(random.body, stranger)]);
          if (ids.includes('sessionId') && tool.name !== 'create_session')
            expect([ids, bothWorked]).toEqual([ids, false]);
          expect(probed.body).not.toContain(canary);
        }
        expect(await inventory(alice, hers, listed)).toBe(before);
      }
      await product.end();
      await close();
    },
  );
});
