import { beforeEach, expect, it } from 'vitest';
import type { Backend } from '../../src/backend/types.ts';
import { SessionError } from '../../src/errors.ts';
import type { JsonObject } from '../../src/model/json.ts';
import { caller, memoryBackend, user } from './harness.ts';

let now: number;
let backend: Backend;
let call: ReturnType<typeof caller>;

beforeEach(async () => {
  now = Date.parse('2026-03-01T09:00:00.000Z');
  backend = await memoryBackend(() => now);
  call = caller([backend], user('ann'));
  return () => backend.close();
});

const create = (sessionId: string, more: JsonObject = {}) => call('create_session', { sessionId, ...more });
const sessions = async () =>
  ((await call('list_sessions', { orderBy: 'createTime asc' })).sessions as { id: string }[])
    .map(({ id }) => id)
    .toSorted();
const facts = async () =>
  ((await call('list_memories')).memories as { fact: string }[]).map(({ fact }) => fact).toSorted();

it('deletes sessions by ids, labels and age', async () => {
  for (const id of ['a', 'b', 'c']) await create(id, { labels: { env: 'dev' } });
  await create('old');
  now += 86_400_000;
  for (const id of ['d', 'e']) await create(id, { labels: { env: 'prod' } });
  await create('a', { app: 'other' });
  expect(await call('delete_session', { sessionIds: ['a', 'nosuch'] })).toEqual({ deleted: true, count: 1 });
  expect(await sessions()).toEqual(['b', 'c', 'd', 'e', 'old']);
  expect(await call('delete_session', { filter: 'labels.env="dev"' })).toEqual({ deleted: true, count: 2 });
  const updatedBefore = new Date(now).toISOString();
  expect(await call('delete_session', { updatedBefore })).toEqual({ deleted: true, count: 1 });
  expect(await call('delete_session', { updatedBefore, filter: 'labels.env="prod"' })).toEqual({
    deleted: false,
    count: 0,
  });
  expect(await sessions()).toEqual(['d', 'e']);
  await expect(call('delete_session', {})).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  await expect(call('delete_session', { sessionId: 'd', filter: 'labels.a="b"' })).rejects.toMatchObject({
    code: 'INVALID_ARGUMENT',
  });
  await expect(call('delete_session', { sessionId: 'nosuch' })).rejects.toMatchObject({ code: 'NOT_FOUND' });
  expect(await sessions()).toEqual(['d', 'e']);
});

it('deletes 500 sessions a call, and says that there are more', async () => {
  for (let i = 0; i < 501; i += 1) await create(`s${i}`);
  const updatedBefore = new Date(now + 60_000).toISOString();
  expect(await call('delete_session', { updatedBefore })).toEqual({ deleted: true, count: 500, more: true });
  expect(await call('delete_session', { updatedBefore })).toEqual({ deleted: true, count: 1 });
});

it('forgets what was remembered of a session, with it or alone, and never what came from elsewhere', async () => {
  for (const id of ['a', 'b']) {
    await create(id);
    await call('append_event', { sessionId: id, text: `A long story of session ${id}` });
    await call('add_session_to_memory', { sessionId: id });
  }
  await call('create_memory', { fact: 'Likes tea' });
  expect(await call('delete_session', { sessionId: 'a', forgetMemories: true })).toEqual({
    deleted: true,
    sessionId: 'a',
    count: 1,
    memories: 1,
  });
  expect(await facts()).toEqual(['A long story of session b', 'Likes tea']);
  await call('delete_session', { sessionId: 'b' });
  expect(await facts()).toEqual(['A long story of session b', 'Likes tea']);
  expect(await call('delete_memory', { sessionId: 'b' })).toEqual({ deleted: true, count: 1 });
  expect(await facts()).toEqual(['Likes tea']);
});

it('forgets before it deletes: a call that was cut short can be repeated', async () => {
  await create('a', { labels: { kind: 'trip' } });
  await call('append_event', { sessionId: 'a', text: 'A long story of session a' });
  await call('add_session_to_memory', { sessionId: 'a' });
  const { sessions: verbs } = backend;
  const remove = verbs?.delete;
  for (const which of [{ sessionId: 'a' }, { filter: 'labels.kind="trip"' }]) {
    if (verbs) verbs.delete = () => Promise.reject(new SessionError('UNAVAILABLE', 'The process dies here.'));
    await expect(call('delete_session', { ...which, forgetMemories: true })).rejects.toThrow('dies here');
    expect(await sessions()).toEqual(['a']);
    expect(await facts()).toEqual([]);
  }
  if (verbs && remove) verbs.delete = remove;
  expect(await call('delete_session', { sessionId: 'a', forgetMemories: true })).toMatchObject({ count: 1 });
  await expect(call('delete_session', { sessionId: 'a', forgetMemories: true })).rejects.toMatchObject({
    code: 'NOT_FOUND',
  });
});

