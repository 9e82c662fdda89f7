import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import type { Machine } from '../config/index.ts';
import { quote, SessionError } from '../errors.ts';
import { isObject } from '../model/json.ts';
import { type Finding, fail, note, ok } from './doctor-finding.ts';

interface HostFile {
  host: string;
  file: string;
  /** The key that the host reads servers from. */
  key: 'mcpServers' | 'servers';
}

/** The files in which hosts may have an entry for this server. */
function hostFiles({ platform, homeDir, env }: Machine, folder: string): HostFile[] {
  const settings =
    platform === 'win32'
      ? (env.APPDATA ?? path.join(homeDir, 'AppData', 'Roaming'))
      : platform === 'darwin'
        ? path.join(homeDir, 'Library', 'Application Support')
        : (env.XDG_CONFIG_HOME ?? path.join(homeDir, '.config'));
  const files = (host: string, key: HostFile['key'], ...all: string[]): HostFile[] =>
    all.map((file) => ({ host, key, file }));
  return [
    ...files('Claude Code', 'mcpServers', path.join(folder, '.mcp.json'), path.join(homeDir, '.claude.json')),
    ...files('Claude Desktop', 'mcpServers', path.join(settings, 'Claude', 'claude_desktop_config.json')),
    ...files(
      'Cursor',
      'mcpServers',
      path.join(folder, '.cursor', 'mcp.json'),
      path.join(homeDir, '.cursor', 'mcp.json'),
    ),
    ...files(
      'VS Code',
      'servers',
      path.join(folder, '.vscode', 'mcp.json'),
      path.join(settings, 'Code', 'User', 'mcp.json'),
    ),
    ...files(
      'Gemini CLI',
      'mcpServers',
      path.join(folder, '.gemini', 'settings.json'),
      path.join(homeDir, '.gemini', 'settings.json'),
    ),
  ];
}

/** What is wrong with the entries that hosts on this machine have for this server. */
export function checkHosts(machine: Machine, folder: string): Finding[] {
  const found = hostFiles(machine, folder)
    .filter(({ file }) => existsSync(file))
    .flatMap((file) => checkFile(file, folder));
  const codex = path.join(machine.homeDir, '.codex', 'config.toml');
  if (existsSync(codex)) found.push(...checkCodex(codex));
  if (found.length > 0) return found;
  return [
    note(
      'No host has an entry for this server, neither in this folder nor in your home.',
      'agent-sessions-mcp init prints one for each host.',
    ),
  ];
}

function checkFile({ host, file, key }: HostFile, folder: string): Finding[] {
  let content: unknown;
  try {
    content = JSON.parse(withoutComments(readFileSync(file, 'utf8')));
  } catch {
    return [
      fault(`${host} cannot read ${file}: it is not JSON.`, 'Mend the file; init prints an entry that is.'),
    ];
  }
  if (!isObject(content)) return [];
  const other = key === 'servers' ? 'mcpServers' : 'servers';
  const misplaced = entriesUnder(content[other]).length > 0;
  const projects = isObject(content.projects) ? content.projects[folder] : undefined;
  const entries = [...entriesUnder(content[key]), ...(isObject(projects) ? entriesUnder(projects[key]) : [])];
  return [
    ...(misplaced
      ? [fault(`${host} does not read ${quote(other)} in ${file}.`, `Put the entry under ${quote(key)}.`)]
      : []),
    ...entries.flatMap((entry) => checkEntry(`${host}, in ${file}`, host, entry)),
  ];
}

/** The entries that start or reach this server. */
function entriesUnder(servers: unknown): Record<string, unknown>[] {
  if (!isObject(servers)) return [];
  return Object.entries(servers).flatMap(([name, entry]) =>
    isObject(entry) && /agent[-_]?sessions/i.test(`${name} ${JSON.stringify([entry.command, entry.args])}`)
      ? [entry]
      : [],
  );
}

function checkEntry(where: string, host: string, entry: Record<string, unknown>): Finding[] {
  const url = entry.httpUrl ?? entry.url ?? entry.serverUrl;
  const faults =
    typeof entry.command === 'string'
      ? faultsOfCommand(entry.command, entry.args)
      : faultsOfUrl(host, url, entry);
  if (faults.length === 0) return [ok(`host ${where}: the entry is as it should be`)];
  return faults.map(([what, hint]) => fault(`The entry of ${where} ${what}`, hint));
}

