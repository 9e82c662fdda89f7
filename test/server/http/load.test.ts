import { readFileSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { connect, type Socket } from 'node:net';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { scratch } from '../../scratch.ts';
import { pause, type ServerProcess, startServerProcess } from './harness.ts';
import {
  as,
  bearer,
  type Json,
  legacyRequest,
  modernRequest,
  open,
  openSession,
  resultOf,
  send,
  tokensFor,
} from './requests.ts';

/**
 * Many clients of both eras on one real server process, beside hostile clients. The default is short, and counts calls:
 * how long they take depends on what else the machine does. LOAD=full is the run of the targets: 200 clients, at least
 * 60 s and 10⁵ calls, and times too.
 */
const isFull = process.env.LOAD === 'full';
const leastSeconds = isFull ? 60 : 0;
const clients = isFull ? 200 : 40;
const enoughCalls = isFull ? 100_000 : 3000;
/** Ends a run that hangs. */
const mostSeconds = isFull ? 240 : 120;
/**
 * Megabytes of objects that the server may keep in the short run, where what it uses of the machine’s memory says more
 * about its garbage collector than about leaks: one that keeps 15 kB of each call ends before it is over.
 */
const heapMb = 64;
/** Calls between two looks at the server's memory. */
const sampleCalls = enoughCalls / 60;
const users = Array.from({ length: 20 }, (_, i) => `user${i}`);

function start(): ServerProcess {
  const folder = scratch();
  const tokens = path.join(folder, 'tokens.json');
  writeFileSync(
    tokens,
    tokensFor(Object.fromEntries(users.map((user) => [user, ['sessions:write'] as const]))),
  );
  const args = ['--store', `sqlite:${folder}/s.db`, '--auth-tokens', tokens];
  return startServerProcess(args, isFull ? {} : { NODE_OPTIONS: `--max-old-space-size=${heapMb}` });
}

const residentMb = (pid: number): number =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;

interface Tally {
  calls: number;
  /** The server's memory as it was after so many calls. */
  memory: { calls: number; mb: number }[];
  limited: number;
  failures: string[];
  ms: number[];
}

interface Target {
  port: number;
  pid: number;
}

/** One client: a connection of its own, calls one after another until the time is up. */
async function client(server: Target, n: number, goesOn: () => boolean, tally: Tally): Promise<void> {
  const { port, pid } = server;
  const user = users[n % users.length] ?? '';
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  const session = n % 2 === 0 ? undefined : await openSession(port, user);
  const call = async (name: string, args: Json) => {
    const params = { name, arguments: args };
    const sent =
      session === undefined
        ? modernRequest('tools/call', params)
        : legacyRequest(session, 'tools/call', params);
    const began = performance.now();
    const answer = await open(port, as(user, sent), agent).answer;
    tally.ms.push(performance.now() - began);
    tally.calls += 1;
    if (tally.calls % sampleCalls === 0) tally.memory.push({ calls: tally.calls, mb: residentMb(pid) });
    if (answer.status === 429 || answer.body.includes('RESOURCE_EXHAUSTED')) tally.limited += 1;
    else if (answer.status !== 200 || answer.body.includes('"isError":true'))
      tally.failures.push(`${name}: ${answer.status} ${answer.body.slice(0, 200)}`);
    return answer.body;
  };
  const sessionId = `s-${n}`;
  await call('create_session', { sessionId });
  const mix: [string, Json][] = [
    ['append_event', { sessionId, text: `hello from ${n}` }],
    ['list_events', { sessionId, order: 'desc', pageSize: 5 }],
    ['append_event', { sessionId, author: 'agent', text: 'x'.repeat(500), stateDelta: { turn: n } }],
    ['get_session', { sessionId }],
    ['list_sessions', { pageSize: 5 }],
    ['append_event', { sessionId, text: 'again' }],
    ['save_artifact', { sessionId, name: 'report.txt', text: 'y'.repeat(1000) }],
    ['get_artifact', { sessionId, name: 'report.txt' }],
    ['search_memory', { query: 'hello' }],
    ['wait_for_events', { sessionId, timeoutSeconds: 1 }],
  ];
  for (let i = n; goesOn(); i += 1) {
    const [name, args] = mix[i % mix.length] ?? ['list_sessions', {}];
    // Artifacts are saved rarely, because their versions are never deleted.
    if (name === 'save_artifact' && i >= 200 + n) continue;
    if (name === 'get_artifact' && i < 8 + n) continue;
    await call(name, args).catch((error: unknown) => tally.failures.push(`${name}: ${String(error)}`));
  }
  agent.destroy();
}

/** Sends the head, or the body, of a request a byte at a time. */
function loris(port: number, head: string): { socket: Socket; closed: Promise<number> } {
  const began = Date.now();
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => {});
  socket.write(head);
  const drip = setInterval(() => socket.writable && socket.write('x'), 500);
  const closed = new Promise<number>((resolve) =>
    socket.on('close', () => {
      clearInterval(drip);
      resolve(Date.now() - began);
    }),
  );
  return { socket, closed };
}

