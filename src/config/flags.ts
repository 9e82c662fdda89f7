import { parseArgs } from 'node:util';
import { invalidArgument, quote } from '../errors.ts';
import { didYouMean } from './nearest.ts';
import type { Group, Setting, Sources } from './setting.ts';

export interface CommandLine {
  flags: Sources['flags'];
  /** The command, and what it is about. */
  positionals: readonly string[];
}

/**
 * Reads a command line by the flags that the groups declare. What is wrong with a flag goes to `refuse`, and the
 * flag counts as not given.
 * @throws SessionError INVALID_ARGUMENT unless `refuse` does otherwise
 */
export function parseFlags(
  argv: readonly string[],
  groups: readonly Group[],
  refuse: (error: unknown) => void = raise,
): CommandLine {
  const known = flagsOf(groups);
  const options = Object.fromEntries(
    [...known].map(([name, { one }]) => [
      name,
      {
        type: one.kind.bare === true ? ('boolean' as const) : ('string' as const),
        ...(one.short === undefined ? {} : { short: one.short }),
      },
    ]),
  );
  // Not strict: its refusals name neither the nearest flag nor what to write instead.
  const { tokens } = parseArgs({ args: [...argv], options, strict: false, tokens: true });
  const flags: Record<string, string | true> = {};
  const positionals: string[] = [];
  for (const token of tokens) {
    if (token.kind === 'positional') positionals.push(token.value);
    if (token.kind !== 'option') continue;
    try {
      const one = known.get(token.name)?.one;
      if (one === undefined) throw unknownFlag(token.rawName, [...known.keys()]);
      flags[token.name] = one.kind.bare === true ? (token.value ?? true) : textOf(one, token);
    } catch (error) {
      refuse(error);
    }
  }
  return { flags, positionals };
}

function raise(error: unknown): never {
  throw error;
}

/** @throws SessionError INVALID_ARGUMENT for a flag that this command does not take */
export function checkFlags({ flags }: CommandLine, groups: readonly Group[], command: string): void {
  const known = flagsOf(groups);
  for (const name of Object.keys(flags)) {
    const takers = known.get(name)?.commands;
    if (takers === undefined || takers.includes(command)) continue;
    throw invalidArgument(
      `--${name} is an option of ${listed(takers)}, not of ${command}.`,
      `Write agent-sessions-mcp ${takers[0]} --${name} …, or leave it out.`,
    );
  }
}

const listed = (names: readonly string[]): string =>
  new Intl.ListFormat('en-GB', { type: 'conjunction' }).format(names);

/** The flags there are, each with the commands that take it; undefined: all. */
function flagsOf(
  groups: readonly Group[],
): Map<string, { one: Setting<unknown>; commands: readonly string[] | undefined }> {
  const flags = new Map<string, { one: Setting<unknown>; commands: readonly string[] | undefined }>();
  for (const { settings, commands } of groups)
    for (const one of Object.values(settings)) {
      if (one.flag === undefined) continue;
      // Several commands may have a flag of the same name and form.
      const others = flags.get(one.flag)?.commands ?? [];
      flags.set(one.flag, { one, commands: commands && [...others, ...commands] });
    }
  return flags;
}

function textOf(
  one: Setting<unknown>,
  {
    rawName,
    value,
    inlineValue,
  }: { rawName: string; value?: string | undefined; inlineValue?: boolean | undefined },
): string {
  const takesNext = inlineValue !== true && value?.startsWith('-') === true && value.length > 1;
  if (value !== undefined && !takesNext) return value;
  throw invalidArgument(
    `The option ${quote(rawName)} needs a value.`,
    takesNext
      ? `Write ${rawName}=${one.value ?? 'VALUE'} if the value begins with "-".`
      : `Write ${rawName} ${one.value ?? 'VALUE'}.`,
  );
}

function unknownFlag(rawName: string, known: readonly string[]) {
  const hint = didYouMean(rawName, known, (name) => `--${name}`);
  return invalidArgument(`Unknown option ${quote(rawName)}.`, `${hint}See --help.`);
}
