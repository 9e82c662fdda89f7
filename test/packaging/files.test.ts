import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import manifest from '../../package.json' with { type: 'json' };
import { bundle } from '../e2e/bundle.ts';
import { run } from '../e2e/run.ts';
import { scratch } from '../scratch.ts';

const contentOf = (file: string): unknown => JSON.parse(readFileSync(file, 'utf8'));

/** The limits of https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json, and the registry's own. */
const registryEntry = z.strictObject({
  $schema: z.literal('https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json'),
  name: z
    .string()
    .min(3)
    .max(200)
    .regex(/^[a-zA-Z0-9.-]+\/[a-zA-Z0-9._-]+$/),
  title: z.string().min(1).max(100),
  description: z.string().min(1).max(100),
  version: z
    .string()
    .max(255)
    .regex(/^\d+\.\d+\.\d+/),
  repository: z.strictObject({ url: z.url(), source: z.literal('github') }),
  packages: z
    .array(
      z.strictObject({
        registryType: z.literal('npm'),
        registryBaseUrl: z.literal('https://registry.npmjs.org'),
        identifier: z.string(),
        version: z.string().regex(/^\d+\.\d+\.\d+/),
        runtimeHint: z.literal('npx'),
        transport: z.strictObject({ type: z.literal('stdio') }),
        environmentVariables: z.array(
          z.strictObject({
            name: z.string().regex(/^[A-Z_]+$/),
            description: z.string(),
            isRequired: z.boolean(),
            isSecret: z.boolean(),
            format: z.enum(['string', 'number', 'boolean', 'filepath']).optional(),
            default: z.string().optional(),
          }),
        ),
      }),
    )
    .length(1),
});

describe('server.json', () => {
  const entry = registryEntry.parse(contentOf('server.json'));
  const variables = entry.packages[0]?.environmentVariables ?? [];

  it('names the package as the package names it', () => {
    expect(entry).toMatchObject({ name: manifest.mcpName, version: manifest.version });
    expect(entry.packages).toMatchObject([{ identifier: manifest.name, version: manifest.version }]);
    expect(manifest.repository.url).toContain(entry.repository.url);
  });

  it('says of every secret that it is one', () => {
    const secret = variables.filter(({ isSecret }) => isSecret).map(({ name }) => name);
    expect(secret.sort()).toEqual([
      'ADK_API_TOKEN',
      'GOOGLE_API_KEY',
      'VECTARA_API_KEY',
      'VECTARA_CLIENT_SECRET',
    ]);
    for (const { name, default: value } of variables)
      if (secret.includes(name)) expect(value).toBeUndefined();
  });

  it('has defaults that a server starts with', async () => {
    const env = Object.fromEntries(
      variables.flatMap(({ name, default: value }) => (value ? [[name, value]] : [])),
    );
    const ended = await run(['doctor'], { env });
    expect(ended).toMatchObject({ code: 0, stdout: expect.stringContaining('All is well.') });
  });
});

describe('the manifest of the bundle', () => {
  const { server, user_config: fields } = contentOf('packaging/mcpb/manifest.json') as {
    server: { mcp_config: { env: Record<string, string> } };
    user_config: Record<string, { sensitive?: boolean; default: string | boolean }>;
  };

  it('asks for secrets in fields that the host keeps as such', () => {
    const secret = Object.keys(fields).filter((name) => fields[name]?.sensitive === true);
    expect(secret.sort()).toEqual(['adk_api_token', 'google_api_key', 'vectara_api_key']);
  });

  it('starts a server when nobody filled the form in', async () => {
    const env = Object.fromEntries(
      Object.entries(server.mcp_config.env).map(([name, place]) => {
        const field = /^\$\{user_config\.(\w+)\}$/.exec(place)?.[1] ?? '';
        return [name, String(fields[field]?.default)];
      }),
    );
    expect(await run(['doctor'], { env })).toMatchObject({ code: 0 });
  });
});

describe('Containerfile', () => {
  const text = readFileSync('Containerfile', 'utf8').replaceAll('\\\n', ' ');

  it('copies files that there are, into an image that has what its command starts', () => {
    const copies = [...text.matchAll(/^COPY (?!--from)(.*) \S+$/gm)].flatMap(([, files = '']) =>
      files.split(' '),
    );
    expect(copies.length).toBeGreaterThan(2);
    for (const file of copies) expect([file, existsSync(file)]).toEqual([file, true]);
    expect(JSON.parse(/^ENTRYPOINT (.*)$/m.exec(text)?.[1] ?? '')).toEqual([
      'node',
      manifest.bin['agent-sessions-mcp'],
    ]);
  });

  it('has a command that serves, with the environment of the image, until SIGTERM', async () => {
    const data = scratch();
    const [, variables = ''] = /^ENV (.*)$/m.exec(text) ?? [];
    const env = Object.fromEntries(
      variables
        .split(/\s+/)
        .map((pair) => pair.replaceAll('/data', data).replace('=8080', '=0').split(/=(.*)/s)),
    );
    const made = await run(['add-token', path.join(data, 'tokens.json'), '--user', 'ada']);
    expect(made.code).toBe(0);
    const words = JSON.parse(/^CMD (.*)$/m.exec(text)?.[1] ?? '') as string[];
    const child = spawn(process.execPath, [bundle, ...words], {
      env: { PATH: process.env.PATH, HOME: scratch(), ...env },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let url = '';
    for await (const line of createInterface(child.stderr)) {
      url = /"url":"([^"]+)"/.exec(line)?.[1] ?? '';
      if (url !== '') break;
    }
    expect((await fetch(new URL('/readyz', url))).status).toBe(200);
    expect((await fetch(url, { method: 'POST' })).status).toBe(401);
    child.kill('SIGTERM');
    expect(await once(child, 'exit')).toEqual([0, null]);
  });
});

it('the workflows run what there is', () => {
  const text = ['ci', 'release']
    .map((name) => readFileSync(`.github/workflows/${name}.yml`, 'utf8'))
    .join('\n');
  for (const [, script = ''] of text.matchAll(/npm run (?:--silent )?([\w:]+)/g))
    expect(manifest.scripts).toHaveProperty([script]);
  expect(text).toContain('.ci/run');
  expect(text).toContain('--provenance');
  for (const file of ['.ci/run', 'build.ts', 'server.json']) expect(existsSync(file)).toBe(true);
});

it('a namespace is set by the line of docs/publishing.md', async () => {
  const [, line = ''] =
    /```sh\n(npm pkg set .*?) && npm run docs\n/.exec(readFileSync('docs/publishing.md', 'utf8')) ?? [];
  const folder = scratch();
  writeFileSync(path.join(folder, 'package.json'), readFileSync('package.json'));
  const child = spawn('sh', ['-c', line], { cwd: folder, stdio: 'ignore' });
  expect(await once(child, 'close')).toEqual([0, null]);
  const changed = contentOf(path.join(folder, 'package.json'));
  expect(changed).toMatchObject({ mcpName: 'io.github.ACCOUNT/agent-sessions-mcp', name: manifest.name });
});
