import { isObject } from '../../model/json.ts';
import type { Memory } from '../../model/memory.ts';
import { slices } from '../../store/slices.ts';
import type { Entry, Put } from '../../store/types.ts';
import { parseStored } from './damage.ts';
import { indexedText } from './event-text.ts';
import { tryRecord } from './events.ts';
import * as keys from './keys.ts';
import { memoryPut } from './memory.ts';
import { type Head, type Local, refOf, sessionIdWrite, tryHead } from './session-record.ts';

/**
 * What a store is indexed with. What an earlier version stored is indexed anew, in slices, by every process that is
 * there: a slice that two of them write is the same twice.
 */
const version = 1;

/** How far the work is: memories, then sessions, each in the order of their keys. */
interface Progress {
  version: number;
  /** The last key that is done; absent when all is. */
  done?: string | undefined;
}

/** Whether some events that an earlier version stored cannot be found yet. */
export async function isIndexing(local: Local): Promise<boolean> {
  const progress = await readProgress(local);
  return progress.version !== version || progress.done !== undefined;
}

async function readProgress(local: Local): Promise<Progress> {
  const [value] = await local.store.get([keys.indexedKey]);
  const parsed: unknown = value === undefined ? undefined : JSON.parse(value);
  if (!isObject(parsed) || parsed.version !== version) return { version: 0 };
  return typeof parsed.done === 'string' ? { version, done: parsed.done } : { version };
}

/** A store that holds nothing has nothing of an earlier version. */
export async function noteEmptyStore({ store }: Local): Promise<void> {
  const [known] = await store.get([keys.indexedKey]);
  if (known !== undefined) return;
  for (const prefix of [keys.allHeads, keys.allMemories])
    if ((await store.range({ prefix, limit: 1 })).length > 0) return;
  await store.update([], () => ({ result: undefined, writes: [progressWrite(undefined)] }));
}

const progressWrite = (done: string | undefined): Put => ({
  key: keys.indexedKey,
  value: JSON.stringify({ version, done } satisfies Progress),
});

/** Indexes what earlier versions stored without it, until all is done or `stopped`. */
export async function indexOldEvents(local: Local, stopped: () => boolean): Promise<void> {
  const progress = await readProgress(local);
  if (progress.version === version && progress.done === undefined) return;
  let { done } = progress;
  const note = async (key: string | undefined) => {
    if (stopped()) return;
    done = key;
    await local.store.update([], () => ({ result: undefined, writes: [progressWrite(key)] }));
  };
  await inSlices(local, keys.allMemories, done, stopped, memoryAgain, note);
  for (;;) {
    const after = done?.startsWith(keys.allHeads) ? done : undefined;
    const [row] = await local.store.range({ prefix: keys.allHeads, after, limit: 1 });
    if (row === undefined || stopped()) break;
    const head = tryHead(row.value);
    if (head !== undefined) await indexSession(local, row.key, head, stopped);
    await note(row.key);
  }
  await note(undefined);
}

async function indexSession(
  local: Local,
  headKey: string,
  { uid }: Head,
  stopped: () => boolean,
): Promise<void> {
  const head = await local.store.update([headKey], ([value]) => {
    const there = value === undefined ? undefined : tryHead(value);
    if (there?.uid !== uid) return { result: undefined, writes: [] };
    return { result: there, writes: [sessionIdWrite(there)] };
  });
  if (head === undefined) return;
  const owner = { ...refOf(head), uid };
  const again = ({ key, value }: Entry): Put | undefined => {
    const record = tryRecord(value);
    return record === undefined ? undefined : { key, value, text: indexedText(owner, record.event) };
  };
  await inSlices(local, keys.events(uid), undefined, stopped, again, async () => {});
}

/** Writes all entries under a prefix again, as `again` makes them of their present values. */
async function inSlices(
  local: Local,
  prefix: string,
  done: string | undefined,
  stopped: () => boolean,
  again: (entry: Entry) => Put | undefined,
  note: (key: string) => Promise<void>,
): Promise<void> {
  const pace = slices();
  for (let after = done !== undefined && done >= prefix ? done : undefined; !stopped(); ) {
    const rows = await local.store.range({ prefix, after, limit: pace.size() });
    after = rows.at(-1)?.key;
    if (after === undefined) return;
    const start = performance.now();
    const found = rows.map(({ key }) => key);
    await local.store.update(found, (values) => ({
      result: undefined,
      writes: found.flatMap((key, i) => {
        const value = values[i];
        return (value === undefined ? undefined : again({ key, value })) ?? [];
      }),
    }));
    pace.took(performance.now() - start);
    await note(after);
  }
}

function memoryAgain({ key, value }: Entry): Put | undefined {
  const [, app = '', userId = ''] = keys.partsOf(key);
  try {
    return { ...memoryPut({ app, userId }, parseStored<Memory>('A memory', value)), key, value };
  } catch {
    return undefined;
  }
}
