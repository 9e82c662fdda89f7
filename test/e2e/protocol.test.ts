import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { scratch } from '../scratch.ts';
import { clientKinds, connect, type Json, type TestClient } from './clients.ts';

/** What the protocol offers beside plain tool calls, with each official client over real stdio. */
describe.each(clientKinds)('protocol features, client %s', (kind) => {
  const store = `sqlite:${path.join(scratch(), 'data.db')}`;
  const args = ['--store', store, '--user', 'ada'];
  let client: TestClient;
  let sessionId: string;

  beforeAll(async () => {
    client = await connect(kind, { args });
    const { session } = await client.ok('create_session', { displayName: 'One' });
    sessionId = (session as Json).id as string;
    await client.ok('append_event', { sessionId, text: 'hello' });
  });
  afterAll(() => client.close());

  describe('deleting', () => {
    it.each(['delete_session', 'delete_event'])('%s asks the user, and a yes deletes', async (tool) => {
      const asked = await connect(kind, { args, answer: 'accept' });
      try {
        const made = (await asked.ok('create_session')).session as Json;
        const { event } = await asked.ok('append_event', { sessionId: made.id, text: 'secret words' });
        const target = {
          sessionId: made.id,
          ...(tool === 'delete_event' ? { eventId: (event as Json).id } : {}),
        };
        expect(await asked.ok(tool, target)).toMatchObject({ deleted: true });
        expect(asked.questions).toHaveLength(1);
        expect(asked.questions[0]).toContain(made.id);
        expect(asked.questions[0]).not.toContain('secret');
        expect((await asked.error(tool, target)).code).toBe('NOT_FOUND');
        expect(asked.questions).toHaveLength(1);
      } finally {
        await asked.close();
      }
    });

    it('takes no for an answer, even beside confirm: true', async () => {
      const asked = await connect(kind, { args, answer: 'decline' });
      try {
        for (const confirm of [undefined, true]) {
          const error = await asked.error('delete_session', { sessionId, confirm });
          expect(error.code).toBe('CANCELLED');
        }
        expect(asked.questions).toHaveLength(2);
        await asked.ok('get_session', { sessionId });
      } finally {
        await asked.close();
      }
    });
  });

  it('lists, completes and reads resources', async () => {
    const uri = `session://default/${sessionId}`;
    expect(await client.listResources()).toContain(uri);
    const session = await client.readResource(uri);
    expect(JSON.parse(session.text as string)).toMatchObject({
      session: { id: sessionId, displayName: 'One' },
    });
    const events = await client.readResource(`${uri}/events`);
    expect(JSON.parse(events.text as string)).toMatchObject({
      events: [{ content: { parts: [{ text: 'hello' }] } }],
      earlierEvents: false,
    });
    await expect(client.readResource('session://default/nope')).rejects.toThrow(/not found/i);
    expect(await client.complete('sessionId', sessionId.slice(0, 8))).toContain(sessionId);
    expect(await client.complete('sessionId', 'zzz')).toEqual([]);
    expect(await client.complete('app', 'def')).toEqual(['default']);
  });

  it('links artifacts and reads them by their address', async () => {
    const args = { sessionId, name: 'a b/ü.txt' };
    const saved = await client.call('save_artifact', { ...args, text: 'größer' });
    expect(saved.links).toHaveLength(1);
    const [link] = saved.links;
    expect(await client.readResource(link?.uri ?? '')).toMatchObject({
      text: 'größer',
      mimeType: 'text/plain',
    });
    await client.ok('save_artifact', { ...args, data: '/+8=', mimeType: 'image/png' });
    expect(await client.readResource(link?.uri ?? '')).toMatchObject({ blob: '/+8=', mimeType: 'image/png' });
  });

  it('hears of changes that another process makes', async () => {
    const other = await connect('v1', { args });
    try {
      const uri = `session://default/${sessionId}/events`;
      const before = client.updates.length;
      await client.subscribe(uri);
      await other.ok('append_event', { sessionId, author: 'other', text: 'from afar' });
      await expect.poll(() => client.updates.slice(before), { timeout: 5000 }).toContain(uri);
    } finally {
      await other.close();
    }
  });

  it('waits for an event of another process, and tells that it waits', async () => {
    const other = await connect('v1', { args });
    try {
      const { event } = await client.ok('append_event', { sessionId, text: 'your turn' });
      const afterEventId = (event as Json).id;
      const waiting = client.ok('wait_for_events', { sessionId, afterEventId, timeoutSeconds: 20 });
      await sleep(300);
      const { event: answer } = await other.ok('append_event', { sessionId, author: 'other', text: 'done' });
      const appended = Date.now();
      expect(await waiting).toMatchObject({ timedOut: false, lastEventId: (answer as Json).id });
      expect(Date.now() - appended).toBeLessThan(2000);
    } finally {
      await other.close();
    }
  });

  it('ends a wait that the caller cancels', async () => {
    const abort = new AbortController();
    const { event } = await client.ok('append_event', { sessionId, text: 'last' });
    const waiting = client.call(
      'wait_for_events',
      { sessionId, afterEventId: (event as Json).id, timeoutSeconds: 60 },
      { signal: abort.signal },
    );
    await sleep(100);
    abort.abort();
    await expect(waiting).rejects.toThrow();
    await client.ok('get_session', { sessionId });
  });

  it('has prompts that name tools and quote what they are given', async () => {
    for (const name of ['resume_session', 'summarise_session', 'hand_over_session']) {
      const text = await client.prompt(name, {
        sessionId,
        ...(name.startsWith('hand') ? { toAgent: 'b"\nc' } : {}),
      });
      expect(text).toContain(sessionId);
      expect(text).toContain('list_events');
    }
    expect(client.instructions()).toContain('not instructions to you');
  });

  it('answers an unknown argument, a wrong type and a missing one so that a model can mend it', async () => {
    for (const [args, words] of [
      [{ sessionId, txt: 'x' }, 'unknown argument "txt"'],
      [{ sessionId: 5 }, '"sessionId"'],
      [{}, '"sessionId"'],
    ] as const) {
      const error = await client.error('append_event', args);
      expect(error).toMatchObject({ code: 'INVALID_ARGUMENT', hint: expect.stringContaining('sessionId') });
      expect(error.message).toContain(words);
    }
  });

  it('fails as a protocol error on an unknown tool', async () => {
    await expect(client.call('no_such_tool')).rejects.toThrow(/no_such_tool/);
  });
});
