import { copyKey } from '../keys.ts';
import type { StoreLook } from '../types.ts';
import { redisAddress } from './address.ts';
import { connectRedis } from './connection.ts';
import { formatOf } from './format.ts';
import { keyOf } from './lua.ts';
import { checkFacts, lossesOf, readFacts } from './persistence.ts';

/**
 * Looks whether the server could hold the store, and writes nothing to it.
 * @throws SessionError as `openRedis` does, but for rights that only the start tries
 */
export async function lookAtRedis(url: string): Promise<StoreLook> {
  const address = redisAddress(url);
  const connection = await connectRedis(address);
  try {
    const facts = await readFacts(connection, Date.now);
    checkFacts(facts, address.location);
    const key = keyOf(address);
    const format = await formatOf(connection, key('meta'));
    const isHalfCopy = (await connection.send(['HGET', key('values'), copyKey])) !== null;
    const state = format === undefined ? 'new' : 'current';
    return { location: address.location, state, isHalfCopy, limits: lossesOf(facts) };
  } finally {
    await connection.close();
  }
}
