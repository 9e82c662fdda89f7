import { randomBytes } from 'node:crypto';
import { afterAll, expect, onTestFinished, test } from 'vitest';
import { openPostgres } from '../../src/store/postgres/index.ts';
import { storeContract } from '../contract/store.ts';
import { startPgBouncer } from './pgbouncer.ts';
import { serverUrl, sql, subjectsOf } from './postgres.ts';
import { run } from './writers.ts';

// A pooler takes no search path from its clients, so the store has a database of its own.
const name = `test_${randomBytes(6).toString('hex')}`;
await sql(`create database ${name}`);
const direct = new URL(serverUrl());
direct.pathname = `/${name}`;
const pooler = await startPgBouncer(direct.href, 'transaction');
afterAll(async () => {
  await pooler.stop();
  await sql(`drop database ${name} with (force)`);
});

storeContract('postgres behind PgBouncer, by transaction', true, subjectsOf(pooler.url));

test('servers behind PgBouncer and beside it count together', async () => {
  await Promise.all([pooler.url, pooler.url, direct.href].map((url) => run('count.ts', url, '100', '3')));
  const store = await openPostgres({ url: pooler.url });
  expect(store.limits?.join()).toContain('pooler');
  const counts = await store.get(['l0', 'l1', 'l2']);
  await store.close();
  expect(counts.reduce((sum, count) => sum + Number(count), 0)).toBe(300);
});

test('a pooler that gives every statement another session is refused', async () => {
  const byStatement = await startPgBouncer(direct.href, 'statement');
  onTestFinished(byStatement.stop);
  await expect(openPostgres({ url: byStatement.url })).rejects.toMatchObject({
    code: 'FAILED_PRECONDITION',
    hint: expect.stringContaining('transaction'),
  });
});
