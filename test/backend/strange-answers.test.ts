import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { openAdk } from '../../src/backend/adk/index.ts';
import { openAgentEngine } from '../../src/backend/agent-engine/index.ts';
import type { Backend } from '../../src/backend/types.ts';
import { openVectara } from '../../src/backend/vectara/index.ts';
import type { SessionError } from '../../src/errors.ts';
import { pagesOf } from '../../src/transfer/source.ts';

/**
 * Answers that no service should send, and all of them do some day: proxies, gateways and new releases stand between.
 * Every remote backend answers them alike.
 */

type Json = Record<string, unknown>;

interface Service {
  app: string;
  open(url: string): Promise<Backend>;
  /** A session of Ada's, and an event of it, as the service writes them. */
  session: Json;
  event(time: unknown): Json;
  /** A page of the session's events: the answer to reading them. */
  events(events: Json[]): Json;
  /** What says that another page follows; absent where the service has no pages. */
  next?(token: string): Json;
}

const id = 's1';
const services: Record<string, Service> = {
  'agent-engine': {
    app: '123',
    open: (baseUrl) =>
      openAgentEngine({ project: 'my-proj', baseUrl, engineId: '123', wait: async () => {} }),
    session: {
      name: `projects/1/locations/us-central1/reasoningEngines/123/sessions/${id}`,
      userId: 'ada',
      createTime: '2026-11-21T09:00:00Z',
    },
    event: (timestamp) => ({ name: 'x/events/7', author: 'user', invocationId: 'i', timestamp }),
    events: (sessionEvents) => ({ sessionEvents }),
    next: (nextPageToken) => ({ nextPageToken }),
  },
  adk: {
    app: 'echo',
    open: (baseUrl) => openAdk({ baseUrl, dialect: 'python' }),
    session: { id, appName: 'echo', userId: 'ada', state: {}, events: [], lastUpdateTime: 1_763_715_600 },
    event: (timestamp) => ({ id: '7', author: 'user', invocationId: 'i', timestamp }),
    events: (events) => ({ ...services.adk?.session, events }),
  },
  vectara: {
    app: 'support',
    open: (baseUrl) => openVectara({ baseUrl, credentials: { apiKey: 'k' } }),
    session: {
      key: id,
      agent_key: 'support',
      metadata: { end_user_id: 'ada' },
      created_at: '2026-11-21T09:00:00Z',
    },
    event: (created_at) => ({
      id: 'aev_7',
      session_key: id,
      type: 'input_message',
      messages: [{ type: 'text', content: 'hi' }],
      created_at,
    }),
    events: (events) => ({ events, metadata: {} }),
    next: (page_key) => ({ metadata: { page_key } }),
  },
};

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

const servers: ReturnType<typeof createServer>[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});

