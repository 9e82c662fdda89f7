import { readConfig, usage } from '../config/index.ts';
import { SessionError } from '../errors.ts';
import { createLog, type Log } from '../log.ts';
import { useProxyFromEnvironment } from '../net/proxy.ts';
import { version } from '../version.ts';
import { StartFailure } from './command.ts';
import { commands } from './commands.ts';
import type { Io } from './io.ts';

/** Runs a command and resolves to its exit code: 0, 1 when the work failed, 2 when it could not begin. */
export async function run(io: Io): Promise<number> {
  let log = createLog(io.report);
  try {
    const invocation = invocationOf(io);
    if (invocation.kind === 'help') io.print(usage(commands));
    else if (invocation.kind === 'version') io.print(`${version}\n`);
    else {
      const { command, config, operands, values } = invocation;
      log = createLog(io.report, config.secrets);
      await useProxyFromEnvironment(io.machine.env).catch((error: unknown) => {
        throw new StartFailure(error);
      });
      return await command.run({ config, operands, values, io, log });
    }
    return 0;
  } catch (error) {
    return error instanceof StartFailure ? fail(io, log, error.cause, 2) : fail(io, log, error, 1);
  }
}

function invocationOf(io: Io) {
  try {
    return readConfig(io.argv, io.machine, commands);
  } catch (error) {
    throw new StartFailure(error);
  }
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
