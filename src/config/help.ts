import type { Group, Setting } from './setting.ts';

/** A command as `--help` and the reader of the command line see it. */
export interface CommandShape {
  name: string;
  /** What it is about, such as `SESSION`; `[SESSION]` may be left out, `WORDS…` are one or more. */
  operands?: readonly string[];
  help: string;
}

const column = 33;
const width = 110;

/** The text of `--help`, made from what is declared. */
export function usageOf(commands: readonly CommandShape[], groups: readonly Group[], more: string): string {
  const lines = [
    'agent-sessions-mcp: sessions, events, artifacts and memories for agents, as MCP tools',
    '',
    'Usage: agent-sessions-mcp [command] [options]',
    '',
    'Commands',
    ...commands.flatMap(({ name, operands = [], help }) => entry([name, ...operands].join(' '), help)),
    '',
    'A flag comes before its environment variable, and that before the key in the file of --config.',
  ];
  for (const { title, settings } of groups) {
    const all: Setting<unknown>[] = Object.values(settings);
    if (all.length === 0) continue;
    lines.push('', title, ...all.flatMap((one) => entry(nameOf(one), sentenceOf(one))));
  }
  return `${lines.join('\n')}\n\n${more}`;
}

const nameOf = ({ flag, short, value, env, key }: Setting<unknown>): string =>
  flag === undefined
    ? (env ?? `"${key}"`)
    : `${short === undefined ? '' : `-${short}, `}--${flag}${value === undefined ? '' : ` ${value}`}`;

function sentenceOf({ help, flag, env, key, otherwise, kind }: Setting<unknown>): string {
  const notes = [
    ...(otherwise === undefined || kind.bare === true ? [] : [`default: ${shownDefault(otherwise)}`]),
    ...(flag === undefined || env === undefined ? [] : [env]),
    ...(key === undefined || (flag === undefined && env === undefined) ? [] : [`file:\u00a0${key}`]),
  ];
  return notes.length === 0 ? help : `${help} [${notes.join('; ')}]`;
}

function shownDefault(value: unknown): string {
  if (typeof value === 'boolean') return value ? 'on' : 'off';
  return Array.isArray(value) ? value.join(',') || 'none' : String(value);
}

/** A name with its meaning beside it, broken into lines. */
function entry(name: string, sentence: string): string[] {
  const rows: string[] = [];
  let row = '';
  for (const word of sentence.split(' ')) {
    if (row !== '' && column + row.length + 1 + word.length > width) {
      rows.push(row);
      row = word;
    } else row = row === '' ? word : `${row} ${word}`;
  }
  rows.push(row);
  const first = `  ${name}`;
  const head =
    first.length >= column ? [first, ''.padEnd(column) + rows[0]] : [first.padEnd(column) + rows[0]];
  // What belongs together is held by a no-break space until here.
  return [...head, ...rows.slice(1).map((text) => ''.padEnd(column) + text)].map((text) =>
    text.replaceAll('\u00a0', ' '),
  );
}
