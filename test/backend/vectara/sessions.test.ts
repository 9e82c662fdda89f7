import type { ServerResponse } from 'node:http';
import { describe, expect, it } from 'vitest';
import { newSession, sessionJson } from '../../fake/vectara/store.ts';
import { allFail, collect, failure, message, never, open, requestsTo, world } from './setup.ts';

describe('whose session it is', () => {
  it('is written into the metadata, and neither shown nor changeable', async () => {
    const { backend, make } = await world();
    const ref = await make({ displayName: 'Trip', state: { topic: 'tea' } });
    expect(ref.wire.metadata).toEqual({ topic: 'tea', end_user_id: 'ada' });
    expect((await backend.sessions.get(ref)).state).toEqual({ topic: 'tea' });
    const state = { end_user_id: 'bob' };
    expect((await failure(backend.sessions.update(ref, { state }))).code).toBe('INVALID_ARGUMENT');
    expect((await failure(backend.sessions.create(ref, { state }))).code).toBe('INVALID_ARGUMENT');
    await backend.sessions.update(ref, { state: { topic: 'coffee' } });
    expect(ref.wire.metadata).toEqual({ topic: 'coffee', end_user_id: 'ada' });
  });

  it('keeps sessions of nobody and of others out of every list, whatever the service sends', async () => {
    const { backend, fake, make } = await world();
    const mine = await make();
    for (const metadata of [{}, { end_user_id: 'bob' }, { end_user_id: 7 }, { end_user_id: '' }])
      fake.sessions.push(newSession('support', undefined, { metadata }, 0));
    const owner = { app: 'support', userId: 'ada' };
    const own = await backend.sessions.list({ ...owner, pageSize: 20 });
    expect(own.items.map((s) => s.id)).toEqual([mine.sessionId]);
    for (const wire of fake.sessions.slice(1))
      expect(await failure(backend.sessions.get({ ...owner, sessionId: wire.key }))).toMatchObject({
        code: 'NOT_FOUND',
        message: 'There is no such session.',
      });
    // An admin sees the sessions of all users, but none without an owner.
    const all = await backend.sessions.list({ app: 'support', pageSize: 20 });
    expect(all.items.map((s) => s.userId).sort()).toEqual(['ada', 'bob']);
  });

  it.each([
    "o'brien",
    "x' OR end_user_id <> '",
    "' OR 1 = 1 OR '' = '",
    "\\' OR 1 = 1 OR '' = '",
    '"; DROP',
    'émile 😀',
    'a=b AND c=d',
    'a$b',
  ])('holds for a user called %s', async (userId) => {
    const { backend, fake } = await world();
    await backend.sessions.create({ app: 'support', userId: 'bob' }, {});
    const made = await backend.sessions.create({ app: 'support', userId }, {});
    const { items } = await backend.sessions.list({ app: 'support', userId, pageSize: 10 });
    expect(items.map((s) => s.id)).toEqual([made.id]);
    const asked = new URL(fake.requests.at(-1)?.url ?? '', fake.url).searchParams.get('metadata_filter');
    // What a backslash inside quotes means is not documented: no filter is sent, and all sessions are read.
    expect(asked).toBe(userId.includes('\\') ? null : `end_user_id = '${userId.replaceAll("'", "''")}'`);
  });

  it('is looked at before anything of the session is read or changed', async () => {
    const { backend, fake, make } = await world();
    const ref = await make();
    const stranger = { ...ref, userId: 'eve' };
    const before = fake.requests.length;
    const message = { message: { parts: [{ text: 'hi' }] }, invocationId: 'i' };
    const tries = [
      backend.sessions.delete(stranger),
      backend.sessions.update(stranger, { displayName: 'x' }),
      backend.sessions.fork(stranger, {}),
      backend.events.list(stranger, { pageSize: 5 }),
      backend.events.setVisibility(stranger, 'aev_1', true),
      backend.events.delete(stranger, 'aev_1'),
      backend.toolCalls.list(stranger),
      backend.toolCalls.submit(stranger, []),
      backend.artifacts.list(stranger, { pageSize: 5 }),
      backend.artifacts.get(stranger, 'art_1'),
      backend.query.stream(stranger, message, new AbortController().signal).next(),
      backend.query.call(
        stranger,
        { classMethod: 'interrupt', input: { sessionId: ref.sessionId } },
        new AbortController().signal,
      ),
    ];
    await allFail(tries, 'NOT_FOUND');
    expect(new Set(fake.requests.slice(before).map((r) => r.method))).toEqual(new Set(['GET']));
    const only = new RegExp(`/sessions/(${ref.sessionId}|own_[0-9A-Za-z_-]{43})$`);
    expect(fake.requests.slice(before).filter((r) => !only.test(r.url))).toEqual([]);
  });

  it('is the agent that was asked for, too, whatever the service sends', async () => {
    const { backend, fake, make } = await world();
    const ref = await make();
    const stray = JSON.stringify({ ...sessionJson(ref.wire), agent_key: 'sales' });
    const respond = (body: string) => (response: ServerResponse) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(body);
    };
    fake.fail({ path: /sessions\/ase/, respond: respond(stray) });
    expect((await failure(backend.sessions.get(ref))).code).toBe('NOT_FOUND');
    fake.fail({ path: /sessions\?/, respond: respond(`{"sessions":[${stray}]}`) });
    expect((await backend.sessions.list({ ...ref, pageSize: 5 })).items).toEqual([]);
  });

  it('is checked on what a create answers', async () => {
    const { backend, fake } = await world();
    fake.fail({
      method: 'POST',
      path: /sessions$/,
      respond: (response) => {
        response.writeHead(201, { 'content-type': 'application/json' });
        response.end(JSON.stringify({ key: 'ase_other', metadata: { end_user_id: 'bob' } }));
      },
    });
    const error = await failure(backend.sessions.create({ app: 'support', userId: 'ada' }, {}));
    expect(error.code).toBe('UNAVAILABLE');
  });
});

