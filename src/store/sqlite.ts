import { resolve } from 'node:path';
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { SessionError } from '../errors.ts';
import { decideAll, groupCommit, type Job, type Outcome } from './group-commit.ts';
import { compareKeys, keyAfter, prefixEnd } from './keys.ts';
import { takeTurns, whenFree } from './lock-retry.ts';
import { damaged, isMisfit } from './sqlite-errors.ts';
import { migrate, prepareFile } from './sqlite-file.ts';
import { textIndex } from './text-index.ts';
import type { Entry, Put, Range, Store, Write } from './types.ts';
import { watchKeys } from './watch.ts';
import { indexTerms } from './words.ts';

export interface SqliteOptions {
  /** A file, created with its folder where it is missing, or `:memory:`. */
  path: string;
  /**
   * `full`: what was acknowledged survives a power cut. `normal`: it survives a crash of the process, but a
   * power cut may undo the last commits; what remains is never torn.
   */
  durability: 'full' | 'normal';
  /** The clock that entries expire by, in milliseconds. */
  now?: (() => number) | undefined;
  /** Largest file, in pages of 4 KiB; beyond it the disk counts as full. */
  maxPages?: number | undefined;
}

/** Expired entries that one call of `sweep` deletes at most. */
const sweepSlice = 500;

/**
 * The store on an SQLite file that any number of processes may share, each with one connection. All calls of
 * SQLite are synchronous and short; a call waits, without blocking, only for another process's write to end.
 * @throws SessionError FAILED_PRECONDITION when the file is not ours, newer, damaged or not writable;
 * UNAVAILABLE when other processes keep it locked
 */
export async function openSqlite(options: SqliteOptions): Promise<Store> {
  // Not at the top of the file: a Node without node:sqlite must live to say what it lacks.
  const { DatabaseSync } = await import('node:sqlite');
  const now = options.now ?? Date.now;
  const inMemory = options.path === ':memory:';
  const path = inMemory ? options.path : resolve(options.path);
  if (!inMemory) prepareFile(path, (url) => new DatabaseSync(url, { readOnly: true }));
  const { db, ...sql } = await whenFree(() => {
    const opened = new DatabaseSync(path, { timeout: 0 });
    try {
      configure(opened, options);
      migrate(opened);
      return { db: opened, ...statements(opened), text: textIndex(opened) };
    } catch (error) {
      opened.close();
      throw isMisfit(error) ? damaged(error) : error;
    }
  });
  const turns = takeTurns();
  const lane = groupCommit(commitBatch);
  const watch = watchKeys({
    version: () => (sql.dataVersion.get() as unknown as { data_version: number }).data_version,
    value: (key) => read(key, now()),
  });
  let closed: Promise<void> | undefined;

  function read(key: string, at: number): string | undefined {
    return (sql.select.get(key, at) as unknown as { value: string } | undefined)?.value;
  }

  /** Everything that `work` reads is one snapshot, everything that it writes is durable afterwards, or none. */
  function transaction<T>(start: StatementSync, work: () => T): T {
    start.run();
    try {
      const result = work();
      sql.commit.run();
      return result;
    } catch (error) {
      // Some errors, a full disk among them, have ended the transaction already.
      if (db.isTransaction) sql.rollback.run();
      throw error;
    }
  }

  async function commitBatch(jobs: readonly Job[]): Promise<readonly Outcome[]> {
    await turns.begin();
    const keys = new Set(jobs.flatMap((job) => job.keys));
    const { outcomes, writes } = await whenFree(() =>
      transaction(sql.beginWrite, () => {
        const at = now();
        const values = new Map(Array.from(keys, (key) => [key, read(key, at)]));
        const decided = decideAll(jobs, values, at);
        for (const write of decided.writes) apply(write);
        return decided;
      }),
    );
    turns.end();
    watch.written(
      writes.flatMap((write) => ('dropPrefix' in write ? [] : 'drop' in write ? write.drop : write.key)),
      writes.flatMap((write) => ('dropPrefix' in write ? write.dropPrefix : [])),
    );
    return outcomes;
  }

  function apply(write: Write): void {
    if ('dropPrefix' in write) sql.dropBetween.run(write.dropPrefix, upperBound(prefixEnd(write.dropPrefix)));
    else if ('drop' in write) sql.drop.run(write.drop);
    else put(write);
  }

  function put({ key, value, expires, text: indexed }: Put): void {
    const terms = indexed === undefined ? undefined : indexTerms(indexed.body);
    sql.upsert.run(key, value, expires ?? null, indexed?.scope ?? null, terms?.length ?? null);
    if (indexed === undefined || terms === undefined) return;
    const row = sql.idOf.get(key) as unknown as { id: number };
    sql.text.add(row.id, indexed.scope, terms);
  }

  function selectRange({ prefix, after, before, limit, reverse }: Range): Entry[] {
    const from = after === undefined || compareKeys(after, prefix) < 0 ? prefix : keyAfter(after);
    const end = prefixEnd(prefix);
    const to = before !== undefined && (end === undefined || compareKeys(before, end) < 0) ? before : end;
    const rows = (reverse ? sql.backward : sql.forward).all(from, upperBound(to), now(), limit);
    return (rows as unknown as [string, string][]).map(([key, value]) => ({ key, value }));
  }

  function open(): void {
    if (closed !== undefined) throw new SessionError('UNAVAILABLE', 'The session database is closed.');
  }

  return {
    engine: 'sqlite',
    location: inMemory ? 'memory' : path,

    async get(keys) {
      open();
      const at = now();
      if (keys.length === 1) return whenFree(() => keys.map((key) => read(key, at)));
      return whenFree(() => transaction(sql.begin, () => keys.map((key) => read(key, at))));
    },

    async range(range) {
      open();
      return whenFree(() => selectRange(range));
    },

    async update(keys, decide) {
      open();
      return lane.update(keys, decide);
    },

    async search(scope, query, limit) {
      open();
      return whenFree(() => transaction(sql.begin, () => sql.text.search(scope, query, limit, now())));
    },

    watch(key, onChange) {
      open();
      return watch.watch(key, onChange);
    },

    async sweep() {
      open();
      // Whoever calls it in a loop must not keep everybody else waiting until the last slice.
      await new Promise<void>((resolve) => setImmediate(resolve));
      await turns.begin();
      const swept = await whenFree(() =>
        transaction(sql.beginWrite, () => sql.dropExpired.run(now(), sweepSlice)),
      );
      return Number(swept.changes) === sweepSlice;
    },

    close() {
      closed ??= lane.idle().then(() => {
        watch.stop();
        db.close();
      });
      return closed;
    },
  };
}

