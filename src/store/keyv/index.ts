import { randomBytes } from 'node:crypto';
import { SessionError } from '../../errors.ts';
import { breaths } from '../breaths.ts';
import { type Committed, decideAll, groupCommit, type Job } from '../group-commit.ts';
import { rank } from '../ranking.ts';
import { slices } from '../slices.ts';
import { splitText } from '../split-text.ts';
import type { Entry, PlacedEntry, Store, WholeEntry, Write } from '../types.ts';
import { watchKeys } from '../watch.ts';
import { catalog, type Item } from './catalog.ts';
import { intentSlots, lastIntent, openJournal } from './journal.ts';
import { ownerSlot, takeOwnership } from './owner.ts';
import { damaged, decodeStored, encodeStored } from './record.ts';
import { slotReads } from './slot-reads.ts';
import { slotsIn } from './slots.ts';

export interface KeyvStoreOptions {
  /** A Keyv, or a storage adapter for one. The store closes it with itself. */
  keyv: object;
  /** What it is called for people, without credentials. */
  location: string;
  /** Of the Keyv that is made for an adapter. */
  namespace?: string | undefined;
  now?: (() => number) | undefined;
  /** Milliseconds that an update waits for an adapter that does not answer; 20,000 where it is not given. */
  patience?: number | undefined;
}

const patience = 20_000;
const usualNamespace = 'agentsessions';

const limits = [
  'A Keyv store has one server at a time; a second one is refused.',
  'All keys, and the words of all memories, are held in memory and read at every start: for some hundred thousand events, not for millions.',
  'What survives a crash of the machine is what the Keyv adapter has written to its disk when it answers.',
];

/**
 * The store on any Keyv that can list its entries. One process has it open: it knows all keys, and the adapter keeps
 * the values, each under a slot that is written once.
 * @throws SessionError FAILED_PRECONDITION when the Keyv cannot list its entries, lost some, or is open elsewhere;
 * UNAVAILABLE when it reports an error
 */