describe('ids', () => {
  it.each([
    '..',
    '.',
    'a/b',
    '%2e%2e',
    'a'.repeat(51),
    '',
    'a b',
    'a\n',
    'ägent',
    'alias:',
    'alias:a/b',
    'a?b',
    'a#b',
  ])('the app %j is refused before a request is made', async (app) => {
    const { backend, fake } = await world();
    const ref = { app, userId: 'ada', sessionId: 'one' };
    const tries = [
      backend.sessions.create(ref, {}),
      backend.sessions.list({ ...ref, pageSize: 5 }),
      backend.sessions.get(ref),
      backend.apps.get(app),
    ];
    await allFail(tries, 'INVALID_ARGUMENT');
    expect(fake.requests).toEqual([]);
  });

  it.each(['..', 'a/b', '%2e%2e', 'a'.repeat(51), '', 'one/../two', 'x?y', 'x\u0000'])(
    'the session id %j is refused before a request is made',
    async (sessionId) => {
      const { backend, fake } = await world();
      const ref = { app: 'support', userId: 'ada', sessionId };
      await allFail(
        [
          backend.sessions.get(ref),
          backend.sessions.delete(ref),
          backend.sessions.create(ref, { sessionId }),
          backend.events.list(ref, { pageSize: 5 }),
        ],
        'INVALID_ARGUMENT',
      );
      expect(fake.requests).toEqual([]);
    },
  );

  it.each(['../x', 'a/b', '..', '', 'aev_1?x', 'aev_%2e'])(
    'nor does the event id %j get out',
    async (eventId) => {
      const { backend, fake } = await world();
      const ref = { app: 'support', userId: 'ada', sessionId: 'one' };
      await allFail(
        [
          backend.events.get(ref, eventId),
          backend.events.delete(ref, eventId),
          backend.events.setVisibility(ref, eventId, true),
          backend.events.list(ref, { pageSize: 5, afterEventId: eventId }),
        ],
        'INVALID_ARGUMENT',
      );
      expect(fake.requests).toEqual([]);
    },
  );

  it('are each user’s own: one that another user has is as good as any', async () => {
    const { backend, fake } = await world({ takenKey: 'overwrite' });
    const [ada, bob] = ['ada', 'bob'].map((userId) => ({ app: 'support', userId, sessionId: 'shared' }));
    if (ada === undefined || bob === undefined) throw new Error('unreachable');
    await backend.sessions.create(bob, { sessionId: 'shared', state: { of: 'bob' } });
    const asked = async (sessionId: string) => {
      const before = fake.requests.length;
      const made = await backend.sessions.create(ada, { sessionId, state: { of: 'ada' } });
      return { made, methods: fake.requests.slice(before).map((request) => request.method) };
    };
    const taken = await asked('shared');
    const free = await asked('free');
    expect(taken.made).toMatchObject({ id: 'shared', userId: 'ada', state: { of: 'ada' } });
    expect(Object.keys(taken.made)).toEqual(Object.keys(free.made));
    expect(taken.methods).toEqual(free.methods);
    for (const ref of [ada, bob]) expect((await backend.sessions.get(ref)).state).toEqual({ of: ref.userId });
    // All later calls reach the right session.
    await backend.sessions.update(ada, { state: { of: 'ada', more: 1 } });
    await collect(backend.query.stream(ada, message('hi'), never));
    expect((await backend.events.list(ada, { pageSize: 10 })).items).toHaveLength(2);
    expect((await backend.events.list(bob, { pageSize: 10 })).items).toEqual([]);
    const fork = await backend.sessions.fork(ada, { newSessionId: 'copy' });
    expect(fork).toMatchObject({ id: 'copy', state: { of: 'ada', more: 1 } });
    const listed = await backend.sessions.list({ app: 'support', userId: 'ada', pageSize: 10 });
    expect(listed.items.map((session) => session.id).sort()).toEqual(['copy', 'free', 'shared']);
    expect((await failure(backend.sessions.create(ada, { sessionId: 'shared' }))).code).toBe(
      'ALREADY_EXISTS',
    );
    await backend.sessions.delete(ada);
    expect((await failure(backend.sessions.get(ada))).code).toBe('NOT_FOUND');
    expect((await backend.sessions.get(bob)).state).toEqual({ of: 'bob' });
  });

  it('a key that is taken between the look and the create is ALREADY_EXISTS too', async () => {
    const { backend } = await world();
    const of = { app: 'support', userId: 'ada' };
    const answers = await Promise.allSettled(
      [1, 2, 3, 4].map(() => backend.sessions.create(of, { sessionId: 'raced' })),
    );
    expect(answers.filter((a) => a.status === 'fulfilled')).toHaveLength(1);
    for (const answer of answers)
      if (answer.status === 'rejected') expect(answer.reason).toMatchObject({ code: 'ALREADY_EXISTS' });
  });
});

