import { type Config, type Machine, readConfig, usage } from '../config/index.ts';
import { SessionError } from '../errors.ts';
import { createLog, type Log } from '../log.ts';
import type { Principal } from '../model/principal.ts';
import type { ServerDeps } from '../server/mcp/deps.ts';
import { exportSession, importSession } from '../transfer/json-lines.ts';
import { version } from '../version.ts';
import { doctor } from './doctor.ts';
import { openBackends } from './open-backends.ts';

/** The process, as the command line needs it. */
export interface Io {
  argv: readonly string[];
  nodeVersion: string;
  machine: Machine;
  stdin: AsyncIterable<Uint8Array | string>;
  print(text: string): void;
  report(text: string): void;
  onSignal(stop: () => void): void;
  exit(code: number): void;
}

/** How long an ending server waits for what is under way. */
const graceMs = 700;

/** Runs a command and resolves to its exit code: 0, 1 when the work failed, 2 when it could not begin. */
export async function run(io: Io): Promise<number> {
  const log = createLog(io.report);
  let config: Config;
  try {
    const invocation = readConfig(io.argv, io.machine);
    if (invocation.kind === 'help') return say(io, usage);
    if (invocation.kind === 'version') return say(io, `${version}\n`);
    config = invocation.config;
  } catch (error) {
    return fail(io, log, error, 2);
  }
  if (config.command === 'doctor') return doctor(config, log, io);
  if (config.command === 'hash-token')
    return hashTokenOf(io, config).catch((error: unknown) => fail(io, log, error, 2));
  const opened = await openBackends(config, log).catch((error: unknown) => ({ error }));
  if ('error' in opened) return fail(io, log, opened.error, 2);
  const principal: Principal = {
    userId: config.user,
    scopes: ['sessions:read', 'sessions:write', 'sessions:admin'],
    admin: true,
  };
  try {
    if (config.command === 'export') await exportSession(opened.backends, config, io);
    else if (config.command === 'import') await importSession(opened.backends, config, io);
    else {
      const { toolsets, readOnly, app: defaultApp } = config;
      const { backends, runs, secret } = opened;
      // The protocol's library is heavy and only servers need it.
      const { openTelemetry } = await import('../server/mcp/telemetry.ts');
      const around = await openTelemetry();
      const deps = { version, backends, runs, defaultApp, toolsets, readOnly, secret, log, around };
      const server = await start(config, deps, principal).catch((error: unknown) => ({ error }));
      if ('error' in server) {
        await opened.close();
        return fail(io, log, server.error, 2);
      }
      io.onSignal(() => void server.close());
      await server.closed;
      // Whatever hangs, the process ends soon after its client has gone.
      const timer = setTimeout(() => io.exit(0), graceMs);
      timer.unref();
      await server.close();
    }
    await opened.close();
    return 0;
  } catch (error) {
    await opened.close().catch(() => {});
    return fail(io, log, error, 1);
  }
}

async function start(config: Config, deps: ServerDeps, principal: Principal) {
  if (config.command === 'http')
    return (await import('../server/http/index.ts')).startHttp(deps, config.http, config.user);
  return (await import('../server/stdio.ts')).startStdio(deps, principal);
}

/** An entry of the token file for the token on stdin. */
async function hashTokenOf(io: Io, config: Config): Promise<number> {
  const { tokenEntry } = await import('../server/auth/tokens.ts');
  let token = '';
  for await (const chunk of io.stdin) token += String(chunk);
  return say(io, `${JSON.stringify(tokenEntry(token.trim(), config.user))}\n`);
}

function say(io: Io, text: string): number {
  io.print(text);
  return 0;
}

/** One sentence on what is wrong and one on what to do; what is not meant for people goes to the log. */
function fail(io: Io, log: Log, error: unknown, code: number): number {
  if (!(error instanceof SessionError)) {
    log.error('The command failed unexpectedly.', { error });
    return 1;
  }
  io.report(`${error.message}${error.hint === undefined ? '' : ` ${error.hint}`}\n`);
  if (error.cause !== undefined) log.warn('The cause was:', { cause: error.cause });
  return code;
}