export async function openKeyvStore(options: KeyvStoreOptions): Promise<Store> {
  const now = options.now ?? Date.now;
  const slots = slotsIn(options.keyv, options.namespace ?? usualNamespace);
  const self = randomBytes(9).toString('base64url');
  const ownership = await takeOwnership(slots, self);
  const entries = catalog();
  const reads = slotReads(slots);
  const journal = await openJournal(slots, ownership, await lastIntent(slots), reads.unread).catch(fail);
  let lastSlot = await load().catch(fail);
  const lane = groupCommit(alone(commitBatch), options.patience ?? patience);
  const watch = watchKeys({ version: () => 0, value: (key) => entries.item(key)?.slot });
  const breath = breaths();
  const pace = slices();
  let queue: Promise<unknown> = Promise.resolve();
  let closed: Promise<void> | undefined;

  async function fail(error: unknown): Promise<never> {
    await ownership.end().catch(() => {});
    await slots.close().catch(() => {});
    throw error;
  }

  /** Reads everything. Resolves to the number of the last slot. */
  async function load(): Promise<number> {
    let last = 0;
    let listed = false;
    const known = new Set<string>([ownerSlot, ...intentSlots]);
    for await (const [slot, text] of slots.all()) {
      if (slot === ownerSlot) listed = true;
      if (known.has(slot) || !slot.startsWith('s')) continue;
      entries.put(decodeStored(text), slot);
      last = Math.max(last, Number.parseInt(slot.slice(1), 36));
    }
    if (!listed)
      throw new SessionError('FAILED_PRECONDITION', 'This Keyv adapter cannot list its entries.', {
        hint: 'Use one with an iterator, such as keyv-file, @keyv/sqlite, @keyv/postgres or @keyv/redis.',
      });
    return last;
  }

  /** One after another: updates and the sweep. */
  function alone<A extends unknown[], T>(work: (...args: A) => Promise<T>): (...args: A) => Promise<T> {
    return (...args) => {
      const done = queue.then(() => work(...args));
      queue = done.catch(() => {});
      return done;
    };
  }

  const alive = (key: string, at: number): Item | undefined => {
    const item = entries.item(key);
    return item?.expires !== undefined && item.expires <= at ? undefined : item;
  };

  /** The values of these keys as they are at this moment. */
  async function valuesOf(keys: readonly string[]): Promise<(string | undefined)[]> {
    const at = now();
    const wanted = keys.map((key) => alive(key, at)?.slot);
    const texts = await reads.read(
      wanted.filter((slot) => slot !== undefined),
      journal.pending,
    );
    return wanted.map((slot) => {
      if (slot === undefined) return undefined;
      const text = texts.get(slot);
      if (text === undefined) throw damaged();
      return decodeStored(text).value;
    });
  }

  async function wholeEntries(keys: readonly string[]): Promise<WholeEntry[]> {
    const items = keys.map((key) => entries.item(key));
    const values = await valuesOf(keys);
    return keys.flatMap((key, i): WholeEntry[] => {
      const value = values[i];
      if (value === undefined) return [];
      const { expires, text } = items[i] ?? {};
      const split = text && { scope: text.scope, terms: text.terms, words: text.words };
      return [{ key, value, expires, text: split }];
    });
  }

  async function commitBatch(jobs: readonly Job[], deadline: number): Promise<Committed> {
    await journal.settled(deadline);
    const keys = [...new Set(jobs.flatMap((job) => job.keys))];
    const values = await valuesOf(keys);
    const seen = new Map(keys.map((key, i) => [key, values[i]]));
    const { outcomes, writes } = decideAll(jobs, seen, now());
    if (writes.length > 0) await write(writes);
    return outcomes;
  }

  async function write(writes: readonly Write[]): Promise<void> {
    const puts = new Map<string, string>();
    const drops: string[] = [];
    const changes: (() => void)[] = [];
    let nextText = entries.nextText();
    const under = new Set<string>();
    const replace = (key: string) => {
      const item = entries.item(key);
      if (item !== undefined && !under.has(key)) drops.push(item.slot);
      return under.has(key) ? undefined : item;
    };
    for (const one of writes)
      if ('dropPrefix' in one) {
        for (const key of entries.keysUnder(one.dropPrefix)) {
          if (under.has(key)) continue;
          replace(key);
          under.add(key);
          changes.push(() => entries.drop(key));
        }
      } else if ('drop' in one) {
        replace(one.drop);
        changes.push(() => entries.drop(one.drop));
      } else {
        const { key, value, expires } = one;
        const id = replace(key)?.text?.id ?? nextText;
        const text = one.text === undefined ? undefined : { id, ...splitText(one.text) };
        if (text !== undefined && id === nextText) nextText += 1;
        lastSlot += 1;
        const slot = `s${lastSlot.toString(36)}`;
        puts.set(slot, encodeStored({ key, value, expires, text }));
        changes.push(() => entries.put({ key, expires, text }, slot));
      }
    await journal.write(puts, drops, () => {
      for (const change of changes) change();
    });
    watch.written(
      writes.flatMap((one) => ('dropPrefix' in one ? [] : 'drop' in one ? one.drop : one.key)),
      writes.flatMap((one) => ('dropPrefix' in one ? one.dropPrefix : [])),
    );
  }

  const sweepSlice = alone(async (limit: number): Promise<boolean> => {
    await journal.settled(performance.now() + (options.patience ?? patience));
    const expired = entries.expired(now(), limit);
    if (expired.length > 0) await write(expired.map((drop) => ({ drop })));
    return expired.length === limit;
  });

  function open(): void {
    if (closed !== undefined) throw new SessionError('UNAVAILABLE', 'The session store is closed.');
  }

  return {
    engine: 'keyv',
    location: options.location,
    limits,

    async get(keys) {
      open();
      await breath();
      return valuesOf(keys);
    },

    async range(range) {
      open();
      await breath();
      const keys = entries.keysOf(range, now());
      const values = await valuesOf(keys);
      return keys.flatMap((key, i): Entry[] => {
        const value = values[i];
        return value === undefined ? [] : [{ key, value }];
      });
    },

    async entries(after, limit) {
      open();
      await breath();
      return wholeEntries(entries.keysOf({ prefix: '', after, limit }, now()));
    },

    async texts(after, limit) {
      open();
      await breath();
      const found: PlacedEntry[] = [];
      for (let last = after; found.length < limit; ) {
        const ids = entries.textsAfter(last, limit - found.length);
        if (ids.length === 0) break;
        last = ids.at(-1) ?? last;
        const placeOf = new Map(ids.map((id) => [entries.keyOfText(id) ?? '', id]));
        for (const entry of await wholeEntries([...placeOf.keys()]))
          found.push({ ...entry, place: placeOf.get(entry.key) ?? 0 });
      }
      return found;
    },

    async update(keys, decide) {
      open();
      return lane.update(keys, decide);
    },

    async search(query) {
      open();
      await breath();
      return rank(query, now(), {
        lists: entries.words.lists,
        async rows(ids) {
          const known = ids.flatMap((id) => {
            const key = entries.keyOfText(id);
            const text = key === undefined ? undefined : alive(key, now())?.text;
            return key === undefined || text === undefined ? [] : [{ id, key, text }];
          });
          const values = await valuesOf(known.map(({ key }) => key));
          return known.flatMap(({ id, key, text }, i) => {
            const value = values[i];
            return value === undefined ? [] : [{ id, key, value, scope: text.scope, terms: text.words }];
          });
        },
      });
    },

    watch(key, onChange) {
      open();
      return watch.watch(key, onChange);
    },

    async sweep() {
      open();
      await new Promise<void>((resolve) => setImmediate(resolve));
      const start = performance.now();
      const more = await sweepSlice(pace.size());
      pace.took(performance.now() - start);
      return more;
    },

    close() {
      closed ??= lane.idle().then(async () => {
        await queue;
        watch.stop();
        await journal.close();
        await ownership.end();
        await slots.close();
      });
      return closed;
    },
  };
}
