import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openLocal } from '../../src/backend/local/index.ts';
import type { Backend } from '../../src/backend/types.ts';
import type { Store } from '../../src/store/types.ts';
import { type FakeEmbeddings, fakeEmbeddings } from '../fake/embeddings/server.ts';
import {
  backendsOf,
  found,
  noteOf,
  type Options,
  owner,
  remembered,
  say,
  settled,
  until,
  vectorKeys,
} from './meaning-support.ts';

/** Search by meaning on a store engine: every engine passes it. `newStore` opens an empty store. */
export function meaningContract(name: string, newStore: () => Promise<Store>): void {
  describe(`search by meaning on ${name}`, () => {
    let fake: FakeEmbeddings;
    beforeEach(async () => {
      fake = await fakeEmbeddings();
    });
    afterEach(() => fake.close());
    const start = backendsOf(() => fake, newStore);

    const create = (backend: Backend, sessionId: string) => backend.sessions?.create?.(owner, { sessionId });

    describe('a paraphrase without a common word', () => {
      it('is found among events, of all sessions and of one', async () => {
        const backend = await start();
        await create(backend, 's');
        await create(backend, 't');
        await say(backend, 's', 'My automobile broke down', 'It rained all day', 'The bakery is closed');
        await say(backend, 't', 'We took the vehicle to the coast');
        await settled(backend);
        expect((await found(backend, 'car')).toSorted()).toEqual([
          'My automobile broke down',
          'We took the vehicle to the coast',
        ]);
        expect(await found(backend, 'car', { sessionId: 't' })).toEqual(['We took the vehicle to the coast']);
      });

      it('is found among the memories of a scope', async () => {
        const backend = await start();
        const scope = { team: 'blue' };
        await backend.memory?.create?.(owner, { fact: 'Her physician is in Oslo' });
        await backend.memory?.create?.(owner, { fact: 'The loaf was stale' });
        await backend.memory?.create?.(owner, { fact: 'The hospital called', scope });
        await settled(backend);
        expect(await remembered(backend, 'doctor')).toEqual(['Her physician is in Oslo']);
        expect(await remembered(backend, 'doctor', scope)).toEqual(['The hospital called']);
      });

      it('finds the session', async () => {
        const backend = await start();
        await create(backend, 's');
        await create(backend, 't');
        await say(backend, 's', 'The spaniel barks');
        await say(backend, 't', 'Nothing of note');
        await settled(backend);
        const page = await backend.sessions?.list?.({ ...owner, pageSize: 10, text: 'puppy' });
        expect(page?.items.map(({ id }) => id)).toEqual(['s']);
      });

      it('is found among what has been said since the last search', async () => {
        const backend = await start();
        await create(backend, 's');
        await say(backend, 's', 'The spaniel barks', 'Nothing else');
        await settled(backend);
        expect(await found(backend, 'dog')).toEqual(['The spaniel barks']);
        await say(backend, 's', 'A puppy came');
        await backend.memory?.create?.(owner, { fact: 'Has a puppy' });
        await settled(backend);
        expect((await found(backend, 'dog')).toSorted()).toEqual(['A puppy came', 'The spaniel barks']);
        expect(await remembered(backend, 'dog')).toEqual(['Has a puppy']);
        await backend.memory?.create?.(owner, { fact: 'Fond of a spaniel' });
        await settled(backend);
        expect((await remembered(backend, 'dog')).toSorted()).toEqual(['Fond of a spaniel', 'Has a puppy']);
      });
    });

    it('what words and meaning both find comes first', async () => {
      const backend = await start();
      await create(backend, 's');
      await say(
        backend,
        's',
        'dog food is on the list',
        'the puppy sleeps',
        'a list of bread',
        'a puppy list',
      );
      await settled(backend);
      expect((await found(backend, 'puppy list'))[0]).toBe('a puppy list');
      expect(await found(backend, 'puppy list')).toContain('dog food is on the list');
    });

    describe('what is gone is found neither by words nor by meaning', () => {
      async function conversation(options: Options = {}) {
        const store = await newStore();
        const backend = await start({ store, ...options });
        await create(backend, 's');
        const ids = await say(backend, 's', 'The spaniel barks', 'The puppy sleeps', 'Rain again');
        await settled(backend);
        expect((await found(backend, 'dog')).length).toBe(2);
        return { store, backend, ids, ref: { ...owner, sessionId: 's' } };
      }
      const vectorsIn = async (store: Store) =>
        (await vectorKeys(store)).filter((key) => key.startsWith('x/')).length;

      it('a hidden event, until it is shown again', async () => {
        const { store, backend, ids, ref } = await conversation();
        await backend.events?.setVisibility?.(ref, ids[0] ?? '', true);
        expect(await vectorsIn(store)).toBe(2);
        expect(await found(backend, 'dog')).toEqual(['The puppy sleeps']);
        await backend.events?.setVisibility?.(ref, ids[0] ?? '', false);
        await until(async () => (await found(backend, 'dog')).length === 2);
        expect(await vectorsIn(store)).toBe(3);
      });

      it('a deleted event', async () => {
        const { store, backend, ids, ref } = await conversation();
        await backend.events?.delete?.(ref, ids[1] ?? '', {});
        expect(await vectorsIn(store)).toBe(2);
        expect(await found(backend, 'dog')).toEqual(['The spaniel barks']);
        await settled(backend);
        expect(await vectorsIn(store)).toBe(2);
      });

      it('events that a rewinding hid, until it is taken back', async () => {
        const { store, backend, ids, ref } = await conversation();
        await backend.sessions?.rewind?.(ref, { eventId: ids[0] ?? '' }, {});
        expect(await vectorsIn(store)).toBe(1);
        expect(await found(backend, 'dog')).toEqual(['The spaniel barks']);
        await backend.sessions?.rewind?.(ref, { undo: true }, {});
        await until(async () => (await found(backend, 'dog')).length === 2);
      });

      it('a deleted session, and one that is made again under its id', async () => {
        const { store, backend, ref } = await conversation();
        await backend.sessions?.delete?.(ref, {});
        expect(await found(backend, 'dog')).toEqual([]);
        expect(await vectorKeys(store)).toEqual([]);
        await create(backend, 's');
        await say(backend, 's', 'The loaf is fresh', 'Wet streets');
        await settled(backend);
        expect(await found(backend, 'dog')).toEqual([]);
        expect(await found(backend, 'bakery')).toEqual(['The loaf is fresh']);
      });

      it('an expired session', async () => {
        let now = Date.now();
        const store = await newStore();
        const backend = await start({ store, now: () => now });
        const expireTime = new Date(now + 60_000).toISOString();
        await backend.sessions?.create?.(owner, { sessionId: 's', expireTime });
        await say(backend, 's', 'The spaniel barks', 'Rain again');
        await settled(backend);
        expect(await found(backend, 'dog')).toEqual(['The spaniel barks']);
        now += 120_000;
        expect(await found(backend, 'dog')).toEqual([]);
      });

      it('a deleted app', async () => {
        const { store, backend } = await conversation();
        await backend.memory?.create?.(owner, { fact: 'Has a spaniel' });
        await settled(backend);
        await backend.apps?.delete?.(owner.app, { force: true });
        await until(async () => (await vectorKeys(store)).length === 0);
        const rows = await store.range({ prefix: 'y', limit: 10 });
        expect(rows).toEqual([]);
        expect(await remembered(backend, 'dog')).toEqual([]);
      });

      it('a deleted memory, singly and with all of its session', async () => {
        const { store, backend, ref } = await conversation();
        await backend.memory?.addSession?.(ref, {});
        const memory = await backend.memory?.create?.(owner, { fact: 'Has a spaniel' });
        await settled(backend);
        expect((await remembered(backend, 'dog')).length).toBe(3);
        await backend.memory?.delete?.(owner, memory?.id ?? '');
        expect((await remembered(backend, 'dog')).length).toBe(2);
        await backend.memory?.deleteAll?.(owner, { sessionIds: ['s'] });
        expect(await remembered(backend, 'dog')).toEqual([]);
        expect((await vectorKeys(store)).filter((key) => /^y[mw]/.test(key))).toEqual([]);
      });

      it('also where a server without embeddings deletes it', async () => {
        const { store, backend, ids, ref } = await conversation();
        const memory = await backend.memory?.create?.(owner, { fact: 'Has a spaniel' });
        await backend.memory?.create?.(owner, { fact: 'Has a terrier' });
        await settled(backend);
        const plain = openLocal({ store });
        await plain.events?.setVisibility?.(ref, ids[0] ?? '', true);
        expect(await vectorsIn(store)).toBe(2);
        await plain.events?.delete?.(ref, ids[1] ?? '', {});
        expect(await vectorsIn(store)).toBe(1);
        await plain.memory?.delete?.(owner, memory?.id ?? '');
        expect((await vectorKeys(store)).filter((key) => /^y[mw]/.test(key))).toHaveLength(1);
        await plain.memory?.deleteAll?.(owner, {});
        expect(await remembered(backend, 'dog')).toEqual([]);
        await plain.sessions?.delete?.(ref, {});
        expect(await vectorKeys(store)).toEqual([]);
      });
    });

    it('nobody finds what another user or app has said', async () => {
      const backend = await start();
      await create(backend, 's');
      await say(backend, 's', 'The spaniel barks', 'Rain again');
      await backend.memory?.create?.(owner, { fact: 'Has a spaniel' });
      await settled(backend);
      for (const other of [{ userId: 'bob' }, { app: 'b' }]) {
        expect(await found(backend, 'dog', other)).toEqual([]);
        const memories = await backend.memory?.search?.(
          { ...owner, ...other },
          { text: 'dog', limit: 10, scope: { app_name: owner.app, user_id: owner.userId } },
        );
        expect(memories).toEqual([]);
      }
    });

    it('a fork gets vectors of its own, which stay when the source goes', async () => {
      const backend = await start();
      await create(backend, 's');
      await say(backend, 's', 'The spaniel barks', 'Rain again');
      await backend.sessions?.fork?.({ ...owner, sessionId: 's' }, { newSessionId: 'f' });
      await settled(backend);
      expect(await found(backend, 'dog', { sessionId: 'f' })).toEqual(['The spaniel barks']);
      await backend.sessions?.delete?.({ ...owner, sessionId: 's' }, {});
      expect(await found(backend, 'dog')).toEqual(['The spaniel barks']);
    });

    it('a session gets vectors whose import took longer than rounds look back', async () => {
      let now = Date.now();
      const backend = await start({ now: () => now });
      await create(backend, 'first');
      await say(backend, 'first', 'Rain again', 'Nothing else');
      await settled(backend);
      const staged = await backend.transfer?.stage?.(owner, { sessionId: 's' });
      now += 30 * 60_000;
      await say(backend, 'first', 'More rain');
      await settled(backend);
      await staged?.addEvent({
        id: 'e',
        author: 'user',
        invocationId: 'i',
        timestamp: new Date(now).toISOString(),
        content: { parts: [{ text: 'The spaniel barks' }] },
      });
      await staged?.commit({});
      await until(async () => (await found(backend, 'dog')).includes('The spaniel barks'));
    });

    it('texts that were there before get vectors when embeddings are switched on', async () => {
      const store = await newStore();
      const plain = openLocal({ store });
      await create(plain, 's');
      await say(plain, 's', 'The spaniel barks', 'Rain again');
      await plain.memory?.create?.(owner, { fact: 'Has a spaniel' });
      const backend = await start({ store });
      await settled(backend);
      expect(await found(backend, 'dog')).toEqual(['The spaniel barks']);
      expect(await remembered(backend, 'dog')).toEqual(['Has a spaniel']);
    });

    it('what is new gets vectors before what is old', async () => {
      const store = await newStore();
      const old = Array.from({ length: 40 }, (_, i) => `old text ${i}`);
      const before = openLocal({ store, now: () => Date.now() - 3 * 24 * 60 * 60_000 });
      await create(before, 'old');
      await say(before, 'old', ...old);
      const plain = openLocal({ store });
      await create(plain, 'young');
      await say(plain, 'young', 'The spaniel barks');
      const backend = await start({ store });
      await settled(backend);
      const sent = fake.requests.flatMap(({ input }) => input);
      expect(sent[0]).toBe('user\nThe spaniel barks');
      expect(new Set(sent).size).toBe(sent.length);
      expect(sent.length).toBe(old.length + 1);
    });

    it('many texts go in batches, and each once', async () => {
      const backend = await start({ batchSize: 16 });
      const texts = Array.from({ length: 100 }, (_, i) => `text number ${i}`);
      for (const sessionId of ['s', 't', 'u', 'v']) await create(backend, sessionId);
      await Promise.all(
        ['s', 't', 'u', 'v'].map((id, i) => say(backend, id, ...texts.slice(25 * i, 25 * i + 25))),
      );
      await settled(backend);
      const sent = fake.requests.flatMap(({ input }) => input.map((text) => text.replace('user\n', '')));
      expect(sent.toSorted()).toEqual(texts.toSorted());
      expect(Math.max(...fake.requests.map(({ input }) => input.length))).toBeLessThanOrEqual(16);
      expect(await noteOf(backend)).toBe('Search finds by meaning, too, with the embeddings of the model m.');
    });

    it('one text that the endpoint refuses keeps no other from its vector', async () => {
      fake.behave({ refuses: (text) => text.includes('poison') });
      const backend = await start();
      await create(backend, 's');
      await say(backend, 's', 'The spaniel barks', 'poison', 'The puppy sleeps', 'Rain again');
      await settled(backend);
      expect((await found(backend, 'dog')).length).toBe(2);
      expect((await found(backend, 'poison'))[0]).toBe('poison');
    });

    it('a model that makes no embeddings is told as that, and no text is passed over', async () => {
      fake.behave({ refuses: () => true });
      const backend = await start();
      await create(backend, 's');
      await say(backend, 's', 'The spaniel barks', 'Rain again');
      await until(async () => /refuses the texts/.test(await noteOf(backend)));
      fake.behave({});
      await until(async () => (await found(backend, 'dog')).length === 1);
    });
  });
}
