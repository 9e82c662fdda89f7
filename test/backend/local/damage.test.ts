import { beforeEach, describe, expect, it } from 'vitest';
import { damagedRecords } from '../../../src/backend/local/damage.ts';
import { openLocal } from '../../../src/backend/local/index.ts';
import * as keys from '../../../src/backend/local/keys.ts';
import { maintain } from '../../../src/backend/local/maintenance.ts';
import type { Backend, SessionRef } from '../../../src/backend/types.ts';
import { SessionError } from '../../../src/errors.ts';
import { openStore } from '../../../src/store/open.ts';
import type { Store } from '../../../src/store/types.ts';

const owner = { app: 'app', userId: 'ada' };
const day = 24 * 60 * 60 * 1000;

describe('a record that cannot be read', () => {
  let clock: number;
  let store: Store;
  let backend: Required<Backend>;
  beforeEach(async () => {
    clock = Date.parse('2026-11-21T09:00:00.000Z');
    store = await openStore({ url: 'memory:', durability: 'normal', dataDir: '' });
    backend = openLocal({ store, now: () => clock }) as Required<Backend>;
    return () => backend.close();
  });

  const make = async (sessionId: string, more: object = {}): Promise<SessionRef> => {
    await backend.sessions.create?.(owner, { sessionId, ...more });
    return { ...owner, sessionId };
  };
  const damage = (key: string, value = '{"event":') =>
    store.update([], () => ({ result: undefined, writes: [{ key, value }] }));
  const uidOf = async (ref: SessionRef) => {
    const [value] = await store.get([keys.headKey(ref)]);
    return (JSON.parse(value ?? '') as { uid: string }).uid;
  };
  const refused = async (attempt: Promise<unknown> | undefined) => {
    const error = await Promise.resolve(attempt).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(SessionError);
    const { code, message, hint } = error as SessionError;
    expect(code).toBe('FAILED_PRECONDITION');
    expect(message).toContain('damaged');
    expect(hint).toContain('doctor');
  };

  it.each(['no JSON', '{}', '{"event":{}}'])('an event is named by lists, and deleted: %s', async (value) => {
    const ref = await make('s');
    for (const id of ['a', 'b/b', 'c', 'd']) await backend.events.append?.(ref, { id, author: 'user' });
    const list = async () => (await backend.events.list?.(ref, { pageSize: 10 }))?.items.map((e) => e.id);
    for (const seq of [1, 3]) await damage(keys.eventKey(await uidOf(ref), seq), value);
    await refused(list());
    await expect(list()).rejects.toThrow('"b/b"');
    await refused(backend.events.get?.(ref, 'b/b'));
    await refused(backend.events.append?.(ref, { id: 'b/b', author: 'user' }));
    await refused(backend.events.setVisibility?.(ref, 'b/b', true));
    await expect(backend.sessions.fork?.(ref, {})).rejects.toThrow('"b/b"');
    await backend.events.delete?.(ref, 'b/b', {});
    await backend.events.delete?.(ref, 'd', {});
    await expect(backend.events.delete?.(ref, 'd', {})).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect(await list()).toEqual(['a', 'c']);
    expect(await backend.sessions.get?.(ref)).toMatchObject({ eventCount: 2, lastEvent: { id: 'c' } });
    expect((await backend.sessions.fork?.(ref, {}))?.eventCount).toBe(2);
  });

  it.each(['', 's', '{}'])('an entry of the trash that names nothing deletes nothing: %j', async (value) => {
    const ref = await make('s');
    await damage(keys.trashKey(1, 'nothing'), value);
    await maintain({ store, now: () => clock });
    expect((await backend.sessions.get?.(ref))?.id).toBe('s');
  });

  it.each(['no JSON', '"text"', '{}'])('stops no later expiry and no list: %s', async (value) => {
    const expireTime = new Date(clock + day).toISOString();
    const ill = await make('a-ill', { expireTime });
    const sound = await make('b-sound', { expireTime });
    const kept = await make('c-kept');
    await damage(keys.headKey(ill), value);
    expect(
      (await backend.sessions.list?.({ ...owner, pageSize: 10 }))?.items.map((s) => s.id).sort(),
    ).toEqual(['b-sound', 'c-kept']);
    clock += 2 * day;
    await maintain({ store, now: () => clock });
    expect(await store.get([keys.headKey(sound)])).toEqual([undefined]);
    expect((await backend.sessions.get?.(kept))?.id).toBe('c-kept');
    await refused(backend.sessions.get?.(ill));
    expect(await damagedRecords(store)).toEqual([keys.headKey(ill)]);
    expect((await backend.describe()).notes.join(' ')).toContain('1 records of the store are damaged');
    // Once it is mended, nobody speaks of it any more.
    await store.update([], () => ({ result: undefined, writes: [{ drop: keys.headKey(ill) }] }));
    expect(await damagedRecords(store)).toEqual([]);
  });

  it('can be deleted, contents and all, as long as it tells where they are', async () => {
    const ref = await make('s');
    await backend.events.append?.(ref, { author: 'user', content: { parts: [{ text: 'hi' }] } });
    const uid = await uidOf(ref);
    await damage(keys.headKey(ref), 'lost');
    await refused(backend.sessions.delete?.(ref));
    await damage(keys.headKey(ref), `{"uid":"${uid}","id":"s","app`);
    await backend.sessions.delete?.(ref);
    // The backend's own maintenance may have begun already, and goes on in the background.
    await expect.poll(() => store.range({ prefix: keys.insideOf(uid), limit: 10 })).toEqual([]);
    await make('s');
  });

  it('is told by the verb that needs it', async () => {
    const ref = await make('s');
    const { event } = (await backend.events.append?.(ref, {
      author: 'user',
      content: { parts: [{ text: 'hi' }] },
      actions: { stateDelta: { a: 1 } },
    })) ?? { event: { id: '' } };
    const uid = await uidOf(ref);
    await damage(keys.eventKey(uid, 0));
    await refused(backend.events.get?.(ref, event.id));
    await refused(backend.events.list?.(ref, { pageSize: 10 }));
    await refused(backend.sessions.fork?.(ref, {}));
    await damage(keys.stateKey(uid));
    await refused(backend.sessions.get?.(ref));
    const memory = await backend.memory.create?.(owner, { fact: 'tea' });
    await damage(keys.memoryKey(owner, memory?.id ?? ''));
    await refused(backend.memory.list?.(owner, { pageSize: 10 }));
  });

  it('is also an artifact whose bytes are not those that were saved', async () => {
    const ref = await make('s');
    await backend.artifacts.save?.(ref, { name: 'a', mimeType: 'text/plain', data: Buffer.from('one') });
    const key = keys.contentKey(keys.sessionArtifacts(await uidOf(ref)), 'a', 0);
    const [value = ''] = await store.get([key]);
    const stored = JSON.parse(value) as { data: string };
    await damage(key, JSON.stringify({ ...stored, data: Buffer.from('two').toString('base64') }));
    await refused(backend.artifacts.get?.(ref, 'a'));
  });

  it('does not keep an app from being deleted, and nothing of the app is left', async () => {
    await make('a', { state: { 'user:u': 1, 'app:p': 1 } });
    await backend.memory.create?.(owner, { fact: 'tea' });
    const ill = await make('b');
    await backend.sessions.delete?.(await make('c'));
    await damage(keys.headKey(ill), `{"uid":"${await uidOf(ill)}",`);
    await backend.apps.delete?.('app', { force: true });
    // Maintenance takes the rest away, in the background.
    const left = async () =>
      (await store.range({ prefix: '', limit: 1000 }))
        .map((row) => row.key)
        .filter((key) => !/^[lm][uc]\/|^indexed$/.test(key));
    await expect.poll(left).toEqual([]);
    expect((await backend.apps.list?.({ pageSize: 10, userId: 'ada' }))?.items).toEqual([]);
  });
});
