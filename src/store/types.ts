/**
 * The port between the local backend and a database: an ordered, transactional key-value store of texts.
 * Engines are written against this page and know nothing of sessions.
 *
 * Keys are compared as UTF-8 bytes. Keys, values, scopes and bodies are well-formed Unicode without NUL, since not every
 * database can hold NUL or lone surrogates (JSON escapes both). Keys that begin with "~" are the store's own. Times are
 * milliseconds since the epoch. All calls reject with SessionError: UNAVAILABLE when the database cannot be reached, is
 * locked for longer than 20 seconds, or was closed; RESOURCE_EXHAUSTED when it is full; FAILED_PRECONDITION when it is
 * damaged, missing or cannot be written. A rejected write has not happened, unless the connection or the file was lost
 * during its commit.
 *
 * ```ts
 * const store = await openStore({ url: 'sqlite:notes.db', durability: 'full', dataDir: '.' });
 * const count = await store.update(['n'], ([value]) => {
 *   const next = Number(value ?? 0) + 1;
 *   return { result: next, writes: [{ key: 'n', value: String(next) }] };
 * });
 * await store.close();
 * ```
 */

/** Writes a value. It disappears at `expires`; with `text` it can be searched. */
export interface Put {
  key: string;
  value: string;
  expires?: number | undefined;
  /** The text that `search` finds the key by. It replaces the key's earlier text. */
  text?: IndexedText | SplitText | undefined;
}

export interface IndexedText {
  /** A search is in exactly one scope. */
  scope: string;
  body: string;
  /** Exact terms by which a search can be narrowed within the scope; each costs as much as a word. */
  tags?: readonly string[] | undefined;
}

/** A text as an index holds it, which no longer has its body. */
export interface SplitText {
  scope: string;
  /** As `indexTerms` and `tagTerm` made them: words first, then tags. */
  terms: readonly string[];
  /** How many of the terms are words. */
  words: number;
}

export interface TextQuery {
  scope: string;
  text: string;
  limit: number;
  /** Only entries that have at least one tag of each group. */
  tags?: readonly (readonly string[])[] | undefined;
}

/**
 * A put without `text`, a drop and a dropPrefix also remove the key from the search index. Dropped and replaced values
 * do not remain in the database's files, if the engine can prevent it; terms of a text that a put leaves out may stay
 * there until the next sweep, though no search finds them. A dropPrefix runs as a whole while all other
 * calls wait, so drop a large number of keys in several updates.
 */
export type Write = Put | { drop: string } | { dropPrefix: string };

export interface Range {
  /** Only keys that begin with this. */
  prefix: string;
  /** Only keys greater than this one (exclusive). */
  after?: string | undefined;
  /** Only keys less than this one (exclusive). */
  before?: string | undefined;
  limit: number;
  /** Greatest key first. */
  reverse?: boolean | undefined;
}

export interface Entry {
  key: string;
  value: string;
}

/** An entry with its score. Higher is better; scores of different answers cannot be compared. */
export interface Hit extends Entry {
  score: number;
}

/** The result of an update, and its writes, of which all or none happen. */
export interface Decision<T> {
  result: T;
  writes: readonly Write[];
}

/** Everything that a store keeps of an entry: what a copy of it is made of. */
export interface WholeEntry extends Entry {
  expires: number | undefined;
  text: SplitText | undefined;
}

/** An entry that can be searched. */
export interface PlacedEntry extends WholeEntry {
  /** Its place among all texts of the store. Of entries that fit a search alike, the one placed last comes first. */
  place: number;
}

export interface Store {
  /** The engine's name: sqlite, postgres, redis, … */
  readonly engine: string;
  /** Where the data is, without credentials. */
  readonly location: string;
  /**
   * What the engine does not promise here, a sentence each: what may be lost, who else may write. The start prints
   * them and describe_server shows them.
   */
  readonly limits?: readonly string[];
  /** Whether servers of several machines have it open at once. */
  readonly isShared?: boolean;

  /** The values in the order of the keys, all of one moment; undefined for a missing or expired one. */
  get(keys: readonly string[]): Promise<(string | undefined)[]>;

  /** At most `limit` entries in the order of their keys, without expired ones. */
  range(range: Range): Promise<Entry[]>;

  /**
   * At most `limit` whole entries in the order of their keys, from the first key greater than `after`. Expired ones
   * are not there.
   */
  entries(after: string | undefined, limit: number): Promise<WholeEntry[]>;

  /** The same of entries with a text, in the order of their places, from the first place greater than `after`. */
  texts(after: number, limit: number): Promise<PlacedEntry[]>;

  /**
   * One transaction: reads the keys, asks `decide` for the writes, applies them, and resolves when they are
   * durable. `decide` is pure and synchronous, since an engine may run it again on newer values; when it
   * throws, nothing is written and the promise rejects with what it threw. Writes may touch keys that were
   * not read. Updates that read or write a common key never interleave.
   */
  update<T>(
    keys: readonly string[],
    decide: (values: readonly (string | undefined)[]) => Decision<T>,
  ): Promise<T>;

  /**
   * At most `limit` entries of a scope whose text holds at least one of the query's words, best first. Words of
   * any script, digits too; English ones in any form; a word that is everywhere counts for little, and function
   * words only where there are no others. `ranking.ts` decides; an engine answers what it asks of the index.
   */
  search(query: TextQuery): Promise<Hit[]>;

  /**
   * Calls back soon after the key's value was written or dropped, by this process or another; coalesced, and
   * perhaps once too often. Another process's write of the value that was there may pass unnoticed. The
   * returned function ends it.
   */
  watch(key: string, onChange: () => void): () => void;

  /**
   * Deletes some expired entries, then returns some free space to the disk: about 20 ms of work. Resolves to whether
   * more is left: `while (await store.sweep());`.
   */
  sweep(): Promise<boolean>;

  /** Finishes the updates that are under way, then closes the database. */
  close(): Promise<void>;
}

/** What there is to say of a store that was looked at from outside, and not changed. */
export interface StoreLook {
  location: string;
  /** What opening it would do; `unknown` where only opening it tells. */
  state: 'new' | 'older' | 'current' | 'unknown';
  /** Whether it is a copy that is not done. */
  isHalfCopy: boolean;
  limits: readonly string[];
}
