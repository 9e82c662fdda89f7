import type { PoolConfig } from 'pg';
import { invalidArgument } from '../../errors.ts';

export const postgresForm = 'postgres://HOST[:PORT]/DATABASE';

/** Connections that a process holds at most, unless `max=` says otherwise. */
const usualMax = 10;
/** Milliseconds that a statement may take, unless `statement_timeout=` says otherwise. */
const usualTimeout = 30_000;

/** Milliseconds beyond that for its answer; then the connection counts as lost. */
const wayBack = 2_000;

export interface PostgresAddress {
  config: PoolConfig & { pipeline: boolean; max: number };
  /** One for each host, in the order in which they are tried. */
  connectionStrings: readonly string[];
  /** Whether a server that takes no writes, such as a standby, is passed over. */
  primaryOnly: boolean;
  /** Milliseconds. */
  statementTimeout: number;
  /** For people: without credentials, and as far as the URL says. */
  location: string;
}

/**
 * Reads a connection URL as libpq and node-postgres do: TLS by `sslmode`, `sslrootcert`, `sslcert` and `sslkey`,
 * `application_name`, `options`; what it leaves out comes from the PG* variables. As libpq, it may name several hosts,
 * divided by commas, and `target_session_attrs`. Of our own are `max` (connections of this process) and
 * `statement_timeout` (milliseconds).
 * @throws SessionError INVALID_ARGUMENT; the URL is never shown, since it may hold a password
 */
export function postgresAddress(url: string): PostgresAddress {
  const [place = '', query = ''] = url.split(/\?(.*)/s);
  if (!/^[^/]+:\/\//.test(place)) throw unreadableAddress();
  const parameters = new URLSearchParams(query);
  const max = whole('max', parameters, usualMax, 2, 1000);
  const statementTimeout = whole('statement_timeout', parameters, usualTimeout, 100, 3_600_000);
  const primaryOnly = isPrimaryOnly(parameters);
  const rest = parameters.size === 0 ? '' : `?${parameters}`;
  const [all, before = '', hosts = '', after = ''] =
    /^([^/]+:\/\/(?:.*@)?)([^/@]*)(\/.*)?$/s.exec(place) ?? [];
  if (all === undefined) throw unreadableAddress();
  const connectionStrings = hosts.split(',').map((host) => before + host + after + rest);
  return {
    connectionStrings,
    primaryOnly,
    config: {
      connectionString: connectionStrings[0] ?? '',
      fallback_application_name: 'agent-sessions-mcp',
      max,
      connectionTimeoutMillis: 10_000,
      idleTimeoutMillis: 60_000,
      // A machine that is gone without a word says nothing for ever.
      keepAlive: true,
      keepAliveInitialDelayMillis: 10_000,
      query_timeout: statementTimeout + wayBack,
      // A commit that needs two statements sends both at once.
      pipeline: true,
    },
    statementTimeout,
    location: place.replace(/\/\/.*@/s, '//'),
  };
}

export const unreadableAddress = () =>
  invalidArgument(
    'The address of the Postgres store cannot be read, or a certificate that it names.',
    `Write ${postgresForm}, with "%40" for "@" in a password and so on.`,
  );

/** Takes the parameter out, which the driver does not know. */
function isPrimaryOnly(parameters: URLSearchParams): boolean {
  const wanted = parameters.get('target_session_attrs') ?? 'any';
  parameters.delete('target_session_attrs');
  if (wanted === 'any') return false;
  if (wanted === 'read-write' || wanted === 'primary') return true;
  throw invalidArgument(
    'The parameter target_session_attrs of the Postgres store is neither any, read-write nor primary.',
    'Write target_session_attrs=read-write: a store is written to.',
  );
}

/** Takes the parameter out. */
function whole(
  name: string,
  parameters: URLSearchParams,
  usual: number,
  least: number,
  greatest: number,
): number {
  const text = parameters.get(name);
  if (text === null) return usual;
  parameters.delete(name);
  const value = Number(text);
  if (Number.isInteger(value) && value >= least && value <= greatest) return value;
  throw invalidArgument(
    `The parameter ${name} of the Postgres store is not a whole number from ${least} to ${greatest}.`,
    `Write ${postgresForm}?${name}=${usual}.`,
  );
}
