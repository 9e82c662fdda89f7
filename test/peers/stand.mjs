/**
 * What judges of hosts and clients share: the built server over stdio and over HTTP with a token, each in an empty
 * home, and the one visit that every client makes.
 */
import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';

export const root = path.join(import.meta.dirname, '..', '..');
export const launcher = path.join(root, 'dist', 'launcher.cjs');
const node = path.join(root, 'node_modules', '.bin', 'node');

/** A new home without anything in it, and the environment of a program that lives there. */
export function emptyHome(scratch, name, ...bins) {
  const home = path.join(scratch, name);
  mkdirSync(home, { recursive: true });
  const bin = [...bins, path.join(root, 'node_modules', '.bin')].join(path.delimiter);
  return { home, env: { PATH: `${bin}${path.delimiter}${process.env.PATH}`, HOME: home } };
}

/** Builds dist/ and starts a server over HTTP. `close` ends it and removes the scratch folder. */
export async function openStand() {
  execFileSync('npm', ['run', '--silent', 'build'], { cwd: root, stdio: 'inherit' });
  const scratch = mkdtempSync(path.join(tmpdir(), 'peers-'));
  const { home, env } = emptyHome(scratch, 'server');
  const tokens = path.join(home, 'tokens.json');
  const args = ['add-token', tokens, '--user', 'ada'];
  const token = execFileSync(node, [launcher, ...args], { env, encoding: 'utf8' }).trim();
  const server = spawn(
    node,
    [launcher, 'http', '--port', '0', '--auth-tokens', tokens, '--access-log', 'off'],
    {
      env,
      stdio: ['ignore', 'ignore', 'pipe'],
    },
  );
  let url;
  for await (const line of createInterface(server.stderr)) {
    url = /"url":"([^"]+)"/.exec(line)?.[1];
    if (url !== undefined) break;
  }
  server.stderr.resume();
  return {
    scratch,
    stdio: { transport: 'stdio', command: 'node', args: [launcher] },
    http: { transport: 'http', url, token },
    async close() {
      const ended = new Promise((resolve) => server.once('close', resolve));
      server.kill('SIGTERM');
      await ended;
      rmSync(scratch, { recursive: true, force: true });
    },
  };
}

/** Prints a line for each thing that is judged, and fails the process when one is not as it should be. */
export async function judge(what, check) {
  const began = performance.now();
  try {
    await check();
    process.stdout.write(`ok   ${what} (${((performance.now() - began) / 1000).toFixed(1)} s)\n`);
  } catch (error) {
    process.exitCode = 1;
    process.stdout.write(`FAIL ${what}: ${error.stderr || error.stack}\n`);
  }
}

export function expect(condition, what) {
  if (!condition) throw new Error(`not as it should be: ${what}`);
}

const wanted = ['list_sessions', 'create_session', 'append_event', 'search_memory', 'stream_query'];

/**
 * Lists the tools and calls five of them, as the client of some framework would.
 * @param names resolves to the names of the tools that the client sees
 * @param call calls a tool and resolves to its structured answer
 */
export async function visit(names, call) {
  const seen = await names();
  for (const name of wanted) expect(seen.includes(name), `${name} is listed: ${seen}`);
  const { session } = await call('create_session', { displayName: 'Trip to Bergen' });
  expect(typeof session.id === 'string', 'a session is created');
  const appended = await call('append_event', {
    sessionId: session.id,
    author: 'user',
    text: 'Where shall we eat?',
  });
  expect(typeof appended.event.id === 'string', 'an event is appended');
  const { sessions } = await call('list_sessions', { pageSize: 5 });
  expect(
    sessions.some(({ id }) => id === session.id),
    'the session is listed',
  );
  const found = await call('search_memory', { query: 'flights before nine' });
  expect(Array.isArray(found.memories), 'memories are searched');
  const run = await call('stream_query', { sessionId: session.id, message: 'hello there' });
  expect(run.status === 'completed' && run.text.includes('hello there'), 'the agent answers');
}

/** The structured answer in a result of tools/call, or in the text that a framework makes of it. */
export function answerOf(result) {
  if (typeof result === 'string') return JSON.parse(result);
  if (Array.isArray(result)) return answerOf(result[0]);
  if (result.isError) throw new Error(JSON.stringify(result.content));
  return result.structuredContent ?? JSON.parse(result.text ?? result.content[0].text);
}
