/**
 * The port between the local backend and a database: an ordered, transactional key-value store of JSON texts.
 * Engines are written against this page and know nothing of sessions.
 *
 * Keys are compared as UTF-8 bytes. Keys, values, scopes and bodies are well-formed Unicode without NUL, which
 * not every database can hold (JSON escapes both). Keys that begin with "~" are the store's own.
 */

/** A value that is gone at `expires` (milliseconds since the epoch), and searchable where `text` is given. */
export interface Put {
  key: string;
  value: string;
  expires?: number | undefined;
  /** Indexed for `search` under exactly this scope. Replaces what the key had indexed before. */
  text?: { scope: string; body: string } | undefined;
}

/**
 * A put without `text`, a drop and a dropPrefix also take the key out of the search index. A dropPrefix is done
 * whole, and all others wait for it: drop a large number of keys in several updates.
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

/** `score` is comparable within one answer only; higher is better. */
export interface Hit extends Entry {
  score: number;
}

/** What an update decides: its answer, and the writes that go with it, all or none. */
export interface Decision<T> {
  result: T;
  writes: readonly Write[];
}

export interface Store {
  /** Which engine: sqlite, postgres, redis, … */
  readonly engine: string;
  /** Where the data is, without credentials. */
  readonly location: string;

  /** Values in the order of the keys; undefined where there is none or it has expired. */
  get(keys: readonly string[]): Promise<(string | undefined)[]>;

  /** Keys in order. Expired entries are not there. */
  range(range: Range): Promise<Entry[]>;

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
   * Entries of a scope whose text holds at least one of the query's words, best first. Words of any script,
   * digits too; a word that is everywhere counts for little.
   */
  search(scope: string, query: string, limit: number): Promise<Hit[]>;

  /**
   * Calls back soon after the key's value was written or dropped, by this process or another; coalesced, and
   * perhaps once too often. Another process's write of the value that was there may pass unnoticed. The
   * returned function ends it.
   */
  watch(key: string, onChange: () => void): () => void;

  /** Deletes what has expired, a bounded slice at a time. Resolves to whether more is left. */
  sweep(): Promise<boolean>;

  /** Finishes the updates that are under way, then lets go of the database. */
  close(): Promise<void>;
}
