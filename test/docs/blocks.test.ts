import { execFile } from 'node:child_process';
import { globSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { commands } from '../../src/cli/commands.ts';
import { type Machine, readConfig } from '../../src/config/index.ts';
import { scratch } from '../scratch.ts';
import { blocksOf, pageNames, pageText, textsOf } from './markdown.ts';

const pages = pageNames.map((name) => ({ name, page: pageText(name) }));

/** What holds the blocks of a language to the truth. */
const testedBy: Record<string, string> = {
  sh: 'commands.test.ts, readme.test.ts',
  json: 'below, readme.test.ts',
  jsonc: 'pages.test.ts',
  jsonl: 'commands.test.ts',
  js: 'below, readme.test.ts',
  toml: 'readme.test.ts',
  caddyfile: 'below, test/services/proxies.test.ts',
  nginx: 'below, test/services/proxies.test.ts',
};

/** How to add a tool, a backend or an engine: tried by hand. */
const sketches = /^docs\/contributing\//;
const drawings = /^docs\/architecture\.md$/;

it('every block is of a language that some test reads', () => {
  const unknown = pages
    .filter(({ name }) => !sketches.test(name) && !drawings.test(name))
    .flatMap(({ name, page }) =>
      blocksOf(page).flatMap(({ language }) => (testedBy[language] === undefined ? [[name, language]] : [])),
    );
  expect(unknown).toEqual([]);
});

const jsons = pages.flatMap(({ name, page }) =>
  textsOf(page, 'json').map((text, i) => ({
    title: `${name}, ${i + 1}`,
    content: JSON.parse(text) as object,
  })),
);

describe('JSON of the pages', () => {
  const isEntry = (content: object) => 'mcpServers' in content || 'servers' in content;

  it.each(jsons.filter(({ content }) => !isEntry(content)))('$title is a configuration', ({ content }) => {
    const machine: Machine = {
      env: {},
      platform: 'linux',
      homeDir: '/home/ann',
      userName: 'ann',
      readFile: () => JSON.stringify(content),
    };
    expect(readConfig(['--config', 'x.json'], machine, commands)).toMatchObject({ kind: 'run' });
  });

  it.each(jsons.filter(({ content }) => isEntry(content)))('$title is an entry of a host', ({ content }) => {
    const [servers = {}] = Object.values(content) as Record<string, Record<string, unknown>>[];
    const entry = servers['agent-sessions'] ?? {};
    const reached = 'command' in entry ? JSON.stringify(entry.args) : String(entry.url ?? entry.httpUrl);
    expect(reached).toMatch(/launcher\.cjs|src\/main\.ts|agent-sessions-mcp|http:\/\/127\.0\.0\.1:8080\/mcp/);
  });
});

it('the program of docs/backends/local.md keeps a value beside the sessions', async () => {
  const [program = ''] = textsOf(pageText('docs/backends/local.md'), 'js');
  const file = path.join(scratch(), 'mine.mjs');
  // The package is not installed here; this is the source of that subpath.
  const subpath = pathToFileURL('src/adapters/keyv.ts').href;
  writeFileSync(file, program.replace("'agent-sessions-mcp/keyv'", JSON.stringify(subpath)));
  const { stdout } = await promisify(execFile)(process.execPath, [file], { cwd: path.dirname(file) });
  expect(stdout).toBe('dark\n');
});

it.each(pages.filter(({ name }) => name !== 'README.md' && !sketches.test(name)))(
  'the programs of $name are JavaScript',
  async ({ page }) => {
    for (const program of textsOf(page, 'js')) {
      const file = path.join(scratch(), 'program.mjs');
      writeFileSync(file, program);
      await promisify(execFile)(process.execPath, ['--check', file]);
    }
  },
);

it('the links to install from lead to the entries that they stand under', () => {
  const page = pageText('docs/publishing.md');
  const [entry] = textsOf(page, 'json').map(
    (text) => JSON.parse(text) as { mcpServers: Record<string, object> },
  );
  const wanted = entry?.mcpServers['agent-sessions'];
  const configOf = (label: string) =>
    new URL(new RegExp(`\\[Install in ${label}\\]\\((.*?)\\)`).exec(page)?.[1] ?? '').searchParams.get(
      'config',
    ) ?? '';
  expect(JSON.parse(configOf('VS Code'))).toEqual({ type: 'stdio', ...wanted });
  expect(JSON.parse(Buffer.from(configOf('Cursor'), 'base64').toString())).toEqual(wanted);
});

it('the proxies in docs/http.md pass on what clients need, and nothing else', () => {
  const page = pageText('docs/http.md');
  const [caddy = ''] = textsOf(page, 'caddyfile');
  const [nginx = ''] = textsOf(page, 'nginx');
  const paths = ['/mcp', '/ui', '/.well-known/oauth-protected-resource'];
  expect([...caddy.matchAll(/handle (\/\S+?)\* \{/g)].map(([, at]) => at)).toEqual(paths);
  expect([...nginx.matchAll(/location (\S+) \{/g)].map(([, at]) => at)).toEqual(paths);
  for (const text of [caddy, nginx]) expect(text.split('{').length).toBe(text.split('}').length);
});

describe('docs/troubleshooting.md', () => {
  const source = globSync('src/**/*.{ts,cjs}')
    .map((file) => readFileSync(file, 'utf8'))
    .join('\n');
  /** What other programs say. */
  const foreign =
    /^(Connection closed|Server disconnected|Failed to connect|spawn node|command not found|Cannot find module|401|403|404|Unauthorized|EBADENGINE|Disabled|untrusted)/;
  const [, ...rows] = pageText('docs/troubleshooting.md').split(/^\| /m);
  const sentences = rows
    .flatMap((row) => [...(row.split(' | ')[0] ?? '').matchAll(/`([^`]+)`/g)].map(([, text = '']) => text))
    .filter(
      (text) => !foreign.test(text) && !text.startsWith('--toolsets') && !text.startsWith('--read-only'),
    );

  it('has sentences to look up', () => expect(sentences.length).toBeGreaterThan(25));

  // An ellipsis stands for a name or number.
  it.each(sentences)('explains a sentence that the program says: %s', (sentence) => {
    const parts = sentence.split('…').map((part) => part.trim());
    expect(parts.filter((part) => !source.includes(part))).toEqual([]);
  });
});
