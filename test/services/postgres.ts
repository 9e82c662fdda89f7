import { randomBytes } from 'node:crypto';
import { Client } from 'pg';
import { openPostgres } from '../../src/store/postgres/index.ts';
import type { Subject } from '../contract/store.ts';

/** The Postgres that `run.ts` started, or the one that the caller gave. */
export function serverUrl(): string {
  const url = process.env.TEST_POSTGRES_URL;
  if (url === undefined) throw new Error('TEST_POSTGRES_URL is not set: run npm run test:services.');
  return url;
}

/** Runs SQL in the database of the server, or in another of its databases. */
export async function sql(text: string, url = serverUrl()): Promise<Record<string, unknown>[]> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(text)).rows ?? [];
  } finally {
    await client.end();
  }
}

/** A place for a new store: a schema of its own, which takes less time than a database. */
export async function freshPlace(): Promise<{ url: string; drop: () => Promise<void> }> {
  const name = `test_${randomBytes(6).toString('hex')}`;
  await sql(`create schema ${name}`);
  const url = new URL(serverUrl());
  url.searchParams.set('options', `-csearch_path=${name}`);
  return {
    url: url.href,
    async drop() {
      await sql(`drop schema ${name} cascade`);
    },
  };
}

/** Subjects of the store contract: two connections to one store, which is emptied between the tests. */
export function subjectsOf(url: string): (now: () => number) => Promise<Subject> {
  const tables = ['kv', 'commits', 'fresh', 'gone', 'terms'].map((name) => `agent_sessions_${name}`);
  return async (now) => {
    const [store, other] = await Promise.all([openPostgres({ url, now }), openPostgres({ url, now })]);
    return {
      store,
      other,
      async dispose() {
        await Promise.all([store.close(), other.close()]);
        await sql(`truncate ${tables.join()}`, url);
      },
    };
  };
}
