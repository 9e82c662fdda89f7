import { SessionError } from '../../errors.ts';
import type { Connection } from './connection.ts';

/** How the keys of a store are laid out (`lua.ts`). A change that older programs cannot read raises it. */
const format = 1;

/**
 * The layout of the store there is; undefined where there is none.
 * @throws SessionError FAILED_PRECONDITION when a newer program wrote the store
 */
export async function formatOf(connection: Connection, meta: string): Promise<number | undefined> {
  const text = await connection.send(['HGET', meta, 'format']);
  if (text === null) return undefined;
  const found = Number(text);
  if (found === format) return found;
  throw new SessionError(
    'FAILED_PRECONDITION',
    'The session store was written by a newer version of this program.',
    {
      hint: 'Update agent-sessions-mcp, or choose another prefix with ?prefix= in --store.',
      details: { version: found, supportedVersion: format },
    },
  );
}

/** Notes our layout in a new store. @throws as `formatOf` */
export async function claimFormat(connection: Connection, meta: string): Promise<void> {
  await connection.send(['HSETNX', meta, 'format', String(format)]);
  await formatOf(connection, meta);
}
