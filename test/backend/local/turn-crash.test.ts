import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { openAgents } from '../../../src/agent/open.ts';
import { openLocal } from '../../../src/backend/local/index.ts';
import type { Backend } from '../../../src/backend/types.ts';
import { textOf } from '../../../src/model/event.ts';
import { openRunManager } from '../../../src/run/manager.ts';
import { startTurnRunner } from '../../../src/run/turn-runner.ts';
import { memoryStore } from '../../run/support.ts';
import { killedAfter } from './killed-store.ts';

const log = { info: () => {}, warn: () => {}, error: () => {} };
const ref = { app: 'app', userId: 'ann', sessionId: 's' };

/** A server that answers turns, on a store of its own or of one that dies. */
function serve(backend: Backend) {
  const runs = openRunManager({ log });
  return startTurnRunner({ backend, runs, log, agents: [{ app: 'app', agent: 'parrot' }] });
}

it('a turn is answered once by the next server, after whichever commit the first was killed', async () => {
  for (let commits = 0; ; commits += 1) {
    let clock = Date.now();
    const store = await memoryStore();
    const agents = openAgents({ app: { kind: 'echo', name: 'parrot', delayMs: 0 } });
    const open = (on = store) =>
      openLocal({ store: { ...on, close: async () => {} }, agents, now: () => clock }) as Required<Backend>;
    const watcher = open();
    await watcher.sessions.create?.(ref, { sessionId: 's' });
    await watcher.events.append?.(ref, {
      author: 'planner',
      content: { role: 'model', parts: [{ text: 'Say it.' }] },
      actions: { transferAgent: 'parrot' },
    });
    const answered = async () => (await watcher.sessions.get?.(ref))?.turn === undefined;

    const killed = killedAfter(store, commits);
    const first = serve(open(killed.store));
    while (killed.spare() > 0 && !(await answered())) await sleep(2);
    // It may be about to make the commit that it does not survive.
    await sleep(10);
    await first.stop();

    // By then the lease of the turn and that of its run have ended.
    clock += 60_000;
    const second = serve(open());
    while (!(await answered())) await sleep(2);
    await second.stop();
    const { items } = (await watcher.events.list?.(ref, { pageSize: 100 })) ?? { items: [] };
    const answers = items.filter((event) => event.author === 'parrot' && textOf(event) !== '');
    expect(answers, `killed after ${commits} commits`).toHaveLength(1);
    const calm = await watcher.sessions.get?.(ref);
    expect(calm?.eventCount).toBe(items.length);
    const { spare } = killed;
    await watcher.close();
    await store.close();
    if (spare() > 0) {
      // The last of them lived to the end, so each commit on the way was the last one once.
      expect(commits).toBeGreaterThan(3);
      return;
    }
  }
}, 60_000);