/** Sends more than is allowed, again and again. */
async function oversize(port: number, goesOn: () => boolean): Promise<Set<number>> {
  const statuses = new Set<number>();
  const body = `{"jsonrpc":"2.0","pad":"${'x'.repeat(9 * 1024 * 1024)}"}`;
  while (goesOn()) {
    const { headers } = modernRequest('tools/list');
    const chunked = statuses.size % 2 === 0 ? {} : { 'transfer-encoding': 'chunked' };
    const sent = as('user0', { headers: { ...headers, ...chunked }, body });
    // The answer comes, or the connection is closed while the body is still being sent.
    const status = await send(port, sent).then(
      (answer) => answer.status,
      () => 0,
    );
    statuses.add(status);
    await pause(100);
  }
  return statuses;
}

const quantile = (values: number[], q: number) =>
  values.sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * q))] ?? Number.NaN;

describe('under load', () => {
  let server: ServerProcess;
  let port: number;
  beforeAll(async () => {
    server = start();
    port = await server.port;
  });
  afterAll(async () => {
    server.child.kill('SIGTERM');
    expect(await server.exit).toBe(0);
  });

  it(
    'makes no mistakes, and does not grow',
    async () => {
      const began = Date.now();
      const tally: Tally = { calls: 0, memory: [], limited: 0, failures: [], ms: [] };
      const goesOn = () => {
        if (tally.failures.length > 0) return false;
        const elapsed = (Date.now() - began) / 1000;
        return elapsed < leastSeconds || (tally.calls < enoughCalls && elapsed < mostSeconds);
      };
      const requestLine = 'POST /mcp HTTP/1.1\r\nhost: 127.0.0.1\r\n';
      const slowHeads = Array.from({ length: 10 }, () => loris(port, `${requestLine}x-slow: `));
      const { authorization } = bearer('user1');
      const slowBodies = Array.from({ length: 10 }, () =>
        loris(
          port,
          `${requestLine}authorization: ${authorization}\r\ncontent-type: application/json\r\ncontent-length: 100000\r\n\r\n`,
        ),
      );
      const oversized = oversize(port, goesOn);
      const target = { port, pid: server.child.pid ?? 0 };
      await Promise.all(Array.from({ length: clients }, (_, n) => client(target, n, goesOn, tally)));
      expect(tally.failures.slice(0, 5)).toEqual([]);
      expect([...(await oversized)].every((status) => status === 413 || status === 0)).toBe(true);
      // The server goes on as before: connections are closed, and reserved places are free again.
      const answer = await send(port, as('user0', modernRequest('tools/list')));
      expect(JSON.stringify(resultOf(answer))).toContain('append_event');

      const warm = tally.memory.filter((m) => m.calls > tally.calls * 0.4 && m.calls < tally.calls * 0.6);
      const late = tally.memory.filter((m) => m.calls > tally.calls * 0.8);
      const [early, end] = [warm, late].map((part) =>
        quantile(
          part.map((m) => m.mb),
          0.5,
        ),
      );
      const growth = (end ?? Number.NaN) / (early ?? Number.NaN);
      const figures = {
        calls: tally.calls,
        callsPerSecond: Math.round((tally.calls * 1000) / (Date.now() - began)),
        limited: tally.limited,
        p50: Math.round(quantile(tally.ms, 0.5)),
        p99: Math.round(quantile(tally.ms, 0.99)),
        max: Math.round(quantile(tally.ms, 1)),
        mbAtHalf: Math.round(early ?? Number.NaN),
        mbAtEnd: Math.round(end ?? Number.NaN),
      };
      if (isFull) process.stdout.write(`${JSON.stringify(figures)}\n`);
      expect(figures.calls).toBeGreaterThanOrEqual(enoughCalls);
      if (isFull) expect([growth < 1.1, figures.p99 < 5000], JSON.stringify(figures)).toEqual([true, true]);

      // Slow senders are disconnected within the time-outs for headers and for whole requests.
      if (isFull) {
        for (const { closed } of slowHeads) expect(await closed).toBeLessThan(25_000);
        for (const { closed } of slowBodies) expect(await closed).toBeLessThan(75_000);
      }
      for (const { socket } of [...slowHeads, ...slowBodies]) socket.destroy();
    },
    (mostSeconds + 90) * 1000,
  );
});
