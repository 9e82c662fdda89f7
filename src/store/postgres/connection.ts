import type { ClientBase, Pool, PoolClient, QueryArrayConfig } from 'pg';
import { SessionError } from '../../errors.ts';
import { loadDriver } from '../driver.ts';
import { postgresAddress, unreadableAddress } from './address.ts';
import { isForeignSession, isPassing, isSpoilt, isStartingUp, noPrimary, postgresError } from './errors.ts';
import { factsOf, limitsOf, sessionSettings } from './server-facts.ts';

/** A statement that is prepared once in each session, where sessions last. */
export interface Statement {
  name: string;
  text: string;
  /** Nobody knows how long it may take: it changes the schema. */
  isLong?: boolean;
}

/** Milliseconds that such a statement may take: a day. */
const longest = 86_400_000;

export type Row = readonly (string | number | boolean | null | (string | null)[])[];

/** Runs one statement in a session of its own or within a transaction. */
export type Run = (statement: Statement, values?: readonly unknown[]) => Promise<Row[]>;

export interface Connection {
  /** Where it leads, without credentials. */
  readonly location: string;
  /**
   * Whether a pooler stands in between, which may give every transaction another session: nothing that a session
   * keeps can be counted on.
   */
  readonly pooled: boolean;
  /** What this server does not promise, a sentence each. */
  readonly limits: readonly string[];
  run: Run;
  /** The work has a session to itself; it begins and ends the transaction. */
  session<T>(work: (run: Run) => Promise<T>): Promise<T>;
  /** The same, kept open until it is released; `onEnd` is told when it breaks. For LISTEN. */
  hold(onNotice: (payload: string) => void, onEnd: () => void): Promise<{ run: Run; release: () => void }>;
  /** Tries again while the database cannot be reached or fails over, until `deadline` of `performance.now()`. */
  whenUp<T>(work: () => Promise<T>, deadline: number): Promise<T>;
  close(): Promise<void>;
}

/**
 * Opens a pool of connections. The first is made at once, so that a mistake in the address shows.
 * @param patience milliseconds to wait for a server that is starting
 * @throws SessionError for everything that the driver reports
 */
