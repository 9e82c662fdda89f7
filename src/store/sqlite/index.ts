import { resolve } from 'node:path';
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { SessionError } from '../../errors.ts';
import { breaths } from '../breaths.ts';
import { type Committed, decideAll, groupCommit, type Job } from '../group-commit.ts';
import { compareKeys, keyAfter, prefixEnd } from '../keys.ts';
import { rankSync } from '../ranking.ts';
import { type Slices, slices } from '../slices.ts';
import type { Entry, Range, Store } from '../types.ts';
import { watchKeys } from '../watch.ts';
import { writesOn } from './apply-writes.ts';
import { damaged, isBusy, isMisfit } from './errors.ts';
import { hasLog, prepareFile } from './file.ts';
import { fileIdentity } from './file-identity.ts';
import { retryWhileLocked, takeTurns } from './lock-retry.ts';
import { makeShrinkable, migrate, pragma, rewriteOldFile, rewriteSmallFile, shrinks } from './schema.ts';
import { prepareOn, upperBound } from './statements.ts';
import { type WholeRow, wholeEntry } from './text-index.ts';
import { writeAheadLog } from './write-ahead-log.ts';

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
  /** Milliseconds that a call waits for other processes' writes to end; 20,000 where it is not given. */
  patience?: number | undefined;
  /** Largest file, in pages of 4 KiB; beyond it the disk counts as full. */
  maxPages?: number | undefined;
}

/** Milliseconds that a call waits for other processes before it gives up with UNAVAILABLE. */
const patience = 20_000;

/**
 * Pages of 4 KiB in the log after which SQLite copies them to the file. The pages that change with every event are copied
 * once, however often they are in the log, and the disk is waited for twice.
 */
const logPages = 4000;

