import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { openAdk } from '../../../src/backend/adk/index.ts';
import type { Backend, EventQuery, SessionRef } from '../../../src/backend/types.ts';
import { textOf } from '../../../src/model/event.ts';
import { fails } from '../../fake/adk/behaviour.ts';
import type { FakeSession } from '../../fake/adk/core.ts';
import { go } from '../../fake/adk/go.ts';
import { python } from '../../fake/adk/python.ts';
import { type FakeAdk, startFake } from '../../fake/adk/server.ts';
import { typescript } from '../../fake/adk/typescript.ts';

const owner = { app: 'echo_agent', userId: 'u' };
const ref: SessionRef = { ...owner, sessionId: 'long' };

describe.each(Object.entries({ typescript, python, go }))('waiting on a long session, %s', (_name, voice) => {
  let fake: FakeAdk;
  let backend: Backend;
  let session: FakeSession;
  beforeEach(async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    fake = await startFake(voice);
    backend = await openAdk({ baseUrl: fake.url });
    session = fake.core.create(owner, 'long', {});
    for (let i = 0; i < 1000; i += 1) add(`m${i}`);
  });
  afterEach(async () => {
    vi.useRealTimers();
    await backend.close();
    await fake.close();
  });

  const add = (text: string) =>
    fake.core.append(session, { id: `id-${text}`, content: { role: 'user', parts: [{ text }] } });
  /** Looks once for what came after an event, a moment after the look before. */
  const look = async (afterEventId: string, more: Partial<EventQuery> = {}) => {
    vi.setSystemTime(Date.now() + 1500);
    const page = await backend.events?.list?.(ref, { pageSize: 20, afterEventId, ...more });
    return page?.items.map(textOf);
  };
  const looks = async (count: number, afterEventId: string) => {
    for (let i = 0; i < count; i += 1) expect(await look(afterEventId)).toEqual([]);
  };
  const reads = () => fake.requests.filter((line) => line.endsWith('/sessions/long')).length;

  it('reads it whole only when something may have changed', async () => {
    await looks(4, 'id-m999');
    const before = reads();
    await looks(6, 'id-m999');
    expect(reads()).toBe(before);
    add('newest');
    expect(await look('id-m999')).toEqual(['newest']);
    await looks(4, 'id-newest');
    expect(await look('id-m998')).toEqual(['m999', 'newest']);
  });

  it('reads it again after some time, should the time of the last write not tell of an event', async () => {
    await looks(4, 'id-m999');
    const { updated } = session;
    add('hidden');
    session.updated = updated;
    const found: unknown[] = [];
    for (let i = 0; i < 10; i += 1) found.push(...((await look('id-m999')) ?? []));
    expect(found[0]).toBe('hidden');
  });

  it('notices that it was deleted, and that another user asks', async () => {
    await looks(5, 'id-m999');
    await fails(
      backend.events?.list?.({ ...ref, userId: 'v' }, { pageSize: 20, afterEventId: 'id-m999' }),
      'NOT_FOUND',
    );
    fake.core.delete(owner, 'long');
    await fails(backend.events?.list?.(ref, { pageSize: 20, afterEventId: 'id-m999' }), 'NOT_FOUND');
  });

  it('asks for no list where that tells another time of the last write, or none', async () => {
    const silent = await startFake({
      ...voice,
      listed: (sessions) => voice.listed(sessions.map(({ lastUpdateTime: _time, ...rest }) => rest)),
    });
    const other = await openAdk({ baseUrl: silent.url });
    const long = silent.core.create(owner, 'long', {});
    for (let i = 0; i < 300; i += 1) silent.core.append(long, { id: `e${i}` });
    const lists = async () => {
      silent.requests.length = 0;
      for (let i = 0; i < 6; i += 1) {
        vi.setSystemTime(Date.now() + 1500);
        await other.events?.list?.(ref, { pageSize: 20, afterEventId: 'e299' });
      }
      return silent.requests.filter((line) => line.endsWith('/sessions')).length;
    };
    expect(await lists()).toBeLessThanOrEqual(1);
    expect(await lists()).toBe(0);
    await other.close();
    await silent.close();
  });

  it('reads it whole where the list of sessions is longer than the session', async () => {
    for (let i = 0; i < 1100; i += 1) fake.core.create(owner, `other-${i}`, {});
    await looks(4, 'id-m999');
    const before = fake.requests.length;
    await looks(4, 'id-m999');
    expect(fake.requests.slice(before).every((line) => line.endsWith('/sessions/long'))).toBe(true);
  });
});
