import { countTokens } from 'gpt-tokenizer/encoding/o200k_base';
import { beforeEach, describe, expect, it } from 'vitest';
import { openLocal } from '../../../src/backend/local/index.ts';
import type { Backend } from '../../../src/backend/types.ts';
import type { NewEvent } from '../../../src/model/event.ts';
import { openStore } from '../../../src/store/open.ts';

const owner = { app: 'a', userId: 'u' };
const ref = { ...owner, sessionId: 's' };
let local: Required<Backend>;

beforeEach(async () => {
  const store = await openStore({ url: 'memory:', durability: 'full', dataDir: '' });
  local = openLocal({ store }) as Required<Backend>;
  await local.sessions.create?.(owner, { sessionId: 's' });
  return () => local.close();
});

const says = (text: string, more: Partial<NewEvent> = {}): NewEvent => ({
  author: 'user',
  content: { role: 'user', parts: [{ text }] },
  ...more,
});

async function append(event: NewEvent, sessionId = 's') {
  const added = await local.events.append?.({ ...owner, sessionId }, event);
  if (added === undefined) throw new Error('Nothing was appended.');
  return added.event;
}

describe('ids that the server gives', () => {
  it('cost a language model 8 tokens at most', async () => {
    const { id, invocationId } = await append(says('hello'));
    const call = await append({ author: 'bot', content: { parts: [{ functionCall: { name: 'f' } }] } });
    const session = await local.sessions.create?.(owner, {});
    const fork = await local.sessions.fork?.(ref, {});
    const memory = await local.memory.create?.(owner, { fact: 'The sky is blue.' });
    const made = await local.memory.addSession?.(ref, {});
    const ids = [
      id,
      invocationId,
      call.content?.parts[0]?.functionCall?.id,
      session?.id,
      fork?.id,
      memory?.id,
      made?.memories[0]?.id,
    ];
    for (const one of ids) expect(countTokens(one ?? ''), one).toBeLessThanOrEqual(8);
  });

  it('carry the number of the event, and find, hide and delete it', async () => {
    const first = await append(says('one'));
    const second = await append(says('two'));
    expect(first.id).toMatch(/^e1-\d{9}$/);
    expect([second.id, second.invocationId]).toEqual([
      first.id.replace('e1', 'e2'),
      first.id.replace('e1', 'i2'),
    ]);
    expect(await local.events.get?.(ref, second.id)).toEqual(second);
    expect((await local.events.list?.(ref, { pageSize: 9, afterEventId: first.id }))?.items).toEqual([
      second,
    ]);
    await local.events.setVisibility?.(ref, first.id, true);
    await local.events.delete?.(ref, first.id);
    await expect(local.events.get?.(ref, first.id)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect((await local.events.list?.(ref, { pageSize: 9, afterEventId: first.id }))?.items).toEqual([
      second,
    ]);
  });

  it('of an earlier session of the same id, or of one that was forked, name nothing in this one', async () => {
    const before = await append(says('before'));
    const fork = await local.sessions.fork?.(ref, { newSessionId: 'fork' });
    const copy = (await local.events.list?.({ ...owner, sessionId: 'fork' }, { pageSize: 9 }))?.items[0];
    expect(fork?.forkedFrom?.eventId).toBe(before.id);
    await local.sessions.delete?.(ref);
    await local.sessions.create?.(owner, { sessionId: 's' });
    const after = await append(says('after'));
    expect(new Set([before.id, copy?.id, after.id]).size).toBe(3);
    for (const id of [before.id, copy?.id ?? '', 'e2-000000000', after.id.replace('e1', 'e01')]) {
      await expect(local.events.get?.(ref, id)).rejects.toMatchObject({ code: 'NOT_FOUND' });
      await expect(local.events.list?.(ref, { pageSize: 9, afterEventId: id })).rejects.toMatchObject({
        code: 'NOT_FOUND',
      });
    }
  });
});

describe('an id of the caller’s own in that form', () => {
  it('repeats the event that has it, and is refused where none has', async () => {
    const event = await append(says('one'));
    expect(await append(says('one', { id: event.id }))).toEqual(event);
    await expect(append(says('other', { id: event.id }))).rejects.toMatchObject({ code: 'ALREADY_EXISTS' });
    const next = event.id.replace('e1', 'e2');
    await expect(append(says('two', { id: next }))).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    // Of another session's form: an id like any other.
    const foreign = 'e2-000000001';
    await append(says('two', { id: foreign }));
    expect((await local.events.get?.(ref, foreign))?.content?.parts[0]?.text).toBe('two');
    expect((await append(says('three'))).id).toBe(event.id.replace('e1', 'e3'));
    await expect(append(says('two', { id: next }))).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    await local.events.delete?.(ref, event.id);
    await expect(append(says('one', { id: event.id }))).rejects.toMatchObject({
      code: 'FAILED_PRECONDITION',
    });
  });
});
