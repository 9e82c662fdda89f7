import { type Committed, decideAll, type Job, type Outcome } from '../group-commit.ts';
import { recentEntries } from '../recent-entries.ts';
import type { Write } from '../types.ts';
import { commitOf, commitStatement, forestallStatement, newToken } from './commit.ts';
import type { Connection, Run } from './connection.ts';
import {
  busyStore,
  isForeignSession,
  isLost,
  isPassing,
  isRace,
  outcomeUnknown,
  postgresError,
} from './errors.ts';
import { begin, end, giveUp, lockStatement, readStatement, valuesOf } from './statements.ts';

type Values = ReadonlyMap<string, string | undefined>;
type Decided = ReturnType<typeof decideAll>;

/** A commit that is on its way, and may arrive although its answer does not. */
interface Sent {
  token: string;
  decided: Decided;
  read: Values;
}

/** It is done, or it must be decided again on what is there now. */
type Attempt = { done: Decided; read: Values } | { seen: Values };

/** For so many commits after a lost race a process locks what it reads, before it decides. */
const carefulFor = 32;
/** Milliseconds within which the outcome of a commit is asked for, however late it is. */
const askingTime = 5000;

/**
 * Commits batches of updates. The usual way is optimistic: read, decide, then write if what was read is still so, and
 * of what this process wrote last it guesses what it would read, which saves a round trip. While others write the same
 * keys, these are locked before it decides.
 * @param onWritten is told what a commit has written
 */
export function transactions(
  connection: Connection,
  now: () => number,
  onWritten: (writes: readonly Write[]) => void,
): (jobs: readonly Job[], deadline: number) => Promise<Committed> {
  let careful = 0;
  const recent = recentEntries();

  return commit;

  async function commit(jobs: readonly Job[], deadline: number): Promise<Committed> {
    const keys = [...new Set(jobs.flatMap((job) => job.keys))];
    const finish = ({ outcomes, writes }: Decided, read: Values) => {
      const entries = keys.map((key) => read.get(key) ?? null);
      // One that expires would be guessed with after its time.
      recent.learn(keys, entries, writes, ({ value, expires }) => (expires === undefined ? value : null));
      onWritten(writes);
      return outcomes;
    };
    const guess = recent.guess(jobs, keys);
    let isGuess = guess !== undefined;
    let seen: Values | undefined =
      guess && new Map(keys.map((key, i) => [key, guess[i] ?? undefined] as const));
    for (;;) {
      let sent: Sent | undefined;
      const send = (decided: Decided, read: Values): string => {
        sent = { token: newToken(Date.now()), decided, read };
        return sent.token;
      };
      try {
        const attempt: Attempt =
          careful > 0 && keys.length > 0
            ? await connection.session((run) => locked(run, jobs, keys, now(), send))
            : await optimistic(
                connection.run,
                jobs,
                seen ?? (await read(connection.run, keys, now())),
                now(),
                send,
                isGuess,
              );
        careful = Math.max(0, careful - 1);
        if ('done' in attempt) return finish(attempt.done, attempt.read);
        recent.forget(keys);
        seen = attempt.seen;
        if (!isGuess) careful = carefulFor;
        isGuess = false;
        if (performance.now() > deadline) return { busy: busyStore(undefined) };
      } catch (error) {
        seen = undefined;
        isGuess = false;
        recent.forget(keys);
        if (sent !== undefined && isLost(error) && (await hasHappened(sent.token, deadline, error)))
          return finish(sent.decided, sent.read);
        if (!isPassing(error) && !isForeignSession(error)) {
          // One of them may be what Postgres refuses; its neighbours go on without it.
          if (jobs.length > 1) return separately(jobs, deadline, error);
          throw postgresError(error, connection.location);
        }
        if (isRace(error)) careful = carefulFor;
        if (performance.now() > deadline) return { busy: postgresError(error, connection.location) };
        await new Promise((resolve) => setTimeout(resolve, 5 + Math.random() * 20));
      }
    }
  }

  async function separately(jobs: readonly Job[], deadline: number, cause: unknown): Promise<Outcome[]> {
    const outcomes: Outcome[] = [];
    for (const job of jobs) {
      if (performance.now() > deadline) {
        outcomes.push({ error: busyStore(cause) });
        continue;
      }
      const committed = await commit([job], deadline).catch((error: unknown) => [{ error }]);
      outcomes.push(
        'busy' in committed ? { error: committed.busy } : (committed[0] ?? { result: undefined }),
      );
    }
    return outcomes;
  }

  /**
   * Whether a commit whose answer was lost has happened. If not, it never will: its token is taken.
   * @throws SessionError UNAVAILABLE when the database does not come back to tell
   */
  async function hasHappened(token: string, deadline: number, cause: unknown): Promise<boolean> {
    const ask = () => connection.run(forestallStatement, [token]);
    const until = Math.max(deadline, performance.now() + askingTime);
    const rows = await connection.whenUp(ask, until).catch(() => {
      throw outcomeUnknown(cause);
    });
    return rows[0]?.[0] === false;
  }
}

async function read(run: Run, keys: readonly string[], at: number): Promise<Values> {
  return keys.length === 0 ? new Map() : valuesOf(keys, await run(readStatement, [keys, at]));
}

async function optimistic(
  run: Run,
  jobs: readonly Job[],
  seen: Values,
  at: number,
  send: (decided: Decided, read: Values) => string,
  isGuess = false,
): Promise<Attempt> {
  const done = decideAll(jobs, new Map(seen), at);
  if (done.writes.length === 0) {
    // All was read at one moment, so those who only read need nothing more; a guess has to be looked after.
    return isGuess ? { seen: await read(run, [...seen.keys()], at) } : { done, read: seen };
  }
  const { values, readOrder } = commitOf(send(done, seen), at, seen, done.writes);
  const [[current] = []] = await run(commitStatement, values);
  if (!Array.isArray(current)) return { done, read: seen };
  return { seen: new Map(readOrder.map((key, i) => [key, current[i] ?? undefined])) };
}

async function locked(
  run: Run,
  jobs: readonly Job[],
  keys: readonly string[],
  at: number,
  send: (decided: Decided, read: Values) => string,
): Promise<Attempt> {
  const begun = run(begin);
  const rows = run(lockStatement, [keys, at]);
  try {
    await begun;
    const seen = valuesOf(keys, await rows);
    let ended: Promise<unknown> | undefined;
    const attempt = optimistic(
      (statement, values) => {
        const answer = run(statement, values);
        // Sent with it, so that the locks are held for no round trip more.
        ended = run(end);
        return answer;
      },
      jobs,
      seen,
      at,
      send,
    );
    const [outcome] = await Promise.allSettled([attempt, attempt.then(() => ended)]);
    if (ended === undefined) await run(end);
    else await ended;
    if (outcome.status === 'rejected') throw outcome.reason;
    return outcome.value;
  } catch (error) {
    await Promise.allSettled([begun, rows, run(giveUp)]);
    throw error;
  }
}
