import { expect, it } from 'vitest';
import { openLocal } from '../../../src/backend/local/index.ts';
import { maintain } from '../../../src/backend/local/maintenance.ts';
import type { Backend } from '../../../src/backend/types.ts';
import { mostTries } from '../../../src/model/turn.ts';
import { memoryStore } from '../../run/support.ts';

it('a turn that was tried too often goes back although no copy of its agent is left', async () => {
  const store = await memoryStore();
  let clock = Date.now();
  const now = () => clock;
  const backend = openLocal({ store, now }) as Required<Backend>;
  const owner = { app: 'app', userId: 'ann' };
  const ref = { ...owner, sessionId: 's' };
  await backend.sessions.create?.(owner, { sessionId: 's' });
  await backend.events.append?.(ref, { author: 'planner', actions: { transferAgent: 'writer' } });
  const turnOf = async () => (await backend.sessions.get?.(ref))?.turn;
  const never = new AbortController().signal;
  for (let i = 0; i < mostTries; i += 1) {
    await maintain({ store, now });
    expect(await turnOf()).toMatchObject({ agent: 'writer', tries: i });
    await backend.turns.take?.(owner, { agent: 'writer', leaseMs: 1000, waitMs: 0 }, never);
    await maintain({ store, now });
    expect(await turnOf()).toMatchObject({ agent: 'writer', tries: i + 1 });
    clock += 2000;
  }
  await maintain({ store, now });
  expect(await turnOf()).toMatchObject({ agent: 'planner', handedOverBy: 'writer', tries: 0 });
  await backend.close();
});
