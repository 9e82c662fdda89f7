import { SessionError } from '../../errors.ts';
import type { Connection } from './connection.ts';

/** How the keys of a store are laid out (`lua.ts`). A change that older programs cannot read raises it. */
const format = 1;

/** @throws SessionError FAILED_PRECONDITION when a newer program wrote the store */
export async function checkFormat(connection: Connection, meta: string): Promise<void> {
  await connection.send(['HSETNX', meta, 'format', String(format)]);
  const found = Number(await connection.send(['HGET', meta, 'format']));
  if (found === format) return;
  throw new SessionError(
    'FAILED_PRECONDITION',
    'The session store was written by a newer version of this program.',
    {
      hint: 'Update agent-sessions-mcp, or choose another prefix with ?prefix= in --store.',
      details: { version: found, supportedVersion: format },
    },
  );
}
