import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { copyStore } from '../../../src/store/copy.ts';
import { openSqlite } from '../../../src/store/sqlite/index.ts';
import {
  found,
  openWith,
  owner,
  remembered,
  say,
  settled,
  until,
  vectorKeys,
} from '../../contract/meaning-support.ts';
import { type FakeEmbeddings, fakeEmbeddings } from '../../fake/embeddings/server.ts';
import { scratch } from '../../scratch.ts';
import { scriptsBeside } from '../../scripts.ts';

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
  expect(new Set(sent).size).toBe(texts.length + 2);
  // What is written while one server ends its round and the other begins may be asked for twice.
  expect(sent.length).toBeLessThan(texts.length + 2 + 8);
  for (const server of servers) {
    expect(await found(server, 'dog')).toContain('The spaniel barks');
    expect(await remembered(server, 'dog')).toEqual(['Has a puppy']);
  }
  await say(two, 's', 'A puppy, too');
  await settled(two);
  expect(await found(one, 'dog')).toContain('A puppy, too');
  await Promise.all(servers.map((server) => server.close()));
});

it('a vector is gone from the bytes of the file with the text that is hidden', async () => {
  const file = path.join(scratch(), 'sessions.db');
  const store = await openSqlite({ path: file, durability: 'normal' });
  const backend = await openWith(fake, { store });
  await backend.sessions?.create?.(owner, { sessionId: 's' });
  const [said = ''] = await say(
    backend,
    's',
    'paid for the puppy at the concert, in the rain',
    'Nothing else',
  );
  const memory = await backend.memory?.create?.(owner, { fact: 'paid for a guitar, a loaf and a vehicle' });
  await settled(backend);
  // In the order of their keys: the vectors of two events, then that of the memory.
  const [ofEvent = '', , ofMemory = ''] = await store.get(await vectorKeys(store));
  const held = (value: string) =>
    ['', '-wal'].some((suffix) => readFileSync(file + suffix).includes(value.split(' ').at(-1) ?? ''));
  expect([held(ofEvent), held(ofMemory)]).toEqual([true, true]);
  await backend.events?.setVisibility?.({ ...owner, sessionId: 's' }, said, true);
  await backend.memory?.delete?.(owner, memory?.id ?? '');
  await vi.waitFor(() => expect([held(ofEvent), held(ofMemory)]).toEqual([false, false]), {
    timeout: 20_000,
    interval: 100,
  });
  await backend.close();
});

it('a copied store finds by meaning without asking for any vector but that of the query', async () => {
  const store = await openSqlite({ path: path.join(scratch(), 'a.db'), durability: 'normal' });
  const backend = await openWith(fake, { store });
  await backend.sessions?.create?.(owner, { sessionId: 's' });
  await say(backend, 's', 'The spaniel barks', 'Rain again');
  await settled(backend);
  const to = await openSqlite({ path: path.join(scratch(), 'b.db'), durability: 'normal' });
  await copyStore(store, to, () => {});
  await backend.close();
  const before = fake.requests.length;
  const copy = await openWith(fake, { store: to });
  expect(await found(copy, 'dog')).toEqual(['The spaniel barks']);
  expect(fake.requests.slice(before).map(({ input }) => input)).toEqual([['dog']]);
  await copy.close();
});
