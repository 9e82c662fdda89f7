import { once } from 'node:events';
import path from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openSqlite } from '../../../src/store/sqlite/index.ts';
import { type FakeEmbeddings, fakeEmbeddings } from '../../fake/embeddings/server.ts';
import { scratch } from '../../scratch.ts';
import { scriptsBeside } from '../../scripts.ts';
import { found, openWith, owner, remembered, say, settled, until } from './meaning-support.ts';

const { start } = scriptsBeside(import.meta.url);

let fake: FakeEmbeddings;
beforeEach(async () => {
  fake = await fakeEmbeddings();
});
afterEach(() => fake.close());

it('what a killed process left without vectors gets them from the next', async () => {
  const file = path.join(scratch(), 'sessions.db');
  fake.behave({ delayMs: 600_000 });
  const child = start('embeds.ts', file, fake.url, 'The spaniel barks');
  if (child.stdout !== null) await once(child.stdout, 'data');
  // It has the lease, and is amid its request.
  await until(() => fake.requests.length > 0);
  child.kill('SIGKILL');
  fake.behave({});
  const backend = await openWith(fake, { store: await openSqlite({ path: file, durability: 'normal' }) });
  expect(await found(backend, 'spaniel')).toEqual(['The spaniel barks']);
  await settled(backend);
  expect(await found(backend, 'dog')).toEqual(['The spaniel barks']);
  expect(await remembered(backend, 'dog')).toEqual(['The spaniel barks']);
  await backend.close();
});

it('two servers on one store make each vector once, and both find by it', async () => {
  const file = path.join(scratch(), 'sessions.db');
  const servers = await Promise.all(
    [1, 2].map(async () =>
      openWith(fake, { store: await openSqlite({ path: file, durability: 'normal' }), batchSize: 8 }),
    ),
  );
  const [one, two] = servers;
  if (one === undefined || two === undefined) throw new Error('There are two.');
  await one.sessions?.create?.(owner, { sessionId: 's' });
  fake.behave({ delayMs: 20 });
  const texts = Array.from({ length: 60 }, (_, i) => `text ${i}`);
  await Promise.all(texts.map((text, i) => say(i % 2 === 0 ? one : two, 's', text)));
  await say(one, 's', 'The spaniel barks');
  await two.memory?.create?.(owner, { fact: 'Has a puppy' });
  await Promise.all(servers.map(settled));
  const sent = fake.requests.flatMap(({ input }) => input).filter((text) => !/^(dog|puppy)$/.test(text));
  expect(sent.length).toBe(texts.length + 2);
  for (const server of servers) {
    expect(await found(server, 'dog')).toContain('The spaniel barks');
    expect(await remembered(server, 'dog')).toEqual(['Has a puppy']);
  }
  await say(two, 's', 'A puppy, too');
  await settled(two);
  expect(await found(one, 'dog')).toContain('A puppy, too');
  await Promise.all(servers.map((server) => server.close()));
});
