import { isLoopback } from '../net/loopback.ts';
import type { HostName } from './host-names.ts';

/** How a host reaches the server. */
export type Connection =
  | { transport: 'stdio'; command: string; args: readonly string[] }
  | { transport: 'http'; url: string; token: string };

export interface HostEntry {
  title: string;
  /** Where it goes: a command to run, or a file to put it into. */
  where: string;
  text: string;
  /** Opens the host and installs the entry, where the host has such links. */
  link?: string;
}

const name = 'agent-sessions';
const run = 'run once';

/** What a host needs to know of the server, in its own form. */
export function hostEntry(host: HostName, to: Connection, platform: string): HostEntry {
  switch (host) {
    case 'claude-code':
      return { title: 'Claude Code', where: run, text: claudeCommand(to, platform) };
    case 'claude-desktop':
      return {
        title: 'Claude Desktop',
        where: 'claude_desktop_config.json (Settings, Developer, Edit Config)',
        text: entryText('mcpServers', bridged(to)),
      };
    case 'cursor': {
      const entry = to.transport === 'stdio' ? started(to) : { url: to.url, headers: headersOf(to) };
      const text = entryText('mcpServers', entry);
      return { title: 'Cursor', where: '.cursor/mcp.json', text, link: cursorLink(entry) };
    }
    case 'vscode': {
      const entry =
        to.transport === 'stdio'
          ? { type: 'stdio', ...started(to) }
          : { type: 'http', url: to.url, headers: headersOf(to) };
      const text = entryText('servers', entry);
      return { title: 'VS Code', where: '.vscode/mcp.json', text, link: codeLink(entry) };
    }
    case 'gemini-cli':
      return {
        title: 'Gemini CLI',
        where: '.gemini/settings.json',
        text: entryText(
          'mcpServers',
          to.transport === 'stdio' ? started(to) : { httpUrl: to.url, headers: headersOf(to) },
        ),
      };
    case 'codex':
      return { title: 'Codex CLI', where: '~/.codex/config.toml', text: codexText(to) };
  }
}

type Stdio = Extract<Connection, { transport: 'stdio' }>;
type Http = Extract<Connection, { transport: 'http' }>;

const entryText = (key: string, entry: object): string =>
  JSON.stringify({ [key]: { [name]: entry } }, undefined, 2);

/** https://cursor.com/docs/context/mcp/install-links */
const cursorLink = (entry: object): string =>
  `cursor://anysphere.cursor-deeplink/mcp/install?name=${name}&config=${encodeURIComponent(Buffer.from(JSON.stringify(entry)).toString('base64'))}`;

/** https://code.visualstudio.com/api/extension-guides/ai/mcp#create-an-mcp-installation-url */
const codeLink = (entry: object): string =>
  `vscode:mcp/install?${encodeURIComponent(JSON.stringify({ name, ...entry }))}`;

const started = ({ command, args }: Stdio) => ({ command, args });

const bearer = ({ token }: Http): string => `Bearer ${token}`;

const headersOf = (to: Http) => ({ Authorization: bearer(to) });

/** Claude Desktop's file takes only programs to start; mcp-remote is one that passes everything on. */
function bridged(to: Connection): object {
  if (to.transport === 'stdio') return started(to);
  // It refuses plain http to other machines unless it is told that this is meant.
  const { protocol, hostname } = new URL(to.url);
  const plain = protocol === 'http:' && !isLoopback(hostname) ? ['--allow-http'] : [];
  // The header's value has a space, which some systems lose in an argument: it goes by a variable.
  return {
    command: 'npx',
    // biome-ignore lint/suspicious/noTemplateCurlyInString: mcp-remote fills it in
    args: ['-y', 'mcp-remote', to.url, '--header', 'Authorization:${AUTH_HEADER}', ...plain],
    env: { AUTH_HEADER: bearer(to) },
  };
}

function claudeCommand(to: Connection, platform: string): string {
  const words =
    to.transport === 'stdio'
      ? ['claude', 'mcp', 'add', name, '--', to.command, ...to.args]
      : [
          ...['claude', 'mcp', 'add', '--transport', 'http', name, to.url],
          ...['--header', `Authorization: ${bearer(to)}`],
        ];
  return commandLine(words, platform);
}

/** Words as one types them in a shell. */
export const commandLine = (words: readonly string[], platform: string): string =>
  words.map((word) => shellWord(word, platform)).join(' ');

function shellWord(word: string, platform: string): string {
  if (/^[\w@%+=:,./-]+$/.test(word)) return word;
  return platform === 'win32' ? `"${word.replaceAll('"', '\\"')}"` : `'${word.replaceAll("'", "'\\''")}'`;
}

// A text in JSON means the same in TOML.
function codexText(to: Connection): string {
  const lines =
    to.transport === 'stdio'
      ? [`command = ${JSON.stringify(to.command)}`, `args = ${JSON.stringify(to.args)}`]
      : [
          `url = ${JSON.stringify(to.url)}`,
          `http_headers = { "Authorization" = ${JSON.stringify(bearer(to))} }`,
        ];
  return [`[mcp_servers.${name}]`, ...lines].join('\n');
}
