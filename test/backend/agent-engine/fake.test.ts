import { describe, expect, it, onTestFinished } from 'vitest';
import { type FakeAgentEngine, startAgentEngine } from '../../fake/agent-engine/server.ts';

/** Tests of the fake itself: it is worth as much as what it refuses. */
async function start() {
  const fake = await startAgentEngine();
  onTestFinished(() => fake.close());
  return { fake, ask: asker(fake) };
}

interface Answer {
  status: number;
  type: string;
  body: {
    error?: {
      code: number;
      status: string;
      message: string;
      details: { '@type': string; fieldViolations?: unknown[] }[];
    };
    [field: string]: unknown;
  };
  text: string;
}

const asker =
  (fake: FakeAgentEngine) =>
  async (method: string, path: string, body?: unknown): Promise<Answer> => {
    const engine = `/v1beta1/projects/my-proj/locations/us-central1/reasoningEngines/${fake.engine.id}`;
    const response = await fetch(fake.url + path.replace('ENGINE', engine), {
      method,
      ...(body === undefined
        ? {}
        : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
    });
    const text = await response.text();
    const type = response.headers.get('content-type') ?? '';
    return {
      status: response.status,
      type,
      text,
      body: type.includes('json') ? (JSON.parse(text) as Answer['body']) : {},
    };
  };

const event = { author: 'user', invocationId: 'i', timestamp: '2026-11-21T09:00:00Z' };

describe('the fake refuses what Google refuses', () => {
  it.each([
    [
      'a user id that is too long',
      'POST',
      'ENGINE/sessions',
      { userId: 'u'.repeat(129) },
      'List of found errors:\t1.Field: session.user_id; Message: Too long.\t',
    ],
    [
      'an unknown field',
      'POST',
      'ENGINE/sessions',
      { userId: 'u', colour: 1 },
      `Invalid JSON payload received. Unknown name "colour" at 'session': Cannot find field.`,
    ],
    [
      'ADK’s name of a field',
      'POST',
      'ENGINE/sessions/s1:appendEvent',
      { ...event, actions: { transferToAgent: 'x' } },
      `Invalid JSON payload received. Unknown name "transferToAgent" at 'event.actions': Cannot find field.`,
    ],
    [
      'a part’s metadata',
      'POST',
      'ENGINE/sessions/s1:appendEvent',
      { ...event, content: { parts: [{ text: 'x', part_metadata: {} }] } },
      `Invalid JSON payload received. Unknown name "part_metadata" at 'event.content.parts[0]': Cannot find field.`,
    ],
    [
      'a body in an envelope',
      'POST',
      'ENGINE/sessions/s1:appendEvent',
      { event },
      `Invalid JSON payload received. Unknown name "event" at 'event': Cannot find field.`,
    ],
    [
      'a missing user',
      'POST',
      'ENGINE/sessions',
      { displayName: 'x' },
      'List of found errors:\t1.Field: session.user_id; Message: Required field is not set.\t',
    ],
    [
      'a missing author',
      'POST',
      'ENGINE/sessions/s1:appendEvent',
      { ...event, author: '' },
      'List of found errors:\t1.Field: event.author; Message: Required field is not set.\t',
    ],
    [
      'a missing time',
      'POST',
      'ENGINE/sessions/s1:appendEvent',
      { author: 'user', invocationId: 'i' },
      'List of found errors:\t1.Field: event.timestamp; Message: Required field is not set.\t',
    ],
    [
      'both sides of a oneof',
      'POST',
      'ENGINE/sessions',
      { userId: 'u', ttl: '86400s', expireTime: '2027-01-01T00:00:00Z' },
      `Invalid value at 'session' (oneof), oneof field 'expiration' is already set. Cannot set 'expireTime'`,
    ],
    [
      'two kinds in a part',
      'POST',
      'ENGINE/sessions/s1:appendEvent',
      { ...event, content: { parts: [{ text: 'x', inlineData: { mimeType: 'a/b', data: 'AA==' } }] } },
      `Invalid value at 'event.content.parts[0]' (oneof), oneof field 'data' is already set. Cannot set 'inlineData'`,
    ],
    [
      'two sources',
      'POST',
      'ENGINE/memories:generate',
      { directContentsSource: { events: [] }, directMemoriesSource: { directMemories: [] } },
      `Invalid value at '' (oneof), oneof field 'source' is already set. Cannot set 'directMemoriesSource'`,
    ],
    [
      'a number for a text',
      'POST',
      'ENGINE/sessions',
      { userId: 7 },
      `Invalid value at 'session.user_id' (TYPE_STRING), 7`,
    ],
    [
      'a time without a zone',
      'POST',
      'ENGINE/sessions/s1:appendEvent',
      { ...event, timestamp: '2026-11-21T09:00:00' },
      `Invalid value at 'event.timestamp' (TYPE_GOOGLE.PROTOBUF.TIMESTAMP), "2026-11-21T09:00:00"`,
    ],
    [
      'an unknown parameter',
      'GET',
      'ENGINE/sessions?limit=3',
      undefined,
      `Invalid JSON payload received. Unknown name "limit": Cannot bind query parameter. Field 'limit' could not be found in request message.`,
    ],
    [
      'a parameter of the wrong kind',
      'GET',
      'ENGINE/sessions?pageSize=many',
      undefined,
      `Invalid value at 'page_size' (TYPE_INT32), "many"`,
    ],
    [
      'a filter that is none',
      'GET',
      'ENGINE/sessions?filter=state%3D1',
      undefined,
      'Invalid filter: state=1',
    ],
    [
      'an id with capitals',
      'POST',
      'ENGINE/sessions/nonExistent:appendEvent',
      event,
      'Request contains an invalid argument.',
    ],
    [
      'a mask with what cannot change',
      'PATCH',
      'ENGINE/sessions/s1?updateMask=userId',
      { userId: 'x' },
      'Invalid update_mask path: userId',
    ],
  ])('%s', async (_name, method, path, body, message) => {
    const { ask } = await start();
    await ask('POST', 'ENGINE/sessions?sessionId=s1', { userId: 'u' });
    const { status, body: answer } = await ask(method, path, body);
    expect(status).toBe(400);
    expect(answer.error).toMatchObject({ code: 400, status: 'INVALID_ARGUMENT', message });
    expect(answer.error?.details.at(-1)?.['@type']).toBe('type.googleapis.com/google.rpc.DebugInfo');
  });

  it.each([
    ['POST', 'ENGINE/sessions/s1'],
    ['DELETE', '/v1beta1/projects/my-proj/locations/us-central1/sessions/s1'],
    ['PUT', 'ENGINE/sessions/s1'],
    ['GET', 'ENGINE/sessions/s1/events/1'],
    ['DELETE', 'ENGINE/sessions/s1/events/1'],
    ['POST', 'ENGINE/sessions/a/b:appendEvent'],
    ['GET', '/v2/projects/my-proj/locations/us-central1/reasoningEngines'],
  ])('%s %s is a path that Google does not have', async (method, path) => {
    const { ask } = await start();
    const { status, type, text } = await ask(method, path, method === 'GET' ? undefined : {});
    expect([status, type]).toEqual([404, 'text/html; charset=UTF-8']);
    expect(text).toContain('was not found on this server');
  });

  it('missing objects are named as they were asked for', async () => {
    const { fake, ask } = await start();
    const missing = await ask('GET', 'ENGINE/sessions/nope');
    expect(missing.body.error?.message).toBe(
      `Session projects/my-proj/locations/us-central1/reasoningEngines/${fake.engine.id}/sessions/nope not found.`,
    );
    await ask('POST', 'ENGINE/sessions?sessionId=s1', { userId: 'u' });
    const taken = await ask('POST', 'ENGINE/sessions?sessionId=s1', { userId: 'u' });
    expect(taken.status).toBe(400);
    expect(taken.body.error?.message).toBe(
      `Session with user-provided ID 'projects/69593958020/locations/us-central1/reasoningEngines/${fake.engine.id}/sessions/s1' already exists.`,
    );
  });
});

describe('the fake behaves as recorded', () => {
  it('names hold the project’s number, snake_case is read, defaults are left out', async () => {
    const { ask } = await start();
    const made = await ask('POST', 'ENGINE/sessions?session_id=s1', {
      user_id: 'u',
      session_state: { a: 1 },
      display_name: '',
    });
    expect(made.body).toMatchObject({ done: true });
    const { body } = await ask('GET', 'ENGINE/sessions/s1');
    expect(body.name).toMatch(/^projects\/69593958020\//);
    expect(body).toMatchObject({ userId: 'u', sessionState: { a: 1 } });
    expect(body).not.toHaveProperty('displayName');
    expect(
      (
        await ask('POST', 'ENGINE/sessions/s1:appendEvent', {
          ...event,
          timestamp: '2026-11-21T10:00:00.500+01:00',
          eventMetadata: { partial: false, longRunningToolIds: [] },
        })
      ).body,
    ).toEqual({});
    const { body: list } = await ask('GET', 'ENGINE/sessions/s1/events');
    expect(list.sessionEvents).toMatchObject([{ timestamp: '2026-11-21T09:00:00.500Z', eventMetadata: {} }]);
  });

  it('a page has at most 100, and lists without items are empty objects', async () => {
    const { ask } = await start();
    expect((await ask('GET', 'ENGINE/sessions')).body).toEqual({});
    for (let i = 0; i < 101; i += 1) await ask('POST', 'ENGINE/sessions', { userId: 'u' });
    const first = await ask('GET', 'ENGINE/sessions?pageSize=500');
    expect(first.body.sessions).toHaveLength(100);
    const second = await ask(
      'GET',
      `ENGINE/sessions?pageSize=500&pageToken=${encodeURIComponent(String(first.body.nextPageToken))}`,
    );
    expect(second.body.sessions).toHaveLength(1);
    expect(second.body).not.toHaveProperty('nextPageToken');
    // A page token is valid only for its own list.
    const other = await ask(
      'GET',
      `ENGINE/sessions?filter=user_id%3D%22u%22&pageToken=${encodeURIComponent(String(first.body.nextPageToken))}`,
    );
    expect(other.status).toBe(400);
  });

  it('what is beyond the descriptors is accepted, dropped and noted', async () => {
    const { fake, ask } = await start();
    await ask('POST', 'ENGINE/memories', {
      fact: 'x',
      scope: { user_id: 'u' },
      topics: [],
      createTime: '2026-01-01T00:00:00Z',
    });
    expect(fake.notes).toEqual([
      'Memory.topics is not in the descriptors',
      'Memory.createTime is output only',
    ]);
  });

  it('is slow, late and broken on command', async () => {
    const { fake, ask } = await start();
    await ask('POST', 'ENGINE/sessions?sessionId=s1', { userId: 'u' });
    fake.latencyMs = 60;
    const begun = performance.now();
    await ask('GET', 'ENGINE/sessions/s1');
    expect(performance.now() - begun).toBeGreaterThan(50);
    fake.latencyMs = 0;
    fake.sessions.hiddenEventReads = 2;
    await ask('POST', 'ENGINE/sessions/s1:appendEvent', event);
    const counts: number[] = [];
    for (let i = 0; i < 3; i += 1) {
      const { body } = await ask('GET', 'ENGINE/sessions/s1/events');
      counts.push(((body.sessionEvents ?? []) as unknown[]).length);
    }
    expect(counts).toEqual([0, 0, 1]);
    fake.fail({ match: /:appendEvent/, status: 503, afterwards: true });
    expect((await ask('POST', 'ENGINE/sessions/s1:appendEvent', event)).status).toBe(503);
    expect(fake.engine.sessions.get('s1')?.events).toHaveLength(2);
    fake.fail({ match: /GET/, raw: '' });
    expect(await ask('GET', 'ENGINE/sessions/s1')).toMatchObject({ status: 200, text: '' });
    fake.fail({ match: /GET/, hang: true });
    const url = `${fake.url}/v1beta1/reasoningEngines/${fake.engine.id}/sessions/s1`;
    const hung = await fetch(url, { signal: AbortSignal.timeout(300) });
    expect(hung.status).toBe(200);
    await expect(hung.text()).rejects.toThrow();
  });
});
