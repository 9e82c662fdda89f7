import { copyKey } from '../keys.ts';
import type { StoreLook } from '../types.ts';
import { connectPostgres, type Run } from './connection.ts';
import { noPrivilege, postgresError } from './errors.ts';
import { prefix } from './names.ts';
import { newestVersion, versionOf } from './schema.ts';
import { readStatement } from './statements.ts';

/** Milliseconds to wait for a server that is starting. */
const patience = 5_000;

/**
 * Looks whether the database could be opened as a store, and makes nothing in it.
 * @throws SessionError as `openPostgres` does
 */
export async function lookAtPostgres(url: string, durability: 'full' | 'normal'): Promise<StoreLook> {
  const connection = await connectPostgres(url, durability, patience);
  try {
    const { location, limits, run } = connection;
    const version = await versionOf(run);
    if (!(await mayUse(run, version))) throw noPrivilege(undefined);
    const isHalfCopy = version > 0 && (await run(readStatement, [[copyKey], Date.now()])).length > 0;
    const state = version === newestVersion ? 'current' : version === 0 ? 'new' : 'older';
    return { location, state, isHalfCopy, limits };
  } catch (error) {
    throw postgresError(error, connection.location);
  } finally {
    await connection.close();
  }
}

/** Whether the user has the rights that docs/scaling.md names. */
async function mayUse(run: Run, version: number): Promise<boolean> {
  const [[may] = []] = await run({
    name: '',
    text:
      version < newestVersion
        ? `select coalesce(has_schema_privilege(current_schema(), 'create'), false)`
        : `select bool_and(has_table_privilege(oid, 'select') and has_table_privilege(oid, 'insert')
             and has_table_privilege(oid, 'update') and has_table_privilege(oid, 'delete')
             and has_sequence_privilege('${prefix}kv_id_seq', 'usage'))
           from unnest(array['kv', 'commits', 'fresh', 'gone', 'terms']) as part (name), to_regclass('${prefix}' || name) as oid`,
  });
  return may === true;
}
