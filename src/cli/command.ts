import type { CommandLine } from '../config/flags.ts';
import type { CommandSpec, Config } from '../config/index.ts';
import type { Settings, Values } from '../config/setting.ts';
import type { SessionError } from '../errors.ts';
import type { Log } from '../log.ts';
import type { Io } from './io.ts';
import { type OpenBackends, openBackends } from './open-backends.ts';

/** What a command works with. */
export interface Call<V> {
  config: Config;
  /** What the command line says it is about, such as a session's id. */
  operands: readonly string[];
  /** Of the settings that only this command has. */
  values: V;
  io: Io;
  log: Log;
}

/** A command of the command line. `commands.ts` lists them all. */
export interface Command extends CommandSpec {
  /** A server: what it reports is a log, of one JSON object a line. */
  serves?: boolean;
  /** Resolves to the exit code. Throws SessionError for what a person can correct. */
  run(call: Call<Readonly<Record<string, unknown>>>): Promise<number>;
  /** In place of `run` where the configuration is wrong, with all that is. Absent: the start fails with the first. */
  explain?(faults: readonly SessionError[], flags: CommandLine['flags'], io: Io): Promise<number>;
}

interface Definition<S extends Settings> extends Omit<CommandSpec, 'settings'> {
  settings?: S;
  serves?: boolean;
  explain?: Command['explain'];
  run(call: Call<Values<S>>): Promise<number>;
}

/** Types a command's run by its settings, which the reader of the command line fills in. */
export function defineCommand<S extends Settings = Record<never, never>>({
  explain,
  ...definition
}: Definition<S>): Command {
  return {
    ...definition,
    ...(explain === undefined ? {} : { explain }),
    run: (call) => definition.run({ ...call, values: call.values as Values<S> }),
  };
}

/** A failure before any work began; the exit code says so. */
export class StartFailure extends Error {
  constructor(cause: unknown) {
    super('The command could not start.', { cause });
  }
}

/** Opens the configured backends for the time of some work. */
export async function withBackends(
  { config, log }: Pick<Call<unknown>, 'config' | 'log'>,
  work: (opened: OpenBackends) => Promise<number>,
): Promise<number> {
  const opened = await openBackends(config, log).catch((error: unknown) => {
    throw new StartFailure(error);
  });
  let code: number;
  try {
    code = await work(opened);
  } catch (error) {
    // The caller is told of the first error, not of one while closing.
    await opened.close().catch(() => {});
    throw error;
  }
  await opened.close();
  return code;
}
