import { randomBytes } from 'node:crypto';
import { SessionError } from '../../errors.ts';
import { type Committed, decideAll, groupCommit, type Job } from '../group-commit.ts';
import { compareKeys, prefixEnd } from '../keys.ts';
import { recentEntries } from '../recent-entries.ts';
import { slices } from '../slices.ts';
import type { Entry, PlacedEntry, Range, Store, WholeEntry, Write } from '../types.ts';
import { redisAddress } from './address.ts';
import { connectRedis, type Reply } from './connection.ts';
import { encodeEntry, expiryIn, valueIn, versionOf } from './entry.ts';
import { crowded } from './errors.ts';
import { claimFormat } from './format.ts';
import { keyOf, parts } from './lua.ts';
import { checkFacts, lossesOf, readFacts } from './persistence.ts';
import { scripts } from './scripts.ts';
import { searchRedis, textArguments } from './text-index.ts';
import { watchKeys } from './watch.ts';

export interface RedisOptions {
  /** `redis://`, `rediss://`, `valkey://` or `valkeys://`, see `redisAddress`. */
  url: string;
  /** The clock that entries expire by, in milliseconds. */
  now?: (() => number) | undefined;
  /** Milliseconds that an update waits for those of other servers; 20,000 where it is not given. */
  patience?: number | undefined;
}

const patience = 20_000;
/** After so many lost races a batch asks for a moment of its own. */
const fairAfter = 3;

/**
 * The store on one Redis or Valkey server that any number of processes share. A commit is optimistic: what it
 * decided on is read first, and one script writes only if that is still so.
 * @throws SessionError INVALID_ARGUMENT for the address; UNAVAILABLE when there is no answer; FAILED_PRECONDITION
 * for a server that cannot hold a store, refuses the credentials or holds a newer one
 */
