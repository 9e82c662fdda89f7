import { homedir } from 'node:os';
import path from 'node:path';
import { invalidArgument } from '../../errors.ts';
import { passwordsIn } from '../url-passwords.ts';

/** Which adapter, and what it is made with. */
export interface KeyvAddress {
  /** The name of a package, or the absolute path of a module. */
  module: string;
  isPath: boolean;
  /** For the adapter's constructor. */
  options: Readonly<Record<string, string | number | boolean>>;
  namespace: string | undefined;
  /** The same address from anywhere: with an absolute path. */
  url: string;
  /** For people: without the options, which may hold credentials. */
  location: string;
}

const forms = 'keyv:PACKAGE[?OPTION=VALUE&…] or keyv:./MODULE.mjs';
const packageName = /^(@[a-z0-9~-][\w.~-]*\/)?[a-z0-9~-][\w.~-]*$/;

/**
 * Reads what follows `keyv:`. Options are those of the adapter's constructor: `true`, `false` and numbers are taken
 * for what they say, all else is text. `namespace` is that of the Keyv.
 * @throws SessionError INVALID_ARGUMENT; options are never shown
 */
export function keyvAddress(rest: string): KeyvAddress {
  const [name = '', query = ''] = splitOnce(rest);
  const isPath = /^(\.{1,2}\/|\/|~\/|[A-Za-z]:[\\/])/.test(name);
  if (!isPath && !packageName.test(name))
    throw invalidArgument('The Keyv store names neither a package nor a module.', `Write ${forms}.`);
  const module = isPath ? path.resolve(name.startsWith('~/') ? homedir() + name.slice(1) : name) : name;
  const { namespace, ...options } = Object.fromEntries(new URLSearchParams(query));
  if (namespace !== undefined && !/^[\w-]{1,64}$/.test(namespace))
    throw invalidArgument(
      'The namespace of the Keyv store is not usable.',
      'Take letters, digits, _ and - only, at most 64.',
    );
  return {
    module,
    isPath,
    options: Object.fromEntries(Object.entries(options).map(([key, text]) => [key, read(text)])),
    namespace,
    url: `keyv:${module}${query === '' ? '' : `?${query}`}`,
    location: `keyv:${module}${namespace === undefined ? '' : `?namespace=${namespace}`}`,
  };
}

/** Passwords in the options, to be kept out of logs. */
export function secretsInKeyv(rest: string): string[] {
  const options = new URLSearchParams(splitOnce(rest)[1]);
  return [...options].flatMap(([name, value]) =>
    /pass|secret|token|key$/i.test(name) ? [value] : passwordsIn(value),
  );
}

function splitOnce(rest: string): [string, string] {
  const at = rest.indexOf('?');
  return at < 0 ? [rest, ''] : [rest.slice(0, at), rest.slice(at + 1)];
}

function read(text: string): string | number | boolean {
  if (text === 'true' || text === 'false') return text === 'true';
  return /^-?(0|[1-9]\d{0,14})$/.test(text) ? Number(text) : text;
}
