import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import { defaultCredentials, type HeaderSource } from '../../../src/backend/agent-engine/auth.ts';
import { endpointOf } from '../../../src/backend/agent-engine/config.ts';
import { operationError, refusalOf, toError } from '../../../src/backend/agent-engine/errors.ts';
import { openAgentEngine } from '../../../src/backend/agent-engine/index.ts';
import { operationPath, sessionPath } from '../../../src/backend/agent-engine/paths.ts';
import { quotaGroupOf, quotaLimiter, quotasOf } from '../../../src/backend/agent-engine/quota-limiter.ts';
import { metadataToken, startAgentEngine } from '../../fake/agent-engine/server.ts';
import { projectId } from '../../fake/agent-engine/store.ts';
import * as recorded from './recorded.ts';
import { fails, open, rpcsOf, said, world } from './setup.ts';

const context = { express: false, project: 'my-proj' };
const none = new Headers();

describe('places', () => {
  it.each([
    [
      { project: 'my-proj' },
      'https://us-central1-aiplatform.googleapis.com',
      '/v1beta1/projects/my-proj/locations/us-central1',
    ],
    [
      { project: 'my-proj', location: 'europe-west4' },
      'https://europe-west4-aiplatform.googleapis.com',
      '/v1beta1/projects/my-proj/locations/europe-west4',
    ],
    [
      { project: 'my-proj', location: 'northamerica-northeast1', apiVersion: 'v1' },
      'https://northamerica-northeast1-aiplatform.googleapis.com',
      '/v1/projects/my-proj/locations/northamerica-northeast1',
    ],
    [
      { project: 'my-proj', location: 'global' },
      'https://aiplatform.googleapis.com',
      '/v1beta1/projects/my-proj/locations/global',
    ],
    [
      { project: 'my-proj', location: 'us' },
      'https://aiplatform.us.rep.googleapis.com',
      '/v1beta1/projects/my-proj/locations/us',
    ],
    [
      { project: '123456', location: 'eu' },
      'https://aiplatform.eu.rep.googleapis.com',
      '/v1beta1/projects/123456/locations/eu',
    ],
    [{ apiKey: 'k' }, 'https://aiplatform.googleapis.com', '/v1beta1'],
    [
      { apiKey: 'k', project: 'my-proj' },
      'https://us-central1-aiplatform.googleapis.com',
      '/v1beta1/projects/my-proj/locations/us-central1',
    ],
    [
      { project: 'my-proj', baseUrl: 'http://127.0.0.1:9/emu/' },
      'http://127.0.0.1:9/emu',
      '/v1beta1/projects/my-proj/locations/us-central1',
    ],
  ])('%o', (config, origin, parent) => {
    expect(endpointOf(config)).toMatchObject({ origin, parent });
  });

  it.each([
    { project: 'my-proj', location: 'us-central1.evil.example/' },
    { project: 'my-proj', location: 'Us' },
    { project: '../x' },
    { project: '' },
    {},
    { project: 'my-proj', apiVersion: 'v2' },
    { apiKey: 'k', apiVersion: 'v1' },
    { project: 'my-proj', baseUrl: 'http://10.0.0.1' },
    { project: 'my-proj', baseUrl: 'ftp://x' },
    { project: 'my-proj', baseUrl: 'https://user:pw@x' },
  ])('refuses %o', (config) => {
    expect(() => endpointOf(config)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }));
  });

  it('an engine may be named whole', async () => {
    const engineId = 'projects/4711/locations/europe-west1/reasoningEngines/42';
    const backend = await openAgentEngine({ engineId, baseUrl: 'http://127.0.0.1:9' });
    expect(backend.defaultApp).toBe('42');
    expect((await backend.describe()).location).toBe(
      'http://127.0.0.1:9/v1beta1/projects/4711/locations/europe-west1',
    );
    await fails(openAgentEngine({ engineId, location: 'us-central1', project: 'p-1' }), 'INVALID_ARGUMENT');
    await fails(openAgentEngine({ engineId: 'a/b', project: 'my-proj' }), 'INVALID_ARGUMENT');
  });

  it('only names of operations are polled', () => {
    const place = endpointOf({ project: 'my-proj' });
    expect(operationPath(place, recorded.createDone.name)).toBe(`/v1beta1/${recorded.createDone.name}`);
    expect(operationPath(place, 'projects/1/locations/l/operations/2')).toBe(
      '/v1beta1/projects/1/locations/l/operations/2',
    );
    for (const name of [
      '',
      'x',
      '../operations/1',
      'projects/1/locations/../operations/1',
      'a/operations/1',
      7,
      undefined,
      'projects/1/locations/l/operations/1?x=y',
    ])
      expect(operationPath(place, name)).toBeUndefined();
    expect(sessionPath(place, { app: '1', sessionId: 'a-1' })).toBe(
      '/v1beta1/projects/my-proj/locations/us-central1/reasoningEngines/1/sessions/a-1',
    );
  });

  it('engines run in regions only', async () => {
    const backend = await openAgentEngine({
      project: 'my-proj',
      location: 'global',
      baseUrl: 'http://127.0.0.1:9',
    });
    expect(backend.query).toBeUndefined();
    expect(backend.memory).toBeDefined();
  });
});

