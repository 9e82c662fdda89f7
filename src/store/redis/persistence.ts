import { SessionError } from '../../errors.ts';
import { clocksApart } from '../clocks.ts';
import type { Connection, Reply } from './connection.ts';

/** What a Redis server says of itself. A setting that may not be read is undefined. */
export interface ServerFacts {
  version: string;
  cluster: boolean;
  replica: boolean;
  appendOnly: boolean;
  fsync: string | undefined;
  memoryPolicy: string | undefined;
  /** Milliseconds that its clock is ahead of ours. */
  clockAhead: number;
}

export async function readFacts(connection: Connection, now: () => number): Promise<ServerFacts> {
  const info = fieldsOf(await connection.send(['INFO']));
  // Managed services forbid CONFIG; INFO tells the rest.
  const config = await connection.send(['CONFIG', 'GET', 'append*']).then(pairsOf, () => new Map());
  const [seconds] = (await connection.send(['TIME'])) as Reply[];
  return {
    version: info.get('valkey_version') ?? info.get('redis_version') ?? 'unknown',
    cluster: info.get('redis_mode') === 'cluster' || info.get('cluster_enabled') === '1',
    replica: info.get('role') === 'slave',
    appendOnly: info.get('aof_enabled') === '1',
    fsync: config.get('appendfsync'),
    memoryPolicy: info.get('maxmemory') === '0' ? 'noeviction' : info.get('maxmemory_policy'),
    clockAhead: Number(seconds) * 1000 - now(),
  };
}

/** @throws SessionError FAILED_PRECONDITION for a server that cannot hold the store */
export function checkFacts(facts: ServerFacts, location: string): void {
  if (facts.cluster)
    throw new SessionError('FAILED_PRECONDITION', `Redis at ${location} is a cluster.`, {
      hint: 'A store is one transactional whole and needs one primary: give the address of a Redis without cluster mode, or use Postgres.',
    });
  if (facts.replica)
    throw new SessionError('FAILED_PRECONDITION', `Redis at ${location} is a replica.`, {
      hint: 'Give the address of its primary.',
    });
  if (deletesData(facts))
    throw new SessionError(
      'FAILED_PRECONDITION',
      `Redis at ${location} deletes data when its memory is full (maxmemory-policy ${facts.memoryPolicy}).`,
      { hint: 'Sessions are not a cache: set maxmemory-policy noeviction.' },
    );
}

const deletesData = ({ memoryPolicy }: ServerFacts): boolean =>
  /^(allkeys|volatile)/.test(memoryPolicy ?? '');

/** What this server may lose although it was acknowledged, one sentence each. */
export function lossesOf(facts: ServerFacts): string[] {
  const { appendOnly, fsync, clockAhead, memoryPolicy } = facts;
  const losses: string[] = [];
  // It was refused at the start: this has changed since.
  if (deletesData(facts))
    losses.push(
      `Redis deletes sessions when its memory is full (maxmemory-policy ${memoryPolicy}). Set maxmemory-policy noeviction.`,
    );
  if (!appendOnly)
    losses.push(
      'Redis keeps no append-only file: all that was acknowledged since its last snapshot is lost when it stops. Set appendonly yes and appendfsync always.',
    );
  else if (fsync === undefined)
    losses.push(
      'Redis does not say how often it writes its append-only file to the disk: unless appendfsync is always, the writes that were acknowledged last are lost when its machine stops.',
    );
  else if (fsync !== 'always')
    losses.push(
      `Redis writes to its disk ${fsync === 'no' ? 'when its system likes' : 'every second'} (appendfsync ${fsync}): the writes that were acknowledged last are lost when its machine stops. Set appendfsync always.`,
    );
  losses.push(
    'Redis replicates later than it acknowledges: a failover to a replica may lose the writes that were acknowledged last.',
  );
  const apart = clocksApart('Redis', clockAhead);
  return apart === undefined ? losses : [...losses, apart];
}

function fieldsOf(info: Reply): Map<string, string> {
  const lines = String(info)
    .split('\r\n')
    .filter((line) => line.includes(':'));
  return new Map(lines.map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1)]));
}

function pairsOf(reply: Reply): Map<string, string> {
  const list = Array.isArray(reply) ? reply.map(String) : [];
  return new Map(list.flatMap((name, i) => (i % 2 === 0 ? [[name, list[i + 1] ?? ''] as const] : [])));
}
