import { join } from 'node:path';
import { expect, test } from 'vitest';
import { secretKey } from '../../src/store/keys.ts';
import { storeSecret } from '../../src/store/secret.ts';
import { scratch } from '../scratch.ts';
import { opened } from './helpers.ts';

test('all who open a store get the same secret, also when they race for it', async () => {
  const path = join(scratch(), 'sessions.db');
  const stores = await Promise.all(Array.from({ length: 4 }, () => opened(path)));
  const secrets = await Promise.all(stores.flatMap((store) => [storeSecret(store), storeSecret(store)]));
  const [first] = secrets;
  expect(first).toHaveLength(32);
  for (const secret of secrets) expect(secret).toEqual(first);
  for (const store of stores) await store.close();
  expect(await storeSecret(await opened(path))).toEqual(first);
});

test('another store has another secret', async () => {
  const [a, b] = await Promise.all([opened(':memory:'), opened(':memory:')]);
  expect(await storeSecret(a)).not.toEqual(await storeSecret(b));
});

test('a damaged secret is not used', async () => {
  const store = await opened(':memory:');
  await store.update([], () => ({ result: undefined, writes: [{ key: secretKey, value: 'short' }] }));
  await expect(storeSecret(store)).rejects.toMatchObject({ code: 'FAILED_PRECONDITION' });
});