export async function openRedis(options: RedisOptions): Promise<Store> {
  const address = redisAddress(options.url);
  const now = options.now ?? Date.now;
  const connection = await connectRedis(address);
  const key = keyOf(address);
  const keys = parts.map(key);
  const values = key('values');
  const channel = `{${address.prefix}}:${address.database}:changed:`;
  /** This connection's name in the versions of what it writes. */
  const self = randomBytes(9).toString('base64url');
  const commitKeys = [...keys, key(`commit:${self}`)];
  let commits = 0;
  let closed: Promise<void> | undefined;
  let facts = await start().catch(async (error: unknown) => {
    await connection.close();
    throw error;
  });
  connection.onReconnect(() => {
    void readFacts(connection, Date.now).then(
      (found) => {
        facts = found;
      },
      () => {},
    );
  });
  const lane = groupCommit(commitBatch, options.patience ?? patience);
  const watch = watchKeys(
    connection,
    (watched) => channel + watched,
    async (watched) => versionOf((await connection.send(['HGET', values, watched])) as string | null),
  );
  const pace = slices();
  const recent = recentEntries();

  async function start() {
    const found = await readFacts(connection, Date.now);
    checkFacts(found, address.location);
    await claimFormat(connection, key('meta'));
    await checkRights();
    return found;
  }

  /**
   * Runs everything that a commit does on keys that stay empty: a user who may not run one of its commands would stop
   * a commit halfway.
   */
  async function checkRights(): Promise<void> {
    const probes = commitKeys.map((one) => `${one}:probe:${self}`);
    const put = { key: 'k', value: '', expires: 1, text: { scope: '', body: 'probe' } };
    const writes = [put, { ...put, text: undefined }, put, { drop: 'k' }, put, { dropPrefix: '' }] as const;
    const args = writes.flatMap((one) => argumentsOf(one, self));
    try {
      await connection.run(scripts.commit, probes, [self, '1', '0', channel, '0', ...args]);
    } finally {
      await connection.send(['DEL', ...probes]).catch(() => {});
    }
  }

  async function read(wanted: readonly string[]): Promise<(string | null)[]> {
    if (wanted.length === 0) return [];
    return (await connection.send(['HMGET', values, ...wanted])) as (string | null)[];
  }

  async function commitBatch(jobs: readonly Job[], deadline: number): Promise<Committed> {
    const wanted = [...new Set(jobs.flatMap((job) => job.keys))];
    const guess = recent.guess(jobs, wanted);
    let entries = guess ?? (await read(wanted));
    let isGuess = guess !== undefined;
    for (let lost = 0; ; ) {
      const at = now();
      const seen = new Map(wanted.map((key, i) => [key, valueIn(entries[i], at)]));
      const decided = decideAll(jobs, seen, at);
      // All was read at one moment, so those who only read need nothing more.
      if (decided.writes.length === 0 && !isGuess && lost < fairAfter) return decided.outcomes;
      const answer = await write(wanted, entries, decided.writes, lost >= fairAfter - 1, deadline).catch(
        (error: unknown) => {
          recent.forget();
          throw error;
        },
      );
      if (answer === 'busy') return { busy: crowded() };
      if (answer === 'done') return decided.outcomes;
      entries = answer;
      if (!isGuess) lost += 1;
      isGuess = false;
      if (performance.now() > deadline) return { busy: crowded() };
    }
  }

  /** Writes all, unless what was read has changed: then it resolves to the entries as they are now. */
  async function write(
    wanted: readonly string[],
    entries: readonly (string | null)[],
    writes: readonly Write[],
    wantsTurn: boolean,
    deadline: number,
  ): Promise<'done' | 'busy' | (string | null)[]> {
    commits += 1;
    const version = self + commits.toString(36);
    const args = [self, String(commits), wantsTurn ? '1' : '0', channel, String(wanted.length)];
    for (const [i, key] of wanted.entries()) args.push(key, versionOf(entries[i]));
    for (const one of writes) args.push(...argumentsOf(one, version));
    for (;;) {
      const [kind, current] = (await connection.run(scripts.commit, commitKeys, args)) as [string, Reply];
      if (kind === 'done') {
        recent.learn(wanted, entries, writes, ({ value, expires }) => encodeEntry(version, value, expires));
        return 'done';
      }
      if (kind === 'changed') return current as (string | null)[];
      if (performance.now() > deadline) return 'busy';
      await new Promise((resolve) => setTimeout(resolve, 1 + Math.random() * 2));
    }
  }

  async function selectRange(range: Range): Promise<Entry[]> {
    const { prefix, after, before, limit, reverse } = range;
    const end = prefixEnd(prefix);
    const least = after === undefined || compareKeys(after, prefix) < 0 ? fromKey(prefix) : `(${after}`;
    const to = before !== undefined && (end === undefined || compareKeys(before, end) < 0) ? before : end;
    const greatest = to === undefined ? '+' : `(${to}`;
    if (limit <= 0) return [];
    const direction = reverse === true ? 'reverse' : 'forward';
    const args = [least, greatest, String(limit), String(now()), direction];
    return entriesOf((await connection.run(scripts.range, keys, args)) as string[]);
  }

  function open(): void {
    if (closed !== undefined) throw new SessionError('UNAVAILABLE', 'The session store is closed.');
  }

  return {
    engine: 'redis',
    location: address.location,
    get limits() {
      return lossesOf(facts);
    },
    isShared: true,

    async get(wanted) {
      open();
      const entries = await read(wanted);
      const at = now();
      return entries.map((entry) => valueIn(entry, at));
    },

    async range(range) {
      open();
      return selectRange(range);
    },

    async entries(after, limit) {
      open();
      if (limit <= 0) return [];
      const least = after === undefined ? '-' : `(${after}`;
      const rows = await connection.run(scripts.whole, keys, [least, String(limit), String(now())]);
      return (rows as string[][]).map(wholeEntry);
    },

    async texts(after, limit) {
      open();
      const found: PlacedEntry[] = [];
      for (let from = String(after); from !== '' && found.length < limit; ) {
        const args = [from, String(limit - found.length), String(now())];
        const [next, rows] = (await connection.run(scripts.texts, keys, args)) as [string, string[][]];
        for (const [id, ...row] of rows) found.push({ ...wholeEntry(row), place: Number(id) });
        from = next;
      }
      return found;
    },

    async update(wanted, decide) {
      open();
      return lane.update(wanted, decide);
    },

    async search(query) {
      open();
      return searchRedis(connection, keys, query, now());
    },

    watch(key, onChange) {
      open();
      return watch.watch(key, onChange);
    },

    async sweep() {
      open();
      await new Promise<void>((resolve) => setImmediate(resolve));
      // The way there and back is nobody's work.
      const asked = performance.now();
      await connection.send(['PING']);
      const start = performance.now();
      const limit = pace.size();
      const dropped = await connection.run(scripts.sweep, keys, [String(now()), String(limit)]);
      pace.took(Math.max(0, performance.now() - start - (start - asked)));
      return dropped === limit;
    },

    close() {
      closed ??= lane.idle().then(async () => {
        watch.stop();
        await connection.close();
      });
      return closed;
    },
  };
}

function argumentsOf(write: Write, version: string): string[] {
  if ('dropPrefix' in write) {
    const end = prefixEnd(write.dropPrefix);
    return ['D', fromKey(write.dropPrefix), end === undefined ? '+' : `(${end}`];
  }
  if ('drop' in write) return ['d', write.drop];
  const { key, value, expires, text } = write;
  return ['p', key, encodeEntry(version, value, expires), String(expires ?? ''), ...textArguments(text)];
}

const fromKey = (key: string): string => (key === '' ? '-' : `[${key}`);

const entriesOf = (list: readonly string[]): Entry[] =>
  list.flatMap((key, i) => {
    const value = i % 2 === 0 ? valueIn(list[i + 1], Number.NEGATIVE_INFINITY) : undefined;
    return value === undefined ? [] : [{ key, value }];
  });

function wholeEntry([key = '', entry = '', words, scope, terms]: readonly string[]): WholeEntry {
  const text =
    words === undefined || scope === undefined
      ? undefined
      : { scope, terms: terms === undefined || terms === '' ? [] : terms.split(' '), words: Number(words) };
  return { key, value: valueIn(entry, Number.NEGATIVE_INFINITY) ?? '', expires: expiryIn(entry), text };
}
