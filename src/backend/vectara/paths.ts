import { createHash } from 'node:crypto';
import { invalidArgument } from '../../errors.ts';
import { checkId } from '../../model/ids.ts';
import { path } from '../../net/url.ts';
import type { Owner, SessionRef } from '../types.ts';

const keyPattern = /^[0-9A-Za-z_-]{1,50}$/;
const aliasPrefix = 'alias:';

/** Where an app's sessions are: below an agent, or below an alias, written `alias:KEY`. */
export interface Tree {
  kind: 'agent' | 'alias';
  key: string;
  /** Path without a slash at its end. */
  base: string;
}

/** @throws SessionError INVALID_ARGUMENT for a text that is not a key, so that nothing else reaches a path */
export function treeOf(app: string): Tree {
  const isAlias = app.startsWith(aliasPrefix);
  const key = isAlias ? app.slice(aliasPrefix.length) : app;
  if (!keyPattern.test(key))
    throw invalidArgument(
      'app is not the key of a Vectara agent.',
      'Use an agent key (1 to 50 letters, digits, "-" or "_"), or alias: and the key of an alias.',
    );
  return isAlias
    ? { kind: 'alias', key, base: path`/v2/agent_aliases/${key}` }
    : { kind: 'agent', key, base: path`/v2/agents/${key}` };
}

export const aliasApp = (key: string): string => aliasPrefix + key;

/** @throws SessionError INVALID_ARGUMENT */
export function checkSessionKey(name: string, value: string): string {
  if (!keyPattern.test(value))
    throw invalidArgument(
      `${name} is not a Vectara session key.`,
      'Session keys at Vectara have 1 to 50 letters, digits, "-" and "_".',
    );
  return value;
}

/**
 * The key of a session whose id is already the key of another user's session. It is a hash of user and id, so that
 * it can be computed again.
 */
export function separateKey(userId: string, sessionId: string): string {
  const digest = createHash('sha256')
    .update(JSON.stringify([userId, sessionId]))
    .digest('base64url');
  return `own_${digest}`;
}

export function checkOwner<T extends Owner>(owner: T): T {
  checkId('userId', owner.userId);
  return owner;
}

/** The path of a session; parts below it begin with a slash. */
export function sessionPath(ref: SessionRef): string {
  checkOwner(ref);
  return treeOf(ref.app).base + path`/sessions/${checkSessionKey('sessionId', ref.sessionId)}`;
}

/** @throws SessionError INVALID_ARGUMENT */
export function checkEventId(name: string, value: string): string {
  if (!/^[0-9A-Za-z_-]{1,200}$/.test(value))
    throw invalidArgument(
      `${name} is not the id of a Vectara event.`,
      `Pass the ${name} that another tool returned; such ids begin with "aev_".`,
    );
  return value;
}

export const eventPath = (ref: SessionRef, eventId: string): string =>
  sessionPath(ref) + path`/events/${checkEventId('eventId', eventId)}`;
