import { describe, expect, it } from 'vitest';
import { withDeadline } from '../../../src/net/deadline.ts';
import type { Fault } from '../../fake/agent-engine/server.ts';
import { fails, open, said, type World, world } from './setup.ts';

const owner = (it: World) => ({ app: it.fake.engine.id, userId: 'ada' });

/** Every write, with the request that makes the change and the tool that shows it. */
const writes: Record<
  string,
  { match: RegExp; tool: string; run(it: World): Promise<() => Promise<unknown>> }
> = {
  create_session: {
    match: /POST .*\/sessions/,
    tool: 'list_sessions',
    run: async (it) => () => it.backend.sessions.create(owner(it), {}),
  },
  update_session: {
    match: /PATCH/,
    tool: 'get_session',
    async run(it) {
      const ref = await it.make();
      return () => it.backend.sessions.update(ref, { displayName: 'New' });
    },
  },
  delete_session: {
    match: /DELETE/,
    tool: 'get_session',
    async run(it) {
      const ref = await it.make();
      return () => it.backend.sessions.delete(ref);
    },
  },
  append_event: {
    match: /:appendEvent/,
    tool: 'list_events',
    async run(it) {
      const ref = await it.make();
      return () => it.backend.events.append(ref, said('hi'));
    },
  },
  create_memory: {
    match: /POST .*\/memories/,
    tool: 'list_memories',
    run: async (it) => () => it.backend.memory.create(owner(it), { fact: 'Likes tea.' }),
  },
  add_session_to_memory: {
    match: /:generate/,
    tool: 'list_memories',
    async run(it) {
      const ref = await it.make();
      return () => it.backend.memory.addSession(ref, {});
    },
  },
  delete_memory: {
    match: /DELETE/,
    tool: 'list_memories',
    async run(it) {
      const { id } = await it.backend.memory.create(owner(it), { fact: 'Likes tea.' });
      return () => it.backend.memory.delete(owner(it), id);
    },
  },
  create_app: {
    match: /POST .*\/reasoningEngines/,
    tool: 'list_apps',
    run: async (it) => () => it.backend.apps.create({ name: 'second' }),
  },
  delete_app: {
    match: /DELETE/,
    tool: 'list_apps',
    async run(it) {
      const { name } = await it.backend.apps.create({ name: 'second' });
      return () => it.backend.apps.delete(name, { force: true });
    },
  },
};

describe.each(Object.entries(writes))('%s, when its answer is lost', (_name, { match, tool, run }) => {
  const lost: [string, Omit<Fault, 'match'>][] = [
    ['a connection that is cut', { cut: true }],
    ['an error of the service', { status: 500 }],
    ['a page', { raw: '<html>hello</html>' }],
    ['a list', { raw: '[]' }],
    ['a body without an end', { hang: true }],
  ];
  it.each(lost)('by %s: says so, and where to look', async (_how, fault) => {
    const it = await world(fault.hang === true ? { timeoutMs: 1000 } : {});
    const call = await run(it);
    it.fake.fail({ match, afterwards: true, ...fault });
    const error: unknown = await call().catch((reason: unknown) => reason);
    // A deletion whose second attempt finds nothing has succeeded.
    if (error === undefined) return expect(match.source).toBe('DELETE');
    expect(error).toMatchObject({ details: { outcome: 'unknown' } });
    expect((error as Error).message).toContain('may have been made');
    expect((error as { hint: string }).hint).toContain(tool);
  });

  it('by a refusal: does not say so', async () => {
    const it = await world();
    const call = await run(it);
    it.fake.fail({ match, status: 403 });
    const error = await fails(call(), 'PERMISSION_DENIED');
    expect(error.message).not.toContain('may have been made');
  });
});

describe('a deletion that was done, and answered 503, then 404', () => {
  it.each(['delete_session', 'delete_memory', 'delete_app'])('%s is a success', async (name) => {
    const it = await world();
    const call = await writes[name]?.run(it);
    it.fake.fail({ match: /DELETE/, status: 503, afterwards: true, headers: { 'retry-after': '0' } });
    expect(await call?.()).toBeUndefined();
    await fails(call?.() ?? Promise.resolve(), 'NOT_FOUND');
  });
});

describe('answers that are none', () => {
  const reads: Record<string, (it: World) => Promise<() => Promise<unknown>>> = {
    get_session: async (it) => {
      const ref = await it.make();
      return () => it.backend.sessions.get(ref);
    },
    list_sessions: async (it) => () => it.backend.sessions.list({ ...owner(it), pageSize: 5 }),
    list_events: async (it) => {
      const ref = await it.make();
      return () => it.backend.events.list(ref, { pageSize: 5 });
    },
    list_memories: async (it) => () => it.backend.memory.list(owner(it), { pageSize: 5 }),
    search_memory: async (it) => () => it.backend.memory.search(owner(it), { text: 'tea', limit: 5 }),
    list_apps: async (it) => () => it.backend.apps.list({ pageSize: 5 }),
  };

  it.each(Object.entries(reads))(
    '%s: an empty 200, a page and a list are no empty answer',
    async (_name, read) => {
      const it = await world();
      const call = await read(it);
      for (const raw of ['', '<html>hello</html>', '[]', '"text"']) {
        it.fake.fail({ match: /GET|:retrieve/, raw, times: 9 });
        await fails(call(), 'UNAVAILABLE');
        it.fake.heal();
      }
    },
  );

  it('an object that is no session is no missing session', async () => {
    const it = await world();
    const ref = await it.make();
    it.fake.fail({ match: /GET/, raw: '{}' });
    await fails(it.backend.sessions.get(ref), 'UNAVAILABLE');
  });
});

