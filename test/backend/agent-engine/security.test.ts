import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SessionError } from '../../../src/errors.ts';
import { open, said, type Whole, world } from './setup.ts';

/** Ids that have a meaning in paths, queries, filters, headers or JavaScript. */
const hostile = [
  '',
  '.',
  '..',
  '../..',
  'a/b',
  'a%2Fb',
  '%2e%2e',
  '%2e%2e%2f%2e%2e%2f',
  'a?b=c',
  'a#b',
  'a:delete',
  'x:appendEvent',
  'a\\b',
  'a b',
  'a\nb',
  'a\u0000b',
  'a\r\nX-Evil: 1',
  '\ud800',
  'ä',
  '％2e',
  '__proto__',
  'constructor',
  '"',
  '" OR user_id="eve',
  '*',
  '-',
  'projects/p/locations/l/reasoningEngines/1',
  'a'.repeat(300),
];

/** Every verb that takes an id, with the id in each of its places. */
const calls: Record<string, (backend: Whole, id: string, app: string) => Promise<unknown>> = {
  'app of a session': (b, id) => b.sessions.get({ app: id, userId: 'ada', sessionId: 's' }),
  'session id': (b, id, app) => b.sessions.get({ app, userId: 'ada', sessionId: id }),
  'new session id': (b, id, app) => b.sessions.create({ app, userId: 'ada' }, { sessionId: id }),
  'session to delete': (b, id, app) => b.sessions.delete({ app, userId: 'ada', sessionId: id }),
  'session to update': (b, id, app) =>
    b.sessions.update({ app, userId: 'ada', sessionId: id }, { displayName: 'x' }),
  'user of a session': (b, id, app) => b.sessions.get({ app, userId: id, sessionId: 'known' }),
  'user of a list': (b, id, app) => b.sessions.list({ app, userId: id, pageSize: 5 }),
  'app of a list': (b, id) => b.sessions.list({ app: id, userId: 'ada', pageSize: 5 }),
  'session of events': (b, id, app) => b.events.list({ app, userId: 'ada', sessionId: id }, { pageSize: 5 }),
  'event id': (b, id, app) => b.events.get({ app, userId: 'ada', sessionId: 'known' }, id),
  'event to go on from': (b, id, app) =>
    b.events.list({ app, userId: 'ada', sessionId: 'known' }, { pageSize: 5, afterEventId: id }),
  'own event id': (b, id, app) =>
    b.events.append({ app, userId: 'ada', sessionId: 'known' }, said('x', { id })),
  'session to append to': (b, id, app) => b.events.append({ app, userId: 'ada', sessionId: id }, said('x')),
  'memory id': (b, id, app) => b.memory.delete({ app, userId: 'ada' }, id),
  'user of memories': (b, id, app) => b.memory.list({ app, userId: id }, { pageSize: 5 }),
  'app of memories': (b, id) => b.memory.search({ app: id, userId: 'ada' }, { text: 'x', limit: 1 }),
  'session to remember': (b, id, app) => b.memory.addSession({ app, userId: 'ada', sessionId: id }, {}),
  'app name': (b, id) => b.apps.get(id),
  'app to delete': (b, id) => b.apps.delete(id, { force: true }),
  'class method': (b, id, app) =>
    b.query.call({ app, userId: 'ada' }, { classMethod: id, input: {} }, new AbortController().signal),
  'session of feedback': (b, id, app) =>
    b.feedback.register({ app, userId: 'ada', sessionId: id }, { score: 1 }),
  async 'session of a run'(b, id, app) {
    const run = b.query.stream(
      { app, userId: 'ada', sessionId: id },
      { message: { parts: [{ text: 'x' }] }, invocationId: 'i' },
      new AbortController().signal,
    );
    for await (const _event of run);
  },
};

const prefix = '/v1beta1/projects/my-proj/locations/us-central1/reasoningEngines';
/** The rest of an allowed path: segments of harmless characters, and at most one verb. */
const shape = /^(\/[A-Za-z0-9_-]+(\/(sessions|memories)(\/[a-z0-9-]+(\/events)?)?)?)?(:[A-Za-z]+)?$/;

/** Any UTF-16 unit, lone surrogates included. */
const unit = fc.integer({ min: 0, max: 0xffff }).map((code) => String.fromCharCode(code));

describe('hostile ids', () => {
  it.each(Object.keys(calls))('as %s never change a path', async (name) => {
    const { fake, backend, make } = await world();
    await make({ sessionId: 'known' });
    const call = calls[name];
    const tried = async (id: string) => {
      fake.requests.length = 0;
      const error: unknown = await call?.(backend, id, fake.engine.id).then(
        () => undefined,
        (reason: unknown) => reason,
      );
      if (error !== undefined) expect(error).toBeInstanceOf(SessionError);
      for (const request of fake.requests) {
        const [path = ''] = request.url.split('?');
        if (path.includes('/operations/')) continue;
        expect(path.startsWith(prefix), path).toBe(true);
        expect(path.slice(prefix.length)).toMatch(shape);
      }
      if (fake.engine.sessions.get('known') === undefined) await make({ sessionId: 'known' });
    };
    for (const id of hostile) await tried(id);
    await fc.assert(fc.asyncProperty(fc.string({ unit, maxLength: 40 }), tried), { numRuns: 40 });
    expect(fake.engines.size).toBe(1);
  });
});

