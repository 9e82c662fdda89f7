import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openAdk } from '../../../src/backend/adk/index.ts';
import type { Backend, SessionRef } from '../../../src/backend/types.ts';
import { fails } from '../../fake/adk/behaviour.ts';
import { python } from '../../fake/adk/python.ts';
import { type FakeAdk, startFake } from '../../fake/adk/server.ts';

describe('what only Python servers have', () => {
  let fake: FakeAdk;
  let backend: Backend;
  beforeAll(async () => {
    fake = await startFake(python);
    backend = await openAdk({ baseUrl: fake.url });
  });
  afterAll(() => fake.close());

  const create = async (more: object = {}): Promise<SessionRef> => {
    const owner = { app: 'echo_agent', userId: `user-${randomUUID()}` };
    return { ...owner, sessionId: (await backend.sessions?.create?.(owner, more))?.id ?? '' };
  };
  const patches = () => fake.requests.filter((line) => line.startsWith('PATCH')).length;

  it('state is set key by key, and the name with it', async () => {
    const ref = await create({ displayName: 'Old', state: { a: 1, b: [1], 'user:t': 1 } });
    const after = await backend.sessions?.update?.(ref, {
      displayName: 'New',
      state: { a: 2, b: [1], c: null, 'user:t': 2, 'temp:x': 1 },
    });
    expect(after).toMatchObject({ displayName: 'New', state: { a: 2, b: [1], c: null, 'user:t': 2 } });
    expect(after?.state).not.toHaveProperty('temp:x');
    const events = (await backend.events?.list?.(ref, { pageSize: 10 }))?.items;
    expect(events).toMatchObject([
      { author: 'user', actions: { stateDelta: { a: 2, c: null, 'user:t': 2 } } },
    ]);
    expect(events?.[0]?.invocationId).toMatch(/^p-/);
    expect((await backend.sessions?.update?.(ref, { displayName: 'Newer' }))?.state).toEqual(after?.state);
  });

  it('a change that changes nothing is not sent', async () => {
    const ref = await create({ displayName: 'Same', state: { a: { x: 1, y: 2 } } });
    const before = patches();
    await backend.sessions?.update?.(ref, { displayName: 'Same', state: { a: { y: 2, x: 1 } } });
    await backend.sessions?.update?.(ref, {});
    expect(patches()).toBe(before);
  });

  it('a key cannot be taken away, and is not by half', async () => {
    const ref = await create({ state: { a: 1, b: 2, 'user:t': 1 } });
    await fails(backend.sessions?.update?.(ref, { state: { a: 5 } }), 'FAILED_PRECONDITION');
    expect((await backend.sessions?.get?.(ref))?.state).toMatchObject({ a: 1, b: 2 });
    // A key whose value is null may be left out, and so may shared keys, which stay.
    await backend.sessions?.update?.(ref, { state: { a: 5, b: null } });
    expect((await backend.sessions?.update?.(ref, { state: { a: 6 } }))?.state).toMatchObject({
      a: 6,
      'user:t': 1,
    });
  });

  it('labels, an end and revisions are refused', async () => {
    const ref = await create();
    const before = patches();
    await fails(backend.sessions?.update?.(ref, { labels: { a: 'b' } }), 'UNIMPLEMENTED');
    await fails(backend.sessions?.update?.(ref, { state: {} }, { expectedRevision: 1 }), 'UNIMPLEMENTED');
    expect(patches()).toBe(before);
  });

  it('artifacts are saved as bytes, whatever bytes', async () => {
    const ref = await create();
    const data = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
    const saved = await backend.artifacts?.save?.(ref, {
      name: 'dir/all.bin',
      mimeType: 'application/x-all',
      data,
    });
    expect(saved).toMatchObject({
      name: 'dir/all.bin',
      version: 0,
      sizeBytes: 256,
      createTime: '2026-11-21T09:46:27.250Z',
    });
    const read = await backend.artifacts?.get?.(ref, 'dir/all.bin');
    expect(read?.data.equals(data)).toBe(true);
    expect(read?.artifact).toMatchObject({ mimeType: 'application/x-all', sha256: saved?.sha256 });
    await fails(
      backend.artifacts?.save?.({ ...ref, sessionId: 'nosuch' }, { name: 'a', mimeType: 'text/plain', data }),
      'NOT_FOUND',
    );
    await fails(
      backend.artifacts?.save?.(ref, { name: '..', mimeType: 'text/plain', data }),
      'INVALID_ARGUMENT',
    );
  });

  it('a session is handed to the memory service, without a claim of what became of it', async () => {
    const ref = await create();
    const added = await backend.memory?.addSession?.(ref, {});
    expect(added).toMatchObject({ memories: [], count: 0 });
    expect(fake.core.remembered).toEqual([ref.sessionId]);
    await fails(backend.memory?.addSession?.(ref, { scope: { user: 'x' } }), 'UNIMPLEMENTED');
    expect(backend.memory?.search).toBeUndefined();
  });
});

describe('an older or barer Python server', () => {
  it('says that it cannot change state', async () => {
    const { patch: _patch, ...rest } = python;
    const fake = await startFake({
      ...rest,
      unknownRoute: () => ({ status: 405, body: { detail: 'Method Not Allowed' } }),
    });
    const backend = await openAdk({ baseUrl: fake.url });
    const made = await backend.sessions?.create?.({ app: 'echo_agent', userId: 'u' }, {});
    const ref = { app: 'echo_agent', userId: 'u', sessionId: made?.id ?? '' };
    await fails(backend.sessions?.update?.(ref, { state: { a: 1 } }), 'UNIMPLEMENTED');
    await fake.close();
  });

  it('says that it has no memory service', async () => {
    const fake = await startFake({
      ...python,
      addsToMemory: false,
      unknownRoute: () => ({ status: 400, body: { detail: 'Memory service is not configured.' } }),
    });
    const backend = await openAdk({ baseUrl: fake.url });
    const made = await backend.sessions?.create?.({ app: 'echo_agent', userId: 'u' }, {});
    const ref = { app: 'echo_agent', userId: 'u', sessionId: made?.id ?? '' };
    await fails(backend.memory?.addSession?.(ref, {}), 'FAILED_PRECONDITION');
    await fake.close();
  });
});
