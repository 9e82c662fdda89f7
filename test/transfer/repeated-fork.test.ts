import { describe, expect, it } from 'vitest';
import type { Backend } from '../../src/backend/types.ts';
import { forkSession } from '../../src/transfer/fork.ts';
import { ada, eventsOf, grow, idle, local, make, plain, verb } from './support.ts';

const copy = { ...ada, sessionId: 'copy' };
const fork = (from: Backend, to: Backend) =>
  forkSession(
    { backend: from, ref: { ...ada, sessionId: 's' } },
    { backend: to, owner: ada },
    { signal: idle, newSessionId: 'copy' },
  );

async function source(): Promise<Backend> {
  const from = await local();
  await grow(from, await make(from, 's'), [{ n: 0 }, { n: 1 }]);
  return from;
}

describe('a fork with an id of the caller, to a backend that cannot stage', () => {
  it('is refused while another call copies into that session, and stores no event twice', async () => {
    const from = await source();
    const to = plain(await local());
    const [first, second] = await Promise.allSettled([fork(from, to), fork(from, to)]);
    expect(first).toMatchObject({ status: 'fulfilled', value: { status: 'completed' } });
    expect(second).toMatchObject({ status: 'rejected', reason: { code: 'ABORTED' } });
    expect((await eventsOf(to, copy)).map((event) => event.id)).toEqual(['e0', 'e1']);
  });

  it('does not take a session that has gone on since for the copy of an earlier call', async () => {
    const from = await source();
    const to = plain(await local());
    await fork(from, to);
    expect(await fork(from, to)).toMatchObject({
      status: 'completed',
      notes: ['An earlier call completed this copy.'],
    });
    await verb(to.events?.append)(copy, { author: 'user', content: { parts: [{ text: 'and on' }] } });
    await expect(fork(from, to)).rejects.toMatchObject({ code: 'ALREADY_EXISTS' });
  });

  it('moves no times of events while few stand within one millisecond', async () => {
    const from = await local();
    const ref = await make(from, 's');
    const times = Array.from({ length: 1200 }, (_, i) => `2026-01-01T00:00:00.00${i < 600 ? 1 : 2}Z`);
    for (const timestamp of times) await verb(from.events?.append)(ref, { author: 'user', timestamp });
    const to = plain(await local());
    const { notes } = await fork(from, to);
    expect((await eventsOf(to, copy)).map((event) => event.timestamp)).toEqual(times);
    expect(notes.join(' ')).not.toMatch(/moved later/);
  });
});