describe('lists', () => {
  it('follows page keys to the last page, whose key is an empty text', async () => {
    const { backend, fake, make } = await world();
    for (let i = 0; i < 25; i += 1) await make();
    const owner = { app: 'support', userId: 'ada' };
    const first = await backend.sessions.list({ ...owner, pageSize: 10 });
    const second = await backend.sessions.list({ ...owner, pageSize: 10, cursor: first.cursor });
    const third = await backend.sessions.list({ ...owner, pageSize: 10, cursor: second.cursor });
    expect([first, second, third].map((p) => p.items.length)).toEqual([10, 10, 5]);
    expect(third.cursor).toBeUndefined();
    expect(new Set([...first.items, ...second.items, ...third.items].map((s) => s.id)).size).toBe(25);
    expect(requestsTo(fake, 'GET', /sessions\?/)).toHaveLength(3);
  });

  it.each(['asc', 'desc', 'shuffled'] as const)(
    'puts sessions in order over a service that lists %s',
    async (order) => {
      const { backend, make } = await world({ order });
      const made: string[] = [];
      for (let i = 0; i < 9; i += 1) made.push((await make()).sessionId);
      const query = { app: 'support', userId: 'ada', pageSize: 4 };
      const read = async (orderBy: 'createTime asc' | 'updateTime desc') => {
        const ids: string[] = [];
        let cursor: string | undefined;
        do {
          const page = await backend.sessions.list({ ...query, orderBy, cursor });
          ids.push(...page.items.map((s) => s.id));
          cursor = page.cursor;
        } while (cursor !== undefined);
        return ids;
      };
      expect(await read('createTime asc')).toEqual(made);
      expect(await read('updateTime desc')).toEqual(made.toReversed());
    },
  );

  it('lists more sessions than can be put in order, and says so when an order is wanted', async () => {
    const { backend, fake } = await world();
    for (let i = 0; i < 1050; i += 1)
      fake.sessions.push(newSession('support', undefined, { metadata: { end_user_id: 'ada' } }, 0));
    const query = { app: 'support', userId: 'ada', pageSize: 100 };
    const ids = new Set<string>();
    let cursor: string | undefined;
    do {
      const page = await backend.sessions.list({ ...query, orderBy: 'updateTime desc', cursor });
      for (const session of page.items) ids.add(session.id);
      cursor = page.cursor;
    } while (cursor !== undefined);
    expect(ids.size).toBe(1050);
    const error = await failure(backend.sessions.list({ ...query, orderBy: 'createTime asc' }));
    expect(error.code).toBe('FAILED_PRECONDITION');
  });

  it('finds a user among thousands of others below an alias, which knows no metadata filter', async () => {
    const { backend, fake, make } = await world();
    for (let i = 0; i < 3000; i += 1)
      fake.sessions.push(newSession('support', 'front-desk', { metadata: { end_user_id: `u${i % 7}` } }, 0));
    const mine = await make({}, 'alias:front-desk');
    const ids: string[] = [];
    let cursor: string | undefined;
    let pages = 0;
    do {
      const page = await backend.sessions.list({
        app: 'alias:front-desk',
        userId: 'ada',
        pageSize: 5,
        cursor,
      });
      ids.push(...page.items.map((s) => s.id));
      cursor = page.cursor;
      pages += 1;
    } while (cursor !== undefined);
    expect(ids).toEqual([mine.sessionId]);
    // A page ends after a limited number of requests, with a token for the rest.
    expect(pages).toBe(2);
    expect(
      requestsTo(fake, 'GET', /front-desk\/sessions\?/).every((r) => !r.url.includes('metadata_filter')),
    ).toBe(true);
  });

  it('finds names that are full of signs of regular expressions, exactly', async () => {
    const { backend, make } = await world();
    const name = 'a.*(b|[c]) {2}\\d+^$?#/"~';
    const wanted = await make({ displayName: name });
    await make({ displayName: `${name} and more` });
    await make({ displayName: 'aXX' });
    const found = await backend.sessions.list({
      app: 'support',
      userId: 'ada',
      pageSize: 10,
      filter: [{ field: 'displayName', key: '', value: name }],
    });
    expect(found.items.map((s) => s.id)).toEqual([wanted.sessionId]);
  });
});

