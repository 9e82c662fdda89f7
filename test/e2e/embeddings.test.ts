import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { fakeEmbeddings } from '../fake/embeddings/server.ts';
import { scratch } from '../scratch.ts';
import { connect, type Json } from './clients.ts';
import { run } from './run.ts';

/** The real program, as an operator configures it. */
it('finds by meaning over stdio and at a shell, and says how things stand', async () => {
  const fake = await fakeEmbeddings({ key: 'the-right-key' });
  const folder = scratch();
  const config = path.join(folder, 'config.json');
  writeFileSync(config, JSON.stringify({ embeddings: { baseUrl: fake.url, model: 'm', keyEnv: 'KEY' } }));
  const args = ['--config', config, '--store', `sqlite:${path.join(folder, 'data.db')}`, '--user', 'ann'];
  const env = { KEY: 'the-right-key' };
  const client = await connect('v2-modern', { args, env });
  const note = async (): Promise<string> => {
    const { backends } = (await client.ok('describe_server')) as { backends: { notes: string[] }[] };
    return backends[0]?.notes.find((one) => one.startsWith('Search finds')) ?? '';
  };
  await client.ok('create_session', { sessionId: 's' });
  for (const text of ['My automobile broke down', 'The bakery is closed'])
    await client.ok('append_event', { sessionId: 's', text });
  await client.ok('create_memory', { fact: 'Her physician is in Oslo' });
  while (/wait|still|looked/.test(await note())) await sleep(50);
  expect(await note()).toBe('Search finds by meaning, too, with the embeddings of the model m.');
  const { hits } = await client.ok('search_events', { query: 'car', around: 0 });
  expect((hits as Json[]).map(({ text }) => text)).toEqual(['My automobile broke down']);
  const { memories } = await client.ok('search_memory', { query: 'doctor' });
  expect((memories as Json[]).map(({ fact }) => fact)).toEqual(['Her physician is in Oslo']);
  const { sessions } = await client.ok('list_sessions', { query: 'vehicle' });
  expect((sessions as Json[]).map(({ id }) => id)).toEqual(['s']);
  await client.close();

  const shell = await run(['search', 'car', ...args], { env });
  expect(shell.stdout).toContain('My automobile broke down');
  const refused = await run(['search', 'automobile', ...args], { env: { KEY: 'a-wrong-key' } });
  expect(refused).toMatchObject({ code: 0, stdout: expect.stringContaining('My automobile broke down') });
  expect(refused.stderr).toContain('refuses the key');
  expect(refused.stderr + refused.stdout).not.toContain('a-wrong-key');
  await fake.close();
});
