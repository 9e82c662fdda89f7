import { describe, expect, it } from 'vitest';
import type { EventQuery, SessionRef } from '../../../src/backend/types.ts';
import type { Event } from '../../../src/model/event.ts';
import { said } from '../../fake/vectara/interact.ts';
import type { FakeOptions } from '../../fake/vectara/server.ts';
import { addEvent } from '../../fake/vectara/store.ts';
import { allFail, failure, open, requestsTo, type Whole, world } from './setup.ts';

const texts = (events: readonly Event[]) => events.map((event) => event.content?.parts[0]?.text);

async function drain(backend: Whole, ref: SessionRef, query: EventQuery): Promise<Event[]> {
  const all: Event[] = [];
  let cursor: string | undefined;
  do {
    const page = await backend.events.list(ref, { ...query, cursor });
    all.push(...page.items);
    cursor = page.cursor;
  } while (cursor !== undefined);
  return all;
}

describe('lists', () => {
  it.each(['asc', 'desc', 'shuffled'] as const)(
    'are in order over a service that lists %s',
    async (order) => {
      const { backend, make } = await world({ order });
      const ref = await make();
      const made = Array.from({ length: 130 }, (_, i) => said(ref.wire, `m${i}`));
      const wanted = made.map((_, i) => `m${i}`);
      expect(texts(await drain(backend, ref, { pageSize: 7 }))).toEqual(wanted);
      expect(texts(await drain(backend, ref, { pageSize: 50, order: 'desc' }))).toEqual(wanted.toReversed());
      const after = { pageSize: 3, afterEventId: made[120]?.id };
      expect(texts(await drain(backend, ref, after))).toEqual(wanted.slice(121));
      expect(texts(await drain(backend, ref, { ...after, order: 'desc' }))).toEqual(
        wanted.slice(121).toReversed(),
      );
    },
  );

  it('show only what is later than a time, as times are shown', async () => {
    const { backend, make } = await world();
    const ref = await make();
    for (const text of ['a', 'b', 'c']) said(ref.wire, text);
    const all = await drain(backend, ref, { pageSize: 10 });
    const later = await drain(backend, ref, { pageSize: 10, afterTime: all[0]?.timestamp });
    expect(texts(later)).toEqual(['b', 'c']);
    expect(await drain(backend, ref, { pageSize: 10, afterTime: all[2]?.timestamp })).toEqual([]);
    expect(all[0]?.timestamp).toMatch(/^2026-11-21T\d\d:\d\d:\d\d\.\d{3}Z$/);
  });

  it('go on after an event that is hidden, and refuse one that is not there', async () => {
    const { backend, make } = await world();
    const ref = await make();
    const events = ['a', 'b', 'c'].map((text) => said(ref.wire, text));
    await backend.events.setVisibility(ref, events[1]?.id ?? '', true);
    const after = { pageSize: 10, afterEventId: events[1]?.id };
    expect(texts((await backend.events.list(ref, after)).items)).toEqual(['c']);
    const other = await make();
    await allFail(
      [
        backend.events.list(ref, { pageSize: 10, afterEventId: 'aev_unknown' }),
        backend.events.list(other, { pageSize: 10, afterEventId: events[0]?.id }),
      ],
      'NOT_FOUND',
    );
  });

  it('pass over events of other sessions, should the service send any', async () => {
    const { backend, make } = await world();
    const ref = await make();
    said(ref.wire, 'mine');
    addEvent(ref.wire, 'agent_output', { content: 'stray', session_key: 'ase_other', id: 'aev_stray' });
    expect(texts((await backend.events.list(ref, { pageSize: 10 })).items)).toEqual(['mine']);
    expect((await failure(backend.events.get(ref, 'aev_stray'))).code).toBe('NOT_FOUND');
  });

  it('of a service that gives empty pages without end, end', async () => {
    const { backend, fake, make } = await world();
    const ref = await make();
    fake.fail({
      path: /events\?/,
      times: 1000,
      respond: (response, request) => {
        const key = new URL(request.url ?? '', 'http://x').searchParams.get('page_key') ?? '0';
        response.writeHead(200, { 'content-type': 'application/json' });
        response.end(JSON.stringify({ events: [], metadata: { page_key: String(Number(key) + 1) } }));
      },
    });
    expect((await failure(backend.events.list(ref, { pageSize: 5 }))).code).toBe('UNAVAILABLE');
    expect(requestsTo(fake, 'GET', /events\?/)).toHaveLength(20);
  });

  it('of a service that gives the same page again and again end', async () => {
    const { backend, fake, make } = await world();
    const ref = await make();
    fake.fail({
      path: /events\?/,
      times: 1000,
      respond: (response) => {
        response.writeHead(200, { 'content-type': 'application/json' });
        response.end(JSON.stringify({ events: [], metadata: { page_key: 'again' } }));
      },
    });
    expect((await failure(backend.events.list(ref, { pageSize: 5 }))).code).toBe('UNAVAILABLE');
    expect(requestsTo(fake, 'GET', /events\?/).length).toBeLessThan(4);
  });
});

