import type { Decision, Store, Write } from './types.ts';

/** One waiting call of `update`. */
export interface Job {
  keys: readonly string[];
  decide: (values: readonly (string | undefined)[]) => Decision<unknown>;
}

/** What became of a job: the result of its `decide`, or what that threw. */
export type Outcome = { result: unknown } | { error: unknown };

/**
 * Runs the jobs one after another on the values given, each seeing what those before it write. `values` holds
 * every key that a job reads, and is changed.
 */
export function decideAll(
  jobs: readonly Job[],
  values: Map<string, string | undefined>,
  now: number,
): { outcomes: Outcome[]; writes: Write[] } {
  const writes = mergedWrites();
  const outcomes = jobs.map((job): Outcome => {
    let decision: Decision<unknown>;
    try {
      decision = job.decide(job.keys.map((key) => values.get(key)));
    } catch (error) {
      return { error };
    }
    for (const write of decision.writes) {
      writes.add(write);
      foresee(values, write, now);
    }
    return { result: decision.result };
  });
  return { outcomes, writes: writes.list() };
}

function foresee(values: Map<string, string | undefined>, write: Write, now: number): void {
  if ('dropPrefix' in write) {
    for (const key of values.keys()) if (key.startsWith(write.dropPrefix)) values.set(key, undefined);
  } else if ('drop' in write) {
    if (values.has(write.drop)) values.set(write.drop, undefined);
  } else if (values.has(write.key)) {
    const gone = write.expires !== undefined && write.expires <= now;
    values.set(write.key, gone ? undefined : write.value);
  }
}

/** Of all writes to one key the last is kept: a session's head is written once for a batch of its events. */
function mergedWrites(): { add: (write: Write) => void; list: () => Write[] } {
  const prefixes: Write[] = [];
  const byKey = new Map<string, Write>();
  return {
    add(write) {
      if ('dropPrefix' in write) {
        prefixes.push(write);
        for (const key of byKey.keys()) if (key.startsWith(write.dropPrefix)) byKey.delete(key);
      } else byKey.set('drop' in write ? write.drop : write.key, write);
    },
    // Prefixes first: what was put under one before its drop has been taken out, what came after stays.
    list: () => [...prefixes, ...byKey.values()],
  };
}

/** So many updates share a transaction at most: more would make the first of them wait for the last. */
const maxBatch = 256;

export interface Lane {
  update: Store['update'];
  /** Resolves when nothing is waiting or under way. */
  idle(): Promise<void>;
}

/** What became of a batch: the outcomes in the order of its jobs, or why it was kept waiting until the deadline. */
export type Committed = readonly Outcome[] | { busy: unknown };

/**
 * Group commit: updates that arrive while one transaction is under way share the next one. `commit` runs a
 * batch as one transaction and resolves once it is durable; when it rejects, the jobs of this batch reject
 * with the same error, and no others do. No job waits longer than `patience` milliseconds for a lock, however
 * many batches that takes: `deadline` (of `performance.now()`) is that of the job that has waited longest.
 * @param lanes so many batches may be under way at once, none with a first key that another has: whoever writes
 * to one session does not wait for those who write to others
 */
export function groupCommit(
  commit: (jobs: readonly Job[], deadline: number) => Promise<Committed>,
  patience: number,
  lanes = 1,
): Lane {
  interface Waiting extends Job {
    deadline: number;
    settle: (outcome: Outcome) => void;
  }
  let waiting: Waiting[] = [];
  const running = new Set<Promise<void>>();
  /** First keys of what is under way. */
  const taken = new Set<string | undefined>();
  const isFree = (job: Job) => !taken.has(job.keys[0]);

  /** The next batch, in the order of arrival. */
  function take(): Waiting[] {
    if (taken.size === 0 && waiting.length <= maxBatch) return waiting.splice(0);
    const batch = waiting.filter(isFree).slice(0, maxBatch);
    const chosen = new Set(batch);
    waiting = waiting.filter((job) => !chosen.has(job));
    return batch;
  }

  async function run(): Promise<void> {
    for (;;) {
      // Lets the callers that the last batch woke, and whatever came in meanwhile, join this one.
      await new Promise<void>((resolve) => setImmediate(resolve));
      const batch = take();
      const [first] = batch;
      if (first === undefined) return;
      const keys = new Set(batch.map((job) => job.keys[0]));
      for (const key of keys) taken.add(key);
      const { deadline } = first;
      const done = await commit(batch, deadline).catch((error: unknown) => batch.map(() => ({ error })));
      for (const key of keys) taken.delete(key);
      if ('busy' in done) giveUp(batch, deadline, done.busy);
      else for (const [i, job] of batch.entries()) job.settle(done[i] ?? { result: undefined });
    }
  }

  function start(): void {
    if (running.size >= lanes || !waiting.some(isFree)) return;
    const lane = run().finally(() => {
      running.delete(lane);
      start();
    });
    running.add(lane);
  }

  /** Those who have not waited their time yet go on waiting. */
  function giveUp(batch: readonly Waiting[], deadline: number, error: unknown): void {
    const over = Math.max(deadline, performance.now());
    for (const job of batch) if (job.deadline <= over) job.settle({ error });
    waiting = [...batch.filter((job) => job.deadline > over), ...waiting];
  }

  return {
    update: <T>(keys: readonly string[], decide: (values: readonly (string | undefined)[]) => Decision<T>) =>
      new Promise<T>((resolve, reject) => {
        const settle = (outcome: Outcome) =>
          'error' in outcome ? reject(outcome.error) : resolve(outcome.result as T);
        waiting.push({ keys, decide, settle, deadline: performance.now() + patience });
        start();
      }),
    idle: async () => {
      while (running.size > 0) await Promise.all(running);
    },
  };
}
