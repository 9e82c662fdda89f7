import { SessionError } from '../../errors.ts';
import { groupCommit } from '../group-commit.ts';
import type { Store } from '../types.ts';
import { leastToken } from './commit.ts';
import { connectPostgres } from './connection.ts';
import { postgresError } from './errors.ts';
import { migrate } from './schema.ts';
import {
  entriesOf,
  placedEntriesOf,
  rangeStatement,
  readStatement,
  sweepStatement,
  sweepTokensStatement,
  textsStatement,
  valuesOf,
  wholeEntriesOf,
  wholeStatement,
} from './statements.ts';
import { searchPostgres } from './text-index.ts';
import { mergeTexts } from './text-merge.ts';
import { transactions } from './transaction.ts';
import { watchKeys } from './watch.ts';

export interface PostgresOptions {
  /** `postgres://…`, see `postgresAddress`. */
  url: string;
  /** `normal`: a crash of the database may undo the commits of the last half second. */
  durability?: 'full' | 'normal' | undefined;
  /** The clock that entries expire by, in milliseconds. */
  now?: (() => number) | undefined;
  /** Milliseconds that a call waits for others and for a database that is away; 20,000 where it is not given. */
  patience?: number | undefined;
}

const usualPatience = 20_000;
/** Batches that are on their way at once, each in a session of its own. */
const lanes = 4;
/** Entries that a sweep deletes at a time; it holds up nobody who does not write to them. */
const sweepSlice = 500;
/** Milliseconds for which the outcome of a commit can be asked for. */
const tokenLife = 60 * 60 * 1000;

/**
 * The store in a Postgres database that any number of processes on any machines share.
 * @throws SessionError INVALID_ARGUMENT for the address; UNAVAILABLE when there is no answer; FAILED_PRECONDITION
 * when the database is not there, refuses the credentials, cannot hold a store or holds a newer one
 */
export async function openPostgres(options: PostgresOptions): Promise<Store> {
  const now = options.now ?? Date.now;
  const patience = options.patience ?? usualPatience;
  const connection = await connectPostgres(options.url, options.durability ?? 'full', patience);
  const soon = () => performance.now() + patience;
  try {
    await connection.whenUp(() => migrate(connection), soon());
  } catch (error) {
    await connection.close();
    throw postgresError(error, connection.location);
  }
  const watch = watchKeys(connection);
  const merging = mergeTexts(connection);
  const commit = transactions(connection, now, (writes) => {
    watch.written(writes);
    merging.written(writes);
  });
  const lane = groupCommit(commit, patience, lanes);
  let closed: Promise<void> | undefined;

  function open(): void {
    if (closed !== undefined) throw new SessionError('UNAVAILABLE', 'The session store is closed.');
  }

  return {
    engine: 'postgres',
    location: connection.location,
    limits: connection.limits,
    isShared: true,

    async get(keys) {
      open();
      if (keys.length === 0) return [];
      await watch.ready();
      const rows = await connection.whenUp(() => connection.run(readStatement, [keys, now()]), soon());
      const values = valuesOf(keys, rows);
      return keys.map((key) => values.get(key));
    },

    async range(range) {
      open();
      if (range.limit <= 0) return [];
      await watch.ready();
      const [statement, [from, ...to]] = rangeStatement(range);
      const values = [from, now(), range.limit, ...to];
      return entriesOf(await connection.whenUp(() => connection.run(statement, values), soon()));
    },

    async entries(after, limit) {
      open();
      if (limit <= 0) return [];
      // The key after this one would be the same with NUL at its end, which Postgres cannot hold.
      const wanted = [after ?? '', now(), limit + 1];
      const rows = await connection.whenUp(() => connection.run(wholeStatement, wanted), soon());
      return wholeEntriesOf(rows)
        .filter(({ key }) => key !== after)
        .slice(0, limit);
    },

    async texts(after, limit) {
      open();
      if (limit <= 0) return [];
      const wanted = [after, now(), limit];
      return placedEntriesOf(await connection.whenUp(() => connection.run(textsStatement, wanted), soon()));
    },

    async update(keys, decide) {
      open();
      return lane.update(keys, decide);
    },

    async search(query) {
      open();
      return connection.whenUp(() => searchPostgres(connection.run, query, now()), soon());
    },

    watch(key, onChange) {
      open();
      return watch.watch(key, onChange);
    },

    async sweep() {
      open();
      const least = leastToken(Date.now() - tokenLife);
      const slices = await connection.whenUp(
        async () => [
          await connection.run(sweepStatement, [now(), sweepSlice]),
          await connection.run(sweepTokensStatement, [least, sweepSlice]),
        ],
        soon(),
      );
      await merging.now();
      return slices.some((dropped) => dropped.length === sweepSlice);
    },

    close() {
      closed ??= lane.idle().then(async () => {
        await watch.stop();
        await merging.stop();
        await connection.close();
      });
      return closed;
    },
  };
}