function configure(db: DatabaseSync, options: SqliteOptions): void {
  db.exec(`pragma journal_mode = wal;
    pragma synchronous = ${options.durability};
    pragma journal_size_limit = 67108864;
    pragma cache_size = -32768;
    ${options.maxPages === undefined ? '' : `pragma max_page_count = ${options.maxPages}`}`);
}

/** Prepared once: parsing takes longer than running them. */
function statements(db: DatabaseSync) {
  const alive = '(expires is null or expires > ?)';
  const between = `select key, value from kv where key >= ? and key < ? and ${alive} order by key`;
  const forward = db.prepare(`${between} limit ?`);
  const backward = db.prepare(`${between} desc limit ?`);
  forward.setReturnArrays(true);
  backward.setReturnArrays(true);
  return {
    begin: db.prepare('begin'),
    beginWrite: db.prepare('begin immediate'),
    commit: db.prepare('commit'),
    rollback: db.prepare('rollback'),
    dataVersion: db.prepare('pragma data_version'),
    select: db.prepare(`select value from kv where key = ? and ${alive}`),
    forward,
    backward,
    upsert: db.prepare(
      `insert into kv (key, value, expires, scope, terms) values (?, ?, ?, ?, ?) on conflict (key) do update set
       value = excluded.value, expires = excluded.expires, scope = excluded.scope, terms = excluded.terms`,
    ),
    idOf: db.prepare('select id from kv where key = ?'),
    drop: db.prepare('delete from kv where key = ?'),
    dropBetween: db.prepare('delete from kv where key >= ? and key < ?'),
    dropExpired: db.prepare(
      'delete from kv where id in (select id from kv where expires <= ? order by expires limit ?)',
    ),
  };
}

/** SQLite sorts a blob after every text, so the empty one is above all keys. */
const upperBound = (key: string | undefined): string | Uint8Array => key ?? new Uint8Array(0);
