import { afterAll, beforeAll, expect, it } from 'vitest';
import { connect } from '../e2e/clients.ts';
import { run } from '../e2e/run.ts';
import { startServices } from '../fake/services.ts';

let services: Awaited<ReturnType<typeof startServices>>;
beforeAll(async () => {
  services = await startServices();
});
afterAll(() => services.close());

it.each(['agent-engine', 'adk', 'vectara'])('list and show print what is on %s', async (backend) => {
  const { env } = services;
  const where = ['--backend', backend, '--user', 'ada'];
  const client = await connect('v2-modern', { args: where, env });
  const { sessionId } = await client.ok('query', { message: 'Is there tea?' });
  await client.close();
  const listed = await run(['list', ...where], { env });
  expect([listed.code, listed.stderr]).toEqual([0, '']);
  expect(listed.stdout).toMatch(new RegExp(`^${sessionId}\\b.*\\n {2}updated \\d{4}-\\d\\d-\\d\\d `, 'm'));
  const shown = await run(['show', String(sessionId), ...where], { env });
  expect([shown.code, shown.stderr]).toEqual([0, '']);
  expect(shown.stdout).toMatch(/^user {2}20\S+ \S+Z\n {2}Is there tea\?$/m);
  expect(shown.stdout.match(/^\S+ {2}20\S+ \S+Z$/gm)?.length).toBeGreaterThan(1);
});

it('search finds memories on agent-engine', async () => {
  const { env } = services;
  const where = ['--backend', 'agent-engine', '--user', 'ada'];
  const client = await connect('v2-modern', { args: where, env });
  await client.ok('create_memory', { fact: 'Ada likes tea' });
  await client.close();
  const { code, stdout } = await run(['search', 'tea', ...where], { env });
  expect([code, stdout.split('\n')[0]]).toEqual([0, 'Ada likes tea']);
});