describe('changes', () => {
  it.each(['replace', 'merge'] as const)(
    'replaces the state over a service that does %s',
    async (metadata) => {
      const { backend, make } = await world({ metadata });
      const ref = await make({ state: { a: 1, b: { c: 2 } } });
      const after = await backend.sessions.update(ref, { state: { b: { d: 3 } } });
      expect(after.state).toEqual({ b: { d: 3 } });
      expect((await backend.sessions.get(ref)).state).toEqual({ b: { d: 3 } });
      expect((await backend.sessions.update(ref, { displayName: 'New' })).state).toEqual({ b: { d: 3 } });
    },
  );

  it('leaves what agents trust to the operator', async () => {
    const { backend, make } = await world({}, { protectedMetadata: ['tenant'] });
    const ref = await make({ state: { note: 1 } });
    ref.wire.metadata = { ...ref.wire.metadata, tenant: 'acme' };
    expect((await failure(backend.sessions.create(ref, { state: { tenant: 'evil' } }))).code).toBe(
      'INVALID_ARGUMENT',
    );
    expect((await failure(backend.sessions.update(ref, { state: { tenant: 'evil' } }))).code).toBe(
      'INVALID_ARGUMENT',
    );
    expect((await backend.sessions.update(ref, { state: { note: 2 } })).state).toEqual({
      note: 2,
      tenant: 'acme',
    });
    // Read, change, write back.
    expect((await backend.sessions.update(ref, { state: { note: 3, tenant: 'acme' } })).state).toEqual({
      note: 3,
      tenant: 'acme',
    });
  });

  it('enabled, status and tti_minutes are labels, and a description can be given as one', async () => {
    const { backend, fake, make } = await world();
    const ref = await make({ labels: { description: 'About Tea', enabled: 'false', tti_minutes: '30' } });
    expect(requestsTo(fake, 'POST', /sessions$/)[0]?.json).toMatchObject({
      description: 'About Tea',
      enabled: false,
      tti_minutes: 30,
    });
    const shown = { enabled: 'false', status: 'unstarted', tti_minutes: '30' };
    expect(await backend.sessions.get(ref)).toMatchObject({ description: 'About Tea', labels: shown });
    const filter = [{ field: 'label', key: 'enabled', value: 'false' }] as const;
    expect((await backend.sessions.list({ ...ref, pageSize: 5, filter })).items).toHaveLength(1);
    // Writing back all labels changes only those with another value.
    const changed = await backend.sessions.update(ref, { labels: { ...shown, enabled: 'true' } });
    expect(changed.labels).toEqual({ ...shown, enabled: 'true' });
    expect(requestsTo(fake, 'PATCH', /sessions/)[0]?.json).toEqual({ enabled: true });
    const named = await backend.sessions.update(ref, { labels: { description: 'On coffee' } });
    expect(named).toMatchObject({ description: 'On coffee', labels: { enabled: 'true' } });
    const bad = [{ status: 'running' }, { enabled: 'maybe' }, { tti_minutes: '1.5' }];
    await allFail(
      bad.map((labels) => backend.sessions.update(ref, { labels })),
      'INVALID_ARGUMENT',
    );
  });

  it('says what Vectara does not have instead of dropping it', async () => {
    const { backend, fake, make } = await world();
    const ref = await make();
    const before = fake.requests.length;
    const tries = [
      backend.sessions.create(ref, { labels: { env: 'dev' } }),
      backend.sessions.create(ref, { expireTime: '2030-01-01T00:00:00Z' }),
      backend.sessions.create(ref, { state: { 'user:name': 'Ada' } }),
      backend.sessions.update(ref, { state: { 'app:name': 'Ada' } }),
      backend.sessions.update(ref, { displayName: 'x' }, { expectedRevision: 1 }),
      backend.sessions.delete(ref, { expectedRevision: 1 }),
      backend.sessions.list({ ...ref, pageSize: 5, filter: [{ field: 'label', key: 'a', value: 'b' }] }),
    ];
    await allFail(tries, 'UNIMPLEMENTED');
    expect(fake.requests.slice(before).every((r) => r.method === 'GET')).toBe(true);
    expect((await make({ state: { 'temp:x': 1, y: 2 } })).wire.metadata).toEqual({
      y: 2,
      end_user_id: 'ada',
    });
  });

  it('gives new sessions the idle time and the secrets of the operator, and shows no secret', async () => {
    const { fake, backend } = await world(
      {},
      { idleMinutes: 90, sessionSecrets: { crm_token: 'canary-77' } },
    );
    const made = await backend.sessions.create({ app: 'support', userId: 'ada' }, {});
    expect(fake.session(made.id).body).toMatchObject({
      tti_minutes: 90,
      secrets: { crm_token: 'canary-77' },
    });
    expect(JSON.stringify(made)).not.toMatch(/canary|\*\*\*\*/);
  });

  it('has patience with a session that it just made, and none with others', async () => {
    const { backend, fake } = await world({ settleReads: 2 });
    const owner = { app: 'support', userId: 'ada' };
    const { id } = await backend.sessions.create(owner, {});
    expect((await backend.sessions.get({ ...owner, sessionId: id })).id).toBe(id);
    const started = Date.now();
    expect((await failure(backend.sessions.get({ ...owner, sessionId: 'ase_unknown' }))).code).toBe(
      'NOT_FOUND',
    );
    expect(Date.now() - started).toBeLessThan(1000);
    expect(requestsTo(fake, 'GET', /ase_unknown/)).toHaveLength(1);
  });
});

