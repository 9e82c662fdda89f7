import { existsSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { invalidArgument, quote } from '../errors.ts';
import { openSqlite } from './sqlite/index.ts';
import type { Store } from './types.ts';

export interface StoreOptions {
  /**
   * `memory:`, gone when the process ends, or `sqlite:PATH`, with a path that is absolute, relative to the
   * working directory or begins with `~/`, taken as it stands: no percent-encoding. Without a url it is the
   * file `sessions.db` in `dataDir`.
   */
  url?: string | undefined;
  durability: 'full' | 'normal';
  dataDir: string;
}

const forms = 'memory: or sqlite:PATH';

/** Where a store is, before it is opened. */
export type StorePlace = { engine: 'memory' } | { engine: 'sqlite'; path: string };

/** @throws SessionError INVALID_ARGUMENT for a URL that names no store */
export function placeOf({ url, dataDir }: Pick<StoreOptions, 'url' | 'dataDir'>): StorePlace {
  if (url === undefined) return { engine: 'sqlite', path: join(dataDir, 'sessions.db') };
  const [, scheme = '', rest = ''] = /^([A-Za-z][A-Za-z0-9+.-]*):(.*)$/s.exec(url) ?? [];
  switch (scheme.toLowerCase()) {
    case 'memory':
      if (rest !== '') throw invalidArgument('The store "memory:" takes no path.', `Write ${forms}.`);
      return { engine: 'memory' };
    case 'sqlite':
      return { engine: 'sqlite', path: resolve(sqlitePath(rest)) };
    // The rest is not shown: it may hold a password.
    case '':
      throw invalidArgument('The store has no scheme.', `Write ${forms}.`);
    default:
      throw invalidArgument(`Unknown kind of store: ${quote(scheme)}.`, `Write ${forms}.`);
  }
}

/** Whether opening it would make a file. */
export function isNewFile(place: StorePlace): boolean {
  if (place.engine === 'memory') return false;
  if (!existsSync(place.path)) return true;
  // A server that is killed at its first start leaves an empty file, and the next one fills it.
  const stats = statSync(place.path);
  return stats.isFile() && stats.size === 0;
}

/** @throws SessionError INVALID_ARGUMENT for a URL that names no store; else see the engine. */
export async function openStore({ url, durability, dataDir }: StoreOptions): Promise<Store> {
  const place = placeOf({ url, dataDir });
  return openSqlite({ path: place.engine === 'memory' ? ':memory:' : place.path, durability });
}

function sqlitePath(rest: string): string {
  if (rest === '') throw invalidArgument('The store "sqlite:" needs a path.', `Write ${forms}.`);
  // sqlite://name would be a host in a URL, and the folder /name for a path: neither is meant.
  if (/^\/\/[^/]/.test(rest) || rest.includes('\0'))
    throw invalidArgument('The path of the store cannot be read.', 'Write sqlite:PATH, without "//".');
  return rest === '~' || rest.startsWith('~/') ? join(homedir(), rest.slice(1)) : rest;
}
