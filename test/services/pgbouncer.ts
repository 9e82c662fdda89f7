import { chownSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { Client } from 'pg';
import { freePort } from '../free-port.ts';
import {
  accountOf,
  ended,
  folderFor,
  installDebian,
  programIn,
  removeFolder,
  type Service,
  startServer,
  untilUp,
} from './process.ts';

const find = () => programIn('/usr/sbin').find('pgbouncer');

/** A PgBouncer before the database of a URL, on a free port of the loopback interface. */
export async function startPgBouncer(
  to: string,
  mode: 'transaction' | 'session' | 'statement',
): Promise<Service> {
  if (find() === undefined) await installDebian('pgbouncer');
  const program = find();
  if (program === undefined) throw new Error('The package pgbouncer has no pgbouncer in it.');
  const target = new URL(to);
  const account = await accountOf('postgres', 'nobody');
  const folder = folderFor('pgbouncer', account);
  const port = await freePort();
  const database = target.pathname.slice(1);
  const file = path.join(folder, 'pgbouncer.ini');
  const users = path.join(folder, 'users.txt');
  writeFileSync(users, `"${target.username}" "${target.password}"\n`);
  writeFileSync(
    file,
    `[databases]
${database} = host=${target.hostname} port=${target.port} user=${target.username}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = any
auth_file = ${users}
pool_mode = ${mode}
default_pool_size = 8
`,
  );
  if (account !== undefined) for (const one of [file, users]) chownSync(one, account.uid, account.gid);
  const child = startServer(program, [file], account);
  const url = `postgres://${target.username}@127.0.0.1:${port}/${database}`;
  await untilUp(child, async () => {
    const client = new Client({ connectionString: url });
    try {
      await client.connect();
    } finally {
      await client.end();
    }
  });
  return {
    url,
    async stop() {
      await ended(child, 'SIGKILL');
      removeFolder(folder);
    },
  };
}