describe('forks', () => {
  it('are made by Vectara: up to an event, with artifacts, state and the owner', async () => {
    const { backend, fake, make } = await world();
    const { said } = await import('../../fake/vectara/interact.ts');
    const { addArtifact } = await import('../../fake/vectara/store.ts');
    const ref = await make({ displayName: 'Trip', state: { topic: 'tea' } });
    const events = ['one', 'two', 'three'].map((text) => said(ref.wire, text));
    addArtifact(ref.wire, 'a.txt', 'text/plain', Buffer.from('A'));
    await backend.events.setVisibility(ref, events[0]?.id ?? '', true);
    const fork = await backend.sessions.fork(ref, { upToEventId: events[1]?.id, newSessionId: 'copy-1' });
    expect(fork).toMatchObject({ id: 'copy-1', userId: 'ada', displayName: 'Trip', state: { topic: 'tea' } });
    const copied = await backend.events.list({ ...ref, sessionId: 'copy-1' }, { pageSize: 10 });
    expect(copied.items.map((e) => e.content?.parts[0]?.text)).toEqual(['two']);
    expect(copied.items[0]?.id).not.toBe(events[1]?.id);
    const files = await backend.artifacts.list({ ...ref, sessionId: 'copy-1' }, { pageSize: 10 });
    expect(files.items).toHaveLength(1);
    expect(fake.session('copy-1').body.from_session).toEqual({
      session_key: ref.sessionId,
      agent_key: 'support',
      include_up_to_event_id: events[1]?.id,
    });
  });

  it('of an unknown event, or under a taken id, fail before anything is made', async () => {
    const { backend, fake, make } = await world();
    const ref = await make();
    const count = fake.sessions.length;
    expect((await failure(backend.sessions.fork(ref, { upToEventId: 'aev_none' }))).code).toBe('NOT_FOUND');
    const taken = { newSessionId: ref.sessionId };
    expect((await failure(backend.sessions.fork(ref, taken))).code).toBe('ALREADY_EXISTS');
    expect(fake.sessions).toHaveLength(count);
  });
});

