import type { PoolConfig } from 'pg';
import { invalidArgument } from '../../errors.ts';

export const postgresForm = 'postgres://HOST[:PORT]/DATABASE';

/** Connections that a process holds at most, unless `max=` says otherwise. */
const usualMax = 10;
/** Milliseconds that a statement may take, unless `statement_timeout=` says otherwise. */
const usualTimeout = 30_000;

export interface PostgresAddress {
  config: PoolConfig & { pipeline: boolean; max: number };
  /** Milliseconds. */
  statementTimeout: number;
  /** For people: without credentials, and as far as the URL says. */
  location: string;
}

/**
 * Reads a connection URL as libpq and node-postgres do: TLS by `sslmode`, `sslrootcert`, `sslcert` and `sslkey`,
 * `application_name`, `options`; what it leaves out comes from the PG* variables. Of our own are `max`
 * (connections of this process) and `statement_timeout` (milliseconds).
 * @throws SessionError INVALID_ARGUMENT; the URL is never shown, since it may hold a password
 */
export function postgresAddress(url: string): PostgresAddress {
  const [place = '', query = ''] = url.split(/\?(.*)/s);
  if (!/^[^/]+:\/\//.test(place)) throw unreadableAddress();
  const parameters = new URLSearchParams(query);
  const max = whole('max', parameters, usualMax, 2, 1000);
  const statementTimeout = whole('statement_timeout', parameters, usualTimeout, 100, 3_600_000);
  const rest = parameters.size === 0 ? '' : `?${parameters}`;
  return {
    config: {
      connectionString: place + rest,
      fallback_application_name: 'agent-sessions-mcp',
      max,
      connectionTimeoutMillis: 10_000,
      idleTimeoutMillis: 60_000,
      keepAlive: true,
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
