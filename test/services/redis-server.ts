import type { ChildProcess } from 'node:child_process';
import { connect } from 'node:net';
import { freePort } from '../free-port.ts';
import {
  ended,
  folderFor,
  installDebian,
  programIn,
  removeFolder,
  type Service,
  startServer,
  untilUp,
} from './process.ts';

export interface RedisServer extends Service {
  /** Kills it, and starts it again on the same port and files. */
  crash(): Promise<void>;
  start(): Promise<void>;
}

const installed = (): string | undefined => {
  const { find } = programIn();
  return find('redis-server') ?? find('valkey-server');
};

async function binary(): Promise<string> {
  const found = installed();
  if (found !== undefined) return found;
  await installDebian('redis-server');
  const now = installed();
  if (now === undefined) throw new Error('The package redis-server has no server in it.');
  return now;
}

/** A Redis of our own without data, on a free port of the loopback interface. */
export async function startRedis(settings: Readonly<Record<string, string>> = {}): Promise<RedisServer> {
  const program = await binary();
  const folder = folderFor('redis');
  const port = await freePort();
  let child: ChildProcess | undefined;

  async function start(): Promise<void> {
    const wanted = { port: String(port), bind: '127.0.0.1', dir: folder, save: '', ...settings };
    const server = startServer(
      program,
      Object.entries(wanted).flatMap(([name, value]) => [`--${name}`, value]),
    );
    child = server;
    await untilUp(server, () => ping(port));
  }

  async function end(signal: NodeJS.Signals): Promise<void> {
    if (child !== undefined) await ended(child, signal);
  }

  try {
    await start();
  } catch (error) {
    await end('SIGKILL');
    removeFolder(folder);
    throw error;
  }
  return {
    url: `redis://127.0.0.1:${port}`,
    start,
    async crash() {
      await end('SIGKILL');
      await start();
    },
    async stop() {
      await end('SIGTERM');
      removeFolder(folder);
    },
  };
}

/** Rejects unless it answers, which it does not while it reads its files. */
function ping(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write('PING\r\n'));
    socket.setTimeout(1000, () => socket.destroy(new Error('Redis does not answer.')));
    socket.once('error', reject);
    socket.once('data', (answer) => {
      socket.destroy();
      if (/^(\+PONG|-NOAUTH)/.test(answer.toString())) resolve();
      else reject(new Error(`Redis answers ${answer}.`));
    });
  });
}
