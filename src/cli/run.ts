import { readConfig, usage } from '../config/index.ts';
import { SessionError } from '../errors.ts';
import { causeText, createLog, type Log } from '../log.ts';
import { useProxyFromEnvironment } from '../net/proxy.ts';
import { version } from '../version.ts';
import { type Command, StartFailure } from './command.ts';
import { commands } from './commands.ts';
import type { Io } from './io.ts';

/** Runs a command and resolves to its exit code: 0, 1 when the work failed, 2 when it could not begin. */
export async function run(io: Io): Promise<number> {
  let log = createLog(io.report);
  let report: Report = { io, log };
  try {
    const invocation = await invocationOf(io);
    if (typeof invocation === 'number') return invocation;
    if (invocation.kind === 'help') io.print(usage(commands));
    else if (invocation.kind === 'version') io.print(`${version}\n`);
    else {
      const { command, config, operands, values } = invocation;
      log = logFor(command, io, config.secrets);
      report = { io, log, secrets: config.secrets, serves: command.serves };
      await useProxyFromEnvironment(io.machine.env).catch((error: unknown) => {
        throw new StartFailure(error);
      });
      return await command.run({ config, operands, values, io, log });
    }
    return 0;
  } catch (error) {
    return error instanceof StartFailure ? fail(report, error.cause, 2) : fail(report, error, 1);
  }
}

/** What the command line asks for; or the exit code of a command that explains what is wrong with it. */
async function invocationOf(io: Io) {
  try {
    return readConfig(io.argv, io.machine, commands);
  } catch (error) {
    if (!(error instanceof SessionError)) throw new StartFailure(error);
    const { configFaults } = await import('../config/faults.ts');
    const { command, flags, faults } = configFaults(io.argv, io.machine, commands);
    if (command?.explain === undefined) throw new StartFailure(error);
    return command.explain(faults.length > 0 ? faults : [error], flags, io);
  }
}

/** A server tells what it does; to a person at a shell, who sees that, only what went wrong is told. */
function logFor({ serves = false }: Command, io: Io, secrets: readonly string[]): Log {
  const log = createLog(io.report, secrets);
  return serves ? log : { ...log, info: () => {} };
}

/** How a failure is told. */
interface Report {
  io: Io;
  log: Log;
  secrets?: readonly string[];
  serves?: boolean | undefined;
}

/** One sentence on what is wrong and one on what to do; then its cause, for a log with its stack. */
function fail({ io, log, secrets, serves = false }: Report, error: unknown, code: number): number {
  if (!(error instanceof SessionError)) {
    log.error('The command failed unexpectedly.', { error });
    return 1;
  }
  io.report(`${error.message}${error.hint === undefined ? '' : ` ${error.hint}`}\n`);
  if (error.cause === undefined) return code;
  if (serves && !io.isTerminal) log.warn('The cause was:', { cause: error.cause });
  else io.report(`The cause was: ${causeText(error.cause, secrets)}\n`);
  return code;
}
