import { describe, expect } from 'vitest';
import type { Backend, Capability, EventSearch, Owner, SessionRef } from '../../src/backend/types.ts';
import { type NewEvent, textOf } from '../../src/model/event.ts';

export interface SearchSubject {
  backend(): Backend;
  when(needs: Capability[], title: string, body: () => Promise<void>): void;
  owner(): Owner;
  fails(promise: Promise<unknown>, code: string): Promise<unknown>;
}

/** Finding what was said: for every backend that can search events. */
export function searchContract({ backend, when, owner, fails }: SearchSubject): void {
  const needs: Capability[] = ['events.search', 'sessions.create', 'events.append'];
  const test = (title: string, body: () => Promise<void>, more: Capability[] = []) =>
    when([...needs, ...more], title, body);
  const verb = <T>(found: T | undefined): T => found as T;
  const create = async (of: Owner, more: object = {}): Promise<SessionRef> => ({
    ...of,
    sessionId: (await verb(backend().sessions?.create)(of, more)).id,
  });
  const append = async (ref: SessionRef, text: string, more: Partial<NewEvent> = {}): Promise<string> => {
    const event = { author: 'user', content: { role: 'user' as const, parts: [{ text }] }, ...more };
    return (await verb(backend().events?.append)(ref, event)).event.id;
  };
  const search = (of: Owner, text: string, more: Partial<EventSearch> = {}) =>
    verb(backend().events?.search)({ ...of, text, limit: 10, around: 0, ...more });
  const found = async (of: Owner, text: string, more: Partial<EventSearch> = {}) =>
    (await search(of, text, more)).hits.map(({ event }) => textOf(event));

  describe('search of events', () => {
    test('finds what was said in any session of the user, with the session, at once', async () => {
      const of = owner();
      const trip = await create(of, { displayName: 'Trip', labels: { kind: 'travel' } });
      await append(await create(of), 'We talked about gardens');
      await append(trip, 'The ferry to Bergen leaves at nine');
      const { hits } = await search(of, 'when does the ferry leave?');
      expect(hits).toHaveLength(1);
      expect(hits[0]?.session).toMatchObject({ id: trip.sessionId, displayName: 'Trip', app: of.app });
      expect(hits[0]?.score).toBeGreaterThan(0);
      expect(await found(of, 'nothing like this')).toEqual([]);
    });

    test('finds nothing of another user', async () => {
      const ref = await create(owner());
      await append(ref, 'secret ferry');
      const other = owner();
      await append(await create(other), 'my own ferry');
      expect(await found(other, 'secret ferry')).toEqual(['my own ferry']);
      await fails(search(other, 'ferry', { sessionId: ref.sessionId }), 'NOT_FOUND');
    });

    test('a hit comes with its neighbours in their order', async () => {
      const ref = await create(owner());
      for (const text of ['one', 'two', 'Where is the harbour?', 'four', 'five']) await append(ref, text);
      const [hit] = (await search(ref, 'harbour', { around: 1, limit: 1 })).hits;
      expect(hit?.before.map(textOf)).toEqual(['two']);
      expect(hit?.after.map(textOf)).toEqual(['four']);
      const [wide] = (await search(ref, 'harbour', { around: 5, limit: 1 })).hits;
      expect([...(wide?.before ?? []), ...(wide?.after ?? [])].map(textOf)).toEqual([
        'one',
        'two',
        'four',
        'five',
      ]);
    });

    test('an event beside the best one comes before one that shares a word by chance', async () => {
      const of = owner();
      const ref = await create(of);
      await append(ref, 'Which pet did you adopt in spring?');
      await append(ref, 'A grey cat called Mio');
      const far = await create(of);
      for (let i = 0; i < 5; i += 1)
        await append(far, 'spring cleaning of the flat goes on and on for weeks');
      expect((await found(of, 'what pet was adopted in spring')).slice(0, 2)).toEqual([
        'Which pet did you adopt in spring?',
        'A grey cat called Mio',
      ]);
    });

    test('of one session, by author, by time, by label', async () => {
      const of = owner();
      const [a, b] = [await create(of, { labels: { env: 'dev' } }), await create(of)];
      await append(a, 'ferry one', { timestamp: '2026-01-31T23:59:59.000Z' });
      await append(a, 'ferry two', { author: 'guide', timestamp: '2026-02-01T00:00:00.000Z' });
      await append(b, 'ferry three', { author: 'guide', timestamp: '2026-03-05T12:00:00.000Z' });
      const among = async (more: Partial<EventSearch>) => (await found(of, 'ferry', more)).toSorted();
      expect(await among({ sessionId: a.sessionId })).toEqual(['ferry one', 'ferry two']);
      expect(await among({ author: 'guide' })).toEqual(['ferry three', 'ferry two']);
      expect(await among({ author: 'nobody' })).toEqual([]);
      expect(await among({ afterTime: '2026-01-31T23:59:59.000Z' })).toEqual(['ferry three', 'ferry two']);
      expect(await among({ beforeTime: '2026-02-01T00:00:00.000Z' })).toEqual(['ferry one']);
      expect(
        await among({ afterTime: '2026-01-31T23:59:59.500Z', beforeTime: '2026-03-05T12:00:00.000Z' }),
      ).toEqual(['ferry two']);
      expect(await among({ filter: [{ field: 'label', key: 'env', value: 'dev' }] })).toEqual([
        'ferry one',
        'ferry two',
      ]);
      expect(await among({ filter: [{ field: 'label', key: 'env', value: 'prod' }] })).toEqual([]);
      await fails(search(of, 'ferry', { afterTime: 'yesterday' }), 'INVALID_ARGUMENT');
      await fails(search(of, 'ferry', { sessionId: 'nosuchsession' }), 'NOT_FOUND');
    });

    test('what tools were called with and answered', async () => {
      const ref = await create(owner());
      await append(ref, '', {
        author: 'agent',
        content: {
          role: 'model',
          parts: [{ functionCall: { id: 'c', name: 'find_ferry', args: { to: 'Stavanger' } } }],
        },
      });
      await append(ref, '', {
        author: 'tool',
        content: {
          role: 'user',
          parts: [
            {
              functionResponse: {
                id: 'c',
                name: 'find_ferry',
                response: { times: [{ at: 'half past nine' }] },
              },
            },
          ],
        },
      });
      expect((await search(ref, 'Stavanger')).hits).not.toEqual([]);
      expect((await search(ref, 'find ferry')).hits).not.toEqual([]);
      expect((await search(ref, 'half past')).hits).not.toEqual([]);
    });

    test('never a hidden event, nor beside a hit; and again once it is shown', async () => {
      const ref = await create(owner());
      await append(ref, 'before');
      const id = await append(ref, 'the harbour');
      await append(ref, 'a ferry');
      const hide = (hidden: boolean) => verb(backend().events?.setVisibility)(ref, id, hidden);
      await hide(true);
      expect(await found(ref, 'harbour')).toEqual([]);
      const [hit] = (await search(ref, 'ferry', { around: 1, limit: 1 })).hits;
      expect(hit?.before.map(textOf)).toEqual(['before']);
      await hide(false);
      expect((await found(ref, 'harbour'))[0]).toBe('the harbour');
    }, ['events.setVisibility']);

    test('never a deleted event, nor one of a deleted session, not even under its old id', async () => {
      const of = owner();
      const ref = await create(of, { sessionId: 'mine' });
      const id = await append(ref, 'the harbour');
      await append(ref, 'a ferry');
      await verb(backend().events?.delete)(ref, id);
      expect(await found(of, 'harbour')).toEqual([]);
      await verb(backend().sessions?.delete)(ref);
      expect(await found(of, 'ferry')).toEqual([]);
      await create(of, { sessionId: 'mine' });
      expect(await found(of, 'ferry')).toEqual([]);
      // A session of so many events is deleted in slices.
      await Promise.all(Array.from({ length: 300 }, () => append(ref, 'a large lighthouse')));
      await verb(backend().sessions?.delete)(ref);
      expect(await found(of, 'lighthouse')).toEqual([]);
    }, ['events.delete', 'sessions.delete']);

    test('a fork is found as a session of its own', async () => {
      const of = owner();
      const ref = await create(of);
      await append(ref, 'the harbour');
      const last = await append(ref, 'the ferry');
      await append(ref, 'the lighthouse');
      const copy = await verb(backend().sessions?.fork)(ref, { upToEventId: last });
      const where = async (text: string) =>
        (await search(of, text)).hits
          .filter(({ event }) => textOf(event).includes(text))
          .map(({ session }) => session.id)
          .toSorted();
      expect(await where('ferry')).toEqual([ref.sessionId, copy.id].toSorted());
      expect(await where('lighthouse')).toEqual([ref.sessionId]);
    }, ['sessions.fork']);

    test('across the apps of a user where none is named', async () => {
      const of = owner();
      await append(await create(of), 'a ferry here');
      expect(await found({ ...of, app: `${of.app}-other` }, 'ferry')).toEqual([]);
      const { app: _app, ...anywhere } = of;
      const { hits } = await verb(backend().events?.search)({
        ...anywhere,
        text: 'ferry',
        limit: 5,
        around: 0,
      });
      expect(hits.map(({ session }) => session.app)).toEqual([of.app]);
    });

    test('no more than the limit, best first', async () => {
      const ref = await create(owner());
      for (let i = 0; i < 30; i += 1) await append(ref, `ferry number ${i}`);
      const { hits } = await search(ref, 'ferry 7', { limit: 4 });
      expect(hits).toHaveLength(4);
      expect(textOf(hits[0]?.event ?? {})).toBe('ferry number 7');
      expect(hits.map(({ score }) => score)).toEqual(
        hits.map(({ score }) => score).toSorted((a, b) => b - a),
      );
    });

    test('lists the sessions that hold the words in their name or events, best first, and how each began', async () => {
      const of = owner();
      const list = async (more: object) =>
        (await verb(backend().sessions?.list)({ ...of, pageSize: 10, ...more })).items;
      const trip = await create(of, { displayName: 'Trip to Bergen' });
      const talk = await create(of);
      const other = await create(of, { displayName: 'Garden' });
      await append(trip, 'Which ferry goes there?');
      await append(trip, 'The one at nine');
      for (let i = 0; i < 3; i += 1) await append(talk, 'a ferry to somewhere, some day');
      await append(other, 'roses');
      const ids = async (text: string, more: object = {}) =>
        (await list({ text, ...more })).map(({ id }) => id);
      expect(await ids('bergen')).toEqual([trip.sessionId]);
      expect((await ids('ferry')).toSorted()).toEqual([trip.sessionId, talk.sessionId].toSorted());
      expect(await ids('the ferry to Bergen')).toEqual([trip.sessionId, talk.sessionId]);
      expect(await ids('xylophone')).toEqual([]);
      const [first] = await list({ text: 'bergen' });
      expect(first?.firstEvent?.text).toBe('Which ferry goes there?');
      expect(first?.lastEvent?.text).toBe('The one at nine');
      const page = await verb(backend().sessions?.list)({ ...of, pageSize: 1, text: 'ferry Bergen' });
      expect(page.items).toHaveLength(1);
      const rest = await verb(backend().sessions?.list)({
        ...of,
        pageSize: 1,
        text: 'ferry Bergen',
        cursor: page.cursor,
      });
      expect(rest.items.map(({ id }) => id)).toEqual([talk.sessionId]);
      expect(rest.cursor).toBeUndefined();
      await verb(backend().sessions?.update)(trip, { displayName: 'Trip to Oslo' });
      expect(await ids('bergen')).toEqual([]);
      expect(await ids('oslo')).toEqual([trip.sessionId]);
      expect(await ids('ferry', { ...owner() })).toEqual([]);
    }, ['sessions.list', 'sessions.update']);

    test('lists the sessions of a time', async () => {
      const of = owner();
      const times: string[] = [];
      const ids: string[] = [];
      for (let i = 0; i < 3; i += 1) {
        const ref = await create(of);
        ids.push(ref.sessionId);
        await append(ref, 'hello');
        times.push((await verb(backend().sessions?.get)(ref)).updateTime);
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      const list = async (more: object) =>
        (await verb(backend().sessions?.list)({ ...of, pageSize: 10, ...more })).items.map(({ id }) => id);
      for (const orderBy of ['updateTime asc', 'createTime asc']) {
        expect(await list({ orderBy, updatedAfter: times[0] })).toEqual(ids.slice(1));
        expect(await list({ orderBy, updatedBefore: times[2] })).toEqual(ids.slice(0, 2));
        expect(await list({ orderBy, updatedAfter: times[0], updatedBefore: times[2] })).toEqual([ids[1]]);
      }
      expect(await list({ updatedAfter: times[0] })).toEqual(ids.slice(1).toReversed());
      expect(await list({ updatedAfter: times[2] })).toEqual([]);
      await fails(list({ updatedAfter: 'yesterday' }), 'INVALID_ARGUMENT');
    }, ['sessions.list', 'sessions.get']);

    test('hostile words are words', async () => {
      const ref = await create(owner());
      await append(ref, 'ferry');
      for (const text of [
        '"',
        '*',
        'ferry" OR "x',
        'NEAR(ferry)',
        '-ferry^2',
        "'; --",
        '\u202e',
        '§',
        '‹yrref',
      ])
        await search(ref, text);
      expect(await found(ref, 'ferry" OR "x')).toEqual(['ferry']);
      expect(await found(ref, '"*"')).toEqual([]);
    });
  });
}