/** Pages of 4 KiB that deleted entries leave behind and new ones soon fill; what is more goes back to the disk. */
const sparePages = 1024;

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
  const interrupted = !inMemory && hasLog(path);
  const whenFree = <T>(attempt: () => T, deadline = performance.now() + (options.patience ?? patience)) =>
    retryWhileLocked(attempt, deadline);
  const { db, ...sql } = await whenFree(() => {
    const opened = new DatabaseSync(path, { timeout: 0 });
    try {
      configure(opened, options);
      migrate(opened);
      if (!inMemory) rewriteOldFile(opened);
      return { db: opened, ...prepareOn(opened) };
    } catch (error) {
      opened.close();
      throw isMisfit(error) ? damaged(error) : error;
    }
  });
  const writer = writesOn(sql);
  const file = fileIdentity(inMemory ? undefined : path);
  const log = writeAheadLog(db, file.check, inMemory ? () => {} : () => rewriteSmallFile(db));
  const turns = takeTurns();
  const lane = groupCommit(commitBatch, options.patience ?? patience);
  const watch = watchKeys({
    version: () => (sql.dataVersion.get() as unknown as { data_version: number }).data_version,
    value: (key) => read(key, now()),
  });
  const breath = breaths();
  const sweeps = slices();
  const hiddenSlices = slices();
  let closed: Promise<void> | undefined;
  // What a process that was killed had deleted may still be there, and what a migration took away in the log.
  if (interrupted) log.erased();
  else log.empties();

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

  async function commitBatch(jobs: readonly Job[], deadline: number): Promise<Committed> {
    await turns.begin();
    const keys = new Set(jobs.flatMap((job) => job.keys));
    const committed = await whenFree(
      () =>
        transaction(sql.beginWrite, () => {
          const at = now();
          if (keys.size === 0) sql.hold.get();
          const values = new Map(Array.from(keys, (key) => [key, read(key, at)]));
          const decided = decideAll(jobs, values, at);
          const erased = writer.apply(decided.writes);
          // At the last moment at which it can still be rolled back.
          file.check();
          return { ...decided, erased };
        }),
      deadline,
    ).catch((error: unknown) => {
      if (error instanceof SessionError && isBusy(error.cause)) return { busy: error };
      throw error;
    });
    turns.end();
    if ('busy' in committed) return committed;
    const { outcomes, writes } = committed;
    if (committed.erased) log.erased();
    else if (writes.length > 0) log.overwritten();
    watch.written(
      writes.flatMap((write) => ('dropPrefix' in write ? [] : 'drop' in write ? write.drop : write.key)),
      writes.flatMap((write) => ('dropPrefix' in write ? write.dropPrefix : [])),
    );
    return outcomes;
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
    file.checkNowAndThen();
  }

  /** Some background work in a transaction of its own, of which `pace` says how much. Resolves to how much was done. */
  function doSlice(pace: Slices, work: (limit: number) => number): Promise<number> {
    return whenFree(() => {
      const start = performance.now();
      const done = transaction(sql.beginWrite, () => {
        sql.hold.get();
        return work(pace.size());
      });
      pace.took(performance.now() - start);
      return done;
    });
  }

  /** Deletes a slice of what has expired: values first, then the rows. Resolves to whether more is left. */
  async function dropExpired(): Promise<boolean> {
    const dropped = await doSlice(sweeps, (limit) => {
      const blanked = Number(sql.blankExpired.run(now(), limit).changes);
      return blanked > 0 ? blanked : Number(sql.dropBlank.run(limit).changes);
    });
    if (dropped > 0) log.erased();
    return dropped > 0;
  }

  /** Takes terms of hidden rows out of the index. Resolves to whether there were any. */
  async function takeHidden(): Promise<boolean> {
    if (sql.anyToTake.all().length === 0) return false;
    const taken = await doSlice(hiddenSlices, (limit) => {
      sql.takeSome.run(limit);
      return Number(sql.forgetSome.run(limit).changes);
    });
    if (taken > 0) log.overwritten();
    return taken > 0;
  }

  /** So that searches of a quiet store need not read the lists of its last entries. */
  async function mergeRest(): Promise<void> {
    if (sql.anyUnmerged.all().length > 0)
      await whenFree(() =>
        transaction(sql.beginWrite, () => {
          sql.hold.get();
          writer.mergeTerms();
        }),
      );
  }

  /** Cuts some free pages off the file. Resolves to whether there are more than it should keep. */
  async function giveRoomBack(): Promise<boolean> {
    const spare = () => pragma(db, 'freelist_count') - sparePages;
    if (inMemory || !shrinks(db) || spare() <= 0) return false;
    await whenFree(() => db.exec(`pragma incremental_vacuum(${Math.min(sparePages / 4, spare())})`));
    log.erased();
    return spare() > 0;
  }

  return {
    engine: 'sqlite',
    location: inMemory ? 'memory' : path,

    async get(keys) {
      open();
      await breath();
      const at = now();
      if (keys.length === 1) return whenFree(() => keys.map((key) => read(key, at)));
      return whenFree(() => transaction(sql.begin, () => keys.map((key) => read(key, at))));
    },

    async range(range) {
      open();
      await breath();
      return whenFree(() => selectRange(range));
    },

    async entries(after, limit) {
      open();
      await breath();
      const from = after === undefined ? '' : keyAfter(after);
      return whenFree(() => (sql.whole.all(from, now(), limit) as unknown as WholeRow[]).map(wholeEntry));
    },

    async texts(after, limit) {
      open();
      await breath();
      const rows = await whenFree(() => sql.texts.all(after, now(), limit));
      return (rows as unknown as (WholeRow & { id: number })[]).map((row) => ({
        ...wholeEntry(row),
        place: row.id,
      }));
    },

    async update(keys, decide) {
      open();
      return lane.update(keys, decide);
    },

    async search(query) {
      open();
      await breath();
      return whenFree(() =>
        transaction(sql.begin, () => {
          sql.hold.get();
          return rankSync(query, now(), sql.text);
        }),
      );
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
      await mergeRest();
      const more = (await takeHidden()) || (await dropExpired()) || (await giveRoomBack());
      turns.end();
      file.check();
      return more;
    },

    close() {
      closed ??= lane.idle().then(() => {
        watch.stop();
        log.stop();
        db.close();
      });
      return closed;
    },
  };
}

function configure(db: DatabaseSync, options: SqliteOptions): void {
  if (pragma(db, 'page_count') === 0) db.exec(makeShrinkable);
  db.exec(`pragma journal_mode = wal;
    pragma synchronous = ${options.durability};
    pragma secure_delete = on;
    pragma journal_size_limit = 67108864;
    pragma cache_size = -32768;
    pragma wal_autocheckpoint = ${logPages};
    ${options.maxPages === undefined ? '' : `pragma max_page_count = ${options.maxPages}`}`);
}
