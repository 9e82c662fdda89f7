import { SessionError } from '../errors.ts';
import { checkId } from '../model/ids.ts';
import { type AgentsFile, agentsFileSchema, readAgents } from './agents.ts';
import { backendGroups, readRemote } from './backends.ts';
import { embeddingsGroup, readEmbeddings } from './embeddings.ts';
import { fileFaults, parsedFile } from './file.ts';
import { type CommandLine, checkFlags, parseFlags } from './flags.ts';
import { type BackendName, generalGroup } from './general.ts';
import { httpGroup, readHttp } from './http.ts';
import { type CommandSpec, checkOperands, commandOf, groupsOf, type Machine } from './index.ts';
import { memberAt, readSettings, type Settings, type Sources } from './setting.ts';

export interface Faults<C> {
  /** The command that was meant, if it could be told. */
  command: C | undefined;
  flags: CommandLine['flags'];
  /** All that is wrong, each once, in the order of the command line, the file and the settings. */
  faults: readonly SessionError[];
}

const remoteGroups: Readonly<Partial<Record<BackendName, { settings: Settings }>>> = backendGroups;

/** Everything that is wrong with a command line, its environment and its file; `readConfig` stops at the first. */
export function configFaults<C extends CommandSpec>(
  argv: readonly string[],
  machine: Machine,
  commands: readonly C[],
): Faults<C> {
  const faults = new Map<string, SessionError>();
  const note = (error: unknown): undefined => {
    if (!(error instanceof SessionError)) throw error;
    faults.set(error.message, error);
  };
  const attempt = <T>(work: () => T): T | undefined => {
    try {
      return work();
    } catch (error) {
      return note(error);
    }
  };
  const attemptEach = (settings: Settings, sources: Sources) => {
    for (const one of Object.values(settings)) attempt(() => readSettings({ one }, sources));
  };

  const groups = groupsOf(commands);
  const line = parseFlags(argv, groups, note);
  const flagsAreKnown = faults.size === 0;
  const [name, ...operands] = line.positionals;
  const command = attempt(() => commandOf(name, commands));
  if (command !== undefined) {
    for (const [flag, value] of Object.entries(line.flags))
      attempt(() => checkFlags({ flags: { [flag]: value }, positionals: [] }, groups, command.name));
    // The value of an unknown flag looks like an operand.
    if (flagsAreKnown) attempt(() => checkOperands(command, operands));
  }

  const file = attempt(() => fileOf(line, machine)) ?? {};
  for (const fault of fileFaults(file, groups)) note(fault);
  const sources: Sources = { flags: line.flags, env: machine.env, file };
  attemptEach({ ...generalGroup.settings, ...httpGroup.settings, ...command?.settings }, sources);
  attempt(() => readHttp(sources));
  attemptEach(embeddingsGroup.settings, sources);
  attempt(() => readEmbeddings(sources, machine.env));
  if (readQuietly(() => readSettings(generalGroup.settings, sources).user) === undefined)
    attempt(() => checkId('--user', machine.userName));

  const { backends } = generalGroup.settings;
  const remote = readRemote(sources);
  for (const backend of readQuietly(() => readSettings({ backends }, sources).backends) ?? []) {
    attemptEach(remoteGroups[backend]?.settings ?? {}, sources);
    // Only this backend has a rule that concerns several settings.
    if (backend === 'vectara') attempt(() => remote.vectara());
  }

  const agents = agentsFileSchema().safeParse(memberAt(file, ['agents']) ?? {});
  for (const [app, agent] of Object.entries<AgentsFile[string]>(agents.data ?? {}))
    attempt(() => readAgents({ [app]: agent }, machine.env));
  return { command, flags: line.flags, faults: [...faults.values()] };
}

function fileOf(line: CommandLine, machine: Machine): unknown {
  const { place } = readSettings(
    { place: generalGroup.settings.config },
    { flags: line.flags, env: machine.env, file: {} },
  );
  return place === undefined ? {} : parsedFile(() => machine.readFile(place));
}

/** For what has been noted already. */
function readQuietly<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
