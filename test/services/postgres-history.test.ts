import { afterAll, beforeAll } from 'vitest';
import { linearizable } from './history/record.ts';
import { type PostgresServer, startPostgres } from './postgres-server.ts';

let server: PostgresServer;
beforeAll(async () => {
  server = await startPostgres();
});
afterAll(() => server.stop());

linearizable('Postgres that is killed meanwhile', () => server);
