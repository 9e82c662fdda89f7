import { setTimeout as sleep } from 'node:timers/promises';
import { openAgentEngine } from '../../src/backend/agent-engine/index.ts';
import { type FakeAgentEngine, startAgentEngine } from '../fake/agent-engine/server.ts';
import { projectId } from '../fake/agent-engine/store.ts';
import { backendContract } from './backend.ts';

const lacks = { revision: 'Agent Engine has no revisions.' };

/** The fake in each of the ways in which the service was recorded, or may be set up. */
function contract(name: string, set: (fake: FakeAgentEngine) => void, apiKey?: string): void {
  backendContract(name, {
    lacks,
    async open() {
      const fake = await startAgentEngine();
      set(fake);
      const place = apiKey === undefined ? { project: projectId } : { apiKey };
      const backend = await openAgentEngine({
        ...place,
        baseUrl: fake.url,
        engineId: fake.engine.id,
        wait: (ms) => sleep(ms / 100),
      });
      return {
        backend,
        app: fake.engine.id,
        async close() {
          await backend.close();
          await fake.close();
        },
      };
    },
  });
}

contract('agent-engine', () => {});
contract('agent-engine as of March 2026', (fake) => {
  fake.operations.polls = 1;
  fake.sessions.hiddenReads = 2;
});
contract(
  'agent-engine in express mode',
  (fake) => {
    fake.token = 'express-key';
  },
  'express-key',
);
