import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { pages, pathOf } from '../../scripts/docs.ts';
import { commands } from '../../src/cli/commands.ts';
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
