import { fileURLToPath } from 'node:url';
import { afterEach, expect, it } from 'vitest';
import { openToolHost } from '../../src/server/mcp/tool-host.ts';

const program = fileURLToPath(new URL('../fake/mcp/main.ts', import.meta.url));
const fake = (manner: string) => ({ command: process.execPath, args: [program, manner] });

const ends: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});

function open(manners: Record<string, string>, connectMs = 10_000) {
  const warnings: string[] = [];
  const log = {
    info: () => {},
    error: () => {},
    warn: (_message: string, { server, tool }: Record<string, unknown> = {}) =>
      void warnings.push(String(server ?? tool)),
  };
  const servers = Object.fromEntries(Object.entries(manners).map(([name, manner]) => [name, fake(manner)]));
  const host = openToolHost(servers, { log, connectMs });
  ends.push(() => host.close());
  return { host, warnings, call: (name: string) => host.call(name, {}, AbortSignal.timeout(20_000)) };
}

it('an MCP server that says nothing is left out, told of once, and holds up none of the others', async () => {
  const { host, warnings, call } = open({ mute: 'silent', good: 'fine' }, 1500);
  const names = async () => (await host.list()).map(({ name }) => name);
  expect(await names()).toEqual(['good_go']);
  expect(await call('good_go')).toEqual({ result: 'go is done' });
  expect(await names()).toEqual(['good_go']);
  expect(warnings).toEqual(['mute']);
});

it('an MCP server that dies in a call is started again for the next', async () => {
  const { host, call } = open({ mortal: 'dies' });
  await host.list();
  for (let i = 0; i < 2; i += 1)
    expect(await call('mortal_go')).toEqual({ error: 'The tool could not be called.' });
});

it('what endpoints do not take is named so that they do, and every result tells the model something', async () => {
  const { host, call } = open({ odd: 'odd' });
  const names = (await host.list()).map(({ name }) => name);
  expect(names.slice(0, 3)).toEqual(['odd_a_b', 'odd_a-b', 'odd_a_b_2']);
  expect([names.length, new Set(names).size]).toEqual([128, 128]);
  expect(await call('odd_a_b')).toEqual({ result: 'a.b is done' });
  expect(await call('odd_a_b_2')).toEqual({ result: 'a_b is done' });
  expect(await call('odd_image')).toEqual({ result: '[image image/png]' });
  expect(await call('odd_refused')).toEqual({ error: expect.stringContaining('city is missing') });
  const much = await call('odd_much');
  expect(JSON.stringify(much).length).toBeLessThan(40_000);
  expect(much).toMatchObject({ rows: expect.arrayContaining([{ row: 0 }]) });
});
