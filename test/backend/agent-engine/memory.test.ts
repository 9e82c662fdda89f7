import { describe, expect, it } from 'vitest';
import { remembered } from '../../fake/agent-engine/agent.ts';
import { drain, fails, rpcsOf, said, world } from './setup.ts';

describe('memories on Agent Engine', () => {
  it('the scope of a call that names none is ADK’s', async () => {
    const { fake, backend } = await world();
    const owner = { app: fake.engine.id, userId: 'ada' };
    const made = await backend.memory.create(owner, { fact: 'Likes tea.' });
    expect(made).toMatchObject({ fact: 'Likes tea.', scope: { app_name: fake.engine.id, user_id: 'ada' } });
    expect(made.createTime).toMatch(/Z$/);
    const [found] = await backend.memory.search(owner, { text: 'tea', limit: 3 });
    expect(found).toMatchObject({ id: made.id, fact: 'Likes tea.' });
    expect(found?.distance).toBeLessThan(1);
    expect(fake.notes).toEqual([]);
  });

  it('the operator chooses the scope of ADK for Go, or another app name', async () => {
    const go = await world({ memory: { scope: 'user' } });
    const owner = { app: go.fake.engine.id, userId: 'ada' };
    expect((await go.backend.memory.create(owner, { fact: 'x' })).scope).toEqual({ user_id: 'ada' });
    const named = await world({ memory: { appName: 'my_agent' } });
    const ada = { app: named.fake.engine.id, userId: 'ada' };
    expect((await named.backend.memory.create(ada, { fact: 'x' })).scope).toEqual({
      app_name: 'my_agent',
      user_id: 'ada',
    });
  });

  it('scopes are matched exactly: what Go wrote, Python’s scope does not find', async () => {
    const { fake, backend } = await world();
    const owner = { app: fake.engine.id, userId: 'ada' };
    await backend.memory.create(owner, { fact: 'Likes tea.', scope: { user_id: 'ada' } });
    expect(await backend.memory.search(owner, { text: 'tea', limit: 3 })).toEqual([]);
    expect(
      await backend.memory.search(owner, { text: 'tea', limit: 3, scope: { user_id: 'ada' } }),
    ).toHaveLength(1);
  });

  it('a scope always holds the caller’s own user', async () => {
    const { fake, backend } = await world();
    const owner = { app: fake.engine.id, userId: 'ada' };
    const made = await backend.memory.create(owner, { fact: 'Team fact.', scope: { team: 'red' } });
    expect(made.scope).toEqual({ team: 'red', user_id: 'ada' });
    const eve = { ...owner, userId: 'eve' };
    expect(await backend.memory.search(eve, { text: 'team', limit: 3, scope: { team: 'red' } })).toEqual([]);
    const scope = { user_id: 'ada' };
    const rpcs = await rpcsOf(fake, async () => {
      await fails(backend.memory.search(eve, { text: 'x', limit: 3, scope }), 'INVALID_ARGUMENT');
      await fails(backend.memory.list(eve, { pageSize: 5, scope }), 'INVALID_ARGUMENT');
      await fails(backend.memory.create(eve, { fact: 'x', scope }), 'INVALID_ARGUMENT');
      await fails(backend.memory.create(eve, { fact: 'x', scope: { a: '*' } }), 'INVALID_ARGUMENT');
      await fails(
        backend.memory.create(eve, { fact: 'x', scope: { a: '1', b: '2', c: '3', d: '4', e: '5' } }),
        'INVALID_ARGUMENT',
      );
      await fails(backend.memory.create(eve, { fact: '  ' }), 'INVALID_ARGUMENT');
    });
    expect(rpcs).toEqual([]);
    await fails(backend.memory.delete(eve, made.id), 'NOT_FOUND');
    expect(fake.engine.memories.size).toBe(1);
  });

  it('a hundred memories and more are listed whole, newest first', async () => {
    const { fake, backend } = await world();
    const owner = { app: fake.engine.id, userId: 'ada "quoted" \\' };
    const made: string[] = [];
    for (let i = 0; i < 105; i += 1)
      made.push((await backend.memory.create(owner, { fact: `fact ${i}` })).id);
    const listed = await drain((cursor) => backend.memory.list(owner, { pageSize: 50, cursor }));
    expect(listed.map((memory) => memory.id)).toEqual(made.toReversed());
    expect(await backend.memory.search(owner, { text: 'fact', limit: 200 })).toHaveLength(100);
  });

  it('generate makes facts of a session, and what is only named is read', async () => {
    const { fake, backend, make } = await world();
    fake.operations.polls = 2;
    const ref = await make();
    await backend.events.append(ref, said('I have a cat.'));
    await backend.events.append(
      ref,
      said('Noted.', { author: 'agent', content: { role: 'model', parts: [{ text: 'Noted.' }] } }),
    );
    const added = await backend.memory.addSession(ref, {});
    expect(added).toMatchObject({
      count: 1,
      memories: [{ fact: 'I have a cat.', createTime: expect.any(String) as string }],
    });
    const call = fake.requests.find((request) => request.rpc === 'GenerateMemories');
    expect(call?.body).toMatchObject({
      vertexSessionSource: {
        session: expect.stringMatching(
          /^projects\/\d+\/locations\/us-central1\/reasoningEngines\/\d+\/sessions\/\d+$/,
        ) as string,
      },
      scope: { app_name: fake.engine.id, user_id: 'ada' },
    });
    // A second addition makes no new memory.
    await backend.memory.addSession(ref, {});
    expect(fake.engine.memories.size).toBe(1);
  });

  it('a session of which nothing is made is no failure', async () => {
    const { backend, make } = await world();
    expect(await backend.memory.addSession(await make(), {})).toMatchObject({ count: 0, memories: [] });
  });

  it('ingest hands over every event once', async () => {
    const { fake, backend, make } = await world({ memory: { write: 'ingest' } });
    const ref = await make();
    for (let i = 0; i < 103; i += 1) await backend.events.append(ref, said(`fact ${i}`));
    await backend.memory.addSession(ref, {});
    const added = await backend.memory.addSession(ref, {});
    expect(added.note).toContain('later');
    expect(fake.engine.memories.size).toBe(103);
    expect(fake.requests.filter((request) => request.url.endsWith(':ingestEvents'))).toHaveLength(4);
  });

  it('the engine’s own methods are used if the operator prefers them and it has them', async () => {
    const { fake, backend, make } = await world({ memory: { via: 'class-methods' } });
    const ref = await make();
    await backend.events.append(ref, said('I have a cat.'));
    expect(await backend.memory.addSession(ref, {})).toMatchObject({ count: 0 });
    expect(remembered.get(fake.engine)).toMatchObject([{ id: ref.sessionId, user_id: 'ada' }]);
    const found = await backend.memory.search(ref, { text: 'cat', limit: 3 });
    expect(found).toMatchObject([
      { fact: 'I have a cat.', updateTime: expect.stringMatching(/Z$/) as string },
    ]);
    await fails(
      backend.memory.search(ref, { text: 'cat', limit: 3, scope: { user_id: 'ada' } }),
      'UNIMPLEMENTED',
    );
    expect(fake.requests.some((request) => request.rpc === 'RetrieveMemories')).toBe(false);
    fake.engine.classMethods = [];
    const { backend: other } = await world({ memory: { via: 'class-methods' } });
    const bare = await other.apps.create({ name: 'bare' });
    expect(await other.memory.search({ app: bare.name, userId: 'ada' }, { text: 'x', limit: 1 })).toEqual([]);
  });
});

describe('apps on Agent Engine', () => {
  it('an engine is made without code, named by the service', async () => {
    const { fake, backend } = await world();
    fake.operations.polls = 2;
    const app = await backend.apps.create({ name: 'My agent', description: 'For tea.' });
    expect(app).toMatchObject({ displayName: 'My agent', description: 'For tea.' });
    expect(app.name).toMatch(/^\d+$/);
    expect(await backend.apps.get(app.name)).toEqual(app);
    const all = await drain((cursor) => backend.apps.list({ pageSize: 1, cursor }));
    expect(all.map((one) => one.name)).toEqual([app.name, fake.engine.id]);
  });

  it('an engine with sessions is deleted by force only', async () => {
    const { fake, backend, make } = await world();
    await make();
    const error = await fails(backend.apps.delete(fake.engine.id, { force: false }), 'FAILED_PRECONDITION');
    expect(error.hint).toContain('force');
    await backend.apps.delete(fake.engine.id, { force: true });
    await fails(backend.apps.get(fake.engine.id), 'NOT_FOUND');
    await fails(backend.apps.delete(fake.engine.id, { force: true }), 'NOT_FOUND');
  });
});
