/**
 * npm run test:services: starts a Postgres and a Redis, runs the tests of this folder on them, and Keyv's own suite for
 * adapters, and stops them.
 *
 *   npm run test:services -- postgres            only the test files with this in their names
 *   TEST_POSTGRES_URL=… TEST_REDIS_URL=…         servers that are there already, with databases to fill and empty
 *   TEST_POSTGRES_BIN=FOLDER                     the programs of another Postgres than the one installed
 *
 * A server that is not installed is installed from Debian's packages, where that is possible. One that cannot be
 * had fails the run, after the tests of the other.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import path from 'node:path';
import { startPostgres } from './postgres-server.ts';
import type { Service } from './process.ts';
import { startRedis } from './redis-server.ts';

const root = path.join(import.meta.dirname, '..', '..');

interface Kind {
  name: string;
  variable: string;
  start: () => Promise<Service>;
}

const kinds: readonly Kind[] = [
  {
    name: 'postgres',
    variable: 'TEST_POSTGRES_URL', // Nothing here cuts the power, so the tests need not wait for the disk.
    start: () => startPostgres({ fsync: 'off' }),
  },
  { name: 'redis', variable: 'TEST_REDIS_URL', start: startRedis },
];

const say = (text: string): unknown => process.stdout.write(`${text}\n`);
const started: Service[] = [];
const env = { ...process.env };
const lacking: Kind[] = [];
let stopping: Promise<unknown> | undefined;

function stopAll(): Promise<unknown> {
  stopping ??= Promise.allSettled(started.map((service) => service.stop()));
  return stopping;
}

async function provide(kind: Kind): Promise<void> {
  if (env[kind.variable] !== undefined) {
    say(`${kind.name}: the one that ${kind.variable} names`);
    return;
  }
  try {
    const service = await kind.start();
    started.push(service);
    env[kind.variable] = service.url;
    say(`${kind.name}: ${service.url}`);
  } catch (error) {
    lacking.push(kind);
    say(`${kind.name} cannot be had: ${error instanceof Error ? error.message : error}`);
  }
}

/** Adapters that others wrote, and Keyv's suite: too many packages for everybody's install. */
const keyvFolder = path.join(root, 'test', 'peers', 'keyv');

function finish(child: ChildProcess): Promise<number> {
  return new Promise((resolve) => child.on('close', (code) => resolve(code ?? 1)));
}

const npmInKeyv = (...args: string[]): Promise<number> =>
  finish(spawn('npm', args, { cwd: keyvFolder, env, stdio: 'inherit' }));

function runTests(): Promise<number> {
  // Whose server is not there, their tests are left out; the run fails for it below.
  const without = lacking.flatMap((kind) => ['--exclude', `test/services/**/*${kind.name}*`]);
  const config = path.join(import.meta.dirname, 'vitest.config.ts');
  const args = [path.join(root, 'node_modules', 'vitest', 'vitest.mjs'), 'run', '--root', root];
  const child = spawn(process.execPath, [...args, '--config', config, ...without, ...process.argv.slice(2)], {
    env,
    stdio: 'inherit',
  });
  return finish(child);
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
  process.on(signal, () => void stopAll().then(() => process.exit(1)));
let code = 1;
try {
  // One after the other: two installations at once would wait for each other's lock.
  for (const kind of kinds) await provide(kind);
  code = await npmInKeyv('ci', '--no-audit', '--no-fund', '--loglevel=error');
  if (code === 0) code = await runTests();
  if (code === 0 && process.argv.length === 2) code = await npmInKeyv('test');
} finally {
  await stopAll();
}
for (const kind of lacking)
  say(`Not tested: ${kind.name}. Name a server with ${kind.variable}, or install one.`);
process.exit(lacking.length > 0 ? 1 : code);