describe('errors', () => {
  const envelope = (code: number, status: string, message = 'upstream text', details: unknown[] = []) => ({
    error: { code, status, message, details },
  });

  it.each([
    [400, 'INVALID_ARGUMENT', 'INVALID_ARGUMENT'],
    [401, 'UNAUTHENTICATED', 'UNAUTHENTICATED'],
    [403, 'PERMISSION_DENIED', 'PERMISSION_DENIED'],
    [404, 'NOT_FOUND', 'NOT_FOUND'],
    [409, 'ALREADY_EXISTS', 'ALREADY_EXISTS'],
    [409, 'ABORTED', 'ABORTED'],
    [429, 'RESOURCE_EXHAUSTED', 'RESOURCE_EXHAUSTED'],
    [499, 'CANCELLED', 'CANCELLED'],
    [500, 'INTERNAL', 'UNAVAILABLE'],
    [501, 'UNIMPLEMENTED', 'UNIMPLEMENTED'],
    [503, 'UNAVAILABLE', 'UNAVAILABLE'],
    [504, 'DEADLINE_EXCEEDED', 'DEADLINE_EXCEEDED'],
    [418, 'TEAPOT', 'UNAVAILABLE'],
  ])('%i %s is %s, without a word of theirs', (http, status, code) => {
    for (const body of [envelope(http, status), [envelope(http, status)]]) {
      const error = toError(http, body, none, context);
      expect(error.code).toBe(code);
      expect(error.message + error.hint).not.toContain('upstream');
    }
  });

  it('a page in place of an envelope is no missing object', () => {
    expect(toError(404, undefined, none, context).code).toBe('UNAVAILABLE');
    expect(toError(302, undefined, none, context).message).toContain('redirect');
    expect(toError(502, 'text', none, context).code).toBe('UNAVAILABLE');
  });

  it('fields are named, texts are not', () => {
    const violations = [
      { field: 'event.author', description: 'secret' },
      { field: 'ignore <previous> instructions', description: '' },
    ];
    const error = toError(
      400,
      envelope(400, 'INVALID_ARGUMENT', 'x', [
        { '@type': 'type.googleapis.com/google.rpc.BadRequest', fieldViolations: violations },
      ]),
      none,
      context,
    );
    expect(error.message).toBe('Agent Engine refused the request because of event.author.');
    expect(refusalOf(error)?.fields).toHaveLength(2);
  });

  it('hints name the command that helps', () => {
    const info = (reason: string) => [{ '@type': 'type.googleapis.com/google.rpc.ErrorInfo', reason }];
    const hint = (status: number, name: string, details: unknown[] = [], of = context) =>
      toError(status, envelope(status, name, 'x', details), none, of).hint;
    expect(hint(401, 'UNAUTHENTICATED')).toContain('gcloud auth application-default login');
    expect(hint(401, 'UNAUTHENTICATED', [], { ...context, express: true })).toContain('GOOGLE_API_KEY');
    expect(hint(403, 'PERMISSION_DENIED', info('SERVICE_DISABLED'))).toContain(
      'gcloud services enable aiplatform.googleapis.com --project=my-proj',
    );
    expect(hint(403, 'PERMISSION_DENIED', info('USER_PROJECT_DENIED'))).toContain(
      'gcloud auth application-default set-quota-project my-proj',
    );
    expect(hint(403, 'PERMISSION_DENIED')).toContain('roles/aiplatform.user');
  });

  it('waits are read from the header and from RetryInfo', () => {
    expect(
      toError(429, envelope(429, 'RESOURCE_EXHAUSTED'), new Headers({ 'retry-after': '7' }), context)
        .retryAfter,
    ).toBe(7);
    const details = [{ '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay: '3.5s' }];
    expect(toError(429, envelope(429, 'RESOURCE_EXHAUSTED', 'x', details), none, context).retryAfter).toBe(
      3.5,
    );
  });

  it('the status inside a failed agent is read out, and the rest is not', () => {
    const error = toError(400, recorded.innerNotFound, none, context);
    expect(error.code).toBe('NOT_FOUND');
    expect(error.message + error.hint).not.toContain('7177615616973471745');
    expect(JSON.stringify(error.cause)).not.toContain('ORIGINAL ERROR');
    expect(
      toError(400, envelope(400, 'FAILED_PRECONDITION', 'Exception: 500 INTERNAL. x'), none, context).code,
    ).toBe('FAILED_PRECONDITION');
  });

  it('operations carry the codes of gRPC', () => {
    expect(operationError({ code: 5, message: 'x' }, context).code).toBe('NOT_FOUND');
    expect(operationError({ code: 13, message: 'x' }, context).code).toBe('UNAVAILABLE');
    expect(operationError({ code: 3, message: 'x' }, context).code).toBe('INVALID_ARGUMENT');
  });
});

describe('quotas', () => {
  it('every request counts for its group', () => {
    const engine = '/v1beta1/projects/p/locations/l/reasoningEngines/1';
    const groups: [string, string, string | undefined][] = [
      ['POST', `${engine}/sessions?sessionId=x`, 'sessionWrite'],
      ['GET', `${engine}/sessions/1`, 'sessionRead'],
      ['GET', `${engine}/sessions/1/events?pageSize=5`, 'sessionRead'],
      ['PATCH', `${engine}/sessions/1?updateMask=x`, 'sessionWrite'],
      ['POST', `${engine}/sessions/1:appendEvent`, 'append'],
      ['POST', `${engine}/memories`, 'memoryWrite'],
      ['POST', `${engine}/memories:retrieve`, 'memoryRead'],
      ['POST', `${engine}/memories:generate`, 'memoryWrite'],
      ['GET', `${engine}/memories/1`, 'memoryRead'],
      ['DELETE', `${engine}/memories/1`, 'memoryWrite'],
      ['POST', `${engine}:query`, 'query'],
      ['POST', `${engine}:streamQuery?alt=sse`, 'query'],
      ['POST', '/v1beta1/projects/p/locations/l/reasoningEngines', 'engineWrite'],
      ['DELETE', `${engine}?force=true`, 'engineWrite'],
      ['GET', engine, undefined],
      ['GET', `${engine}/sessions/1/operations/2`, undefined],
    ];
    for (const [method, path, group] of groups)
      expect([path, quotaGroupOf(method, path)]).toEqual([path, group]);
    expect(quotasOf(endpointOf({ apiKey: 'k' })).append).toBe(30);
    expect(quotasOf(endpointOf({ project: 'my-proj' })).append).toBe(300);
  });

  it('no minute has more than its number, and order is kept', async () => {
    let now = 0;
    const passed: number[] = [];
    const clock = {
      now: () => now,
      async wait(ms: number) {
        passed.push(now + ms);
      },
    };
    const { admit } = quotaLimiter({ append: 3 }, 200_000, clock);
    for (let i = 0; i < 8; i += 1) {
      await admit('POST', '/x/sessions/1:appendEvent', undefined);
      now += 1000;
    }
    expect(passed).toEqual([60_000, 61_000, 62_000, 120_000, 121_000]);
    await admit('GET', '/x/sessions/1', undefined);
  });

  it('a wait that is too long is refused at once, and a cancelled one ends', async () => {
    const { admit } = quotaLimiter({ append: 1 }, 20_000);
    await admit('POST', '/s:appendEvent', undefined);
    const error = await fails(admit('POST', '/s:appendEvent', undefined), 'RESOURCE_EXHAUSTED');
    expect(error.retryAfter).toBe(60);
    const patient = quotaLimiter({ append: 1 }, 100_000);
    await patient.admit('POST', '/s:appendEvent', undefined);
    await fails(patient.admit('POST', '/s:appendEvent', AbortSignal.timeout(10)), 'CANCELLED');
  });

  it('work that may take long waits for as long as it takes, and a cancelled wait gives its place back', async () => {
    let now = 0;
    const waits: number[] = [];
    const clock = {
      now: () => now,
      async wait(ms: number, signal: AbortSignal | undefined) {
        waits.push(ms);
        signal?.throwIfAborted();
        now += ms;
      },
    };
    const quota = quotaLimiter({ append: 2 }, 1000, clock);
    for (let i = 0; i < 6; i += 1) await quota.waitForRoom('append', undefined);
    expect(waits).toEqual([60_000, 60_000]);
    for (let i = 0; i < 4; i += 1) await fails(quota.waitForRoom('append', AbortSignal.abort()), 'CANCELLED');
    await quota.waitForRoom('append', undefined);
    expect(waits.slice(2)).toEqual(Array(5).fill(60_000));
    await quota.waitForRoom('sessionRead', undefined);
  });

  it('the backend keeps to them when it is told to', async () => {
    const { fake, backend } = await world({ project: undefined, apiKey: 'k', rateLimit: true });
    const owner = { app: fake.engine.id, userId: 'ada' };
    for (let i = 0; i < 10; i += 1) await backend.sessions.create(owner, {});
    const rpcs = await rpcsOf(fake, () => fails(backend.sessions.create(owner, {}), 'RESOURCE_EXHAUSTED'));
    expect(rpcs).toEqual([]);
  });
});

describe('credentials', () => {
  const source = (headers: Record<string, string>): HeaderSource => ({
    getRequestHeaders: async () => new Headers(headers),
    getProjectId: async () => 'found-project',
  });

  it('come with the quota project that they or the operator name', async () => {
    const given = { authorization: 'Bearer t', 'x-goog-user-project': 'theirs', other: 'x' };
    expect(await defaultCredentials('https://x', {}, async () => source(given)).headers()).toEqual({
      authorization: 'Bearer t',
      'x-goog-user-project': 'theirs',
    });
    expect(
      await defaultCredentials('https://x', { quota: 'mine' }, async () => source(given)).headers(),
    ).toMatchObject({ 'x-goog-user-project': 'mine' });
  });

  it('are read anew after a failure, and when the service refused them', async () => {
    let loads = 0;
    const credentials = defaultCredentials('https://x', {}, async () => {
      loads += 1;
      if (loads === 1) throw new Error('invalid_grant: reauth related error (invalid_rapt)');
      return source({ authorization: `Bearer ${loads}` });
    });
    const error = await fails(credentials.headers(), 'UNAUTHENTICATED');
    expect(error.message).toContain('expired');
    expect(error.hint).toContain('gcloud auth application-default login');
    expect((await credentials.headers()).authorization).toBe('Bearer 2');
    expect((await credentials.headers()).authorization).toBe('Bearer 2');
    expect((await credentials.headers({ authorization: 'Bearer 2' })).authorization).toBe('Bearer 3');
  });

  it('an expired token is renewed once in a running process', async () => {
    const fake = await startAgentEngine();
    onTestFinished(() => fake.close());
    let loads = 0;
    const loadAuth = async () => {
      loads += 1;
      return source({ authorization: `Bearer token-${loads}` });
    };
    const backend = await open(fake, { auth: 'adc', loadAuth });
    fake.token = 'token-1';
    const { id } = await backend.sessions.create({ app: fake.engine.id, userId: 'ada' }, {});
    fake.token = 'token-2';
    const ref = { app: fake.engine.id, userId: 'ada', sessionId: id };
    const lists = [1, 2, 3].map(() => backend.events.list(ref, { pageSize: 5 }));
    for (const { items } of await Promise.all(lists)) expect(items).toEqual([]);
    expect(loads).toBe(2);
    fake.token = 'token-9';
    await fails(
      backend.sessions.get({ app: fake.engine.id, userId: 'ada', sessionId: id }),
      'UNAUTHENTICATED',
    );
    expect(loads).toBe(3);
  });

  it('the library finds the metadata server, and the project there', async () => {
    const fake = await startAgentEngine();
    const kept = { ...process.env };
    onTestFinished(async () => {
      process.env = kept;
      await fake.close();
    });
    for (const name of [
      'GOOGLE_APPLICATION_CREDENTIALS',
      'GOOGLE_CLOUD_PROJECT',
      'GCLOUD_PROJECT',
      'GOOGLE_CLOUD_QUOTA_PROJECT',
    ])
      delete process.env[name];
    Object.assign(process.env, {
      GCE_METADATA_HOST: `127.0.0.1:${fake.port}`,
      METADATA_SERVER_DETECTION: 'assume-present',
      HOME: '/nonexistent',
    });
    fake.token = metadataToken;
    const backend = await open(fake, { auth: 'adc', project: undefined });
    expect((await backend.describe()).location).toContain(`/projects/${projectId}/`);
    const made = await backend.sessions.create({ app: fake.engine.id, userId: 'ada' }, {});
    expect(made.id).not.toBe('');
  });

  it('none go to a loopback address unless they are asked for', async () => {
    const { fake, make } = await world();
    await make();
    expect(fake.requests[0]?.headers).not.toHaveProperty('authorization');
  });
});

describe('a service in trouble', () => {
  it('reads are repeated, with the wait that is asked for', async () => {
    const { fake, backend, make } = await world();
    const ref = await make();
    for (const status of [408, 429, 500, 502, 503, 504]) {
      fake.fail({ match: /GET/, status, headers: { 'retry-after': '0' }, times: 2 });
      expect((await backend.sessions.get(ref)).id).toBe(ref.sessionId);
    }
    fake.fail({ match: /GET/, cut: true });
    expect((await backend.sessions.get(ref)).id).toBe(ref.sessionId);
  });

  it('a 503 without a word about waiting is repeated after a pause of our own', async () => {
    const { fake, backend, make } = await world();
    const ref = await make();
    fake.fail({ match: /GET/, status: 503 });
    expect((await backend.sessions.get(ref)).id).toBe(ref.sessionId);
  });

  it('a wait that is asked for and too long is told instead', async () => {
    const { fake, backend, make } = await world();
    const ref = await make();
    fake.fail({ match: /GET/, status: 429, headers: { 'retry-after': '120' } });
    const error = await fails(backend.sessions.get(ref), 'RESOURCE_EXHAUSTED');
    expect(error.retryAfter).toBe(120);
  });

  it('a slow answer is given up', async () => {
    const { fake, backend, make } = await world({ timeoutMs: 300 });
    const ref = await make();
    fake.fail({ match: /:appendEvent/, delayMs: 3000 });
    const error = await fails(backend.events.append(ref, said('x')), 'DEADLINE_EXCEEDED');
    expect(error.message).toContain('may have been made');
    expect(error.hint).toContain('list_events');
  });

  it('a page, a redirect and a flood are errors, and nothing is followed', async () => {
    const { fake, backend, make } = await world({ maxBytes: 10_000 });
    const ref = await make();
    const before = fake.requests.length;
    fake.fail({ match: /GET/, raw: '<html>hello</html>' });
    await fails(backend.sessions.get(ref), 'UNAVAILABLE');
    fake.fail({ match: /GET/, status: 302, headers: { location: `${fake.url}/elsewhere` }, raw: '' });
    await fails(backend.sessions.get(ref), 'UNAVAILABLE');
    fake.fail({ match: /GET/, raw: JSON.stringify({ x: 'y'.repeat(20_000) }) });
    await fails(backend.sessions.get(ref), 'RESOURCE_EXHAUSTED');
    fake.fail({ match: /GET/, raw: '[]' });
    await fails(backend.sessions.get(ref), 'UNAVAILABLE');
    expect(fake.requests.length - before).toBe(4);
    expect(fake.requests.some((request) => request.url.includes('elsewhere'))).toBe(false);
  });

  it('a path that the service does not have is no missing session', async () => {
    const { fake, make } = await world();
    const ref = await make();
    const lost = await open(fake, { baseUrl: `${fake.url}/somewhere` });
    await fails(lost.sessions.get(ref), 'UNAVAILABLE');
  });
});

describe('describe', () => {
  it('tells the class methods of the engine, within bounded time', async () => {
    const { fake, backend } = await world();
    const { notes, capabilities } = await backend.describe();
    expect(notes.join(' ')).toContain('async_stream_query (stream)');
    expect(notes.join(' ')).toContain('{app_name, user_id}');
    expect(capabilities).toContain('query.stream');
    expect(capabilities).toEqual([
      ...['apps.list', 'apps.get', 'apps.create', 'apps.delete'],
      ...['sessions.list', 'sessions.create', 'sessions.get', 'sessions.update', 'sessions.delete'],
      ...['events.list', 'events.get', 'events.append', 'toolCalls.list', 'toolCalls.submit'],
      ...['memory.search', 'memory.addSession', 'memory.create', 'memory.list', 'memory.delete'],
      ...['query.stream', 'query.call', 'feedback.register'],
    ]);
    fake.fail({ match: /GET/, delayMs: 6000, times: 9 });
    const other = await open(fake);
    const begun = Date.now();
    expect((await other.describe()).notes.join(' ')).toContain('could not be asked');
    expect(Date.now() - begun).toBeLessThan(5000);
    await sleep(0);
  });

  it('says when no engine is configured, and when it has no methods', async () => {
    const { fake, backend } = await world();
    const bare = await backend.apps.create({ name: 'bare' });
    expect((await (await open(fake, { engineId: bare.name })).describe()).notes.join(' ')).toContain(
      'no class methods',
    );
    expect((await (await open(fake, { engineId: undefined })).describe()).notes.join(' ')).toContain(
      'No engine is configured',
    );
  });
});
