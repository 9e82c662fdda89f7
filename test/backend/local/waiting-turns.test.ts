import { expect, it } from 'vitest';
import { memoryBackend } from '../../tools/harness.ts';

it('a turn is found behind any number of those that wait for their parts', async () => {
  const backend = await memoryBackend();
  const owner = { app: 'default', userId: 'ada' };
  const create = async (parentSessionId?: string) => ({
    ...owner,
    sessionId: (await backend.sessions?.create?.(owner, { parentSessionId }))?.id ?? '',
  });
  const handOver = (ref: Awaited<ReturnType<typeof create>>, agent: string) =>
    backend.events?.append?.(ref, { author: 'user', actions: { transferAgent: agent } });
  for (let i = 0; i < 101; i++) {
    const whole = await create();
    await handOver(await create(whole.sessionId), 'worker');
    await handOver(whole, 'planner');
  }
  const free = await create();
  await handOver(free, 'planner');
  const { signal } = new AbortController();
  const taken = await backend.turns?.take?.(owner, { agent: 'planner', leaseMs: 1000, waitMs: 0 }, signal);
  expect(taken?.ref).toEqual(free);
  await backend.close();
});
