import { describe, expect, it } from 'vitest';
import type { SessionRef } from '../../../src/backend/types.ts';
import { insertEvent, instantOf, newId } from '../../fake/agent-engine/store.ts';
import { drain, fails, open, rpcsOf, said, textsOf, type World, world } from './setup.ts';

/** Puts events into a session without going through the service. */
function fill({ fake }: World, ref: SessionRef, count: number, stepMs = 1): string[] {
  const session = fake.engine.sessions.get(ref.sessionId);
  const start = Date.parse('2026-06-01T00:00:00Z');
  return Array.from({ length: count }, (_, i) => {
    const id = newId();
    const timestamp = new Date(start + i * stepMs).toISOString();
    const wire = {
      name: `projects/1/locations/l/reasoningEngines/2/sessions/3/events/${id}`,
      author: 'user',
      invocationId: `t${i}`,
      timestamp,
      content: { role: 'user', parts: [{ text: `m${i}` }] },
    };
    if (session !== undefined) insertEvent(session, { id, instant: instantOf(timestamp), wire });
    return id;
  });
}

describe('events on Agent Engine', () => {
  it('an append is a look at the owner and a write; its id holds its time and finds it', async () => {
    const { fake, make, backend } = await world();
    const ref = await make();
    let id = '';
    const rpcs = await rpcsOf(fake, async () => {
      const { event, session } = await backend.events.append(ref, said('hi', { invocationId: 't1' }));
      ({ id } = event);
      expect(event).toMatchObject({
        author: 'user',
        invocationId: 't1',
        content: { parts: [{ text: 'hi' }] },
      });
      expect(event).not.toHaveProperty('customMetadata');
      expect(session.id).toBe(ref.sessionId);
      expect(Date.parse(session.updateTime)).toBeGreaterThan(Date.now() - 10_000);
    });
    expect(rpcs).toEqual(['GetSession', 'AppendEvent']);
    expect(fake.notes).toEqual([]);
    const [listed] = (await backend.events.list(ref, { pageSize: 5 })).items;
    expect(listed?.id).toBe(id);
    for (const reader of [backend, await open(fake)]) {
      const reads = await rpcsOf(fake, async () => {
        expect(await reader.events.get(ref, id)).toEqual(listed);
      });
      expect(reads.toSorted()).toEqual(['GetSession', 'ListEvents']);
    }
    // The service's own id finds it, too.
    const name = String(fake.engine.sessions.get(ref.sessionId)?.events[0]?.wire.name);
    expect((await backend.events.get(ref, name.split('/').at(-1) ?? '')).id).toBe(id);
  });

  it('ids of any form can be stored and read', async () => {
    const { fake, make, backend } = await world();
    const ref = await make();
    for (const id of ['at:1', 'at:2026-01-01T00:00:00Z', `e${'z'.repeat(34)}`, '42', 'ö']) {
      expect((await backend.events.append(ref, said(id, { id }))).event.id).toBe(id);
      expect(textsOf([await backend.events.get(ref, id)])).toEqual([id]);
      expect(textsOf([await (await open(fake)).events.get(ref, id)])).toEqual([id]);
    }
  });

  it('stored events have growing timestamps although they come in the same millisecond', async () => {
    const { fake, make, backend } = await world();
    const ref = await make();
    await Promise.all(Array.from({ length: 30 }, (_, i) => backend.events.append(ref, said(`m${i}`))));
    const times = fake.engine.sessions.get(ref.sessionId)?.events.map((event) => event.instant) ?? [];
    expect(new Set(times).size).toBe(30);
    const events = await drain((cursor) => backend.events.list(ref, { pageSize: 7, cursor }));
    expect(new Set(events.map((event) => event.id)).size).toBe(30);
  });

  it('equal times that a caller gives keep the order of the calls', async () => {
    const { make, backend } = await world();
    const ref = await make();
    const timestamp = '2026-03-01T10:00:00.000Z';
    for (let i = 0; i < 12; i += 1) await backend.events.append(ref, said(`m${i}`, { timestamp }));
    const events = await drain((cursor) => backend.events.list(ref, { pageSize: 5, cursor }));
    expect(textsOf(events)).toEqual(Array.from({ length: 12 }, (_, i) => `m${i}`));
    expect(events.every((event) => event.timestamp === timestamp)).toBe(true);
    const after = await backend.events.list(ref, { pageSize: 20, afterEventId: events[4]?.id });
    expect(textsOf(after.items)).toEqual(Array.from({ length: 7 }, (_, i) => `m${i + 5}`));
  });

  it('events of an agent join the turn that runs; a user opens one', async () => {
    const { make, backend } = await world();
    const ref = await make();
    const first = await backend.events.append(ref, said('question'));
    const answer = await backend.events.append(ref, said('answer', { author: 'agent' }));
    expect(answer.event.invocationId).toBe(first.event.invocationId);
    const next = await backend.events.append(ref, said('another'));
    expect(next.event.invocationId).not.toBe(first.event.invocationId);
    const toolAnswer = await backend.events.append(ref, {
      author: 'user',
      content: { role: 'user', parts: [{ functionResponse: { name: 'find', response: { ok: true } } }] },
    });
    expect(toolAnswer.event.invocationId).toBe(next.event.invocationId);
  });

  it('an append is repeated on 429 only', async () => {
    const { fake, make, backend } = await world();
    const ref = await make();
    fake.fail({ match: /:appendEvent/, status: 429, headers: { 'retry-after': '0' }, times: 2 });
    await backend.events.append(ref, said('once'));
    for (const fault of [{ status: 503 }, { status: 500 }, { cut: true }]) {
      fake.fail({ match: /:appendEvent/, afterwards: true, ...fault });
      const error = await fails(backend.events.append(ref, said('unsure')), 'UNAVAILABLE');
      expect(error.hint).toContain('list_events');
    }
    expect(textsOf((await backend.events.list(ref, { pageSize: 20 })).items)).toEqual([
      'once',
      'unsure',
      'unsure',
      'unsure',
    ]);
  });

  it('an own id makes a repetition safe, also when the first answer was lost', async () => {
    const { fake, make, backend } = await world();
    const ref = await make();
    fake.fail({ match: /:appendEvent/, status: 503, afterwards: true });
    const event = said('once', { id: 'mine-1' });
    await fails(backend.events.append(ref, event), 'UNAVAILABLE');
    const { event: stored } = await backend.events.append(ref, event);
    expect(stored.id).toBe('mine-1');
    expect(stored).not.toHaveProperty('customMetadata');
    // A process that has not seen the event finds it, too.
    const other = await open(fake);
    expect((await other.events.append(ref, event)).event).toEqual(stored);
    expect(await other.events.get(ref, 'mine-1')).toEqual(stored);
    expect(fake.engine.sessions.get(ref.sessionId)?.events).toHaveLength(1);
    await fails(backend.events.append(ref, said('else', { id: 'mine-1' })), 'ALREADY_EXISTS');
  });

  it('an own id is looked for among the latest hundred events, in one request', async () => {
    const it = await world();
    const ref = await it.make();
    await it.backend.events.append(ref, said('first', { id: 'early', timestamp: '2026-01-01T00:00:00Z' }));
    fill(it, ref, 99);
    const other = await open(it.fake);
    const rpcs = await rpcsOf(it.fake, async () => {
      const again = await other.events.append(ref, said('first', { id: 'early' }));
      expect(again.event.timestamp).toBe('2026-01-01T00:00:00.000Z');
    });
    expect(rpcs.toSorted()).toEqual(['GetSession', 'ListEvents']);
    expect(it.fake.engine.sessions.get(ref.sessionId)?.events).toHaveLength(100);
    fill(it, ref, 2000);
    // Beyond the latest hundred, this process finds events that it stored or showed.
    expect((await other.events.append(ref, said('first', { id: 'early' }))).event.id).toBe('early');
    expect(it.fake.engine.sessions.get(ref.sessionId)?.events).toHaveLength(2100);
    const stored = await rpcsOf(it.fake, () => other.events.append(ref, said('new', { id: 'fresh' })));
    expect(stored.toSorted()).toEqual(['AppendEvent', 'GetSession', 'ListEvents']);
  });

  it('a stored event is a success: nothing is read back that could fail or hang', async () => {
    const { fake, make, backend } = await world();
    const ref = await make();
    fake.fail({ match: /GET .*events\?/, delayMs: 60_000, times: 9 });
    const { event } = await backend.events.append(ref, said('second'));
    expect(event.id).not.toBe('');
    expect(fake.engine.sessions.get(ref.sessionId)?.events).toHaveLength(1);
  });

  it.each([101, 1000, 4000])('of %i events none is missing and none comes twice', async (count) => {
    const it = await world();
    const ref = await it.make();
    fill(it, ref, count);
    const wanted = Array.from({ length: count }, (_, i) => `m${i}`);
    const asc = await drain((cursor) => it.backend.events.list(ref, { pageSize: 100, cursor }));
    expect(textsOf(asc)).toEqual(wanted);
    const desc = await drain((cursor) =>
      it.backend.events.list(ref, { pageSize: 100, cursor, order: 'desc' }),
    );
    expect(textsOf(desc)).toEqual(wanted.toReversed());
    const middle = asc[Math.floor(count / 2)];
    const other = await open(it.fake);
    const after = await drain((cursor) =>
      other.events.list(ref, { pageSize: 100, cursor, afterEventId: middle?.id }),
    );
    expect(textsOf(after)).toEqual(wanted.slice(Math.floor(count / 2) + 1));
    expect(await other.events.get(ref, asc[0]?.id ?? '')).toEqual(asc[0]);
  });

  it('bounds by event, by time and by both, both ways', async () => {
    const it = await world();
    const ref = await it.make();
    const ids = fill(it, ref, 30, 1000);
    const list = (query: object) =>
      drain((cursor) => it.backend.events.list(ref, { pageSize: 4, cursor, ...query })).then(textsOf);
    const names = (from: number, to = 30) => Array.from({ length: to - from }, (_, i) => `m${from + i}`);
    expect(await list({ afterEventId: ids[9] })).toEqual(names(10));
    expect(await list({ afterEventId: ids[9], order: 'desc' })).toEqual(names(10).toReversed());
    expect(await list({ afterTime: '2026-06-01T00:00:20.000Z' })).toEqual(names(21));
    expect(await list({ afterTime: '2026-06-01T00:00:20.000Z', order: 'desc' })).toEqual(
      names(21).toReversed(),
    );
    expect(await list({ afterEventId: ids[25], afterTime: '2026-06-01T00:00:20.000Z' })).toEqual(names(26));
    expect(await list({ afterEventId: ids[5], afterTime: '2026-06-01T00:00:20Z' })).toEqual(names(21));
    expect(await list({ afterTime: '2026-06-01T02:00:20+02:00' })).toEqual(names(21));
    expect(await list({ afterEventId: ids[29] })).toEqual([]);
    await fails(it.backend.events.list(ref, { pageSize: 5, cursor: 'made up' }), 'INVALID_ARGUMENT');
    await fails(it.backend.events.list(ref, { pageSize: 5, afterTime: 'soon' }), 'INVALID_ARGUMENT');
  });

  it('polling for events after the last one costs two requests', async () => {
    const it = await world();
    const ref = await it.make();
    fill(it, ref, 500);
    const { event } = await it.backend.events.append(ref, said('last'));
    const rpcs = await rpcsOf(it.fake, () =>
      it.backend.events.list(ref, { pageSize: 20, afterEventId: event.id }),
    );
    expect(rpcs.toSorted()).toEqual(['GetSession', 'ListEvents']);
  });

  it('an event that is dated before one that was read, and stored after it, is shown once', async () => {
    const it = await world();
    const ref = await it.make();
    const other = await open(it.fake);
    const ago = (seconds: number) => new Date(Date.now() - seconds * 1000).toISOString();
    for (const [i, seconds] of [50, 40, 30].entries())
      await other.events.append(ref, said(`m${i}`, { timestamp: ago(seconds) }));
    const read = (afterEventId: string | undefined, pageSize = 20) =>
      it.backend.events.list(ref, { pageSize, afterEventId });
    const [, , known] = (await read(undefined)).items;
    expect((await read(known?.id)).items).toEqual([]);
    await other.events.append(ref, said('late', { timestamp: ago(35) }));
    await other.events.append(ref, said('later still', { timestamp: ago(45) }));
    const late = (await read(known?.id)).items;
    expect(textsOf(late).toSorted()).toEqual(['late', 'later still']);
    // No event comes twice, and none comes after the last page.
    const one = await read(known?.id, 1);
    expect(textsOf(one.items)).toEqual(textsOf(late.slice(0, 1)));
    const two = await it.backend.events.list(ref, {
      pageSize: 1,
      afterEventId: known?.id,
      cursor: one.cursor,
    });
    expect(textsOf(two.items)).toEqual(textsOf(late.slice(1)));
    expect((await read(late.at(-1)?.id)).items).toEqual([]);
    await other.events.append(ref, said('next'));
    expect(textsOf((await read(late.at(-1)?.id)).items)).toEqual(['next']);
    expect(textsOf((await read(known?.id)).items)).toEqual([...textsOf(late), 'next']);
    // A process that has not read the session before goes by the dates.
    const fresh = await open(it.fake);
    const after = await fresh.events.list(ref, { pageSize: 20, afterEventId: known?.id });
    expect(textsOf(after.items)).toEqual(['next']);
  });

  it('an event that shows up some time after it was stored is not missed', async () => {
    const it = await world();
    const ref = await it.make();
    const { event: first } = await it.backend.events.append(ref, said('first'));
    await it.backend.events.list(ref, { pageSize: 5 });
    it.fake.sessions.hiddenEventReads = 2;
    await it.backend.events.append(ref, said('slow'));
    it.fake.sessions.hiddenEventReads = 0;
    const { event: quick } = await it.backend.events.append(ref, said('quick'));
    const list = (afterEventId: string) => it.backend.events.list(ref, { pageSize: 5, afterEventId });
    expect(textsOf((await list(first.id)).items)).toEqual(['quick']);
    expect(textsOf((await list(quick.id)).items)).toEqual([]);
    expect(textsOf((await list(quick.id)).items)).toEqual(['slow']);
  });

  it('a crowded minute is not read again with every look', async () => {
    const it = await world();
    const ref = await it.make();
    fill(it, ref, 3000);
    const [last] = (await it.backend.events.list(ref, { pageSize: 1, order: 'desc' })).items;
    for (let look = 0; look < 3; look += 1) {
      const rpcs = await rpcsOf(it.fake, () =>
        it.backend.events.list(ref, { pageSize: 20, afterEventId: last?.id }),
      );
      expect(rpcs.length).toBeLessThanOrEqual(look === 0 ? 3 : 2);
    }
    // An event that is stored late among them is found.
    const timestamp = new Date(Date.parse(last?.timestamp ?? '') - 20).toISOString();
    await (await open(it.fake)).events.append(ref, said('late', { timestamp }));
    const { items } = await it.backend.events.list(ref, { pageSize: 20, afterEventId: last?.id });
    expect(textsOf(items)).toEqual(['late']);
    // A list after an event far from the latest goes on as well.
    const middle = (await it.backend.events.list(ref, { pageSize: 100 })).items[50];
    const after = await (await open(it.fake)).events.list(ref, { pageSize: 3, afterEventId: middle?.id });
    expect(textsOf(after.items)).toEqual(['m51', 'm52', 'm53']);
  });

  it('metadata that the service refuses travels in rawEvent', async () => {
    const { fake, make, backend } = await world();
    const ref = await make();
    const { event } = await backend.events.append(
      ref,
      said('grounded', {
        author: 'agent',
        groundingMetadata: { webSearchQueries: ['tea'], brandNew: { a: 1 } },
      }),
    );
    expect(event.groundingMetadata).toEqual({ webSearchQueries: ['tea'], brandNew: { a: 1 } });
    expect(fake.requests.filter((request) => request.url.includes(':appendEvent'))).toHaveLength(2);
    expect(fake.engine.sessions.get(ref.sessionId)?.events).toHaveLength(1);
  });

  it('what a session is asked after it was made anew by another is NOT_FOUND', async () => {
    const { make, backend } = await world();
    const ref = await make({ sessionId: 'chat-1' });
    await backend.events.append(ref, said('mine'));
    await backend.sessions.delete(ref);
    const theirs = await make({ sessionId: 'chat-1' }, 'eve');
    await fails(backend.events.append(ref, said('intruder')), 'NOT_FOUND');
    await fails(backend.events.list(ref, { pageSize: 5 }), 'NOT_FOUND');
    // The same user creates the session again: cached times of the old one find nothing in the new one.
    const { event } = await backend.events.append(theirs, said('old'));
    await backend.sessions.delete(theirs);
    await make({ sessionId: 'chat-1' }, 'eve');
    await fails(backend.events.list(theirs, { pageSize: 5, afterEventId: event.id }), 'NOT_FOUND');
    await fails(backend.events.get(theirs, event.id), 'NOT_FOUND');
    expect((await backend.events.list(theirs, { pageSize: 5 })).items).toEqual([]);
  });

  it('an event of a copy is one request, and waits where the quota is used up', async () => {
    const it = await world();
    const ref = await it.make();
    const timestamp = '2026-03-01T10:00:00.000Z';
    const rpcs = await rpcsOf(it.fake, async () => {
      for (let i = 0; i < 3; i += 1)
        await it.backend.transfer.append(
          ref,
          said(`m${i}`, { id: `own-${i}`, timestamp, invocationId: 't' }),
          {},
        );
    });
    expect(rpcs).toEqual(['AppendEvent', 'AppendEvent', 'AppendEvent']);
    it.fake.fail({ match: /:appendEvent/, status: 429, headers: { 'retry-after': '0' }, times: 6 });
    await it.backend.transfer.append(ref, said('m3', { id: 'own-3', timestamp }), {});
    it.fake.fail({ match: /:appendEvent/, status: 429, headers: { 'retry-after': '3600' } });
    const tooLate = it.backend.transfer.append(ref, said('never'), {});
    expect((await fails(tooLate, 'RESOURCE_EXHAUSTED')).retryAfter).toBe(3600);
    it.fake.fail({ match: /:appendEvent/, status: 429, headers: { 'retry-after': '100' } });
    const cancelled = it.backend.transfer.append(ref, said('never'), { signal: AbortSignal.timeout(50) });
    await fails(cancelled, 'CANCELLED');
    it.fake.fail({ match: /:appendEvent/, status: 503, afterwards: true });
    const unsure = await fails(it.backend.transfer.append(ref, said('unsure'), {}), 'UNAVAILABLE');
    expect(unsure.details).toEqual({ outcome: 'unknown' });
    const { items } = await it.backend.events.list(ref, { pageSize: 10 });
    expect(items.map((event) => event.id).slice(0, 4)).toEqual(['own-0', 'own-1', 'own-2', 'own-3']);
    expect(textsOf(items)).toEqual(['m0', 'm1', 'm2', 'm3', 'unsure']);
  });
});
