import { expect, it } from 'vitest';
import { openLocal } from '../../../src/backend/local/index.ts';
import { memoryStore, owner, remembered, say } from '../../contract/meaning-support.ts';

const first = 'We should talk of work first';
const asked = 'Where did you spend the summer?';
const answered = 'In Bergen mostly, by the harbour';
const elsewhere = 'A colleague spoke of summer tyres for a long while, and of what they cost';

async function conversation(scope?: Record<string, string>) {
  const backend = openLocal({ store: await memoryStore() });
  for (const sessionId of ['s', 't']) await backend.sessions?.create?.(owner, { sessionId });
  const ids = await say(backend, 's', first, asked, answered);
  await say(backend, 't', elsewhere);
  for (const sessionId of ['s', 't'])
    await backend.memory?.addSession?.({ ...owner, sessionId }, { ...(scope ? { scope } : {}) });
  return { backend, ids };
}

it('a fact is found by what was said before it, if it knows the event that it was made of', async () => {
  const { backend } = await conversation();
  const facts = await remembered(backend, 'summer');
  expect(facts[0]).toBe(asked);
  expect(facts.toSorted()).toEqual([answered, asked, elsewhere, first].toSorted());

  const plain = openLocal({ store: await memoryStore() });
  for (const fact of [asked, answered, elsewhere]) await plain.memory?.create?.(owner, { fact });
  expect((await remembered(plain, 'summer')).toSorted()).toEqual([elsewhere, asked].toSorted());
});

it('facts that nobody made of an event are no worse for it', async () => {
  const { backend } = await conversation();
  await backend.memory?.create?.(owner, { fact: 'Loves the summer' });
  expect((await remembered(backend, 'summer')).slice(0, 3)).toContain('Loves the summer');
});

it('neighbours come from the same scope, and are there still', async () => {
  const { backend, ids } = await conversation({ team: 'blue' });
  expect(await remembered(backend, 'summer')).toEqual([]);
  expect(await remembered(backend, 'summer', { team: 'blue' })).toContain(answered);
  const all = await backend.memory?.list?.(owner, { pageSize: 10 });
  const gone = all?.items.find(({ fact }) => fact === answered);
  await backend.memory?.delete?.(owner, gone?.id ?? '');
  expect(await remembered(backend, 'summer', { team: 'blue' })).not.toContain(answered);
  await backend.events?.setVisibility?.({ ...owner, sessionId: 's' }, ids[0] ?? '', true);
  expect(await remembered(backend, 'summer', { team: 'blue' })).toContain(asked);
});

it('facts of sessions that are gone are found by their own words', async () => {
  const { backend } = await conversation();
  await backend.sessions?.delete?.({ ...owner, sessionId: 's' }, {});
  const facts = await remembered(backend, 'summer');
  expect(facts).toContain(asked);
  expect(facts).not.toContain(answered);
});

it('no more are answered than were asked for', async () => {
  const { backend } = await conversation();
  const memories = await backend.memory?.search?.(owner, { text: 'summer', limit: 1 });
  expect(memories?.map(({ fact }) => fact)).toEqual([asked]);
});
