import { randomBytes, timingSafeEqual } from 'node:crypto';
import type { Principal } from '../../model/principal.ts';
import type { Authenticate } from './index.ts';

/**
 * Lets one browser in: the key goes into the address that it opens, and is exchanged once for the token of all its
 * calls. A key that somebody reads later, in the history or in a list of processes, opens nothing.
 */
export interface OneTimeKey {
  key: string;
  /** The token; undefined for a wrong key, and for the right one the second time. */
  exchange(key: string): string | undefined;
  /** Knows the holder of the token as the principal, and nobody else. */
  authenticate: Authenticate;
}

export function createOneTimeKey(principal: Principal): OneTimeKey {
  const key = randomBytes(32).toString('base64url');
  const token = randomBytes(32).toString('base64url');
  let used = false;
  return {
    key,
    exchange(given) {
      if (used || !isSame(given, key)) return undefined;
      used = true;
      return token;
    },
    async authenticate(authorization) {
      const isHolder = used && isSame(authorization ?? '', `Bearer ${token}`);
      return isHolder
        ? { kind: 'caller', principal }
        : { kind: 'refused', presented: authorization !== undefined };
    },
  };
}

function isSame(given: string, wanted: string): boolean {
  const [a, b] = [Buffer.from(given), Buffer.from(wanted)];
  return a.length === b.length && timingSafeEqual(a, b);
}
