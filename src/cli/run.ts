import { readConfig, usage } from '../config/index.ts';
import { SessionError } from '../errors.ts';
import { causeText, createLog, type Log } from '../log.ts';
import { useProxyFromEnvironment } from '../net/proxy.ts';
import { version } from '../version.ts';
import { StartFailure } from './command.ts';
import { commands } from './commands.ts';
import type { Io } from './io.ts';

/** Runs a command and resolves to its exit code: 0, 1 when the work failed, 2 when it could not begin. */
export async function run(io: Io): Promise<number> {
  let log = createLog(io.report);
  let report: Report = { io, log };
  try {
    const invocation = invocationOf(io);
    if (invocation.kind === 'help') io.print(usage(commands));
    else if (invocation.kind === 'version') io.print(`${version}\n`);
    else {
      const { command, config, operands, values } = invocation;
      log = createLog(io.report, config.secrets);
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

function invocationOf(io: Io) {
  try {
    return readConfig(io.argv, io.machine, commands);
  } catch (error) {
    throw new StartFailure(error);
  }
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
