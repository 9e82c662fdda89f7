import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { openAdk } from '../../../src/backend/adk/index.ts';
import type { Backend, EventQuery, SessionRef } from '../../../src/backend/types.ts';
import { textOf } from '../../../src/model/event.ts';
import { fails } from '../../fake/adk/behaviour.ts';
import type { FakeSession } from '../../fake/adk/core.ts';
import { type FakeAdk, startFake } from '../../fake/adk/server.ts';
import { typescript } from '../../fake/adk/typescript.ts';

const owner = { app: 'echo_agent', userId: 'u' };
const ref: SessionRef = { ...owner, sessionId: 'long' };

describe('pages of a long session', () => {
  let fake: FakeAdk;
  let backend: Backend;
  let session: FakeSession;
  beforeEach(async () => {
    fake = await startFake(typescript);
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
    fake.core.append(session, { id: `id-${text.slice(0, 9)}`, content: { role: 'user', parts: [{ text }] } });
  const list = async (query: Partial<EventQuery> = {}) =>
    (await backend.events?.list?.(ref, { pageSize: 100, ...query })) ?? { items: [] };
  const reads = () =>
    fake.requests.filter((line) => line === 'GET /apps/echo_agent/users/u/sessions/long').length;

  it('after an event show what was stored since, though it is dated and sorted before it', async () => {
    const last = (await list({ order: 'desc', pageSize: 1 })).items[0]?.id;
    expect((await list({ afterEventId: last })).items).toEqual([]);
    // A session service that sorts by time, and an event that is dated before the last one and stored after it.
    add('made-early');
    session.events.splice(995, 0, ...session.events.splice(-1));
    const late = await list({ afterEventId: last });
    expect(late.items.map(textOf)).toEqual(['made-early']);
    add('newest');
    expect((await list({ afterEventId: late.items[0]?.id })).items.map(textOf)).toEqual(['newest']);
    expect((await list({ afterEventId: last, order: 'desc' })).items.map(textOf)).toEqual([
      'newest',
      'made-early',
    ]);
    expect((await list({ afterEventId: 'id-m990' })).items).toHaveLength(11);
    // Another process has not read the session before, so the order of the server counts.
    const other = await openAdk({ baseUrl: fake.url });
    const page = await other.events?.list?.(ref, { pageSize: 10, afterEventId: last });
    expect(page?.items.map(textOf)).toEqual(['newest']);
    await other.close();
  });

  it('come from few readings, and yet end with what is newest', async () => {
    const seen: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await list({ cursor });
      seen.push(...page.items.map(textOf));
      if (seen.length === 300) add('late');
      cursor = page.cursor;
    } while (cursor !== undefined);
    expect(seen).toEqual([...Array.from({ length: 1000 }, (_, i) => `m${i}`), 'late']);
    expect(reads()).toBeLessThanOrEqual(3);
  });

  it('are read anew without a page token, after ten seconds, and after a write', async () => {
    const { cursor } = await list();
    expect(reads()).toBe(1);
    await list();
    expect(reads()).toBe(2);
    await list({ cursor });
    expect(reads()).toBe(2);
    await backend.sessions?.delete?.(ref);
    await fails(list({ cursor }), 'NOT_FOUND');
  });

  it('are forgotten after ten seconds', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const { cursor } = await list();
    fake.core.delete(owner, 'long');
    expect((await list({ cursor })).items).toHaveLength(100);
    vi.advanceTimersByTime(10_001);
    vi.useRealTimers();
    await fails(list({ cursor }), 'NOT_FOUND');
  });

  it('are those of their own session and user', async () => {
    const { cursor } = await list();
    await fails(
      backend.events?.list?.({ ...ref, userId: 'somebody' }, { pageSize: 100, cursor }),
      'NOT_FOUND',
    );
  });

  it('go backwards, and start behind an event', async () => {
    const first = await list({ order: 'desc', pageSize: 3 });
    const second = await list({ order: 'desc', pageSize: 3, cursor: first.cursor });
    expect([...first.items, ...second.items].map(textOf)).toEqual([
      'm999',
      'm998',
      'm997',
      'm996',
      'm995',
      'm994',
    ]);
    const after = await list({ afterEventId: 'id-m996', order: 'desc', pageSize: 2 });
    expect(after.items.map(textOf)).toEqual(['m999', 'm998']);
    expect(
      (await list({ afterEventId: 'id-m996', order: 'desc', pageSize: 2, cursor: after.cursor })).items.map(
        textOf,
      ),
    ).toEqual(['m997']);
    expect(reads()).toBeLessThanOrEqual(3);
  });

  it('go on behind an event that moved, and not behind one that is gone', async () => {
    session.events.splice(300);
    const { cursor } = await list({ pageSize: 5 });
    // Another backend, which has not read the session before.
    const listElsewhere = async (from: string | undefined) => {
      const other = await openAdk({ baseUrl: fake.url, dialect: 'typescript' });
      return other.events?.list?.(ref, { pageSize: 1, cursor: from });
    };
    session.events.splice(0, 1);
    expect((await listElsewhere(cursor))?.items.map(textOf)).toEqual(['m5']);
    session.events.splice(0, 10);
    await fails(listElsewhere(cursor), 'INVALID_ARGUMENT');
    await fails(listElsewhere('9999:id-m4'), 'INVALID_ARGUMENT');
    await fails(listElsewhere('nonsense'), 'INVALID_ARGUMENT');
  });

  it('end at eight million bytes, though there is always one event', async () => {
    session.events.splice(0);
    for (let i = 0; i < 6; i += 1) add(`${i}`.padEnd(3_000_000, 'x'));
    const first = await list();
    expect(first.items).toHaveLength(3);
    expect((await list({ cursor: first.cursor })).items).toHaveLength(3);
  });
});

describe('pages of sessions', () => {
  it('are sorted by the last write, both ways, and keep their place', async () => {
    const fake = await startFake(typescript);
    const backend = await openAdk({ baseUrl: fake.url });
    for (let i = 0; i < 5; i += 1)
      fake.core.create(owner, `s${i}`, {}).updated = 1_795_000_000_000 + (i % 3) * 1000;
    const list = async (more: object) =>
      (await backend.sessions?.list?.({ ...owner, pageSize: 2, ...more })) ?? { items: [] };
    const ids = ({ items }: { items: { id: string }[] }) => items.map((session) => session.id);
    const first = await list({});
    expect(ids(first)).toEqual(['s2', 's4']);
    // A newer session does not shift the rest of the list.
    fake.core.create(owner, 'new', {}).updated = 1_796_000_000_000;
    const second = await list({ cursor: first.cursor });
    expect(ids(second)).toEqual(['s1', 's3']);
    expect(await list({ cursor: second.cursor })).toMatchObject({ items: [{ id: 's0' }], cursor: undefined });
    expect(ids(await list({ pageSize: 9, orderBy: 'updateTime asc' }))).toEqual([
      's0',
      's3',
      's1',
      's4',
      's2',
      'new',
    ]);
    const filter = [{ field: 'userId', key: '', value: 'somebody' }] as const;
    expect((await list({ filter })).items).toEqual([]);
    await fails(list({ cursor: 'nonsense' }), 'INVALID_ARGUMENT');
    await fake.close();
  });
});
