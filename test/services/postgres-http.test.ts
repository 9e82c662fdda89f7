import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { agentsFile } from '../run/config.ts';
import { scratch } from '../scratch.ts';
import { eventually, type ServerProcess, startServerProcess } from '../server/http/harness.ts';
import { as, type Json, resultOf, send, tokensFor, toolCall } from '../server/http/requests.ts';
import { freshPlace } from './postgres.ts';
import { startRoundRobin } from './round-robin.ts';

/** Two servers on one Postgres, and a proxy that sends every request to the other one. */
let servers: ServerProcess[];
let ports: [number, number];
let proxy: Awaited<ReturnType<typeof startRoundRobin>>;
let place: Awaited<ReturnType<typeof freshPlace>>;
const tokens = path.join(scratch(), 'tokens.json');
const scopes = ['sessions:read', 'sessions:write'] as const;

beforeAll(async () => {
  place = await freshPlace();
  writeFileSync(tokens, tokensFor({ ada: scopes, bo: scopes }));
  const config = agentsFile({ '*': { kind: 'echo', delayMs: 300 } });
  const args = ['--store', place.url, '--auth-tokens', tokens, '--config', config];
  servers = [startServerProcess(args), startServerProcess(args)];
  const found = await Promise.all(servers.map((server) => server.port));
  ports = [found[0] ?? 0, found[1] ?? 0];
  proxy = await startRoundRobin(ports);
});
afterAll(async () => {
  proxy.stop();
  for (const { child } of servers) child.kill('SIGTERM');
  await Promise.all(servers.map((server) => server.exit));
  await place.drop();
});

async function call(name: string, args: Json, { user = 'ada', port = proxy.port } = {}): Promise<Json> {
  const { result } = resultOf(await send(port, as(user, toolCall(name, args)))) as { result: Json };
  const [{ text = '' } = {}] = result.content as { text?: string }[];
  return JSON.parse(text) as Json;
}

test('clients of 2026 see one service: what one server wrote, the next one answers', async () => {
  const { session } = (await call('create_session', { sessionId: 'shared' })) as { session: Json };
  expect(session).toMatchObject({ id: 'shared' });
  for (let i = 0; i < 30; i++)
    await call('append_event', { sessionId: 'shared', author: 'ada', text: `number ${i}` });
  // A page token of one server opens the next page on the other.
  const texts: unknown[] = [];
  for (let pageToken: unknown; ; ) {
    const page = await call('list_events', {
      sessionId: 'shared',
      pageSize: 7,
      ...(pageToken === undefined ? {} : { pageToken }),
    });
    for (const event of page.events as { content: { parts: { text: string }[] } }[])
      texts.push(event.content.parts[0]?.text);
    pageToken = page.nextPageToken;
    if (pageToken === undefined) break;
  }
  expect(texts).toEqual(Array.from({ length: 30 }, (_, i) => `number ${i}`));
  expect(await call('list_events', { sessionId: 'shared' }, { user: 'bo' })).toMatchObject({
    error: { code: 'NOT_FOUND' },
  });
  const described = await call('describe_server', {});
  expect(JSON.stringify(described)).toContain('postgres');
});

test('whoever waits on one server hears of an event on the other, again and again', async () => {
  await call('create_session', { sessionId: 'heard' });
  let afterEventId: unknown;
  for (let i = 0; i < 10; i++) {
    const waiting = call(
      'wait_for_events',
      { sessionId: 'heard', timeoutSeconds: 20, ...(afterEventId === undefined ? {} : { afterEventId }) },
      { port: ports[i % 2] ?? 0 },
    );
    await new Promise((resolve) => setTimeout(resolve, 30));
    const written = call(
      'append_event',
      { sessionId: 'heard', author: 'ada', text: `turn ${i}` },
      { port: ports[(i + 1) % 2] ?? 0 },
    );
    const [heard, { event }] = (await Promise.all([waiting, written])) as [Json, { event: { id: string } }];
    expect(heard.events).toMatchObject([{ id: event.id }]);
    afterEventId = event.id;
  }
});

test('a run on one server keeps the session for itself on the other', async () => {
  const started = await call(
    'query',
    { message: 'one two three four', waitSeconds: 0, invocationId: 'run-1' },
    { port: ports[0] },
  );
  const { sessionId } = started;
  expect(await call('query', { sessionId, message: 'me too' }, { port: ports[1] })).toMatchObject({
    error: { code: 'ABORTED' },
  });
  expect(
    await call('query', { sessionId, invocationId: 'run-1', waitSeconds: 20 }, { port: ports[1] }),
  ).toMatchObject({ text: expect.stringContaining('one two three four') });
});

test('a token that is taken out of the file lets nobody in on either server', async () => {
  const statusOf = async (port: number) => (await send(port, as('bo', toolCall('list_sessions')))).status;
  expect(await Promise.all(ports.map(statusOf))).toEqual([200, 200]);
  writeFileSync(tokens, tokensFor({ ada: scopes }));
  await eventually(
    async () => (await Promise.all(ports.map(statusOf))).every((status) => status === 401),
    20_000,
  );
});

test('kill -9 of one server: the other goes on, and nothing acknowledged is lost', async () => {
  await call('create_session', { sessionId: 'survivor' });
  let acknowledged = 0;
  const other = { port: ports[1] };
  for (let i = 0; i < 20; i++) {
    if (i === 10) servers[0]?.child.kill('SIGKILL');
    const port = i < 10 ? ports[i % 2] : ports[1];
    await call('append_event', { sessionId: 'survivor', author: 'ada', text: `${i}` }, { port: port ?? 0 });
    acknowledged += 1;
  }
  const { session } = (await call('get_session', { sessionId: 'survivor' }, other)) as { session: Json };
  expect(session.eventCount).toBe(acknowledged);
});