type Fault = [what: string, hint: string];

function faultsOfCommand(command: string, given: unknown): Fault[] {
  const args = Array.isArray(given) ? given.filter((arg) => typeof arg === 'string') : [];
  const faults: Fault[] = [];
  const program = args.find((arg) => /[\\/](launcher\.cjs|main\.js|main\.ts)$/.test(arg));
  if (/[\\/]/.test(command) && !existsSync(command))
    faults.push([
      `starts ${quote(command)}, which is not there.`,
      'Put the path of Node.js there: `which node`.',
    ]);
  // A relative path belongs to the folder that the host works in.
  if (program !== undefined && path.isAbsolute(program) && !existsSync(program))
    faults.push([
      `starts ${quote(program)}, which is not there.`,
      'Run `npm run build`, and check the path.',
    ]);
  if (program?.startsWith('/path/to'))
    faults.push([
      'has the path of the documentation.',
      'Put the path of your checkout in place of /path/to.',
    ]);
  if (/(^|[\\/])npm(\.cmd)?$/.test(command) && !args.includes('--silent'))
    faults.push([
      'starts npm, which writes to stdout too.',
      'Add --silent, or start `node dist/launcher.cjs`.',
    ]);
  const config = args[args.indexOf('--config') + 1];
  if (args.includes('--config') && (config === undefined || !existsSync(config)))
    faults.push([
      `names the configuration ${quote(config ?? '')}, which is not there.`,
      'Check the path after --config.',
    ]);
  return faults;
}

function faultsOfUrl(host: string, url: unknown, entry: Record<string, unknown>): Fault[] {
  const address = typeof url === 'string' ? URL.parse(url) : null;
  if (address === null)
    return [['has neither a command nor an address.', 'agent-sessions-mcp init prints one that has.']];
  const faults: Fault[] = [];
  if (address.pathname === '/')
    faults.push(['has an address without a path.', 'Most servers answer at /mcp.']);
  const header = isObject(entry.headers) ? entry.headers.Authorization : undefined;
  if (typeof header === 'string' && !/^Bearer \S{22,}$/.test(header) && !header.includes('$'))
    faults.push([
      'has a header Authorization that is no token.',
      'Write `Bearer` and the token that add-token printed.',
    ]);
  if (host === 'Gemini CLI' && entry.httpUrl === undefined)
    faults.push([
      'has its address under "url", which Gemini CLI takes for the old SSE.',
      'Name the key httpUrl.',
    ]);
  if (host === 'VS Code' && entry.type !== 'http')
    faults.push(['lacks "type": "http".', 'Add it beside the url.']);
  return faults;
}

/** Codex has TOML: of it only the lines of our own table are read. */
function checkCodex(file: string): Finding[] {
  const [, table] =
    /^\[mcp_servers\.[\w-]*agent-sessions[\w-]*\]\s*\n((?:(?!\[).*\n?)*)/m.exec(readFileSync(file, 'utf8')) ??
    [];
  if (table === undefined) return [];
  const texts = (key: string): string[] => {
    const [, value = ''] = new RegExp(`^${key}\\s*=\\s*(.*)$`, 'm').exec(table) ?? [];
    return [...value.matchAll(/"((?:[^"\\]|\\.)*)"/g)].map(([text]) => JSON.parse(text) as string);
  };
  const [command] = texts('command');
  const [url] = texts('url');
  const entry = { ...(command === undefined ? { url } : { command, args: texts('args') }) };
  return checkEntry(`Codex CLI, in ${file}`, 'Codex CLI', entry);
}

/** Some hosts allow comments and a comma after the last item. */
const withoutComments = (text: string): string =>
  text
    .replaceAll(/("(?:[^"\\]|\\.)*")|\/\/.*$|\/\*[\s\S]*?\*\//gm, (_, kept: string | undefined) => kept ?? '')
    .replaceAll(/("(?:[^"\\]|\\.)*")|,(?=\s*[}\]])/g, (_, kept: string | undefined) => kept ?? '');

const fault = (message: string, hint: string): Finding =>
  fail(new SessionError('FAILED_PRECONDITION', message, { hint }));
