import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { ClientFactory } from '@a2a-js/sdk/client';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { serveAgent } from '../../../examples/a2a/agent.ts';
import { freePort } from '../../free-port.ts';
import { clientFor, message } from '../../server/a2a/client.ts';
import { type ServerProcess, startServerProcess } from '../../server/http/harness.ts';
import { type RealAdk, startReal } from './start.ts';

/**
 * Turns with agents that nobody here wrote: a real `adk api_server`, ADK's A2A server and A2A client, and a server of the
 * A2A SDK, beside servers of ours as they are shipped.
 */
type Json = Record<string, unknown>;

/** TaskState of A2A 1.0; the SDK in this folder, which ADK uses, is of 0.3. */
const [completed, canceled] = [3, 5];

let folder: string;
let adk: RealAdk;
let counter: Awaited<ReturnType<typeof serveAgent>>;
const servers: ServerProcess[] = [];
const ends: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'turns with peers '));
  const port = await freePort();
  adk = await startReal('team', { port, more: ['--a2a', 'true'] });
  counter = await serveAgent();
  const agents = [
    { kind: 'adk', name: 'researcher', url: adk.url, app: 'researcher' },
    { kind: 'a2a', name: 'thinker', url: `${adk.url}/a2a/researcher` },
    { kind: 'a2a', name: 'writer', url: counter.url },
  ];
  writeFileSync(path.join(folder, 'config.json'), JSON.stringify({ agents: { default: agents } }));
});
afterAll(async () => {
  for (const end of ends.splice(0).reverse()) await end();
  for (const { child } of servers) child.kill('SIGKILL');
  counter.close();
  await adk.stop();
  rmSync(folder, { recursive: true });
});

/** A server of ours over the store that all share; its origin, and a client that calls its tools. */
async function start(...more: string[]) {
  const store = `sqlite:${path.join(folder, 'sessions.db')}`;
  const server = startServerProcess([
    '--store',
    store,
    '--config',
    path.join(folder, 'config.json'),
    ...more,
  ]);
  servers.push(server);
  const url = await server.url;
  const client = new Client(
    { name: 'peer', version: '1' },
    { versionNegotiation: { mode: { pin: '2026-07-28' } } },
  );
  await client.connect(new StreamableHTTPClientTransport(new URL(url)));
  ends.push(() => client.close());
  const call = async (name: string, args: Json): Promise<Json> => {
    const result = await client.callTool({ name, arguments: args });
    if (result.isError === true) throw new Error(`${name}: ${JSON.stringify(result.content)}`);
    return result.structuredContent as Json;
  };
  return { server, origin: new URL(url).origin, call };
}

type Call = Awaited<ReturnType<typeof start>>['call'];
interface Event {
  id: string;
  author: string;
  content?: { parts: { text?: string; thought?: boolean }[] };
}

const sessionOf = async (call: Call, args: Json = {}): Promise<string> =>
  ((await call('create_session', args)).session as { id: string }).id;
const turnOf = async (call: Call, sessionId: string): Promise<Json | undefined> =>
  ((await call('get_session', { sessionId })).session as { turn?: Json }).turn;
const handOver = (call: Call, sessionId: string, agent: string, text: string) =>
  call('append_event', { sessionId, author: 'planner', text, handOver: { agent } });

/** Waits until a session's turn is as wanted, and answers its events. */
async function until(
  call: Call,
  sessionId: string,
  wanted: (turn: Json | undefined) => boolean,
): Promise<Event[]> {
  let afterEventId: string | undefined;
  for (;;) {
    const { events } = (await call('list_events', { sessionId })) as { events: Event[] };
    if (wanted(await turnOf(call, sessionId))) return events;
    afterEventId = events.at(-1)?.id;
    await call('wait_for_events', { sessionId, afterEventId, timeoutSeconds: 1 });
  }
}
const answered = (call: Call, sessionId: string) => until(call, sessionId, (turn) => turn === undefined);
const spoken = ({ content }: Event) =>
  (content?.parts ?? [])
    .filter((part) => part.thought !== true)
    .map((part) => part.text ?? '')
    .join('');

describe('a turn that is handed to', () => {
  it('an agent of a real ADK API server is answered by it, and its thoughts stay thoughts', async () => {
    const { call } = await start();
    const sessionId = await sessionOf(call);
    await handOver(call, sessionId, 'researcher', 'tea');
    const events = await answered(call, sessionId);
    expect(events.map(({ author }) => author)).toEqual(['planner', 'researcher']);
    expect(events[1] && spoken(events[1])).toBe('Found: tea');
    expect(events[1]?.content?.parts[0]).toMatchObject({ text: 'I wonder.', thought: true });
  });

  it('an agent behind the A2A server of ADK is answered by it, and its thoughts stay thoughts', async () => {
    const { call } = await start();
    const sessionId = await sessionOf(call);
    await handOver(call, sessionId, 'thinker', 'tea');
    const events = await answered(call, sessionId);
    expect(events.map(({ author }) => author)).toEqual(['planner', 'thinker']);
    expect(events[1] && spoken(events[1])).toBe('Found: tea');
    expect(events[1]?.content?.parts.find((part) => part.thought === true)?.text).toBe('I wonder.');
  });

  it('an agent of a server of the A2A SDK is answered by it, which remembers the talk', async () => {
    const { call } = await start();
    const sessionId = await sessionOf(call);
    await handOver(call, sessionId, 'writer', 'tea');
    await answered(call, sessionId);
    await handOver(call, sessionId, 'writer', 'coffee');
    const events = await answered(call, sessionId);
    expect(events.map(({ author }) => author)).toEqual(['planner', 'writer', 'planner', 'writer']);
    expect(events[3] && spoken(events[3])).toMatch(/^This is message 2 of our talk\. You said: .*coffee$/s);
  });
});