export async function connectPostgres(
  url: string,
  durability: 'full' | 'normal',
  patience: number,
): Promise<Connection> {
  const { config, connectionStrings, primaryOnly, statementTimeout, location: places } = postgresAddress(url);
  const { default: pg } = await loadDriver('pg', () => import('pg'));
  const onlyPlace = locationOf(() => new pg.Client(config));
  const location = connectionStrings.length > 1 ? places : onlyPlace;
  const pool: Pool = new pg.Pool(config);
  /** The host that new connections lead to, and the one that each leads to. */
  let host = 0;
  const hostOf = new WeakMap<ClientBase, number>();
  let pooled = true;
  let limits: string[] = [];
  /** What each session is told at its beginning. */
  let settings = '';
  let closing: Promise<void> | undefined;

  // A connection that breaks while nobody uses it; the pool makes another.
  pool.on('error', () => {});
  pool.on('connect', (client) => {
    client.on('error', () => {});
    if (!pooled) client.query(settings).catch(() => {});
  });

  const queryOf = (
    { name, text, isLong }: Statement,
    values: readonly unknown[],
  ): QueryArrayConfig<unknown[]> => ({
    ...(pooled ? {} : { name }),
    ...(isLong === true ? { query_timeout: longest } : {}),
    text,
    values: [...values],
    rowMode: 'array',
  });

  async function runOn(
    client: ClientBase,
    statement: Statement,
    values: readonly unknown[] = [],
  ): Promise<Row[]> {
    try {
      const { rows = [] } = await client.query(queryOf(statement, values));
      return rows as unknown as Row[];
    } catch (error) {
      if (isForeignSession(error)) pooled = true;
      throw error;
    }
  }

  /** New connections go to the next host, unless they do already. */
  function passOver(failed: number | undefined): void {
    if (failed !== host || connectionStrings.length === 1) return;
    host = (host + 1) % connectionStrings.length;
    pool.options.connectionString = connectionStrings[host] ?? '';
  }

  async function acquire(): Promise<PoolClient> {
    const leadsTo = host;
    const client = await pool.connect().catch((error: unknown) => {
      passOver(leadsTo);
      throw error;
    });
    if (hostOf.has(client)) return client;
    hostOf.set(client, leadsTo);
    if (!primaryOnly) return client;
    try {
      await checkPrimary(client);
      return client;
    } catch (error) {
      passOver(leadsTo);
      client.release(true);
      throw error;
    }
  }

  async function withClient<T>(work: (client: PoolClient) => Promise<T>): Promise<T> {
    const client = await acquire();
    let spoilt = false;
    try {
      return await work(client);
    } catch (error) {
      spoilt = isSpoilt(error);
      if (spoilt) passOver(hostOf.get(client));
      throw error;
    } finally {
      client.release(spoilt);
    }
  }

  async function whenUp<T>(
    work: () => Promise<T>,
    deadline: number,
    worthWaiting: (error: unknown) => boolean = isPassing,
  ): Promise<T> {
    for (let pause = 10; ; pause = Math.min(2 * pause, 500)) {
      try {
        return await work();
      } catch (error) {
        const again = worthWaiting(error) || isForeignSession(error);
        if (!again || closing !== undefined || performance.now() + pause > deadline)
          throw postgresError(error, location);
      }
      await new Promise((resolve) => setTimeout(resolve, pause * (0.5 + Math.random())));
    }
  }

  const connection: Connection = {
    location,
    get pooled() {
      return pooled;
    },
    get limits() {
      return limits;
    },
    run: (statement, values) => withClient((client) => runOn(client, statement, values)),
    session: (work) => withClient((client) => work((statement, values) => runOn(client, statement, values))),
    async hold(onNotice, onEnd) {
      const client = await acquire();
      let released = false;
      const release = () => {
        if (released) return;
        released = true;
        // It has listened, and must not go back to those who do not.
        client.release(true);
      };
      client.on('notification', ({ payload }) => onNotice(payload ?? ''));
      client.once('end', () => {
        release();
        onEnd();
      });
      return { run: (statement, values) => runOn(client, statement, values), release };
    },
    whenUp: (work, deadline) => whenUp(work, deadline),
    close() {
      closing ??= pool.end();
      return closing;
    },
  };
  try {
    const first = () => withClient((client) => begin(client));
    let hostsLeft = connectionStrings.length - 1;
    await whenUp(
      first,
      performance.now() + patience,
      (error) => isStartingUp(error) || (isSpoilt(error) && hostsLeft-- > 0),
    );
  } catch (error) {
    await connection.close();
    throw error;
  }
  return connection;

  /** Looks at what the first connection leads to. */
  async function begin(client: ClientBase): Promise<void> {
    const server = await factsOf(client);
    // A pooler answers for the server and gives its clients numbers of its own.
    const { processID } = client as ClientBase & { processID?: number | null };
    pooled = server.pid !== processID;
    limits = limitsOf(server, durability, pooled);
    settings = sessionSettings(server, durability, statementTimeout);
    if (server.encoding !== 'UTF8')
      throw new SessionError(
        'FAILED_PRECONDITION',
        `The database at ${location} cannot hold every character.`,
        {
          hint: 'Make a database with createdb --encoding=UTF8 --template=template0, and name it with --store.',
        },
      );
    if (pooled) await checkPooler(client, location);
    else await client.query(settings);
  }
}

/** As libpq does for target_session_attrs=read-write. */
async function checkPrimary(client: ClientBase): Promise<void> {
  const { rows } = await client.query<{ transaction_read_only: string }>('show transaction_read_only');
  if (rows[0]?.transaction_read_only !== 'off') throw noPrimary();
}

/** A pooler that gives every statement another session breaks all transactions. */
async function checkPooler(client: ClientBase, location: string): Promise<void> {
  try {
    await client.query('begin');
    await client.query('rollback');
  } catch (cause) {
    throw new SessionError('FAILED_PRECONDITION', `The pooler at ${location} takes no transactions.`, {
      hint: 'Set its pool mode to "transaction" or "session", or connect to Postgres itself.',
      cause,
    });
  }
}

/** Where a client of the driver would connect to, which knows the PG* variables. */
function locationOf(make: () => { host: string; port: number; database?: string | undefined }): string {
  let client: ReturnType<typeof make>;
  try {
    client = make();
  } catch {
    // The message of the error may show the URL.
    throw unreadableAddress();
  }
  const host = client.host.startsWith('/') ? encodeURIComponent(client.host) : client.host;
  return `postgres://${host}:${client.port}/${encodeURIComponent(client.database ?? '')}`;
}
