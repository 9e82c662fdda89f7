import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { afterEach, expect, it } from 'vitest';
import { bundle } from '../e2e/bundle.ts';
import { connect, type Json, type TestClient } from '../e2e/clients.ts';
import { scratch } from '../scratch.ts';
import { agentsFile } from './config.ts';

const clients: TestClient[] = [];
afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.close().catch(() => {})));
});

async function server(store: string, delayMs = 0): Promise<TestClient> {
  const config = agentsFile({ '*': { kind: 'echo', delayMs } });
  const client = await connect('v2-modern', {
    args: ['--store', store, '--config', config, '--user', 'ada'],
  });
  clients.push(client);
  return client;
}

const file = () => `sqlite:${path.join(scratch(), 'data.db')}`;
const eventsOf = async (client: TestClient, sessionId: unknown) =>
  (await client.ok('list_events', { sessionId })).events as Json[];

it('kill -9 in mid-run: the next process finds what was stored, marks the run and starts another at once', async () => {
  const store = file();
  const first = await server(store, 3000);
  const { sessionId } = await first.ok('query', {
    message: 'one two three four',
    waitSeconds: 0,
    invocationId: 'run-1',
  });
  const watching = await server(store);
  expect(await watching.error('query', { sessionId, message: 'me too' })).toMatchObject({
    code: 'ABORTED',
    invocationId: 'run-1',
  });
  process.kill(first.pid, 'SIGKILL');

  const next = await server(store);
  const at = performance.now();
  expect(await eventsOf(next, sessionId)).toMatchObject([
    { author: 'user', invocationId: 'run-1' },
    { author: 'echo', invocationId: 'run-1', interrupted: true, errorCode: 'ABORTED', turnComplete: true },
  ]);
  expect(await watching.ok('query', { sessionId, invocationId: 'run-1' })).toMatchObject({
    status: 'interrupted',
  });
  expect(await next.ok('query', { sessionId, message: 'now me' })).toMatchObject({ status: 'completed' });
  expect(performance.now() - at).toBeLessThan(2000);
  // The same message again, by its id: it is answered now, and stored once.
  const again = await next.ok('query', { sessionId, message: 'one two three four', invocationId: 'run-1' });
  expect(again).toMatchObject({ status: 'completed', text: 'Echo agent (no model): one two three four' });
  const said = (await eventsOf(next, sessionId)).filter((event) => event.author === 'user');
  expect(said).toHaveLength(2);
});

it('a waiting agent hears that the other one’s server was killed', async () => {
  const store = file();
  const first = await server(store, 3000);
  const { sessionId } = await first.ok('query', {
    message: 'a b c d e f g h',
    waitSeconds: 0,
    invocationId: 'run-1',
  });
  const watching = await server(store);
  const [message] = await eventsOf(watching, sessionId);
  const waiting = watching.ok('wait_for_events', {
    sessionId,
    afterEventId: message?.id,
    timeoutSeconds: 25,
  });
  await sleep(200);
  process.kill(first.pid, 'SIGKILL');
  expect((await waiting).events).toMatchObject([{ interrupted: true, invocationId: 'run-1' }]);
});

it('a server that is closed in mid-run says so in the session', async () => {
  const store = file();
  const first = await server(store, 300);
  const { sessionId } = await first.ok('query', {
    message: 'a b c d e f g h i j k l m n o p',
    waitSeconds: 1,
  });
  await first.close();
  const next = await server(store);
  const [, event] = await eventsOf(next, sessionId);
  expect(event).toMatchObject({ interrupted: true, errorCode: 'ABORTED' });
  expect(JSON.stringify(event?.content)).toContain('Echo ');
});

it('two processes start a run on one session at the same moment: exactly one runs', async () => {
  const store = file();
  // Slow enough that on a busy machine, too, the second begins before the first has ended.
  const [one, other] = [await server(store, 300), await server(store, 300)];
  const { session } = (await one.ok('create_session')) as { session: Json };
  await other.ok('list_sessions');
  for (let round = 0; round < 3; round += 1) {
    const outcomes = await Promise.all(
      [one, other].map((client) =>
        client.call('query', { sessionId: session.id, message: `round ${round}` }),
      ),
    );
    const [won, lost] = outcomes.toSorted((a, b) => Number(a.isError) - Number(b.isError));
    expect(won?.structured).toMatchObject({ status: 'completed' });
    expect(lost?.text.error).toMatchObject({ code: 'ABORTED', invocationId: won?.structured.invocationId });
  }
  expect(await eventsOf(other, session.id)).toHaveLength(6);
});

it(
  'a run longer than its client waits: the handle first, the result later',
  async () => {
    // RUN_SECONDS=70 tries it with the real figures: a client that gives up after 60 s, a server that waits 50.
    const seconds = Number(process.env.RUN_SECONDS ?? 3);
    const real = process.env.RUN_SECONDS !== undefined;
    const words = 30;
    const config = agentsFile({ '*': { kind: 'echo', delayMs: Math.round((seconds * 1000) / (words + 4)) } });
    const client = new Client(
      { name: 'patient', version: '1' },
      { versionNegotiation: { mode: { pin: '2026-07-28' } } },
    );
    await client.connect(
      new StdioClientTransport({
        command: process.execPath,
        args: [bundle, '--store', 'memory:', '--config', config],
        stderr: 'ignore',
      }),
    );
    const options = { timeout: real ? 60_000 : 10_000 };
    const waitSeconds = real ? undefined : 1;
    const ask = async (args: Json) =>
      (await client.callTool({ name: 'query', arguments: { ...args, waitSeconds } }, options))
        .structuredContent as Json;
    const handle = await ask({ message: Array.from({ length: words }, (_, i) => `word${i}`).join(' ') });
    expect(handle).toMatchObject({ status: 'running' });
    const { sessionId, invocationId } = handle;
    let result = handle;
    while (result.status === 'running') result = await ask({ sessionId, invocationId });
    expect(result).toMatchObject({ status: 'completed', invocationId });
    expect(result.text).toMatch(/word29$/);
    await client.close();
  },
  Number(process.env.RUN_SECONDS ?? 3) * 1000 + 30_000,
);
