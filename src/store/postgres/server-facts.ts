import type { ClientBase } from 'pg';
import { clocksApart } from '../clocks.ts';

/** What the server says of itself. */
export interface ServerFacts {
  pid: number;
  encoding: string;
  fsync: string;
  synchronousCommit: string;
  /** Milliseconds that its clock is ahead of ours. */
  clockAhead: number;
}

export async function factsOf(client: ClientBase): Promise<ServerFacts> {
  const { rows } = await client.query<Omit<ServerFacts, 'clockAhead'> & { clock: number }>(
    `select pg_backend_pid() as pid, current_setting('server_encoding') as encoding,
       current_setting('fsync') as fsync, current_setting('synchronous_commit') as "synchronousCommit",
       extract(epoch from clock_timestamp())::float8 * 1000 as clock`,
  );
  const [facts] = rows;
  if (facts === undefined) throw new Error('The server says nothing of itself.');
  return { ...facts, clockAhead: facts.clock - Date.now() };
}

/** What an operator should know of the promises of this server, a sentence each. */
export function limitsOf(facts: ServerFacts, durability: 'full' | 'normal', pooled: boolean): string[] {
  const limits: string[] = [];
  if (facts.fsync === 'off')
    limits.push('fsync is off in Postgres: a power cut can lose or damage everything. Turn it on.');
  if (durability === 'normal')
    limits.push('Durability is normal: a crash of Postgres can lose the writes of the last second.');
  else if (facts.synchronousCommit === 'off' && pooled)
    limits.push(
      'synchronous_commit is off in Postgres: a crash of it can lose the writes of the last second. Turn it on for the user of the store.',
    );
  const apart = clocksApart('Postgres', facts.clockAhead);
  if (apart !== undefined) limits.push(apart);
  if (pooled)
    limits.push(
      'A pooler stands before Postgres: changes by other servers are noticed within about 100 ms instead of at once, and statement_timeout must be set in Postgres.',
    );
  return limits;
}

/**
 * What a session is told at its beginning. No sequential scans, because a plan that was made when the tables were
 * small would stay; no bitmaps, which pass over deleted rows anew each time, while a scan of the index marks them; no
 * compiling of plans, which takes longer than such short statements. The time-outs keep a call that hangs from holding
 * its locks.
 */
export function sessionSettings(
  facts: ServerFacts,
  durability: 'full' | 'normal',
  statementTimeout: number,
): string {
  const settings = [
    `statement_timeout = ${statementTimeout}`,
    'lock_timeout = 10000',
    'idle_in_transaction_session_timeout = 30000',
    'enable_seqscan = off',
    'enable_bitmapscan = off',
    'jit = off',
    "default_transaction_isolation = 'read committed'",
  ];
  if (durability === 'normal') settings.push('synchronous_commit = off');
  else if (facts.synchronousCommit === 'off') settings.push('synchronous_commit = on');
  return settings.map((one) => `set ${one}`).join('; ');
}
