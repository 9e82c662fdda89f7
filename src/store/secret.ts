import { randomBytes } from 'node:crypto';
import { SessionError } from '../errors.ts';
import { secretKey } from './keys.ts';
import type { Store } from './types.ts';

const length = 32;

/**
 * The store's secret of 32 random bytes, which signs page tokens and questions. The first call makes it; all processes
 * on the store get the same one.
 */
export async function storeSecret(store: Store): Promise<Buffer> {
  const stored = (await store.get([secretKey]))[0] ?? (await makeSecret(store));
  const secret = Buffer.from(stored, 'base64');
  if (secret.length !== length)
    throw new SessionError('FAILED_PRECONDITION', 'The secret in the store is damaged.', {
      hint: 'Restore the store from a backup, or choose another with --store.',
    });
  return secret;
}

function makeSecret(store: Store): Promise<string> {
  const fresh = randomBytes(length).toString('base64');
  return store.update([secretKey], ([value]) => ({
    result: value ?? fresh,
    writes: value === undefined ? [{ key: secretKey, value: fresh }] : [],
  }));
}
