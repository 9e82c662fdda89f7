import { expect, test } from 'vitest';
import { appendEvent } from '../../../src/backend/local/append.ts';
import { openLocal } from '../../../src/backend/local/index.ts';
import type { Backend } from '../../../src/backend/types.ts';
import { openStore } from '../../../src/store/open.ts';
import type { Store } from '../../../src/store/types.ts';

const ref = { app: 'a', userId: 'u', sessionId: 's' };

/** Somebody else appends an event between each change and the read that makes its answer. */
function interrupted(store: Store): Store {
  const local = { store, now: Date.now, settle: async () => {} };
  let changed = false;
  return {
    ...store,
    async update(keys, decide) {
      const result = await store.update(keys, decide);
      changed = true;
      return result;
    },
    async get(keys) {
      if (changed) {
        changed = false;
        await appendEvent(local as never, ref, { author: 'other', content: { parts: [{ text: 'hello' }] } });
      }
      return store.get(keys);
    },
  };
}

test('the answer to a change has the revision of that change, though others have written since', async () => {
  const store = await openStore({ url: 'memory:', durability: 'full', dataDir: '' });
  const { sessions, close } = openLocal({ store: interrupted(store) }) as Required<Backend>;
  const created = await sessions.create?.({ app: 'a', userId: 'u' }, { sessionId: 's', state: { k: 1 } });
  expect(created).toMatchObject({ revision: 1, eventCount: 0, state: { k: 1 } });
  const updated = await sessions.update?.(ref, { displayName: 'new' }, { expectedRevision: 2 });
  expect(updated).toMatchObject({ revision: 3, eventCount: 1, displayName: 'new', state: { k: 1 } });
  // So a guarded write that follows is refused: there is an event that its author has not seen.
  await expect(
    sessions.update?.(ref, { displayName: 'newer' }, { expectedRevision: updated?.revision }),
  ).rejects.toMatchObject({ code: 'ABORTED' });
  await close();
});
