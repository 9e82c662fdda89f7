import { describe, expect, it } from 'vitest';
import type { EventQuery, SessionRef } from '../../../src/backend/types.ts';
import type { Event } from '../../../src/model/event.ts';
import { said } from '../../fake/vectara/interact.ts';
import { addEvent } from '../../fake/vectara/store.ts';
import { allFail, failure, requestsTo, type Whole, world } from './setup.ts';

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

  it('of more events than can be read at once say so', async () => {
    const { backend, fake, make } = await world();
    const ref = await make();
    for (let i = 0; i < 150; i += 1) said(ref.wire, `m${i}`);
    fake.fail({
      path: /events\?/,
      times: 1000,
      respond: (response, request) => {
        const key = new URL(request.url ?? '', 'http://x').searchParams.get('page_key') ?? '0';
        response.writeHead(200, { 'content-type': 'application/json' });
        response.end(JSON.stringify({ events: [], metadata: { page_key: String(Number(key) + 1) } }));
      },
    });
    expect((await failure(backend.events.list(ref, { pageSize: 5 }))).code).toBe('FAILED_PRECONDITION');
    expect(requestsTo(fake, 'GET', /events\?/)).toHaveLength(100);
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