describe('aliases', () => {
  it('are apps of their own, over the same sessions', async () => {
    const { backend, fake, make } = await world();
    const ref = await make({ state: { a: 1 } }, 'alias:front-desk');
    expect(ref.wire).toMatchObject({ agent: 'support', alias: 'front-desk' });
    expect(await backend.sessions.get(ref)).toMatchObject({ app: 'alias:front-desk', state: { a: 1 } });
    // Below the agent that the alias chose, too.
    expect((await backend.sessions.get({ ...ref, app: 'support' })).app).toBe('support');
    expect((await failure(backend.sessions.get({ ...ref, app: 'sales' }))).code).toBe('NOT_FOUND');
    const { said } = await import('../../fake/vectara/interact.ts');
    const event = said(ref.wire, 'hello');
    await backend.events.setVisibility(ref, event.id, true);
    expect((await backend.events.list(ref, { pageSize: 5 })).items).toEqual([]);
    const all = await backend.events.list(ref, { pageSize: 5, includeHidden: true });
    expect(all.items).toMatchObject([{ id: event.id, hidden: true }]);
    await backend.events.delete(ref, event.id);
    await backend.sessions.delete(ref);
    expect(fake.sessions).toEqual([]);
  });
});

describe('apps', () => {
  it('are agents, and then aliases', async () => {
    const { backend, fake } = await world();
    const first = await backend.apps.list({ pageSize: 10 });
    const second = await backend.apps.list({ pageSize: 10, cursor: first.cursor });
    expect(first.items.map((a) => a.name)).toEqual(['support', 'sales']);
    expect(second).toEqual({
      items: [{ name: 'alias:front-desk', displayName: 'The front-desk' }],
      cursor: undefined,
    });
    expect(await backend.apps.get('support')).toEqual({
      name: 'support',
      displayName: 'The support',
      description: 'Answers.',
      createTime: '2026-01-02T03:04:05.000Z',
    });
    expect((await backend.apps.get('alias:front-desk')).name).toBe('alias:front-desk');
    expect(await failure(backend.apps.get('nobody'))).toMatchObject({
      code: 'NOT_FOUND',
      message: 'The agent does not exist at Vectara.',
    });
    fake.agents.clear();
    expect((await backend.apps.list({ pageSize: 10 })).items.map((a) => a.name)).toEqual([
      'alias:front-desk',
    ]);
  });
});

describe('roles', () => {
  it('a missing one is named', async () => {
    const { fake, make } = await world();
    const ref = await make();
    const as = (role: string) => open(fake, { credentials: { apiKey: `zut_${role}-key` } });
    const [viewer, user, developer] = await Promise.all([as('viewer'), as('user'), as('developer')]);
    const { addEvent } = await import('../../fake/vectara/store.ts');
    const event = addEvent(ref.wire, 'agent_output', { content: 'hi' });
    const list = await failure(user.sessions.list({ ...ref, pageSize: 5 }));
    expect(list).toMatchObject({
      code: 'PERMISSION_DENIED',
      message: expect.stringContaining('list sessions'),
    });
    expect(list.hint).toContain('agent_viewer');
    expect(list.details?.requestId).toMatch(/^req-/);
    expect((await failure(user.events.list(ref, { pageSize: 5 }))).hint).toContain('agent_viewer');
    expect((await failure(viewer.sessions.create(ref, {}))).hint).toContain('agent_user');
    expect((await failure(viewer.toolCalls.list(ref))).hint).toContain('agent_user');
    expect((await failure(viewer.sessions.update(ref, { displayName: 'x' }))).hint).toContain(
      'agent_developer',
    );
    expect((await failure(developer.events.delete(ref, event.id))).hint).toContain('agent_administrator');
    // Each role can do what it may.
    expect((await user.sessions.get(ref)).id).toBe(ref.sessionId);
    expect((await viewer.events.list(ref, { pageSize: 5 })).items).toHaveLength(1);
    expect((await developer.events.setVisibility(ref, event.id, true)).hidden).toBe(true);
  });
});
