/**
 * How long somebody new waits while others are busy: connections that are opened beside many that send request after
 * request, with the admission queue and without it.
 */
import http from 'node:http';
import { callModern, type Server, start } from './http-client.ts';
import { heading, median, row, whole } from './tools.ts';

const busyClients = 200;
const newClients = 50;
/** Nobody waits longer to see how long it would have taken. */
const mostMs = 20_000;

const client = (server: Server): Server => ({
  ...server,
  agent: new http.Agent({ keepAlive: true, maxSockets: 1 }),
});

const after = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms).unref());

/** Milliseconds until each newcomer has its first answer, at most `mostMs`. */
async function waits(server: Server): Promise<number[]> {
  let isOver = false;
  for (let i = 0; i < busyClients; i += 1) {
    const call = callModern(client(server), 'noop', {});
    const work = async () => {
      for (let n = 0; !isOver; n += 1) await call(n);
    };
    // The server is stopped under those that are still busy at the end.
    work().catch(() => {});
  }
  await after(2000);
  const times = await Promise.all(
    Array.from({ length: newClients }, async () => {
      const began = performance.now();
      await Promise.race([callModern(client(server), 'noop', {})(1).catch(() => {}), after(mostMs)]);
      return performance.now() - began;
    }),
  );
  isOver = true;
  server.child.kill('SIGKILL');
  return times;
}

/** `file` is the bundle of http-server.ts. */
export async function newcomers(file: string): Promise<void> {
  heading(`${newClients} new connections beside ${busyClients} busy ones, time to the first answer`);
  for (const [name, kind] of [
    ['with the admission queue', 'ours'],
    ['without it', 'unqueued'],
  ] as const) {
    const times = await waits(await start(file, [kind]));
    const show = (ms: number) => (ms >= mostMs ? `over ${mostMs / 1000} s` : `${whole(ms)} ms`);
    row(name, `median ${show(median(times))}, last ${show(Math.max(...times))}`);
  }
}