describe('hidden events', () => {
  it.each([true, false])(
    'are told apart, whether the service says why (%s) or not',
    async (tellsWhyHidden) => {
      const { backend, make } = await world({ tellsWhyHidden });
      const ref = await make();
      const [a, b] = ['a', 'b', 'c'].map((text) => said(ref.wire, text));
      const id = b?.id ?? '';
      expect(await backend.events.setVisibility(ref, id, true)).toMatchObject({
        id,
        hidden: true,
        hideReason: 'manual',
      });
      expect(texts((await backend.events.list(ref, { pageSize: 10 })).items)).toEqual(['a', 'c']);
      const { items } = await backend.events.list(ref, { pageSize: 10, includeHidden: true });
      expect(items.map((e) => [texts([e])[0], e.hidden === true])).toEqual([
        ['a', false],
        ['b', true],
        ['c', false],
      ]);
      ref.wire.hidden.set(a?.id ?? '', 'compacted');
      const again = await backend.events.list(ref, { pageSize: 10, includeHidden: true });
      expect(again.items[0]?.hideReason).toBe(tellsWhyHidden ? 'compacted' : undefined);
      const shown = await backend.events.setVisibility(ref, id, false);
      expect(shown).not.toHaveProperty('hidden');
      expect(shown).not.toHaveProperty('hideReason');
      expect((await failure(backend.events.setVisibility(ref, 'aev_unknown', true))).code).toBe('NOT_FOUND');
    },
  );
});

describe('one event', () => {
  it('is read and deleted by its id, within its session', async () => {
    const { backend, make } = await world();
    const ref = await make();
    const other = await make();
    const event = said(ref.wire, 'hello');
    expect(await backend.events.get(ref, event.id)).toEqual((await drain(backend, ref, { pageSize: 5 }))[0]);
    await allFail(
      [
        backend.events.get(other, event.id),
        backend.events.delete(other, event.id),
        backend.events.setVisibility(other, event.id, true),
      ],
      'NOT_FOUND',
    );
    await backend.events.delete(ref, event.id);
    expect(await failure(backend.events.delete(ref, event.id))).toMatchObject({
      code: 'NOT_FOUND',
      message: 'There is no such event in this session.',
    });
  });
});

describe('long lists', () => {
  const many = async (count: number, options: FakeOptions = {}) => {
    const made = await world(options);
    const ref = await made.make();
    for (let i = 0; i < count; i += 1) said(ref.wire, `m${i}`);
    return { ...made, ref };
  };
  const readAll = async (backend: Whole, ref: SessionRef, query: Partial<EventQuery>) =>
    texts(await drain(backend, ref, { pageSize: 100, ...query }));
  const written = (count: number) => Array.from({ length: count }, (_, i) => `m${i}`);

  it.each(['asc', 'desc'] as const)(
    'are read once, page for page, from a service that lists them %s',
    async (order) => {
      const { backend, fake, ref } = await many(950, { order });
      for (const wanted of ['asc', 'desc'] as const) {
        const before = fake.requests.length;
        const expected = wanted === 'asc' ? written(950) : written(950).reverse();
        expect(await readAll(backend, ref, { order: wanted })).toEqual(expected);
        expect(fake.requests.length - before).toBeLessThanOrEqual(12);
      }
    },
  );

  it('are read whole when the service lists them in no order', async () => {
    const { backend, fake, ref } = await many(450, { order: 'shuffled' });
    expect(await readAll(backend, ref, {})).toEqual(written(450));
    expect(fake.requests.length).toBeLessThan(20);
  });

  it('of 10,000 events and more begin at once', async () => {
    const { backend, fake, ref } = await many(10_300);
    const first = await backend.events.list(ref, { pageSize: 50 });
    expect(texts(first.items)).toEqual(written(50));
    expect(fake.requests.length).toBeLessThan(5);
    const last = await backend.events.list(ref, { pageSize: 3, order: 'desc' });
    expect(texts(last.items)).toEqual(['m10299', 'm10298', 'm10297']);
  });

  it('are not read again for an answer that must be shorter', async () => {
    const { backend, fake, ref } = await many(150);
    await backend.events.list(ref, { pageSize: 100 });
    const before = fake.requests.length;
    const shorter = await backend.events.list(ref, { pageSize: 30 });
    expect(texts(shorter.items)).toEqual(written(30));
    expect(fake.requests.length).toBe(before);
  });

  it('go on in another process, and after the pages were forgotten', async () => {
    const { backend, fake, ref } = await many(250);
    for (const order of ['asc', 'desc'] as const) {
      const expected = order === 'asc' ? written(250) : written(250).reverse();
      const first = await backend.events.list(ref, { pageSize: 130, order });
      const other = await open(fake);
      const rest = await other.events.list(ref, { pageSize: 200, order, cursor: first.cursor });
      expect([...texts(first.items), ...texts(rest.items)]).toEqual(expected);
    }
  });

  it('show what came, went or was hidden meanwhile when they begin anew', async () => {
    const { backend, ref } = await many(120);
    expect(await readAll(backend, ref, {})).toEqual(written(120));
    said(ref.wire, 'later');
    ref.wire.hidden.set(ref.wire.events[0]?.id ?? '', 'manual');
    expect(await readAll(backend, ref, {})).toEqual([...written(120).slice(1), 'later']);
  });

  it('after an event cost one request when nothing is new', async () => {
    const { backend, fake, ref } = await many(350);
    const afterEventId = ref.wire.events.at(-1)?.id ?? '';
    expect((await backend.events.list(ref, { pageSize: 10, afterEventId })).items).toEqual([]);
    const before = requestsTo(fake, 'GET', /events\?/).length;
    expect((await backend.events.list(ref, { pageSize: 10, afterEventId })).items).toEqual([]);
    said(ref.wire, 'new');
    expect(texts((await backend.events.list(ref, { pageSize: 10, afterEventId })).items)).toEqual(['new']);
    expect(requestsTo(fake, 'GET', /events\?/).length - before).toBe(2);
  });
});