it('what agents that run side by side on a real ADK API server say comes with their names', async () => {
  const server = startServerProcess(['--backend', 'adk', '--app', 'pair'], { ADK_API_SERVER_URL: adk.url });
  servers.push(server);
  const client = new Client(
    { name: 'peer', version: '1' },
    { versionNegotiation: { mode: { pin: '2026-07-28' } } },
  );
  await client.connect(new StreamableHTTPClientTransport(new URL(await server.url)));
  ends.push(() => client.close());
  const heard: string[] = [];
  const result = await client.callTool(
    { name: 'stream_query', arguments: { message: 'Count.' } },
    { onprogress: ({ message: text }) => heard.push(text ?? '') },
  );
  const { events } = result.structuredContent as { events: Event[] };
  expect(events.map(({ author }) => author).sort()).toEqual(['left', 'right']);
  const said = heard.join('');
  expect(said).toMatch(/^left: |\nleft: /);
  expect(said).toMatch(/^right: |\nright: /);
});

describe('our A2A face', () => {
  it('passes the A2A client of ADK, whose session is one context of ours', async () => {
    const { origin, call } = await start('--a2a');
    const card = `${origin}/a2a/default/`;
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ['remote-agent.mjs', card, 'tea', 'coffee'],
      { cwd: import.meta.dirname },
    );
    const said = JSON.parse(stdout) as { author: string; text: string; error?: string }[];
    expect(said.filter(({ error }) => error !== undefined)).toEqual([]);
    const texts = said.filter(({ text }) => text !== '').map(({ text }) => text);
    expect(texts[0]).toBe('Found: tea');
    expect(texts.at(-1)).toContain('coffee');
    const { sessions } = (await call('list_sessions', {})) as { sessions: { id: string }[] };
    const { events } = (await call('list_events', { sessionId: sessions[0]?.id })) as { events: Event[] };
    expect(events.map(({ author }) => author)).toEqual(['user', 'researcher', 'user', 'researcher']);
  });

  it('passes the client of the A2A SDK: a task streams, is got, listed and cancelled', async () => {
    const { origin } = await start('--a2a');
    const client = await clientFor(origin);
    const kinds: unknown[] = [];
    let id = '';
    for await (const { payload } of client.sendMessageStream(message('tea'))) {
      kinds.push(payload?.$case);
      if (payload?.$case === 'task') id = payload.value.id;
    }
    expect(kinds).toEqual(['task', 'statusUpdate', 'artifactUpdate', 'statusUpdate']);
    const task = await client.getTask({ tenant: '', id, historyLength: undefined });
    expect(task.status?.state).toBe(completed);
    expect(JSON.stringify(task.artifacts)).not.toContain('I wonder.');
    const slow = await client.sendMessage(message('slowly, tea', '', '', true));
    if (!('status' in slow)) throw new Error('A task was expected.');
    const cancelled = await client.cancelTask({ tenant: '', id: slow.id, metadata: undefined });
    expect(cancelled.status?.state).toBe(canceled);
    const { tasks } = await client.listTasks({
      tenant: '',
      contextId: slow.contextId,
      status: 0,
      pageToken: '',
      statusTimestampAfter: undefined,
    });
    expect(tasks.map((one) => one.status?.state)).toEqual([canceled]);
  });

  it('passes the client of the A2A SDK 0.3, whose tasks can be cancelled, too', async () => {
    const { origin } = await start('--a2a');
    const client = await new ClientFactory().createFromUrl(`${origin}/a2a/default/`);
    const old = (text: string) => ({
      kind: 'message',
      role: 'user',
      messageId: crypto.randomUUID(),
      parts: [{ kind: 'text', text }],
    });
    const states: unknown[] = [];
    for await (const piece of client.sendMessageStream({ message: old('tea') }))
      states.push(piece.status?.state ?? piece.kind);
    expect(states).toEqual([expect.any(String), 'working', 'artifact-update', 'completed']);
    const slow = await client.sendMessage({
      message: old('slowly, tea'),
      configuration: { blocking: false },
    });
    expect((await client.cancelTask({ id: slow.id })).status.state).toBe('canceled');
    expect((await client.getTask({ id: slow.id })).status.state).toBe('canceled');
  });
});

it('a team: a planner, two servers with a researcher of which one is killed, and a writer', async () => {
  for (const { child, exit } of servers) {
    child.kill('SIGKILL');
    await exit;
  }
  const first = await start();
  const whole = await sessionOf(first.call, { displayName: 'Drinks' });
  const parts: string[] = [];
  for (const word of ['tea', 'coffee', 'milk']) {
    const part = await sessionOf(first.call, { parentSessionId: whole, displayName: word });
    await handOver(first.call, part, 'researcher', `slowly, ${word}`);
    parts.push(part);
  }
  await handOver(first.call, whole, 'writer', 'Write it down.');
  const [tea = ''] = parts;
  await until(first.call, tea, (turn) => turn?.claimedUntil !== undefined);
  first.server.child.kill('SIGKILL');
  await first.server.exit;
  const second = await start();
  // The other server takes the turn over when the lease of the dead one has run out.
  await until(second.call, tea, (turn) => turn?.tries === 2);
  const events = await answered(second.call, whole);
  expect(events.map(({ author }) => author)).toEqual(['planner', 'writer']);
  for (const part of parts) {
    const { events: said } = (await second.call('list_events', { sessionId: part })) as { events: Event[] };
    const answers = said.filter((event) => event.author === 'researcher' && spoken(event) !== '');
    expect(answers).toHaveLength(1);
  }
});