describe('credentials', () => {
  const canary = 'ya29.canary-token-3141592653589793';

  it('appear in no answer and no error', async () => {
    const loadAuth = async () => ({
      getRequestHeaders: async () => new Headers({ authorization: `Bearer ${canary}` }),
      getProjectId: async () => 'my-proj',
    });
    const it = await world({ auth: 'adc', loadAuth });
    const { fake } = it;
    fake.token = canary;
    const ref = await it.make();
    const shown: unknown[] = [await it.backend.describe(), await it.backend.sessions.get(ref)];
    const statuses = [301, 400, 401, 403, 404, 409, 429, 500, 503];
    for (const status of statuses) {
      // A service, or a proxy in front of it, that repeats the request in its answer.
      fake.fail({
        match: /./,
        times: 5,
        status,
        headers: { location: `https://evil.example/?${canary}`, 'retry-after': '60' },
        raw: JSON.stringify({
          error: {
            code: status,
            message: `You sent ${canary}`,
            status: 'WHATEVER',
            details: [{ '@type': 'type.googleapis.com/google.rpc.DebugInfo', detail: canary }],
          },
        }),
      });
      const error: unknown = await it.backend.sessions.get(ref).catch((reason: unknown) => reason);
      expect(error).toBeInstanceOf(SessionError);
      const { message, hint, details, stack } = error as SessionError;
      shown.push(message, hint, details, stack);
      fake.heal();
    }
    expect(JSON.stringify(shown)).not.toContain('canary');
    expect(fake.requests.some((request) => request.url.includes('canary'))).toBe(false);
  });

  it('an API key travels in a header, never in an address', async () => {
    const it = await world({ project: undefined, apiKey: canary });
    it.fake.token = canary;
    const ref = await it.make();
    expect(ref.sessionId).not.toBe('');
    expect(it.fake.requests[0]?.url).toBe(`/v1beta1/reasoningEngines/${it.fake.engine.id}/sessions`);
    expect(it.fake.requests.every((request) => request.headers['x-goog-api-key'] === canary)).toBe(true);
    expect(
      JSON.stringify([await it.backend.describe(), it.fake.requests.map((request) => request.url)]),
    ).not.toContain('canary');
    const stranger = await open(it.fake, { project: undefined, apiKey: 'wrong-key' });
    const error: unknown = await stranger.sessions.get(ref).catch((reason: unknown) => reason);
    expect((error as SessionError).code).toBe('UNAUTHENTICATED');
    expect((error as SessionError).hint).toContain('GOOGLE_API_KEY');
  });
});

describe('two users on one engine', () => {
  it('never see each other’s sessions, events or memories, whatever they call', async () => {
    const { fake, backend, make } = await world();
    const ada = await make({ sessionId: 'ada-1', state: { 'user:secret': 'alpha', own: 'alpha' } });
    await backend.events.append(ada, said('alpha'));
    await backend.memory.create(ada, { fact: 'alpha' });
    const eve = await make({ sessionId: 'eve-1' }, 'eve');
    const answers: unknown[] = [];
    for (const call of Object.values(calls))
      for (const id of ['ada-1', 'ada', 'known'])
        answers.push(
          await call(asEve(backend), id, fake.engine.id).catch((error: SessionError) => [
            error.code,
            error.message,
            error.hint,
          ]),
        );
    answers.push(await backend.sessions.get(eve), await backend.events.list(eve, { pageSize: 5 }));
    expect(JSON.stringify(answers)).not.toContain('alpha');
    expect((await backend.sessions.get(ada)).state).toMatchObject({ own: 'alpha' });
  });

  /** The same calls, made in the name of another user. */
  function asEve(backend: Whole): Whole {
    const renamed = (value: unknown): unknown =>
      typeof value === 'object' && value !== null && 'userId' in value ? { ...value, userId: 'eve' } : value;
    const wrap = <T extends object>(group: T): T =>
      new Proxy(group, {
        get: (target, name) => {
          const verb: unknown = Reflect.get(target, name);
          return typeof verb === 'function'
            ? (...args: unknown[]) => verb(...args.map(renamed)) as unknown
            : verb;
        },
      });
    const { apps: _apps, ...rest } = backend;
    return {
      ...rest,
      // An engine belongs to the operator; the tools decide who may delete it.
      apps: { ...backend.apps, delete: async () => {} },
      sessions: wrap(backend.sessions),
      events: wrap(backend.events),
      memory: wrap(backend.memory),
      query: wrap(backend.query),
      feedback: wrap(backend.feedback),
    };
  }
});
