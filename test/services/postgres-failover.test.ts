import { rmSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { openPostgres } from '../../src/store/postgres/index.ts';
import type { Store } from '../../src/store/types.ts';
import { run } from '../e2e/run.ts';
import { makeCertificates } from './certificates.ts';
import { startMovingProxy } from './moving-proxy.ts';
import { sql } from './postgres.ts';
import { type PostgresServer, postgresAccount, startPostgres } from './postgres-server.ts';
import { expectExact, startWriters, type Writers } from './writers.ts';

const portOf = ({ url }: PostgresServer) => Number(new URL(url).port);

async function opened(url: string): Promise<Store> {
  const store = await openPostgres({ url });
  onTestFinished(() => store.close());
  return store;
}

const add = (store: Store) =>
  store.update(['n'], ([n]) => {
    const next = Number(n ?? 0) + 1;
    return { result: next, writes: [{ key: 'n', value: String(next) }] };
  });

async function some(writers: Writers, more: number): Promise<void> {
  const before = writers.acknowledged.size;
  await vi.waitFor(() => expect(writers.acknowledged.size).toBeGreaterThan(before + more), {
    timeout: 30_000,
    interval: 20,
  });
}

/** A primary, and a standby that has each commit before it is acknowledged. */
async function pair(): Promise<[primary: PostgresServer, standby: PostgresServer]> {
  const primary = await startPostgres({ fsync: 'off' });
  onTestFinished(() => primary.stop());
  const standby = await startPostgres({ fsync: 'off' }, primary);
  onTestFinished(() => standby.stop());
  await sql(`alter system set synchronous_standby_names = '*'`, primary.url);
  await sql('select pg_reload_conf()', primary.url);
  await vi.waitFor(async () =>
    expect(await sql('select sync_state from pg_stat_replication', primary.url)).toEqual([
      { sync_state: 'sync' },
    ]),
  );
  return [primary, standby];
}

describe('a standby takes over', () => {
  test('behind an address that moves: nothing acknowledged is lost, and no server is restarted', async () => {
    const [primary, standby] = await pair();
    const proxy = await startMovingProxy(portOf(primary));
    onTestFinished(proxy.close);
    const url = `postgres://postgres@127.0.0.1:${proxy.port}/postgres`;
    const writers = startWriters(url, 2, 4);
    await some(writers, 50);
    await primary.kill();
    // For a while the address leads to a server that takes no writes.
    proxy.moveTo(portOf(standby));
    await new Promise((resolve) => setTimeout(resolve, 500));
    await sql('select pg_promote()', standby.url);
    await some(writers, 50);
    await writers.killAll();
    expect([...writers.failed]).toEqual([]);
    await expectExact(await opened(standby.url), writers);
  });

  test('among the hosts of one address', async () => {
    const [primary, standby] = await pair();
    const hosts = [standby, primary].map((server) => new URL(server.url).host).join();
    const url = `postgres://postgres@${hosts}/postgres?target_session_attrs=read-write`;
    const store = await opened(url);
    expect(store.location).toBe(`postgres://${hosts}/postgres`);
    const writers = startWriters(url, 1, 4);
    await some(writers, 50);
    const list = (place: string) => run(['list', '--store', place, '--read-only', '--user', 'ada']);
    expect(await list(url)).toMatchObject({ code: 0 });
    // What is only read can be read from the standby.
    expect(await list(standby.url)).toMatchObject({ code: 0 });
    expect(await add(store)).toBe(1);
    await primary.kill();
    await sql('select pg_promote()', standby.url);
    await some(writers, 50);
    expect(await add(store)).toBe(2);
    await writers.killAll();
    expect([...writers.failed]).toEqual([]);
    await expectExact(store, writers);
  });
});

test('an address of which no host takes writes is refused in a sentence, and one that cannot be read', async () => {
  const [primary, standby] = await pair();
  const only = `${standby.url}?target_session_attrs=primary`;
  await expect(openPostgres({ url: only, patience: 100 })).rejects.toMatchObject({
    code: 'UNAVAILABLE',
    message: expect.stringContaining('takes no writes'),
  });
  const nobody = `postgres://postgres@127.0.0.1:1,${new URL(primary.url).host}/postgres`;
  expect(await add(await opened(nobody))).toBe(1);
  await expect(openPostgres({ url: `${primary.url}?target_session_attrs=standby` })).rejects.toMatchObject({
    code: 'INVALID_ARGUMENT',
  });
});

test('a server that is gone without a word is noticed', async () => {
  const server = await startPostgres({ fsync: 'off' });
  onTestFinished(() => server.stop());
  const proxy = await startMovingProxy(portOf(server));
  onTestFinished(proxy.close);
  const store = await opened(`postgres://postgres@127.0.0.1:${proxy.port}/postgres?statement_timeout=500`);
  expect(await add(store)).toBe(1);
  proxy.freeze();
  // New connections get through, as to the machine that took over.
  expect(await Promise.all([add(store), store.get(['n'])])).toEqual([2, [expect.any(String)]]);
});

describe('TLS', () => {
  let server: PostgresServer;
  let files: Awaited<ReturnType<typeof makeCertificates>>;
  beforeAll(async () => {
    files = await makeCertificates(await postgresAccount());
    server = await startPostgres({
      fsync: 'off',
      ssl: 'on',
      ssl_cert_file: files.certificate,
      ssl_key_file: files.key,
    });
  });
  afterAll(async () => {
    await server.stop();
    rmSync(files.folder, { recursive: true });
  });

  test('sslmode=verify-full trusts whom sslrootcert names, and nobody else', async () => {
    const trusted = `${server.url}?sslmode=verify-full&sslrootcert=${files.authority}`;
    expect(await add(await opened(trusted))).toBe(1);
    expect(await sql('select count(*) > 0 as encrypted from pg_stat_ssl where ssl', server.url)).toEqual([
      { encrypted: true },
    ]);
    const stranger = `${server.url}?sslmode=verify-full`;
    const refused = { code: 'FAILED_PRECONDITION', message: expect.stringContaining('certificate') };
    await expect(openPostgres({ url: stranger, patience: 100 })).rejects.toMatchObject(refused);
    // The certificate is that of 127.0.0.1.
    const other = trusted.replace('127.0.0.1', 'localhost');
    await expect(openPostgres({ url: other, patience: 100 })).rejects.toMatchObject(refused);
    const plain = await startPostgres({ fsync: 'off' });
    onTestFinished(() => plain.stop());
    await expect(openPostgres({ url: `${plain.url}?sslmode=require` })).rejects.toMatchObject({
      code: 'FAILED_PRECONDITION',
      message: expect.stringContaining('does not encrypt'),
    });
    await expect(openPostgres({ url: `${trusted}.nowhere` })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
    });
  });
});
