import { existsSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { invalidArgument, quote } from '../errors.ts';
import { keyvAddress, secretsInKeyv } from './keyv/address.ts';
import { postgresAddress, postgresForm } from './postgres/address.ts';
import { redisAddress } from './redis/address.ts';
import type { Store, StoreLook } from './types.ts';
import { passwordsIn } from './url-passwords.ts';

export interface StoreOptions {
  /**
   * `memory:`, gone when the process ends, or `sqlite:PATH`, with a path that is absolute, relative to the
   * working directory or begins with `~/`, taken as it stands: no percent-encoding. Without a url it is the
   * file `sessions.db` in `dataDir`. Or a database that several servers share: `postgres://…`
   * (`postgresAddress`) or `redis://…` (`redisAddress`). Or any Keyv adapter:
   * `keyv:…` (`keyvAddress`).
   */
  url?: string | undefined;
  durability: 'full' | 'normal';
  dataDir: string;
}

/** Where a store is, before it is opened. */
export type StorePlace =
  | { engine: 'memory' }
  | { engine: 'sqlite'; path: string }
  | { engine: 'postgres'; url: string; location: string }
  | { engine: 'redis'; url: string; location: string }
  | { engine: 'keyv'; url: string; location: string };

/** What a scheme stands for. Its module is loaded when a store is opened with it, and not before. */
interface Engine<Place extends StorePlace> {
  /** How its address is written, for hints. */
  form: string;
  /** `rest` is what follows the scheme's colon. Throws INVALID_ARGUMENT; shows nothing that may be a password. */
  placeOf(rest: string, url: string): Place;
  open(place: Place, options: StoreOptions): Promise<Store>;
  /** Only where another program, or another machine, keeps the store. */
  look?(place: Place, options: StoreOptions): Promise<StoreLook>;
}

type PlaceOf<Name extends StorePlace['engine']> = Extract<StorePlace, { engine: Name }>;

const engines: { [Name in StorePlace['engine']]: Engine<PlaceOf<Name>> } = {
  memory: {
    form: 'memory:',
    placeOf(rest) {
      if (rest !== '')
        throw invalidArgument('The store "memory:" takes no path.', 'Write memory: or sqlite:PATH.');
      return { engine: 'memory' };
    },
    async open(_, { durability }) {
      const { openSqlite } = await import('./sqlite/index.ts');
      return openSqlite({ path: ':memory:', durability });
    },
  },
  sqlite: {
    form: 'sqlite:PATH',
    placeOf: (rest) => ({ engine: 'sqlite', path: resolve(sqlitePath(rest)) }),
    async open({ path }, { durability }) {
      const { openSqlite } = await import('./sqlite/index.ts');
      return openSqlite({ path, durability });
    },
  },
  postgres: {
    form: postgresForm,
    placeOf: (_, url) => ({ engine: 'postgres', url, location: postgresAddress(url).location }),
    async open({ url }, { durability }) {
      const { openPostgres } = await import('./postgres/index.ts');
      return openPostgres({ url, durability });
    },
    async look({ url }, { durability }) {
      const { lookAtPostgres } = await import('./postgres/look.ts');
      return lookAtPostgres(url, durability);
    },
  },
  redis: {
    form: 'redis://HOST[:PORT][/DATABASE]',
    placeOf: (_, url) => ({ engine: 'redis', url, location: redisAddress(url).location }),
    async open({ url }) {
      const { openRedis } = await import('./redis/index.ts');
      return openRedis({ url });
    },
    async look({ url }) {
      const { lookAtRedis } = await import('./redis/look.ts');
      return lookAtRedis(url);
    },
  },
  keyv: {
    form: 'keyv:PACKAGE[?OPTION=VALUE&…]',
    placeOf(rest) {
      const { url, location } = keyvAddress(rest);
      return { engine: 'keyv', url, location };
    },
    async open({ url }) {
      const address = keyvAddress(url.slice('keyv:'.length));
      const { loadKeyv } = await import('./keyv/load.ts');
      const { openKeyvStore } = await import('./keyv/index.ts');
      return openKeyvStore({ ...address, keyv: await loadKeyv(address) });
    },
    async look({ url, location }) {
      const { findKeyv } = await import('./keyv/load.ts');
      // Most adapters make their files or tables when they are made themselves.
      await findKeyv(keyvAddress(url.slice('keyv:'.length)));
      return { location, state: 'unknown', isHalfCopy: false, limits: [] };
    },
  },
};

/** Other names of the same. */
const aliases: Readonly<Record<string, StorePlace['engine']>> = {
  postgresql: 'postgres',
  rediss: 'redis',
  'redis+sentinel': 'redis',
  'rediss+sentinel': 'redis',
  valkey: 'redis',
  valkeys: 'redis',
};

const forms = Object.values(engines)
  .map((engine) => engine.form)
  .join(', ');

/** @throws SessionError INVALID_ARGUMENT for a URL that names no store */
export function placeOf({ url, dataDir }: Pick<StoreOptions, 'url' | 'dataDir'>): StorePlace {
  if (url === undefined) return { engine: 'sqlite', path: join(dataDir, 'sessions.db') };
  const [, written, rest = ''] = /^([A-Za-z][A-Za-z0-9+.-]*):(.*)$/s.exec(url) ?? [];
  // The rest is not shown: it may hold a password.
  if (written === undefined) throw invalidArgument('The store has no scheme.', `Write one of ${forms}.`);
  const scheme = written.toLowerCase();
  const name = Object.keys(engines).find((one) => one === (aliases[scheme] ?? scheme));
  if (name === undefined)
    throw invalidArgument(`Unknown kind of store: ${quote(written)}.`, `Write one of ${forms}.`);
  return engines[name as StorePlace['engine']].placeOf(rest, url);
}

/** Credentials in the address of a store, to be kept out of logs. */
export function secretsIn(url: string): string[] {
  if (/^keyv:/i.test(url)) return secretsInKeyv(url.slice('keyv:'.length));
  return passwordsIn(url);
}

/** Whether opening it would make a file. */
export function isNewFile(place: StorePlace): boolean {
  if (place.engine !== 'sqlite') return false;
  if (!existsSync(place.path)) return true;
  // A server that is killed at its first start leaves an empty file, and the next one fills it.
  const stats = statSync(place.path);
  return stats.isFile() && stats.size === 0;
}

const engineOf = (place: StorePlace) => engines[place.engine] as Engine<StorePlace>;

/** @throws SessionError INVALID_ARGUMENT for a URL that names no store; else see the engine. */
export async function openStore(options: StoreOptions): Promise<Store> {
  const place = placeOf(options);
  return engineOf(place).open(place, options);
}

/**
 * Looks at a store that is no file, and writes nothing.
 * @throws SessionError as opening it would, as far as that can be known from outside
 */
export async function lookAtStore(options: StoreOptions): Promise<StoreLook | undefined> {
  const place = placeOf(options);
  return engineOf(place).look?.(place, options);
}

function sqlitePath(rest: string): string {
  if (rest === '') throw invalidArgument('The store "sqlite:" needs a path.', 'Write sqlite:PATH.');
  // sqlite://name would be a host in a URL, and the folder /name for a path: neither is meant.
  if (/^\/\/[^/]/.test(rest) || rest.includes('\0'))
    throw invalidArgument('The path of the store cannot be read.', 'Write sqlite:PATH, without "//".');
  return rest === '~' || rest.startsWith('~/') ? join(homedir(), rest.slice(1)) : rest;
}
