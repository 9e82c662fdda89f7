import { describe, expect, it } from 'vitest';
import { drain, fails, rpcsOf, world } from './setup.ts';

const day = 86_400_000;

describe('sessions on Agent Engine', () => {
  it('a new session is the one that GET shows, with merged state and expiry', async () => {
    const { backend, fake } = await world();
    const owner = { app: fake.engine.id, userId: 'ada' };
    const rpcs = await rpcsOf(fake, async () => {
      const made = await backend.sessions.create(owner, {
        sessionId: 'chat-1',
        displayName: 'Chat',
        labels: { env: 'dev' },
        state: { topic: 'tea', 'app:k': 1, 'temp:x': 2 },
        expireTime: new Date(Date.now() + 2 * day).toISOString(),
      });
      expect(made).toMatchObject({
        id: 'chat-1',
        app: fake.engine.id,
        userId: 'ada',
        displayName: 'Chat',
        labels: { env: 'dev' },
        state: { topic: 'tea', 'app:k': 1 },
      });
      expect(made.expireTime).toMatch(/^\d{4}-.*\.\d{3}Z$/);
      expect(made.revision).toBeUndefined();
      expect(made.eventCount).toBeUndefined();
    });
    expect(rpcs).toEqual(['CreateSession', 'GetSession']);
    const [create] = fake.requests;
    expect(create?.url).toBe(
      `/v1beta1/projects/my-proj/locations/us-central1/reasoningEngines/${fake.engine.id}/sessions?sessionId=chat-1`,
    );
    expect(create?.body).toMatchObject({ sessionState: { topic: 'tea', 'app:k': 1 } });
    expect(fake.notes).toEqual([]);
  });

  it('an operation that is not done is polled by its name, and a late session is waited for', async () => {
    const { fake, make, backend } = await world();
    fake.operations.polls = 3;
    fake.sessions.hiddenReads = 3;
    const ref = await make();
    expect(ref.sessionId).toMatch(/^\d{17,19}$/);
    const polls = fake.requests.filter((request) => request.url.includes('/operations/'));
    expect(polls).toHaveLength(3);
    expect(polls[0]?.url).toMatch(
      /^\/v1beta1\/projects\/69593958020\/locations\/us-central1\/reasoningEngines\/\d+\/sessions\/\d+\/operations\/\d+$/,
    );
    await backend.sessions.delete(ref);
    expect(fake.requests.at(-1)?.url).toMatch(
      /^\/v1beta1\/projects\/69593958020\/locations\/us-central1\/operations\/\d+$/,
    );
  });

  it('an operation that is forgotten does not lose the session', async () => {
    const { fake, make } = await world();
    fake.operations.polls = 1;
    fake.fail({ match: /\/operations\//, status: 404 });
    expect((await make()).sessionId).not.toBe('');
  });

  it('an operation that fails is an error with its code', async () => {
    const { fake, make } = await world();
    fake.operations.failure = { code: 8, message: 'Too many sessions, said somebody.' };
    const error = await fails(make(), 'RESOURCE_EXHAUSTED');
    expect(error.message).not.toContain('somebody');
  });

  it('a session that is made and does not show up is told all the same', async () => {
    const { fake, backend } = await world();
    fake.sessions.hiddenReads = 100;
    const made = await backend.sessions.create(
      { app: fake.engine.id, userId: 'ada' },
      { displayName: 'Chat', state: { topic: 'tea', 'temp:x': 1 } },
    );
    expect(made).toMatchObject({ userId: 'ada', displayName: 'Chat', state: { topic: 'tea' } });
    expect(fake.engine.sessions.has(made.id)).toBe(true);
    expect(fake.requests.filter((request) => request.rpc === 'GetSession')).toHaveLength(5);
  });

  it('a create whose answer was lost is found again, not made twice', async () => {
    const { fake, make, backend } = await world();
    fake.fail({
      match: /POST .*\/sessions\?/,
      status: 503,
      afterwards: true,
      headers: { 'retry-after': '0' },
    });
    expect(await make({ sessionId: 'chat-1' })).toMatchObject({ sessionId: 'chat-1' });
    expect(fake.engine.sessions.size).toBe(1);
    // Another user's session with the id is not the result of an earlier attempt.
    fake.fail({ match: /POST .*\/sessions\?/, status: 503, headers: { 'retry-after': '0' } });
    await fails(
      backend.sessions.create({ app: fake.engine.id, userId: 'eve' }, { sessionId: 'chat-1' }),
      'ALREADY_EXISTS',
    );
  });

  it('a create without an own id is not repeated on 503', async () => {
    const { fake, make } = await world();
    fake.fail({ match: /POST .*\/sessions$/, status: 503, afterwards: true });
    await fails(make(), 'UNAVAILABLE');
    expect(fake.engine.sessions.size).toBe(1);
  });

  it('a delete whose answer was lost has worked', async () => {
    const { fake, make, backend } = await world();
    const ref = await make();
    fake.fail({ match: /^DELETE/, status: 503, afterwards: true, headers: { 'retry-after': '0' } });
    await backend.sessions.delete(ref);
    expect(fake.engine.sessions.size).toBe(0);
    await fails(backend.sessions.delete(ref), 'NOT_FOUND');
  });

  it('lists translate filter and order, and wrap the service’s page tokens', async () => {
    const { fake, make, backend } = await world();
    const quoted = 'say "hi" \\ bye';
    await make({ displayName: quoted, labels: { env: 'dev' } });
    await make({ displayName: 'other', labels: { env: 'dev' } });
    await make({ displayName: quoted, labels: { env: 'dev' } }, 'eve');
    const found = await backend.sessions.list({
      app: fake.engine.id,
      userId: 'ada',
      pageSize: 20,
      filter: [
        { field: 'displayName', key: '', value: quoted },
        { field: 'label', key: 'env', value: 'dev' },
      ],
      orderBy: 'createTime asc',
    });
    expect(found.items).toHaveLength(1);
    expect(found.items[0]).not.toHaveProperty('state');
    const url = new URL(fake.requests.at(-1)?.url ?? '', 'http://x');
    expect(url.searchParams.get('filter')).toBe(
      'user_id="ada" AND display_name="say \\"hi\\" \\\\ bye" AND labels.env="dev"',
    );
    expect(url.searchParams.get('orderBy')).toBe('create_time');
    const all = await drain((cursor) => backend.sessions.list({ app: fake.engine.id, pageSize: 2, cursor }));
    expect(new Set(all.map((session) => session.id)).size).toBe(3);
  });

  it('a user whose id looks like a filter lists nobody else’s sessions', async () => {
    const { fake, make, backend } = await world();
    await make();
    for (const userId of ['x" OR user_id="ada', 'ada" AND user_id="ada', '*', 'ada\\'])
      expect((await backend.sessions.list({ app: fake.engine.id, userId, pageSize: 10 })).items).toEqual([]);
  });

  it('even a service that overlooks the filter shows one user nothing of another', async () => {
    const { fake, make, backend } = await world();
    await make();
    const theirs = { name: 'a/sessions/s1', userId: 'ada', createTime: '2026-01-01T00:00:00Z' };
    fake.fail({ match: /GET .*sessions\?/, raw: JSON.stringify({ sessions: [theirs] }) });
    expect((await backend.sessions.list({ app: fake.engine.id, userId: 'eve', pageSize: 10 })).items).toEqual(
      [],
    );
  });

  it('an update names its fields in the mask and leaves the others', async () => {
    const { fake, make, backend } = await world();
    const ref = await make({
      displayName: 'Old',
      labels: { env: 'dev' },
      state: { a: 1, b: 2, 'user:u': 1 },
    });
    const after = await backend.sessions.update(ref, {
      displayName: 'New',
      state: { a: 3, 'user:u': 2, 'app:v': 3, 'temp:t': 4 },
    });
    expect(after).toMatchObject({ displayName: 'New', labels: { env: 'dev' } });
    expect(after.state).toEqual({ a: 3, 'user:u': 2, 'app:v': 3 });
    const patch = fake.requests.find((request) => request.method === 'PATCH');
    expect(new URL(patch?.url ?? '', 'http://x').searchParams.get('updateMask')).toBe(
      'displayName,sessionState',
    );
    expect(patch?.body).not.toHaveProperty('userId');
    expect(fake.requests.some((request) => request.rpc === 'AppendEvent')).toBe(false);
  });

  it('shared keys that PATCH does not take are set by an event', async () => {
    const { fake, make, backend } = await world();
    const ref = await make();
    // A service that keeps a patched shared key in the one session, or drops it.
    fake.fail({ match: /^PATCH/, raw: '{}' });
    const after = await backend.sessions.update(ref, { state: { 'user:u': 2 } });
    expect(after.state).toEqual({ 'user:u': 2 });
    expect(fake.requests.filter((request) => request.rpc === 'AppendEvent')).toHaveLength(1);
  });

  it('an empty update is a read', async () => {
    const { fake, make, backend } = await world();
    const ref = await make({ displayName: 'Old' });
    expect(await backend.sessions.update(ref, {})).toMatchObject({ displayName: 'Old' });
    expect(fake.requests.some((request) => request.method === 'PATCH')).toBe(false);
  });

  it('revisions are refused before anything is sent', async () => {
    const { fake, make, backend } = await world();
    const ref = await make();
    const guard = { expectedRevision: 1 };
    const rpcs = await rpcsOf(fake, async () => {
      await fails(backend.sessions.update(ref, { displayName: 'x' }, guard), 'UNIMPLEMENTED');
      await fails(backend.sessions.delete(ref, guard), 'UNIMPLEMENTED');
      await fails(backend.events.append(ref, { author: 'user' }, guard), 'UNIMPLEMENTED');
    });
    expect(rpcs).toEqual([]);
  });

  it('bad labels, times and users are refused before anything is sent', async () => {
    const { fake, backend } = await world();
    const owner = { app: fake.engine.id, userId: 'ada' };
    await fails(backend.sessions.create(owner, { labels: { Env: 'dev' } }), 'INVALID_ARGUMENT');
    await fails(backend.sessions.create(owner, { labels: { env: 'two words' } }), 'INVALID_ARGUMENT');
    await fails(backend.sessions.create(owner, { expireTime: 'tomorrow' }), 'INVALID_ARGUMENT');
    await fails(backend.sessions.create({ ...owner, userId: 'x'.repeat(129) }, {}), 'INVALID_ARGUMENT');
    expect(fake.requests).toEqual([]);
  });

  it('a missing engine says so where a session is made or listed', async () => {
    const { backend } = await world();
    const owner = { app: '404', userId: 'ada' };
    const error = await fails(backend.sessions.create(owner, {}), 'NOT_FOUND');
    expect(error.message).toBe('There is no such app.');
    await fails(backend.sessions.list({ ...owner, pageSize: 5 }), 'NOT_FOUND');
  });
});
