import { describe, expect, it } from 'vitest';
import { openAgentEngine } from '../../../src/backend/agent-engine/index.ts';
import { drain, fails, said, textsOf, type Whole } from './setup.ts';

/**
 * Runs against the real service, with the credentials of this machine, on a new engine that is deleted at the end:
 *   AGENT_ENGINE_LIVE_TEST=1 GOOGLE_CLOUD_PROJECT=… npx vitest run test/backend/agent-engine/live.test.ts
 */
const env = process.env;
const wanted = env.AGENT_ENGINE_LIVE_TEST === '1';

describe.runIf(wanted)('the live service', () => {
  it('keeps sessions, events and memories as the fake does', { timeout: 300_000 }, async () => {
    const backend = (await openAgentEngine({
      project: env.GOOGLE_CLOUD_PROJECT,
      location: env.GOOGLE_CLOUD_LOCATION,
      apiKey: env.GOOGLE_API_KEY,
    })) as Whole;
    const { name: app } = await backend.apps.create({ name: 'agent-sessions-mcp live test' });
    try {
      const owner = { app, userId: 'ada' };
      const session = await backend.sessions.create(owner, {
        sessionId: 'live-1',
        labels: { env: 'test' },
        state: { a: 1, 'user:u': 1, 'app:v': 1 },
      });
      expect(session).toMatchObject({ id: 'live-1', state: { a: 1, 'user:u': 1, 'app:v': 1 } });
      const ref = { ...owner, sessionId: session.id };
      for (let i = 0; i < 5; i += 1)
        await backend.events.append(ref, said(`m${i}`, { actions: { stateDelta: { n: i, 'temp:t': i } } }));
      const own = await backend.events.append(
        ref,
        said('own', { id: 'own-1', usageMetadata: { totalTokenCount: 1 } }),
      );
      expect((await backend.events.append(ref, said('own', { id: 'own-1' }))).event.id).toBe(own.event.id);
      const events = await drain((cursor) => backend.events.list(ref, { pageSize: 2, cursor }));
      expect(textsOf(events)).toEqual(['m0', 'm1', 'm2', 'm3', 'm4', 'own']);
      const after = await backend.events.list(ref, { pageSize: 10, afterEventId: events[3]?.id });
      expect(textsOf(after.items)).toEqual(['m4', 'own']);
      expect((await backend.sessions.get(ref)).state).toMatchObject({ n: 4 });
      expect(
        (await backend.sessions.update(ref, { displayName: 'New', state: { a: 2, 'user:u': 2 } })).state,
      ).toMatchObject({ a: 2, 'user:u': 2 });
      const listed = await backend.sessions.list({
        ...owner,
        pageSize: 10,
        filter: [{ field: 'label', key: 'env', value: 'test' }],
      });
      expect(listed.items.map((one) => one.id)).toEqual(['live-1']);
      await fails(backend.sessions.get({ ...ref, userId: 'eve' }), 'NOT_FOUND');
      await fails(backend.sessions.create(owner, { sessionId: 'live-1' }), 'ALREADY_EXISTS');
      const memory = await backend.memory.create(owner, { fact: 'Likes oolong tea.' });
      expect((await backend.memory.list(owner, { pageSize: 10 })).items.map((one) => one.id)).toEqual([
        memory.id,
      ]);
      expect(
        (await backend.memory.search(owner, { text: 'tea', limit: 3 })).map((one) => one.fact),
      ).toContain('Likes oolong tea.');
      await backend.memory.delete(owner, memory.id);
      await backend.sessions.delete(ref);
      await fails(backend.sessions.get(ref), 'NOT_FOUND');
    } finally {
      await backend.apps.delete(app, { force: true });
    }
  });
});
