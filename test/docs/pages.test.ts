import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import * as z from 'zod';
import { pages, pathOf } from '../../scripts/docs.ts';
import { defaults as adkDefaults } from '../../src/backend/adk/config.ts';
import { checkConfig as vectaraSettings } from '../../src/backend/vectara/config.ts';
import { commands } from '../../src/cli/commands.ts';
import { agentsFileSchema } from '../../src/config/agents.ts';
import { backendGroups } from '../../src/config/backends.ts';
import { groupsOf, type Machine, readConfig } from '../../src/config/index.ts';
import { memberAt } from '../../src/config/setting.ts';

it.each(Object.entries(pages))('%s is what the source says', async (page, make) => {
  const fresh = readFileSync(pathOf(page), 'utf8') === (await make());
  expect(fresh, `${page} is stale: run \`npm run docs\`.`).toBe(true);
});

it('the example of docs/configuration.md is a file that the server takes, with every key', () => {
  const page = readFileSync(pathOf('docs/configuration.md'), 'utf8');
  const [, example = ''] = /```jsonc\n(.*?)```/s.exec(page) ?? [];
  const text = example.replace(/^ *\/\/.*\n/gm, '');
  const machine: Machine = {
    env: { EMBEDDINGS_KEY: 'k' },
    platform: 'linux',
    homeDir: '/home/ann',
    userName: 'ann',
    readFile: () => text,
  };
  expect(readConfig(['--config', 'example.json'], machine, commands)).toMatchObject({
    kind: 'run',
    config: { user: 'ann', agents: { helper: [{ kind: 'chat' }] } },
  });
  const keys = groupsOf(commands).flatMap(({ settings }) =>
    Object.values(settings).flatMap(({ key }) => key ?? []),
  );
  for (const key of keys) expect(memberAt(JSON.parse(text), key.split('.')), key).toBeDefined();
});

it('docs/agents.md names every key of an agent', () => {
  const page = readFileSync(pathOf('docs/agents.md'), 'utf8');
  const keys = keysIn(z.toJSONSchema(agentsFileSchema(), { io: 'input' }));
  expect(keys).toContain('historyTokens');
  for (const key of keys) expect(page).toContain(`\`${key}\``);
});

/** The names of all properties in a JSON Schema, but for `kind`, whose values are the rows of another table. */
function keysIn(schema: unknown): string[] {
  if (typeof schema !== 'object' || schema === null) return [];
  const { properties = {} } = schema as { properties?: object };
  const inside = Object.values(schema).flatMap(keysIn);
  return [...new Set([...Object.keys(properties).filter((key) => key !== 'kind'), ...inside])];
}

it('the help names the defaults that the backends have', () => {
  const vectara = vectaraSettings({ credentials: { apiKey: 'k' } });
  const named = ({ settings }: (typeof backendGroups)['adk'], name: string) =>
    /default: (\S+)$/.exec(settings[name]?.help ?? '')?.[1];
  for (const name of ['timeoutMs', 'runIdleMs', 'maxAnswerBytes'] as const)
    expect(named(backendGroups.adk, name)).toBe(String(adkDefaults[name]));
  for (const name of ['timeoutMs', 'runTimeoutMs', 'maxArtifactBytes'] as const)
    expect(named(backendGroups.vectara, name)).toBe(String(vectara[name]));
});
