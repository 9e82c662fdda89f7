import { onTestFinished } from 'vitest';
import { openSqlite, type SqliteOptions } from '../../src/store/sqlite/index.ts';
import type { Store } from '../../src/store/types.ts';
import { scriptsBeside } from '../scripts.ts';

/** A store that is closed after the test. */
export async function opened(path: string, options: Partial<SqliteOptions> = {}): Promise<Store> {
  const store = await openSqlite({ path, durability: 'full', ...options });
  onTestFinished(() => store.close());
  return store;
}

export const { start, run } = scriptsBeside(import.meta.url);
