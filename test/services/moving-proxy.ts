import { connect, createServer, type Socket } from 'node:net';

export interface MovingProxy {
  port: number;
  /** Cuts what is open; from now on the address leads elsewhere. */
  moveTo(port: number): void;
  /** What is open stays open, and nothing passes any more, as when a machine is gone without a word. */
  freeze(): void;
  /** What is open stays open, and nobody is let in any more. */
  refuse(): void;
  close(): Promise<void>;
}

/** An address that leads to one server, then to another, as one that follows the primary. */
export async function startMovingProxy(target: number): Promise<MovingProxy> {
  const pairs = new Set<readonly [Socket, Socket]>();
  let leadsTo = target;
  const server = createServer((client) => {
    const upstream = connect(leadsTo, '127.0.0.1');
    const pair = [client, upstream] as const;
    pairs.add(pair);
    const end = () => {
      pairs.delete(pair);
      for (const socket of pair) socket.destroy();
    };
    for (const socket of pair) socket.on('error', end).on('close', end);
    client.pipe(upstream);
    upstream.pipe(client);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('The proxy has no port.');
  const cut = () => {
    for (const [client, upstream] of [...pairs]) {
      client.destroy();
      upstream.destroy();
    }
  };
  return {
    port: address.port,
    moveTo(port) {
      leadsTo = port;
      cut();
    },
    freeze() {
      for (const [client, upstream] of pairs) {
        client.unpipe(upstream);
        upstream.unpipe(client);
        client.pause();
        upstream.pause();
      }
    },
    refuse() {
      server.close();
    },
    async close() {
      cut();
      if (server.listening) await new Promise((resolve) => server.close(resolve));
    },
  };
}
