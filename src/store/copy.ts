import { createHash, randomUUID } from 'node:crypto';
import { SessionError } from '../errors.ts';
import { compareKeys, copyKey } from './keys.ts';
import { storeSecret } from './secret.ts';
import type { PlacedEntry, Store, WholeEntry, Write } from './types.ts';

/** What is known of a copy while it is made. */
export interface CopyProgress {
  phase: 'copying' | 'comparing';
  entries: number;
}

/** What both stores hold when the copy is done. */
export interface CopyResult {
  entries: number;
  /** SHA-256 over all entries with their times and texts, in hex; the same of both. */
  digest: string;
  /** Entries that an earlier run had copied already. */
  found: number;
}

/** What a target says of itself until its copy is done. It is written with every slice. */
interface Mark {
  /** Which store it is a copy of. */
  of: string;
  /** The run that copies now. One that was begun later takes the copy over. */
  run?: string | undefined;
  /** The last key of those without a text that was copied; the others come after them all. */
  after?: string | undefined;
  /** The place of the last text that was copied. */
  place?: number | undefined;
  entries: number;
}

/** Comparisons before a source that goes on changing is given up. */
const rounds = 3;
/** Characters that a slice should have. */
const goodSlice = 2_000_000;
const mostEntries = 500;

/**
 * Copies all entries of one store to another, slice by slice, and compares the two in the end. A copy that was
 * interrupted goes on where it stopped; until it is done, no server opens the target.
 * @throws SessionError FAILED_PRECONDITION when the target holds anything but a half-done copy of this source;
 * ABORTED when the source changes all the time
 */
export async function copyStore(
  from: Store,
  to: Store,
  onProgress: (progress: CopyProgress) => void,
): Promise<CopyResult> {
  const of = createHash('sha256')
    .update(await storeSecret(from))
    .digest('hex');
  const run = randomUUID();
  const start = await claim(to, { of, run });
  const put = writerOf(to, run);
  let { entries } = start;
  const copy = async (slice: readonly WholeEntry[], done: Pick<Mark, 'after' | 'place'>) => {
    entries += slice.length;
    const mark: Mark = { of, run, ...done, entries };
    await put([...slice, { key: copyKey, value: JSON.stringify(mark) }]);
    onProgress({ phase: 'copying', entries });
  };
  if (start.place === undefined)
    for await (const slice of slicesOf(from, start.after)) {
      const plain = slice.filter(({ text }) => text === undefined);
      if (plain.length > 0) await copy(plain, { after: slice.at(-1)?.key });
    }
  // In the order in which the source has them: it decides between entries that fit a search alike.
  for await (const slice of textSlicesOf(from, start.place ?? 0))
    await copy(slice, { place: slice.at(-1)?.place });
  for (let round = 0; round < rounds; round++) {
    const { differences, ...result } = await compare(from, to, put, onProgress);
    if (differences === 0) {
      await put([{ drop: copyKey }]);
      return { ...result, found: start.entries };
    }
  }
  throw new SessionError('ABORTED', 'The store that is copied changes all the time.', {
    hint: 'Stop the servers that use it, and run the same command again: it goes on where it stopped.',
  });
}

/** Closes a store that is a half-done copy. @throws SessionError FAILED_PRECONDITION then */
export async function refuseHalfCopy(store: Store): Promise<void> {
  const [mark] = await store.get([copyKey]);
  if (mark === undefined) return;
  await store.close();
  throw halfCopy(store.location);
}

export const halfCopy = (location: string): SessionError =>
  new SessionError('FAILED_PRECONDITION', `The store at ${location} is a copy that is not done.`, {
    hint: 'Run agent-sessions-mcp copy-store again with the same two stores: it goes on where it stopped.',
  });

/**
 * Makes the target ours, with the mark that keeps servers and other copies out, and only then trusts that it is empty.
 * A half-done copy of the same source is taken over.
 */
async function claim(to: Store, ours: Pick<Mark, 'of' | 'run'>): Promise<Mark> {
  const wasEmpty = await isEmpty(to);
  const mark = await to.update([copyKey], ([value]) => {
    const before = markOf(value);
    if (before === undefined ? !wasEmpty : before.of !== ours.of) throw notEmpty(to);
    const after: Mark = { entries: 0, ...before, ...ours };
    return { result: after, writes: [{ key: copyKey, value: JSON.stringify(after) }] };
  });
  if (mark.entries === 0 && !(await isEmpty(to))) {
    await writerOf(to, ours.run ?? '')([{ drop: copyKey }]);
    throw notEmpty(to);
  }
  return mark;
}

