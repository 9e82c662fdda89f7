import { expect, it } from 'vitest';
import { openLocal } from '../../../src/backend/local/index.ts';
import * as keys from '../../../src/backend/local/keys.ts';
import type { Backend } from '../../../src/backend/types.ts';
import { openStore } from '../../../src/store/open.ts';

// A delete blanks what is inside a session before it drops it, and a read may have seen the session just before.
it('a read that a delete overtakes finds no session, and neither damage nor another event', async () => {
  const store = await openStore({ url: 'memory:', durability: 'full', dataDir: '' });
  const backend = openLocal({ store }) as Required<Backend>;
  const ref = { app: 'app', userId: 'ada', sessionId: 's' };
  await backend.sessions.create?.(ref, { sessionId: 's' });
  for (const id of ['first', 'second'])
    await backend.events.append?.(ref, {
      id,
      author: 'agent',
      content: { role: 'model', parts: [{ functionCall: { id: `call-${id}`, name: 'look' } }] },
    });
  await backend.artifacts.save?.(ref, { name: 'note', mimeType: 'text/plain', data: Buffer.from('text') });
  const rows = await store.range({ prefix: keys.insides, limit: 1000 });
  const first = rows.find(({ key, value }) => value !== '' && key.includes('/e/'));
  const blank = rows.filter((row) => row !== first).map(({ key }) => ({ key, value: '' }));
  await store.update([], () => ({ result: undefined, writes: blank }));
  for (const read of [
    backend.events.get?.(ref, 'second'),
    backend.events.list?.(ref, { pageSize: 10 }),
    backend.events.list?.(ref, { pageSize: 10, afterEventId: 'second' }),
    backend.toolCalls.list?.(ref),
    backend.artifacts.get?.(ref, 'note'),
    backend.artifacts.get?.(ref, 'note', 0),
    backend.artifacts.list?.(ref, { pageSize: 10 }),
    backend.sessions.fork?.(ref, {}),
  ])
    await expect(read).rejects.toMatchObject({ code: 'NOT_FOUND' });
  await backend.close();
});
