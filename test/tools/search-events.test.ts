import { expect, it } from 'vitest';
import type { JsonObject } from '../../src/model/json.ts';
import { caller, memoryBackend, user } from './harness.ts';

interface Hit {
  sessionId: string;
  app?: string;
  text: string;
  before?: string[];
  after?: string[];
}

async function conversation() {
  const call = caller([await memoryBackend()], user('ann'));
  await call('create_session', { sessionId: 's', displayName: 'Trip' });
  for (const text of ['Hello', 'Where is the harbour?', 'Behind the station', 'Thanks'])
    await call('append_event', { sessionId: 's', text });
  const search = async (args: JsonObject) => {
    const answer = await call('search_events', args);
    return { hits: answer.hits as Hit[], note: answer.note, truncated: answer.truncated };
  };
  return { call, search };
}

it('shows a hit with its session and with what was said before and after', async () => {
  const { search } = await conversation();
  const { hits, note } = await search({ query: 'harbour', limit: 1 });
  expect(hits).toMatchObject([
    {
      sessionId: 's',
      session: 'Trip',
      author: 'user',
      text: 'Where is the harbour?',
      before: ['user: Hello'],
      after: ['user: Behind the station'],
    },
  ]);
  expect(hits[0]?.app).toBeUndefined();
  expect(note).toBeUndefined();
});

it('shows no event twice', async () => {
  const { search } = await conversation();
  const { hits } = await search({ query: 'harbour station', around: 3 });
  const lines = hits.flatMap((hit) => [...(hit.before ?? []), `user: ${hit.text}`, ...(hit.after ?? [])]);
  expect(lines.toSorted()).toEqual([
    'user: Behind the station',
    'user: Hello',
    'user: Thanks',
    'user: Where is the harbour?',
  ]);
});

it('searches all apps, or the one that is named', async () => {
  const { call, search } = await conversation();
  await call('create_session', { sessionId: 's', app: 'other' });
  await call('append_event', { sessionId: 's', app: 'other', text: 'harbour elsewhere' });
  const texts = async (args: JsonObject) =>
    (await search({ query: 'harbour', around: 0, ...args })).hits
      .map(({ text, app }) => `${text} ${app ?? ''}`)
      .filter((text) => text.includes('harbour'))
      .toSorted();
  expect(await texts({})).toEqual(['Where is the harbour? ', 'harbour elsewhere other']);
  expect(await texts({ app: 'other' })).toEqual(['harbour elsewhere ']);
  expect(await texts({ app: 'default' })).toEqual(['Where is the harbour? ']);
});

it('says what was searched and what to try when nothing is found', async () => {
  const { search } = await conversation();
  expect((await search({ query: 'xylophone' })).note).toBe(
    'Searched all sessions of all apps; nothing was found. Try other words, or search_memory.',
  );
  expect((await search({ query: 'xylophone', app: 'default', author: 'user' })).note).toBe(
    'Searched the sessions of this app; nothing was found. Leave out author, leave out app, try other words, or search_memory.',
  );
});

it('cuts a long event and says how to get all of it', async () => {
  const { call, search } = await conversation();
  await call('append_event', { sessionId: 's', text: `lighthouse ${'x'.repeat(5000)}` });
  const [hit] = (await search({ query: 'lighthouse', limit: 1 })).hits;
  expect(hit?.text).toMatch(/^lighthouse x+…\[\+\d+ characters; get_event e5-\d{9} has all\]$/);
});