it('counts only the facts that a range has not made before', async () => {
  await create('a');
  for (const n of [1, 2, 3]) await call('append_event', { sessionId: 'a', text: `Story number ${n}` });
  expect((await call('add_session_to_memory', { sessionId: 'a', range: '1-2' })).count).toBe(2);
  expect((await call('add_session_to_memory', { sessionId: 'a', preview: true })).count).toBe(1);
  expect((await call('add_session_to_memory', { sessionId: 'a' })).count).toBe(1);
  expect(await facts()).toHaveLength(3);
});

it('forgets all memories of a scope, and of no other', async () => {
  const scope = { team: 'red' };
  for (let i = 0; i < 250; i += 1) await call('create_memory', { fact: `Fact ${i}`, scope });
  await call('create_memory', { fact: 'Likes tea' });
  const other = caller([backend], user('bob'));
  await other('create_memory', { fact: 'Of Bob', scope });
  expect(await call('delete_memory', { scope })).toEqual({ deleted: true, count: 250 });
  expect(await facts()).toEqual(['Likes tea']);
  expect((await other('list_memories')).memories).toHaveLength(1);
  await expect(call('delete_memory', {})).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  await expect(call('delete_memory', { memoryId: 'm', scope })).rejects.toMatchObject({
    code: 'INVALID_ARGUMENT',
  });
});

it('says how many facts a session would make, makes those of a range, and none of small talk or of pieces', async () => {
  await create('s');
  const texts = [
    'I moved to Bergen in May',
    'ok',
    'Thank you very much!',
    'Room 12',
    'Danke',
    'I sold the boat',
  ];
  for (const text of texts) await call('append_event', { sessionId: 's', text });
  await call('append_event', { sessionId: 's', text: 'I sold the', fields: { partial: true } });
  const add = (more: JsonObject) => call('add_session_to_memory', { sessionId: 's', ...more });
  expect(await add({ preview: true })).toMatchObject({ count: 3, memories: [] });
  expect(await facts()).toEqual([]);
  expect(await add({ range: '2-4', preview: true })).toMatchObject({ count: 1 });
  expect(await add({ range: '2-4' })).toMatchObject({ count: 1 });
  expect(await add({ range: '2-4' })).toMatchObject({ count: 0 });
  expect(await facts()).toEqual(['Room 12']);
  expect(await add({})).toMatchObject({ memories: expect.anything() });
  expect(await facts()).toEqual(['I moved to Bergen in May', 'I sold the boat', 'Room 12']);
});

it('takes a ttl away again', async () => {
  await create('s', { ttlSeconds: 60 });
  await call('update_session', { sessionId: 's', ttlSeconds: 0 });
  now += 61_000;
  expect((await call('get_session', { sessionId: 's' })).session).not.toHaveProperty(
    'expireTime',
    expect.any(String),
  );
});

it('a right id under a wrong app is told where it is, and nobody hears of the sessions of others', async () => {
  await create('trip', { app: 'travel' });
  const wrong = call('get_session', { sessionId: 'trip' });
  await expect(wrong).rejects.toMatchObject({
    code: 'NOT_FOUND',
    hint: 'You have a session of this id in the app "travel": call again with app.',
  });
  const hint = async (as: typeof call, sessionId: string) =>
    as('list_events', { sessionId }).catch((error: { hint?: string }) => error.hint);
  const bob = caller([backend], user('bob'));
  expect(await hint(bob, 'trip')).toBe(await hint(bob, 'nosuch'));
  // What is missing is the event, and not the session.
  await create('trip');
  const event = call('get_event', { sessionId: 'trip', eventId: 'nosuch' });
  await expect(event).rejects.toMatchObject({
    code: 'NOT_FOUND',
    hint: expect.not.stringContaining('travel'),
  });
});

it('a wrong content part is told which kinds there are', async () => {
  await create('s');
  for (const part of [{ type: 'text', text: 'x' }, { image: 'x' }, {}]) {
    const error: unknown = await call('append_event', { sessionId: 's', content: { parts: [part] } }).catch(
      (e) => e,
    );
    const { message, hint } = error as { message: string; hint: string };
    for (const kind of ['text', 'inlineData', 'functionCall']) expect(`${message} ${hint}`).toContain(kind);
  }
});

it('an empty search of memories says what was searched and what to try', async () => {
  expect((await call('search_memory', { query: 'tea' })).note).toBe(
    'Searched the default scope of app "default"; no memory fits. Try other words, or list_memories or search_events.',
  );
});
