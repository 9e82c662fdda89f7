import { newLongId } from '../../model/ids.ts';
import type { Owner } from '../types.ts';
import type { EmbedJob } from './embed-batches.ts';
import * as keys from './keys.ts';
import { tryMemory } from './memory-record.ts';
import type { Local } from './session-record.ts';
import { groupOf, logText, vectorOf, vectorText } from './vector-record.ts';

const slice = 64;

interface MemoryPlace {
  owner: Owner;
  id: string;
}

function placeOf(key: string): MemoryPlace {
  const [, app = '', userId = '', id = ''] = keys.partsOf(key);
  return { owner: { app, userId }, id };
}

/** The memories that were stored since vectors are made. */
export async function* waitingMemories(local: Local, tag: string): AsyncGenerator<EmbedJob, void> {
  for (let after: string | undefined; ; ) {
    const rows = await local.store.range({ prefix: keys.waitingMemories, after, limit: slice });
    after = rows.at(-1)?.key;
    if (after === undefined) return;
    const places = rows.map(({ key }) => placeOf(key));
    yield* await jobsOf(local, tag, places);
  }
}

/**
 * All memories without a vector of the model, from a key on: those that were there before there were vectors, and those
 * that a process without embeddings stored.
 */
export async function* allMemories(
  local: Local,
  tag: string,
  from: string,
): AsyncGenerator<{ jobs: EmbedJob[]; last: string }, void> {
  for (let last = from; ; ) {
    const after = last === '' ? undefined : last;
    const rows = await local.store.range({ prefix: keys.allMemories, after, limit: slice });
    last = rows.at(-1)?.key ?? '';
    if (last === '') return;
    const places = rows.map(({ key }) => placeOf(key));
    const vectors = await local.store.get(places.map(({ owner, id }) => keys.memoryVectorKey(owner, id)));
    const without = places.filter((_, i) => {
      const vector = vectors[i];
      return vector === undefined || vectorOf(tag, vector) === undefined;
    });
    yield { jobs: await jobsOf(local, tag, without), last };
  }
}

/** A job for each owner, since the log of an owner's vectors is written with them. */
function jobsOf(local: Local, tag: string, places: readonly MemoryPlace[]): Promise<EmbedJob[]> {
  const owners = [...Map.groupBy(places, ({ owner }) => keys.memories(owner)).values()];
  return Promise.all(
    owners.flatMap((some) => {
      const [first] = some;
      const ids = some.map(({ id }) => id);
      return first === undefined ? [] : [jobOf(local, tag, first.owner, ids)];
    }),
  );
}

async function jobOf(local: Local, tag: string, owner: Owner, ids: readonly string[]): Promise<EmbedJob> {
  const memoryKeys = ids.map((id) => keys.memoryKey(owner, id));
  const values = await local.store.get(memoryKeys);
  const memories = values.map((value) => (value === undefined ? undefined : tryMemory(value)));
  const found = memories.flatMap((memory, i) =>
    memory === undefined || memory.fact.trim() === '' ? [] : [{ i, memory }],
  );
  const logKey = keys.vectorLogKey(owner);
  const logId = newLongId('x', local.now());
  return {
    texts: found.map(({ memory }) => memory.fact),
    write: (directions) =>
      local.store.update([logKey, ...memoryKeys], ([log, ...there]) => {
        const made = found.flatMap(({ i, memory }, at) => {
          const direction = directions[at];
          const id = ids[i];
          if (direction === undefined || id === undefined || there[i] !== values[i]) return [];
          return [{ id, value: vectorText(tag, direction, groupOf(memory.scope)) }];
        });
        const names = made.map(({ id }) => id);
        return {
          result: undefined,
          writes: [
            ...made.map(({ id, value }) => ({ key: keys.memoryVectorKey(owner, id), value })),
            ...ids.map((id) => ({ drop: keys.waitingMemoryKey(owner, id) })),
            ...(made.length === 0 ? [] : [{ key: logKey, value: logText(log, logId, names) }]),
          ],
        };
      }),
  };
}