async function isEmpty(store: Store): Promise<boolean> {
  const entries = await store.range({ prefix: '', limit: 2 });
  return entries.every(({ key }) => key === copyKey);
}

const markOf = (value: string | undefined): Mark | undefined =>
  value === undefined ? undefined : (JSON.parse(value) as Mark);

const notEmpty = (store: Store): SessionError =>
  new SessionError('FAILED_PRECONDITION', `The store at ${store.location} is not empty.`, {
    hint: 'Name a new, empty store as the target. Nothing was changed.',
  });

type Put = (writes: readonly Write[]) => Promise<void>;

/** Writes while the copy is this run's: a server may have opened the store that another run has completed. */
const writerOf =
  (to: Store, run: string): Put =>
  (writes) =>
    to.update([copyKey], ([value]) => {
      if (markOf(value)?.run !== run)
        throw new SessionError('ABORTED', `Another run of the same copy writes to ${to.location} now.`, {
          hint: 'Wait for that one; this one has ended and loses nothing.',
        });
      return { result: undefined, writes };
    });

/** Reads both in step, and mends what differs in the target. */
async function compare(
  from: Store,
  to: Store,
  put: Put,
  onProgress: (progress: CopyProgress) => void,
): Promise<{ entries: number; digest: string; differences: number }> {
  const hash = createHash('sha256');
  const theirs = single(to);
  let entries = 0;
  let differences = 0;
  let their = await theirs.next();
  const skipGreaterThan = async (key: string | undefined, mend: Write[]) => {
    while (their.done !== true && (key === undefined || compareKeys(their.value.key, key) < 0)) {
      mend.push({ drop: their.value.key });
      their = await theirs.next();
    }
  };
  for await (const slice of slicesOf(from, undefined)) {
    const mend: Write[] = [];
    for (const entry of slice) {
      const text = canonical(entry);
      hash.update(text);
      entries += 1;
      await skipGreaterThan(entry.key, mend);
      const isThere = their.done !== true && their.value.key === entry.key;
      if (!isThere || canonical(their.value as WholeEntry) !== text) mend.push(entry);
      if (isThere) their = await theirs.next();
    }
    differences += await mendBy(put, mend);
    onProgress({ phase: 'comparing', entries });
  }
  const rest: Write[] = [];
  await skipGreaterThan(undefined, rest);
  differences += await mendBy(put, rest);
  return { entries, digest: hash.digest('hex'), differences };
}

async function mendBy(put: Put, writes: readonly Write[]): Promise<number> {
  if (writes.length > 0) await put(writes);
  return writes.length;
}

const canonical = ({ key, value, expires, text }: WholeEntry): string =>
  `${JSON.stringify([key, value, expires ?? null, text && [text.scope, text.words, text.terms]])}\n`;

async function* single(store: Store): AsyncGenerator<WholeEntry> {
  for await (const slice of slicesOf(store, undefined)) yield* slice;
}

/** All entries but the mark of a copy. */
async function* slicesOf(store: Store, after: string | undefined): AsyncGenerator<readonly WholeEntry[]> {
  let last = after;
  for await (const slice of slices((size) => store.entries(last, size))) {
    last = slice.at(-1)?.key;
    const kept = slice.filter(({ key }) => key !== copyKey);
    if (kept.length > 0) yield kept;
  }
}

async function* textSlicesOf(store: Store, after: number): AsyncGenerator<readonly PlacedEntry[]> {
  let last = after;
  for await (const slice of slices((size) => store.texts(last, size))) {
    last = slice.at(-1)?.place ?? last;
    if (slice.length > 0) yield slice;
  }
}

/** Asks for slice after slice until one is not full. A slice is shorter where values are long. */
async function* slices<T extends WholeEntry>(next: (size: number) => Promise<T[]>): AsyncGenerator<T[]> {
  for (let size = 50; ; ) {
    const slice = await next(size);
    yield slice;
    if (slice.length < size) return;
    const length = slice.reduce((sum, { value }) => sum + value.length, 0);
    size = Math.min(mostEntries, Math.max(1, Math.floor((size * goodSlice) / Math.max(1, length))));
  }
}