describe('operations', () => {
  const name = 'projects/1/locations/us-central1/reasoningEngines/1/sessions/new/operations/1';
  const create = (it: World) => it.backend.sessions.create(owner(it), { sessionId: 'new' });

  it('one that never ends, for a session that is not there, made no session yet', async () => {
    const it = await world();
    it.fake.fail({ match: /POST .*\/sessions/, raw: JSON.stringify({ name }) });
    it.fake.fail({ match: /GET .*\/operations\//, raw: JSON.stringify({ name }), times: 99 });
    const error = await fails(
      withDeadline({ ms: 1500 }, () => create(it)),
      'DEADLINE_EXCEEDED',
    );
    expect(error.hint).toContain('get_session');
  });

  it.each([
    ['a number', { code: 9, message: 'Bearer secret-4711' }, 'FAILED_PRECONDITION'],
    ['an unknown number', { code: 99, message: 'Bearer secret-4711' }, 'UNAVAILABLE'],
    ['nothing', {}, 'UNAVAILABLE'],
    ['a text', 'Bearer secret-4711', 'UNAVAILABLE'],
  ])('one that failed with %s made no session, and says no more than that', async (_what, error, code) => {
    const it = await world();
    it.fake.fail({ match: /POST .*\/sessions/, raw: JSON.stringify({ name, done: true, error }) });
    const { message, hint } = await fails(create(it), code);
    expect(`${message} ${hint}`).not.toContain('4711');
  });
});

describe('lists that do not end', () => {
  const lists: Record<string, (it: World) => Promise<(cursor?: string) => Promise<unknown>>> = {
    list_sessions: async (it) => (cursor) => it.backend.sessions.list({ ...owner(it), pageSize: 5, cursor }),
    list_events: async (it) => {
      const ref = await it.make();
      return () => it.backend.events.list(ref, { pageSize: 5 });
    },
    list_tool_calls: async (it) => {
      const ref = await it.make();
      return () => it.backend.toolCalls.list(ref);
    },
    list_memories: async (it) => (cursor) => it.backend.memory.list(owner(it), { pageSize: 5, cursor }),
    list_apps: async (it) => (cursor) => it.backend.apps.list({ pageSize: 5, cursor }),
  };
  const match = /GET .*(\/sessions|\/events|\/memories|\/reasoningEngines)\?/;

  it.each(Object.entries(lists))('%s: a token that comes again', async (_name, list) => {
    const it = await world();
    const call = await list(it);
    it.fake.fail({ match, raw: '{"nextPageToken":"again"}', times: 1000 });
    const error = await fails(call(), 'UNAVAILABLE');
    expect(error.message).toContain('repeated pages');
    await fails(call('again'), 'UNAVAILABLE');
    expect(it.fake.requests.length).toBeLessThan(10);
  });

  it.each(Object.entries(lists))('%s: empty pages without end', async (_name, list) => {
    const it = await world();
    const call = await list(it);
    for (let page = 0; page < 100; page += 1)
      it.fake.fail({ match, raw: JSON.stringify({ nextPageToken: `t${page}` }) });
    await fails(call(), 'UNAVAILABLE');
    expect(it.fake.requests.length).toBeLessThan(70);
  });
});

describe('a deadline', () => {
  it('ends a read that hangs, and never makes a stored write look like a failed one', async () => {
    const it = await world();
    const ref = await it.make();
    const within = <T>(run: () => Promise<T>) => withDeadline({ ms: 400 }, run);
    it.fake.fail({ match: /GET/, hang: true, times: 99 });
    await fails(
      within(() => it.backend.events.list(ref, { pageSize: 5 })),
      'DEADLINE_EXCEEDED',
    );
    const made = await within(() => it.backend.sessions.create(owner(it), { displayName: 'Chat' }));
    expect(it.fake.engine.sessions.has(made.id)).toBe(true);
    const app = await within(() => it.backend.apps.create({ name: 'second' }));
    expect(it.fake.engines.has(app.name)).toBe(true);
  });

  it('ends the wait for an earlier call with the same event', async () => {
    const it = await world();
    const ref = await it.make();
    it.fake.fail({ match: /:appendEvent/, hang: true });
    const same = () => it.backend.events.append(ref, said('hi', { id: 'own' }));
    const caller = new AbortController();
    const first = withDeadline({ ms: Number.POSITIVE_INFINITY, signal: caller.signal }, same);
    await expect.poll(() => it.fake.requests.some(({ url }) => url.includes(':appendEvent'))).toBe(true);
    await fails(withDeadline({ ms: 100 }, same), 'DEADLINE_EXCEEDED');
    // The next in line still waits for the first, and finds what it stored.
    const third = same();
    caller.abort();
    await fails(first, 'CANCELLED');
    expect((await third).event.id).toBe('own');
  });

  it('leaves time to say that an operation goes on', async () => {
    const it = await world();
    const ref = await it.make();
    it.fake.operations.polls = 10_000;
    const added = await withDeadline({ ms: 1500 }, () => it.backend.memory.addSession(ref, {}));
    expect(added.note).toContain('still extracting facts');
    const error = await fails(
      withDeadline({ ms: 1500 }, () => it.backend.memory.create(owner(it), { fact: 'Likes tea.' })),
      'DEADLINE_EXCEEDED',
    );
    expect(error.hint).toContain('list_memories');
  });

  it('a quota that is free too late is told at once', async () => {
    const it = await world();
    const backend = await open(it.fake, { project: undefined, apiKey: 'k', rateLimit: true });
    for (let i = 0; i < 10; i += 1) await backend.sessions.create(owner(it), {});
    await fails(
      withDeadline({ ms: 1000 }, () => backend.sessions.create(owner(it), {})),
      'RESOURCE_EXHAUSTED',
    );
  });
});
