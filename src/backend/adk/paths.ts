import { invalidArgument } from '../../errors.ts';
import { checkId } from '../../model/ids.ts';
import { path } from '../../net/url.ts';
import type { Owner, SessionRef } from '../types.ts';
import type { Adk } from './client.ts';

export function checkSlash(allowed: boolean, what: string, value: string): void {
  if (!allowed && value.includes('/'))
    throw invalidArgument(
      `${what} contains a "/", which this ADK server does not accept in a path.`,
      `Use ${what} without "/".`,
    );
}

export async function sessionsPath(adk: Adk, owner: Owner): Promise<string> {
  const { slashInIds } = await adk.dialect();
  checkSlash(slashInIds, 'app', owner.app);
  checkSlash(slashInIds, 'userId', owner.userId);
  return path`/apps/${owner.app}/users/${owner.userId}/sessions`;
}

export async function sessionPath(adk: Adk, ref: SessionRef): Promise<string> {
  const parent = await sessionsPath(adk, ref);
  checkSlash((await adk.dialect()).slashInIds, 'sessionId', ref.sessionId);
  return parent + path`/${ref.sessionId}`;
}

export function checked(ref: SessionRef): SessionRef {
  checkId('sessionId', ref.sessionId);
  return ref;
}
