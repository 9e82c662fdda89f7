import { invalidArgument } from '../../errors.ts';

/** Where a store is in Redis. */
export interface RedisAddress {
  /** For the driver, with credentials and without our own parameters. */
  url: string;
  /** For people: without credentials. */
  location: string;
  /** All keys of the store begin with it. */
  prefix: string;
  database: number;
}

const forms = 'redis://[USER:PASSWORD@]HOST[:PORT][/DATABASE][?prefix=NAME]';
const schemes: Record<string, string> = {
  'redis:': 'redis:',
  'rediss:': 'rediss:',
  'valkey:': 'redis:',
  'valkeys:': 'rediss:',
};
const usualPrefix = 'agent-sessions';

/**
 * Reads `redis://`, `rediss://` (TLS), `valkey://` and `valkeys://` (TLS).
 * @throws SessionError INVALID_ARGUMENT; the URL is never shown, since it may hold a password
 */
export function redisAddress(text: string): RedisAddress {
  const unreadable = () =>
    invalidArgument('The address of the Redis store cannot be read.', `Write ${forms}.`);
  const [, authority = ''] = /^[^/]*\/\/([^/?]*)/.exec(text) ?? [];
  if (/^[a-z]+\+sentinel:/i.test(text) || authority.slice(authority.lastIndexOf('@') + 1).includes(','))
    throw invalidArgument(
      'The address of the Redis store names one host; Sentinel and lists of hosts are not read.',
      'Write an address that follows the primary: a proxy such as HAProxy, or a name that Sentinel keeps up to date.',
    );
  const url = URL.parse(text);
  const scheme = schemes[url?.protocol ?? ''];
  if (url === null || scheme === undefined || url.hash !== '') throw unreadable();
  const database = /^\/?(\d{0,5})$/.exec(url.pathname)?.[1];
  if (database === undefined) throw unreadable();
  const unknown = [...url.searchParams.keys()].filter((name) => name !== 'prefix');
  if (unknown.length > 0 || url.searchParams.getAll('prefix').length > 1)
    throw invalidArgument('The address of the Redis store takes one parameter, prefix.', `Write ${forms}.`);
  const prefix = url.searchParams.get('prefix') ?? usualPrefix;
  // Braces are the hash tag that keeps all keys together.
  if (!/^[\w.:-]{1,64}$/.test(prefix))
    throw invalidArgument(
      'The prefix of the Redis store is not usable.',
      'Take letters, digits and . _ : - only, at most 64.',
    );
  const credentials = url.username === '' && url.password === '' ? '' : `${url.username}:${url.password}@`;
  const host = url.host === '' ? 'localhost' : url.host;
  const place = `${host}/${Number(database)}`;
  const named = prefix === usualPrefix ? '' : `?prefix=${prefix}`;
  return {
    url: `${scheme}//${credentials}${place}`,
    location: `${url.protocol}//${place}${named}`,
    prefix,
    database: Number(database),
  };
}
