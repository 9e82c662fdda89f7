import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Backend } from '../../../src/backend/types.ts';
import {
  backendsOf,
  found,
  memoryStore,
  noteOf,
  type Options,
  owner,
  remembered,
  say,
  settled,
  until,
  vectorKeys,
} from '../../contract/meaning-support.ts';
import {
  type Behaviour,
  dimensions,
  type FakeEmbeddings,
  fakeEmbeddings,
} from '../../fake/embeddings/server.ts';

let fake: FakeEmbeddings;
beforeEach(async () => {
  fake = await fakeEmbeddings();
});
afterEach(() => fake.close());
const start = backendsOf(() => fake);

async function conversation(options: Options = {}): Promise<Backend> {
  const backend = await start(options);
  await backend.sessions?.create?.(owner, { sessionId: 's' });
  await say(backend, 's', 'The spaniel barks', 'The puppy sleeps', 'It rains', 'Buy a loaf');
  return backend;
}

describe('an endpoint that does not do well means words only', () => {
  it.each<[string, Behaviour, RegExp]>([
    ['limits the rate', { status: 429, headers: { 'retry-after': '3600' } }, /limits the rate/],
    ['breaks', { status: 503 }, /status 503/],
    ['answers too few vectors', { spoil: (all) => all.slice(1) }, /vectors for \d+ texts|no list/],
    ['answers null', { spoil: (all) => all.map(() => [null]) }, /finite numbers/],
    ['answers something else', { body: 'sk-leaked-key' }, /not JSON/],
  ])('%s', async (_, behaviour, said) => {
    fake.behave(behaviour);
    const log: string[] = [];
    const backend = await conversation({ log });
    await until(async () => said.test(await noteOf(backend)));
    expect(await found(backend, 'puppy')).toContain('The puppy sleeps');
    expect(await found(backend, 'dog')).toEqual([]);
    const note = await noteOf(backend);
    expect(note).toMatch(
      /^Search finds by meaning, too, with the embeddings of the model m; 4 texts wait for vectors[^.]*\. Now it finds by words only, until the endpoint does well: The .*embeddings endpoint /,
    );
    expect(log.filter((line) => line.includes('searches use words only'))).toHaveLength(1);
    expect(`${note}${log.join('')}`).not.toContain('leaked');
    // Nobody is asked again and again: a search neither waits nor asks.
    const before = fake.requests.length;
    for (let i = 0; i < 20; i += 1) await found(backend, `puppy ${i}`);
    expect(fake.requests.length - before).toBeLessThanOrEqual(5);
  });

  it('goes on by itself once it does well again', async () => {
    fake.behave({ status: 500 });
    const log: string[] = [];
    const backend = await conversation({ log });
    await until(async () => /status 500/.test(await noteOf(backend)));
    fake.behave({});
    await settled(backend);
    expect((await found(backend, 'dog')).length).toBeGreaterThan(0);
    expect(await noteOf(backend)).not.toContain('words only');
    expect(log.join('')).toContain('answers again');
  });

  it('is not there at all', async () => {
    const gone = await fakeEmbeddings();
    await gone.close();
    const backend = await start({ url: gone.url });
    await backend.sessions?.create?.(owner, { sessionId: 's' });
    await say(backend, 's', 'The spaniel barks');
    await until(async () => /cannot be reached/.test(await noteOf(backend)));
    expect(await found(backend, 'spaniel')).toEqual(['The spaniel barks']);
  });

  it('is too slow for a search: one waits, the others do not', async () => {
    const backend = await conversation({ searchMs: 200 });
    await settled(backend);
    await until(async () => (await found(backend, 'dog')).length === 2);
    fake.behave({ delayMs: 60_000 });
    expect(await found(backend, 'hospital')).toEqual([]);
    const before = fake.requests.length;
    const searches = Array.from({ length: 10 }, (_, i) => found(backend, `puppy ${i}`));
    expect((await Promise.all(searches)).map((hits) => hits.includes('The puppy sleeps'))).toEqual(
      searches.map(() => true),
    );
    expect(fake.requests.length - before).toBeLessThanOrEqual(1);
    expect(await noteOf(backend)).toMatch(/did not answer within 0\.2 s/);
    // A later search tries it, without waiting.
    fake.behave({});
    await until(
      async () => (await found(backend, 'wages')) !== undefined && !/within/.test(await noteOf(backend)),
    );
    expect((await found(backend, 'dog')).length).toBe(2);
  });

  it('a write waits for nothing', async () => {
    fake.behave({ delayMs: 60_000 });
    const backend = await conversation();
    await until(() => fake.requests.length > 0);
    await say(backend, 's', 'One more');
    expect(await noteOf(backend)).toMatch(/5 texts wait/);
  });

  it('changes its dimensions: that is told, and how to go on', async () => {
    const store = await memoryStore();
    const backend = await conversation({ store });
    await settled(backend);
    fake.behave({ spoil: (all) => all.map((vector) => [...vector, 1]) });
    expect(await found(backend, 'hospital')).toEqual([]);
    expect(await noteOf(backend)).toContain(`vectors of ${dimensions + 1} numbers, where ${dimensions}`);
    const other = await start({ store, dimensions: 4 });
    fake.behave({});
    await settled(other);
    expect((await found(other, 'dog')).length).toBe(2);
  });
});

describe('another model', () => {
  it('makes all vectors anew', async () => {
    const store = await memoryStore();
    const first = await conversation({ store });
    await first.memory?.create?.(owner, { fact: 'Has a spaniel' });
    await settled(first);
    const kept = await vectorKeys(store);
    const asked = fake.requests.length;
    const second = await start({ store, model: 'n' });
    await settled(second);
    const anew = fake.requests.slice(asked).filter(({ model }) => model === 'n');
    expect(anew.flatMap(({ input }) => input).toSorted()).toEqual(
      ['Has a spaniel', 'The puppy sleeps', 'The spaniel barks', 'It rains', 'Buy a loaf']
        .map((text) => (text.startsWith('Has') ? text : `user\n${text}`))
        .toSorted(),
    );
    expect((await found(second, 'dog')).length).toBe(2);
    expect(await remembered(second, 'dog')).toEqual(['Has a spaniel']);
    // In the place of the old ones.
    expect(await vectorKeys(store)).toEqual(kept);
  });

  it('of a server that began later replaces that of an earlier one, which does not fight', async () => {
    const store = await memoryStore();
    const first = await conversation({ store });
    await settled(first);
    const second = await start({ store, model: 'n' });
    await settled(second);
    await say(first, 's', 'A puppy again');
    await until(async () => /another server/.test(await noteOf(first)));
    expect(await found(first, 'puppy')).toContain('A puppy again');
    expect(await found(first, 'dog')).toEqual([]);
    const asked = fake.requests.filter(({ model }) => model === 'n').length;
    await sleep(300);
    expect(fake.requests.filter(({ model }) => model === 'n').length - asked).toBeLessThanOrEqual(2);
  });
});