async function serve(handler: Handler): Promise<string> {
  const server = createServer((request, response) =>
    request.resume().on('end', () => handler(request, response)),
  );
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const text =
  (status: number, body: string, type = 'application/json'): Handler =>
  (_request, response) =>
    response.writeHead(status, { 'content-type': type }).end(body);

/** Answers reads of the session and of its events, and everything else by `other`. */
const known =
  ({ session, events }: Service, list: Json[], other: Handler): Handler =>
  ({ method, url = '' }, response) => {
    if (method !== 'GET' || url.includes('list-apps')) return other({ method } as IncomingMessage, response);
    const isEvents = /\/events\b/.test(url) || (session.appName !== undefined && url.endsWith(id));
    text(200, JSON.stringify(isEvents ? events(list) : session))({} as IncomingMessage, response);
  };

async function failure(work: Promise<unknown> | undefined): Promise<SessionError> {
  return (await work?.then(
    () => undefined,
    (error: unknown) => error,
  )) as SessionError;
}

describe.each(Object.entries(services))('%s', (_name, service) => {
  const owner = { app: service.app, userId: 'ada' };
  const ref = { ...owner, sessionId: id };

  it.each([
    ['null', text(200, 'null')],
    ['a text', text(200, '"ok"')],
    ['a list', text(200, '[1,null,{}]')],
    ['a web page', text(200, '<html>Log in</html>', 'text/html')],
    ['nothing', text(200, '')],
    ['no content', (_request: IncomingMessage, response: ServerResponse) => response.writeHead(204).end()],
    ['an empty object', text(200, '{}')],
  ])('a create that is answered with %s may have been made', async (_what, answer) => {
    const backend = await service.open(
      await serve((request, response) =>
        // ADK lists apps before it creates a session in one.
        request.url === '/list-apps' ? text(200, '["echo"]')(request, response) : answer(request, response),
      ),
    );
    const error = await failure(backend.sessions?.create?.(owner, { displayName: 'N' }));
    expect(error).toMatchObject({ code: 'UNAVAILABLE', details: { outcome: 'unknown' } });
    expect(error.hint).toContain('list_sessions');
    await backend.close();
  });

  it('a change that is answered with an empty object may have been made', async () => {
    const backend = await service.open(await serve(known(service, [], text(200, '{}'))));
    const { outcome } = (await backend.sessions?.update?.(ref, { displayName: 'N' }).then(
      // Agent Engine's PATCH answers no state, so the session is read again.
      () => ({ outcome: 'read again' }),
      (error: SessionError) => error.details ?? {},
    )) ?? { outcome: undefined };
    expect(outcome).toBe(service.app === '123' ? 'read again' : 'unknown');
    await backend.close();
  });

  it('a conflict with something other than a new session is no session that exists', async () => {
    const backend = await service.open(await serve(known(service, [], text(409, '{"detail":"conflict"}'))));
    expect((await failure(backend.sessions?.update?.(ref, { displayName: 'N' }))).code).toBe('ABORTED');
    expect((await failure(backend.sessions?.delete?.(ref))).code).toBe('ABORTED');
    await backend.close();
  });

  it.each([
    ['a web page that is not found', text(404, '<html>No such page</html>', 'text/html')],
    ['a text that is not found', text(404, 'no healthy upstream', 'text/plain')],
    ['an empty object', text(200, '{}')],
    ['null', text(200, 'null')],
    ['no content', (_request: IncomingMessage, response: ServerResponse) => response.writeHead(204).end()],
  ])('a session that is answered with %s is not known to be missing', async (_what, answer) => {
    const backend = await service.open(await serve(answer));
    expect((await failure(backend.sessions?.get?.(ref))).code).toBe('UNAVAILABLE');
    expect((await failure(backend.events?.list?.(ref, { pageSize: 5 }))).code).toBe('UNAVAILABLE');
    await backend.close();
  });

  it.each([
    ['an error', text(200, '{"error":{"code":500,"message":"boom"}}')],
    ['another type', text(200, '{"sessions":"none","memories":{},"sessionEvents":7}')],
  ])('a list that is answered with %s is not empty', async (_what, answer) => {
    const backend = await service.open(await serve(answer));
    expect((await failure(backend.sessions?.list?.({ ...owner, pageSize: 5 }))).code).toBe('UNAVAILABLE');
    await backend.close();
  });

  it('pages that go in a circle end', async () => {
    let page = 0;
    const circle: Handler = ({ method, url = '' }, response) => {
      const isEvents = url.includes('/events');
      page += isEvents ? 1 : 0;
      const answer = isEvents
        ? { ...service.events([service.event('2026-11-21T09:00:00Z')]), ...service.next?.(`p${page % 3}`) }
        : service.session;
      text(200, JSON.stringify(answer))({ method } as IncomingMessage, response);
    };
    const backend = await service.open(await serve(circle));
    const all = async () => {
      const list = backend.events?.list;
      if (list !== undefined) for await (const _event of pagesOf((query) => list(ref, query)));
    };
    if (service.next === undefined) await all();
    else expect((await failure(all())).code).toBe('UNAVAILABLE');
    expect(page).toBeLessThan(20);
    await backend.close();
  });

  it.each([
    ['with nanoseconds', '2026-11-21T09:00:00.123456789Z'],
    ['with an offset', '2026-11-21T10:00:00.123+01:00'],
    ['without a zone, which is UTC', '2026-11-21T09:00:00.123'],
    ['without a zone, finer', '2026-11-21T09:00:00.123456'],
  ])('a time %s', async (_what, time) => {
    const backend = await service.open(await serve(known(service, [service.event(time)], text(500, ''))));
    const page = await backend.events?.list?.(ref, { pageSize: 5 });
    expect(page?.items.map((event) => event.timestamp)).toEqual(['2026-11-21T09:00:00.123Z']);
    await backend.close();
  });

  it('an event without a time hides no other', async () => {
    const events = [service.event(null), { ...service.event('2026-11-21T09:00:00Z'), author: 'bot' }];
    const backend = await service.open(await serve(known(service, events, text(500, ''))));
    const page = await backend.events?.list?.(ref, { pageSize: 5 });
    expect(page?.items).toHaveLength(2);
    await backend.close();
  });
});
